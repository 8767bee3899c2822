//! Where the objects are: what `--objects` says.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::place::Place;
use super::sealed::holds_sealed;
use super::{Bucket, KeyRing, LocalDirectory, ObjectError, ObjectKind, ObjectStore, S3, Sealed};
use crate::settings;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Folder(PathBuf),
    Bucket(Bucket),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    #[error(
        "write s3://bucket or s3://bucket/prefix, with a name of 3 to 63 lower-case letters, digits, '-' and '.'"
    )]
    Bucket,
    #[error("objects are kept in a folder or in s3://bucket/prefix, not in {0}://")]
    Scheme(String),
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once("://") {
            Some(("s3", rest)) => rest.parse().map(Self::Bucket),
            Some((scheme, _)) => Err(LocationError::Scheme(scheme.to_owned())),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

impl Location {
    /// Where objects are kept when nothing else is said.
    pub fn below(data: &Path) -> Self {
        Self::Folder(data.join("objects"))
    }

    /// Opens the store, and makes its folder where that is missing. With keys it encrypts; without,
    /// it refuses a place whose objects are encrypted.
    pub async fn open(&self, settings: &settings::Objects) -> Result<Arc<dyn ObjectStore>, ObjectError> {
        if let Some(sealed) = self.open_sealed(settings).await? {
            // A bucket that is not there is told now, as it is without keys.
            sealed.list(ObjectKind::Original, None, 1).await?;
            return Ok(Arc::new(sealed));
        }
        Ok(match self {
            Self::Folder(folder) => Arc::new(plain(LocalDirectory::open(folder)?).await?),
            Self::Bucket(bucket) => Arc::new(plain(S3::connect(bucket, settings).await?).await?),
        })
    }

    /// Opens the store that encrypts; None where no keys are given.
    pub async fn open_sealed(&self, settings: &settings::Objects) -> Result<Option<Sealed>, ObjectError> {
        let Some(keys) = KeyRing::load(settings.keys_file.as_deref())? else { return Ok(None) };
        let place: Arc<dyn Place> = match self {
            Self::Folder(folder) => Arc::new(LocalDirectory::open(folder)?),
            Self::Bucket(bucket) => Arc::new(S3::connect(bucket, settings).await?),
        };
        Ok(Some(Sealed::over(place, keys)))
    }
}

/// Whoever read encrypted objects as they are would take every scan for a broken one.
async fn plain<P: Place>(place: P) -> Result<P, ObjectError> {
    match holds_sealed(&place).await? {
        true => Err(ObjectError::KeysMissing { store: place.name() }),
        false => Ok(place),
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(formatter, "{}", folder.display()),
            Self::Bucket(bucket) => bucket.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_or_a_bucket() {
        for (text, shown) in [
            ("data/objects", "data/objects"),
            ("s3://mailroom", "s3://mailroom"),
            ("s3://mailroom/", "s3://mailroom"),
            ("s3://mailroom/2026/fall/", "s3://mailroom/2026/fall"),
        ] {
            assert_eq!(text.parse::<Location>().map(|location| location.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "s3://",
            "s3://a",
            "s3:///prefix",
            "s3://Mail_Room",
            "s3://mailroom/a//b",
            "s3://-ab/",
            "gs://mailroom",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
