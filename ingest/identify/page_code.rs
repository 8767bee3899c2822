//! The text of the QR code that every printed page carries.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::application_id::{ApplicationId, ApplicationIdError};

/// Form, version, page and application ID, as `U1|benefit-2020|1|2|0000000000017`; on a form that went with a
/// letter also its issue, as `U1|benefit-2020|1|2|0000000000017|2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCode {
    pub form: String,
    pub version: String,
    pub page: u32,
    pub application_id: ApplicationId,
    pub issue: Issue,
}

/// Which of an application's forms a page is of, from 1: the one that was mailed first, then those that went
/// with its letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Issue(NonZeroU32);

impl Issue {
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// Of the form that goes with an application's letter of this number, from 1.
    pub fn of_letter(number: u32) -> Self {
        Self(Self::FIRST.0.saturating_add(number))
    }

    /// The number of the letter that it went with; none of the form that was mailed first.
    pub fn letter(self) -> Option<u32> {
        Some(self.0.get() - 1).filter(|&number| number > 0)
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageCodeError {
    #[error("a page code has five parts parted by '|', the first of them 'U1', or six")]
    Parts,
    #[error("the page number of a page code is a whole number from 1")]
    Page,
    #[error("the sixth part of a page code is a whole number from 2")]
    Issue,
    #[error(transparent)]
    ApplicationId(#[from] ApplicationIdError),
}

/// Names the layout of the text, so that a later one can differ.
const PREFIX: &str = "U1";

impl fmt::Display for PageCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, version, page, application_id, issue } = self;
        write!(formatter, "{PREFIX}|{form}|{version}|{page}|{application_id}")?;
        match issue.letter() {
            Some(_) => write!(formatter, "|{issue}"),
            None => Ok(()),
        }
    }
}

impl FromStr for PageCode {
    type Err = PageCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('|').collect();
        let (&[PREFIX, form, version, page, application_id], issue) = parts.split_at(parts.len().min(5))
        else {
            return Err(PageCodeError::Parts);
        };
        let issue = match issue {
            [] => Issue::FIRST,
            [issue] => {
                let later = issue.parse().ok().map(Issue).filter(|issue| issue.letter().is_some());
                later.ok_or(PageCodeError::Issue)?
            }
            _ => return Err(PageCodeError::Parts),
        };
        if form.is_empty() || version.is_empty() {
            return Err(PageCodeError::Parts);
        }
        let page = page.parse().ok().filter(|&page| page > 0).ok_or(PageCodeError::Page)?;
        Ok(Self {
            form: form.to_owned(),
            version: version.to_owned(),
            page,
            application_id: ApplicationId::parse(application_id)?,
            issue,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_value_agree(serial in 0u64..1_000_000_000_000, page in 1u32..9, letters in 0u32..12) {
            let code = PageCode {
                form: "benefit-2020".to_owned(),
                version: "1".to_owned(),
                page,
                application_id: ApplicationId::from_serial(serial).expect("in range"),
                issue: Issue::of_letter(letters),
            };
            prop_assert_eq!(code.to_string().parse(), Ok(code));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".*") {
            prop_assert!(text.parse::<PageCode>().is_err());
        }
    }

    #[test]
    fn the_first_form_is_named_in_one_way_only() {
        let parsed = |text: &str| text.parse::<PageCode>().map(|code| code.issue);
        assert_eq!(parsed("U1|benefit-2020|1|2|0000000000017"), Ok(Issue::FIRST));
        assert_eq!(parsed("U1|benefit-2020|1|2|0000000000017|2"), Ok(Issue::of_letter(1)));
        for wrong in ["", "0", "1", "-2", "two"] {
            let text = format!("U1|benefit-2020|1|2|0000000000017|{wrong}");
            assert_eq!(parsed(&text), Err(PageCodeError::Issue), "{text}");
        }
        assert_eq!(parsed("U1|benefit-2020|1|2|0000000000017|2|2"), Err(PageCodeError::Parts));
    }
}
