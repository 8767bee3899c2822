//! The application ID: 13 digits, the last a modulus-10 weight-3 check digit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A valid application ID. It cannot hold a wrong length, a non-digit or a wrong check digit.
///
/// An application ID is an identifier, not a secret: it may stand in logs and object rows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApplicationId([u8; ApplicationId::LENGTH]);

/// Why a text is not an application ID. The text itself is not repeated: it may be anything that
/// was printed on a stray sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplicationIdError {
    #[error("an application ID has 13 digits, this has {0} characters")]
    Length(usize),
    #[error("an application ID has digits only, character {0} is none")]
    NotADigit(usize),
    #[error("the check digit is {found}, it should be {expected}")]
    CheckDigit { found: u8, expected: u8 },
}

impl ApplicationId {
    pub const LENGTH: usize = 13;

    /// Reads exactly 13 ASCII digits, the last of which must be the check digit.
    pub fn parse(text: &str) -> Result<Self, ApplicationIdError> {
        let length = text.chars().count();
        if length != Self::LENGTH {
            return Err(ApplicationIdError::Length(length));
        }
        let mut digits = [0; Self::LENGTH];
        for (position, character) in text.chars().enumerate() {
            let digit = character.to_digit(10).ok_or(ApplicationIdError::NotADigit(position + 1))?;
            digits[position] = digit as u8;
        }
        let expected = check_digit(&digits[..Self::LENGTH - 1]);
        let found = digits[Self::LENGTH - 1];
        if found != expected {
            return Err(ApplicationIdError::CheckDigit { found, expected });
        }
        Ok(Self(digits))
    }

    /// The ID of a serial number below 10^12, with its check digit.
    pub fn from_serial(serial: u64) -> Option<Self> {
        if serial >= 1_000_000_000_000 {
            return None;
        }
        let mut digits = [0; Self::LENGTH];
        let mut rest = serial;
        for digit in digits[..Self::LENGTH - 1].iter_mut().rev() {
            *digit = (rest % 10) as u8;
            rest /= 10;
        }
        digits[Self::LENGTH - 1] = check_digit(&digits[..Self::LENGTH - 1]);
        Some(Self(digits))
    }
}

/// Modulus 10, weight 3 from the right (as in EAN and ITF-14; JIS X 0501).
fn check_digit(payload: &[u8]) -> u8 {
    let sum: u32 = payload
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| u32::from(digit) * if place % 2 == 0 { 3 } else { 1 })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for digit in self.0 {
            write!(formatter, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ApplicationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for ApplicationId {
    type Err = ApplicationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ApplicationId {
    type Error = ApplicationIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ApplicationId> for String {
    fn from(id: ApplicationId) -> Self {
        id.to_string()
    }
}

impl schemars::JsonSchema for ApplicationId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ApplicationId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]{13}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_check_digit_is_that_of_ean_13() {
        // The worked example of the GS1 General Specifications.
        assert_eq!(
            ApplicationId::parse("6291041500213").map(|id| id.to_string()),
            Ok("6291041500213".to_owned())
        );
        assert_eq!(
            ApplicationId::parse("6291041500214"),
            Err(ApplicationIdError::CheckDigit { found: 4, expected: 3 })
        );
    }

    #[test]
    fn other_digits_of_unicode_are_refused() {
        assert_eq!(ApplicationId::parse("６291041500213"), Err(ApplicationIdError::NotADigit(1)));
    }

    proptest! {
        #[test]
        fn a_serial_survives_the_round_trip(serial in 0u64..1_000_000_000_000) {
            let id = ApplicationId::from_serial(serial).expect("in range");
            prop_assert_eq!(ApplicationId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn every_single_digit_error_is_refused(serial in 0u64..1_000_000_000_000, place in 0usize..13, by in 1u8..10) {
            let mut text = ApplicationId::from_serial(serial).expect("in range").to_string().into_bytes();
            text[place] = b'0' + (text[place] - b'0' + by) % 10;
            prop_assert!(ApplicationId::parse(std::str::from_utf8(&text).expect("ascii")).is_err());
        }
    }
}
