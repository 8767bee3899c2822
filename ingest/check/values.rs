//! What stands in the fields of an application, as the checks see it: read by the machine, or decided
//! by people.

use std::collections::BTreeMap;
use std::fmt;

use crate::read::{FieldReading, InkState};

/// What a field holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    Blank,
    /// There is ink, and no one value of it.
    Unreadable,
    /// As a record writes it.
    Value(String),
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Blank => "Blank",
            Self::Unreadable => "Unreadable",
            Self::Value(_) => "Value(***)",
        })
    }
}

/// By field. A field that is not there is not on the form, or its page was not read: no check says
/// anything of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values(BTreeMap<String, Content>);

impl Values {
    pub fn of_readings(readings: &[&FieldReading]) -> Self {
        let content = |reading: &FieldReading| match (reading.state, &reading.value) {
            (InkState::Blank, _) => Content::Blank,
            (_, Some(value)) => Content::Value(value.clone()),
            (_, None) => Content::Unreadable,
        };
        readings.iter().map(|reading| (reading.field.clone(), content(reading))).collect()
    }

    pub fn get(&self, field: &str) -> Option<&Content> {
        self.0.get(field)
    }

    pub fn has(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// None also where the field is blank or cannot be read.
    pub fn value(&self, field: &str) -> Option<&str> {
        match self.0.get(field) {
            Some(Content::Value(value)) => Some(value),
            _ => None,
        }
    }

    pub fn is_blank(&self, field: &str) -> bool {
        self.0.get(field) == Some(&Content::Blank)
    }

    pub fn has_ink(&self, field: &str) -> bool {
        self.0.get(field).is_some_and(|content| *content != Content::Blank)
    }
}

impl FromIterator<(String, Content)> for Values {
    fn from_iter<I: IntoIterator<Item = (String, Content)>>(contents: I) -> Self {
        Self(contents.into_iter().collect())
    }
}
