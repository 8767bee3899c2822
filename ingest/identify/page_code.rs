//! The text of the QR code that every printed page carries.

use std::fmt;
use std::str::FromStr;

use crate::application_id::{ApplicationId, ApplicationIdError};

/// Form, version, page and application ID, as `U1|benefit-2020|1|2|0000000000017`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCode {
    pub form: String,
    pub version: String,
    pub page: u32,
    pub application_id: ApplicationId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageCodeError {
    #[error("a page code has five parts parted by '|', the first of them 'U1'")]
    Parts,
    #[error("the page number of a page code is a whole number from 1")]
    Page,
    #[error(transparent)]
    ApplicationId(#[from] ApplicationIdError),
}

/// Names the layout of the text, so that a later one can differ.
const PREFIX: &str = "U1";

impl fmt::Display for PageCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { form, version, page, application_id } = self;
        write!(formatter, "{PREFIX}|{form}|{version}|{page}|{application_id}")
    }
}

impl FromStr for PageCode {
    type Err = PageCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('|').collect();
        let &[PREFIX, form, version, page, application_id] = parts.as_slice() else {
            return Err(PageCodeError::Parts);
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
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_value_agree(serial in 0u64..1_000_000_000_000, page in 1u32..9) {
            let code = PageCode {
                form: "benefit-2020".to_owned(),
                version: "1".to_owned(),
                page,
                application_id: ApplicationId::from_serial(serial).expect("in range"),
            };
            prop_assert_eq!(code.to_string().parse(), Ok(code));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".*") {
            prop_assert!(text.parse::<PageCode>().is_err());
        }
    }
}
