//! Reference data: banks and branches that exist, how people write their names, and the rules of
//! ゆうちょ's numbers.
//!
//! The table comes from zengin-code/source-data (MIT, daily; PyPI `zengin-code`), which has names
//! without 銀行 and 支店. It is loaded once ([`BankTable::load`]) and only ever adds evidence: what
//! stands on a form may name a bank that was merged since.

mod load;
mod spelling;
mod yucho;

use std::fmt;

use crate::digest::Sha256;

pub use load::ReferenceError;
pub use spelling::Spelling;
pub use yucho::{check_digit, check_digit_holds, transfer_branch};

/// Four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BankCode([u8; 4]);

/// Three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchCode([u8; 3]);

impl BankCode {
    pub const YUCHO: Self = Self(*b"9900");

    /// None for anything but four ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        digits(text).map(Self)
    }
}

impl BranchCode {
    /// None for anything but three ASCII digits.
    pub fn parse(text: &str) -> Option<Self> {
        digits(text).map(Self)
    }
}

fn digits<const COUNT: usize>(text: &str) -> Option<[u8; COUNT]> {
    let digits: [u8; COUNT] = text.as_bytes().try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then_some(digits)
}

impl fmt::Display for BankCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&digit| write!(formatter, "{}", char::from(digit)))
    }
}

impl fmt::Display for BranchCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&digit| write!(formatter, "{}", char::from(digit)))
    }
}

/// A bank, credit union, cooperative: whoever has a bank code.
#[derive(Debug, Clone, PartialEq)]
pub struct Bank {
    pub code: BankCode,
    /// With what kind of institution it is: 横浜銀行, 横浜信用金庫.
    pub name: String,
    /// As the table has it, full-width and without small kana: ヨコハマ.
    pub kana: String,
    /// All ways to write the name.
    pub spellings: Vec<Spelling>,
    /// By code.
    branches: Vec<Branch>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    pub code: BranchCode,
    /// Without 支店: 関内, 本店営業部.
    pub name: String,
    pub kana: String,
}

impl Bank {
    pub fn branch(&self, code: BranchCode) -> Option<&Branch> {
        let place = self.branches.binary_search_by_key(&code, |branch| branch.code).ok()?;
        Some(&self.branches[place])
    }

    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// `CODE NAME`, as evidence names it.
    pub fn label(&self) -> String {
        format!("{} {}", self.code, self.name)
    }
}

impl Branch {
    /// `CODE NAME`, as evidence names it.
    pub fn label(&self) -> String {
        format!("{} {}", self.code, self.name)
    }
}

/// The banks that exist at a date; 5 MB.
#[derive(Debug, Clone, PartialEq)]
pub struct BankTable {
    /// By code.
    banks: Vec<Bank>,
    /// The day of the data, `YYYYMMDD`.
    pub updated: String,
    /// Of all files that it was made of.
    pub digest: Sha256,
}

impl BankTable {
    pub fn bank(&self, code: BankCode) -> Option<&Bank> {
        let place = self.banks.binary_search_by_key(&code, |bank| bank.code).ok()?;
        Some(&self.banks[place])
    }

    pub fn banks(&self) -> &[Bank] {
        &self.banks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_their_digits_and_nothing_else() {
        assert_eq!(BankCode::parse("0138").map(|code| code.to_string()).as_deref(), Some("0138"));
        assert_eq!(BranchCode::parse("007").map(|code| code.to_string()).as_deref(), Some("007"));
        for wrong in ["", "138", "01384", "01a8", "０１"] {
            assert_eq!(BankCode::parse(wrong), None, "{wrong}");
        }
    }
}
