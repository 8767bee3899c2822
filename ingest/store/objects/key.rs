//! Keys of objects: `kind/ab/cd/<sha256>[.ending]`, the same in every store.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A scan as the station dropped it.
    Original,
    /// The published image of a page.
    Page,
    /// The image of a page without what was blacked out for doubt; kept for a short time.
    Unmasked,
    /// The picture of a field.
    Crop,
    /// The record of a capture, JSON.
    Record,
    /// Seals over events that were exported, JSON.
    Seals,
    /// Manifests of what retention has erased.
    Erasures,
}

impl ObjectKind {
    pub const ALL: [Self; 7] =
        [Self::Original, Self::Page, Self::Unmasked, Self::Crop, Self::Record, Self::Seals, Self::Erasures];

    /// The first part of its keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Page => "page",
            Self::Unmasked => "unmasked",
            Self::Crop => "crop",
            Self::Record => "record",
            Self::Seals => "seals",
            Self::Erasures => "erasures",
        }
    }
}

/// The name of an object. It follows from the object's bytes, so that writing it twice writes the
/// same.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey {
    kind: ObjectKind,
    sha256: Sha256,
    /// At most [`LONGEST_ENDING`] lower-case letters or digits.
    ending: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object key is written kind/ab/cd/sha256, with or without an ending")]
pub struct ObjectKeyError;

const LONGEST_ENDING: usize = 8;

impl ObjectKey {
    /// `ending` is that of the file's format, without the dot. Originals have none: what a station
    /// calls a file says nothing about its bytes.
    pub fn of(kind: ObjectKind, sha256: Sha256, ending: Option<&'static str>) -> Self {
        Self { kind, sha256, ending: ending.map(str::to_owned) }
    }

    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// Of the object's bytes.
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = self.sha256.to_string();
        write!(formatter, "{}/{}/{}/{digest}", self.kind.name(), &digest[..2], &digest[2..4])?;
        match &self.ending {
            Some(ending) => write!(formatter, ".{ending}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for ObjectKey {
    type Err = ObjectKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once('/').ok_or(ObjectKeyError)?;
        let kind = ObjectKind::ALL.into_iter().find(|known| known.name() == kind).ok_or(ObjectKeyError)?;
        let name = rest.rsplit('/').next().ok_or(ObjectKeyError)?;
        let (digest, ending) = match name.split_once('.') {
            Some((digest, ending)) => (digest, Some(ending)),
            None => (name, None),
        };
        let good = |ending: &str| {
            (1..=LONGEST_ENDING).contains(&ending.len())
                && ending.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !ending.is_none_or(good) {
            return Err(ObjectKeyError);
        }
        let sha256 = digest.parse().map_err(|_| ObjectKeyError)?;
        let key = Self { kind, sha256, ending: ending.map(str::to_owned) };
        // The folders between must be those of the digest, and the digest in lower case.
        if key.to_string() == text { Ok(key) } else { Err(ObjectKeyError) }
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = ObjectKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_spreads_over_folders() {
        let key = ObjectKey::of(ObjectKind::Page, Sha256::of(b""), Some("jpg"));
        assert_eq!(
            key.to_string(),
            "page/e3/b0/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.jpg"
        );
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn other_texts_are_no_keys() {
        let digest = Sha256::of(b"").to_string();
        for text in [
            format!("page/{digest}"),
            format!("page/e3/b1/{digest}"),
            format!("photo/e3/b0/{digest}"),
            format!("page/e3/b0/{}", digest.to_uppercase()),
            format!("page/e3/b0/{digest}.../../x"),
            format!("page/../page/e3/b0/{digest}"),
            format!("page/e3/b0/{digest}."),
        ] {
            assert_eq!(text.parse::<ObjectKey>(), Err(ObjectKeyError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_comes_back(text in "[a-z]{0,8}/[0-9a-f./]{0,90}") {
            if let Ok(key) = text.parse::<ObjectKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
