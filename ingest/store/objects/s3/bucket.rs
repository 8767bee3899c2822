//! The bucket that objects are in, and what their keys begin with.

use std::fmt;
use std::str::FromStr;

use super::super::{LocationError, ObjectKey, ObjectKind};

/// `s3://name[/prefix]`; a bucket may be shared with others under another prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    /// Empty, or ends with a slash.
    prefix: String,
}

impl Bucket {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key that S3 knows an object by.
    pub(super) fn path(&self, key: &ObjectKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// What the keys of all objects of a kind begin with.
    pub(super) fn folder(&self, kind: ObjectKind) -> String {
        format!("{}{}/", self.prefix, kind.name())
    }

    /// None for what something else has put there.
    pub(super) fn key(&self, path: &str) -> Option<ObjectKey> {
        path.strip_prefix(&self.prefix)?.parse().ok()
    }
}

impl FromStr for Bucket {
    type Err = LocationError;

    /// What follows `s3://`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let good = (3..=63).contains(&name.len())
            && name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.')
            && name.bytes().next().is_some_and(inner)
            && name.bytes().last().is_some_and(inner);
        let prefix = prefix.trim_end_matches('/');
        if !good || prefix.split('/').any(|part| part.is_empty() && !prefix.is_empty()) {
            return Err(LocationError::Bucket);
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { name: name.to_owned(), prefix })
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(formatter, "s3://{}{slash}{prefix}", self.name)
    }
}
