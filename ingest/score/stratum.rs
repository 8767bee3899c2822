//! What a reading states. That something is written, and that nothing is, are statements of their
//! own, each with its own risk.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::read::{FieldReading, InkState};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stratum {
    /// This value stands in the field.
    Written,
    /// Nothing does.
    Blank,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stratum is 'written' or 'blank'")]
pub struct StratumError;

impl Stratum {
    /// None where nothing is stated: the ink is ambiguous, or was seen and not read.
    pub fn of(ink: InkState, value: Option<&str>) -> Option<Self> {
        match (ink, value) {
            (InkState::Written, Some(_)) => Some(Self::Written),
            (InkState::Blank, _) => Some(Self::Blank),
            (InkState::Written, None) | (InkState::Ambiguous, _) => None,
        }
    }

    pub fn of_reading(reading: &FieldReading) -> Option<Self> {
        Self::of(reading.state, reading.value.as_deref())
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Blank => "blank",
        }
    }
}

impl fmt::Display for Stratum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Stratum {
    type Err = StratumError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Written, Self::Blank].into_iter().find(|stratum| stratum.name() == text).ok_or(StratumError)
    }
}

/// The statements that are calibrated and certified together: those of one kind about fields of one
/// name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StratumKey {
    pub field: String,
    pub stratum: Stratum,
}

impl StratumKey {
    pub fn new(field: &str, stratum: Stratum) -> Self {
        Self { field: field.to_owned(), stratum }
    }
}

impl fmt::Display for StratumKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.field, self.stratum)
    }
}
