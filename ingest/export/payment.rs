//! One payment, of values that a transfer file can hold once they are constructed.

use std::fmt;

use super::BankProfile;
use super::text::{self, HALF_VOICED, VOICED};
use crate::application_id::ApplicationId;
use crate::bank_account::BankAccount;
use crate::kana::ZenginName;

/// An amount that one record can carry: 1 to 9,999,999,999 yen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Yen(u64);

impl Yen {
    pub const MOST: u64 = 9_999_999_999;

    pub fn new(yen: u64) -> Option<Self> {
        (1..=Self::MOST).contains(&yen).then_some(Self(yen))
    }

    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Yen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A name as the bank of a profile takes it, in the bytes of the file: at most 30 for a payee, 40
/// for the consignor.
#[derive(Clone, PartialEq, Eq)]
pub struct PartyName(Vec<u8>);

/// Names are personal.
impl fmt::Debug for PartyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PartyName(***)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// `place` counts characters from 0.
    #[error("the bank takes no '{symbol}' (character {} of the name); see symbols and blanks_for of its profile", place + 1)]
    Symbol { symbol: char, place: usize },
    #[error("nothing is left of the name")]
    Empty,
}

impl PartyName {
    /// Of a payee.
    pub const PAYEE_BYTES: usize = 30;

    /// A longer name is cut to its first bytes, never between a kana and its sound mark.
    pub fn payee(name: &ZenginName, profile: &BankProfile) -> Result<Self, NameError> {
        Self::of(name, profile, Self::PAYEE_BYTES)
    }

    pub(super) fn of(name: &ZenginName, profile: &BankProfile, limit: usize) -> Result<Self, NameError> {
        let mut bytes = Vec::with_capacity(limit);
        for (place, character) in name.as_str().chars().enumerate() {
            let refused = NameError::Symbol { symbol: character, place };
            let byte = text::byte(character).ok_or(refused)?;
            match character {
                '(' | ')' | '-' | '.' if profile.blanks_for.contains(character) => bytes.push(b' '),
                '(' | ')' | '-' | '.' if !profile.symbols.contains(character) => return Err(refused),
                _ => bytes.push(byte),
            }
        }
        if bytes.get(limit).is_some_and(|&next| matches!(next, VOICED | HALF_VOICED)) {
            bytes.truncate(limit - 1);
        }
        bytes.truncate(limit);
        let trimmed = bytes.trim_ascii();
        if trimmed.is_empty() { Err(NameError::Empty) } else { Ok(Self(trimmed.to_vec())) }
    }

    /// JIS X 0201, without the blanks that fill the field.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What one record of a transfer file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub application_id: ApplicationId,
    pub account: BankAccount,
    pub payee: PartyName,
    pub amount: Yen,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::profile::tests::profile;

    fn payee(text: &str) -> Result<String, NameError> {
        let name = ZenginName::of(text).expect("kana");
        let bytes = PartyName::payee(&name, &profile())?.bytes().to_vec();
        Ok(encoding(&bytes))
    }

    fn encoding(bytes: &[u8]) -> String {
        let wide = |byte: u8| match byte {
            0xA1..=0xDF => char::from_u32(u32::from(byte) - 0xA1 + '｡' as u32).expect("half-width"),
            byte => char::from(byte),
        };
        bytes.iter().map(|&byte| wide(byte)).collect()
    }

    #[test]
    fn a_long_name_is_cut_but_not_before_a_sound_mark() {
        let thirty = "ｱ".repeat(30);
        assert_eq!(payee(&format!("{thirty}ｶ")), Ok(thirty.clone()));
        assert_eq!(payee(&format!("{}ガ", "ｱ".repeat(29))), Ok("ｱ".repeat(29)));
        assert_eq!(payee(&format!("{}ガ", "ｱ".repeat(28))), Ok(format!("{}ｶﾞ", "ｱ".repeat(28))));
        assert_eq!(payee(&format!("{} ｱ", "ｱ".repeat(29))), Ok("ｱ".repeat(29)));
    }

    #[test]
    fn symbols_are_those_of_the_bank() {
        let mut profile = profile();
        let name = ZenginName::of("スミス.ジヨン").expect("kana");
        profile.symbols = "()-".to_owned();
        assert_eq!(PartyName::payee(&name, &profile), Err(NameError::Symbol { symbol: '.', place: 3 }));
        profile.blanks_for = ".".to_owned();
        assert_eq!(
            PartyName::payee(&name, &profile).map(|name| encoding(name.bytes())).as_deref(),
            Ok("ｽﾐｽ ｼﾞﾖﾝ")
        );
        let point = ZenginName::of(".").expect("a symbol");
        assert_eq!(PartyName::payee(&point, &profile), Err(NameError::Empty));
    }

    #[test]
    fn an_amount_fits_its_ten_digits() {
        assert_eq!(Yen::new(0), None);
        assert_eq!(Yen::new(10_000_000_000), None);
        assert_eq!(Yen::new(9_999_999_999).map(Yen::get), Some(9_999_999_999));
    }
}
