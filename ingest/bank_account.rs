//! The account that money goes to, right once it is constructed: seven digits at a branch of a bank.
//! What a form says of it in other words (ゆうちょ's 記号 and 番号) is turned into it here.

use std::fmt;

use crate::reference::{self, BankCode, BranchCode};

/// Seven digits, not all of them 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber([u8; 7]);

impl AccountNumber {
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 7] = text.as_bytes().try_into().ok()?;
        let is_number = digits.iter().all(u8::is_ascii_digit) && digits != [b'0'; 7];
        is_number.then_some(Self(digits))
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&digit| write!(formatter, "{}", char::from(digit)))
    }
}

/// Account numbers are personal.
impl fmt::Debug for AccountNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AccountNumber(***)")
    }
}

/// 預金種目.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountType {
    /// 普通.
    Ordinary,
    /// 当座.
    Current,
    /// 貯蓄.
    Savings,
    /// その他.
    Other,
}

impl AccountType {
    pub const ALL: [Self; 4] = [Self::Ordinary, Self::Current, Self::Savings, Self::Other];

    /// The digit of transfer files.
    pub fn code(self) -> char {
        match self {
            Self::Ordinary => '1',
            Self::Current => '2',
            Self::Savings => '4',
            Self::Other => '9',
        }
    }

    pub fn of_code(code: char) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// As the mark of a form names it.
    pub fn of_mark(value: &str) -> Option<Self> {
        match value {
            "ordinary" => Some(Self::Ordinary),
            "current" => Some(Self::Current),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankAccount {
    pub bank: BankCode,
    pub branch: BranchCode,
    pub kind: AccountType,
    pub number: AccountNumber,
}

impl BankAccount {
    /// The account that transfers to a 記号 and 番号 go to (domain rules 2.6); none where they are
    /// none of ゆうちょ's. The check digit is not looked at: its rule is not official, and a number
    /// that fails it is a finding, not a refusal.
    pub fn of_yucho(symbol: &str, number: &str) -> Option<Self> {
        let branch = reference::transfer_branch(symbol)?;
        let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
        let (kind, number) = if symbol.starts_with('1') {
            // A 番号 that is written with leading zeros is the same.
            (AccountType::Ordinary, number.strip_suffix('1').filter(|rest| rest.len() <= 7)?)
        } else {
            let short = number.trim_start_matches('0');
            (AccountType::Current, Some(short).filter(|short| short.len() <= 6)?)
        };
        let number = is_number.then(|| AccountNumber::parse(&format!("{number:0>7}")))??;
        Some(Self { bank: BankCode::YUCHO, branch, kind, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yucho(symbol: &str, number: &str) -> Option<String> {
        let account = BankAccount::of_yucho(symbol, number)?;
        let BankAccount { bank, branch, kind, number } = account;
        Some(format!("{bank} {branch} {} {number}", kind.code()))
    }

    #[test]
    fn a_number_has_seven_digits_and_is_never_shown_by_debug() {
        for wrong in ["", "123456", "12345678", "123456a", "１２３４５６７", "0000000"] {
            assert_eq!(AccountNumber::parse(wrong), None, "{wrong}");
        }
        let number = AccountNumber::parse("0123456").expect("seven digits");
        assert_eq!(
            (number.to_string().as_str(), format!("{number:?}").as_str()),
            ("0123456", "AccountNumber(***)")
        );
    }

    #[test]
    fn symbols_of_savings_lose_the_last_digit_and_those_of_giro_accounts_are_filled_up() {
        assert_eq!(yucho("14080", "12345671").as_deref(), Some("9900 408 1 1234567"));
        assert_eq!(yucho("14080", "5671").as_deref(), Some("9900 408 1 0000567"));
        assert_eq!(yucho("00190", "31000").as_deref(), Some("9900 019 2 0031000"));
        assert_eq!(yucho("00190", "00031000").as_deref(), Some("9900 019 2 0031000"));
    }

    #[test]
    fn what_is_none_of_japan_posts_is_no_account() {
        // does not end in 1; too long; a giro number of more than six digits; no symbol; no number
        for (symbol, number) in [
            ("14080", "12345672"),
            ("14080", "123456781"),
            ("00190", "1234567"),
            ("24080", "11"),
            ("14081", "11"),
            ("14080", ""),
            ("14080", "1"),
        ] {
            assert_eq!(yucho(symbol, number), None, "{symbol} {number}");
        }
    }
}
