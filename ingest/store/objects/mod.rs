//! The object store: originals, page images, crops and records, each under a key that follows from
//! its bytes. Writing the same object again is harmless; nothing here depends on conditional
//! writes, and what was written can be verified by reading it back.

mod checked;
mod key;
mod local_directory;
mod location;
mod place;
mod s3;
mod sealed;

pub use key::{ObjectKey, ObjectKeyError, ObjectKind};
pub use local_directory::LocalDirectory;
pub use location::{Location, LocationError};
pub use s3::{Bucket, S3, S3Failure};
pub use sealed::{KEYS_VARIABLE, KeyId, KeyRing, KeyRingError, Reencrypted, SealFailure, Sealed};

use std::path::Path;
use std::pin::Pin;

use chrono::{DateTime, Utc};

use crate::digest::Sha256;

/// What a store's methods return: a boxed future, so that a store can be chosen at run time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ObjectError>> + Send + 'a>>;

/// A place that keeps objects. Every implementation passes the same suite
/// (`tests/support/object_store_suite.rs`).
pub trait ObjectStore: std::fmt::Debug + Send + Sync {
    /// Stores `bytes`, whose digest must be the key's. When it returns, they survive a crash. An
    /// object that is there already and whole is left alone.
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: &'a [u8]) -> Answer<'a, Put>;

    /// Like [`Self::put`] with what stands in a file, in bounded memory. The file may be any that
    /// can be read; if its bytes do not have the key's digest, nothing is stored.
    fn put_file<'a>(&'a self, key: &'a ObjectKey, file: &'a Path) -> Answer<'a, Put>;

    /// The whole object in memory; right for images, crops and records. Its digest is the key's.
    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Vec<u8>>;

    /// Copies the object into a new file, in bounded memory; right for originals. The copy has the
    /// key's digest, or is not there.
    fn get_file<'a>(&'a self, key: &'a ObjectKey, file: &'a Path) -> Answer<'a, ()>;

    /// Where the object lies on this machine, for stores that keep files: it spares a copy. The
    /// object need not be there.
    fn local_path(&self, key: &ObjectKey) -> Option<std::path::PathBuf> {
        let _ = key;
        None
    }

    /// The key that new objects are encrypted with, for stores that encrypt.
    fn encrypts_with(&self) -> Option<&KeyId> {
        None
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ObjectHead>;

    /// Reads the object back from the store and compares length and digest.
    fn verify<'a>(&'a self, key: &'a ObjectKey, bytes: u64) -> Answer<'a, ()>;

    /// Takes an object away; one that is not there is no error.
    fn remove<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ()>;

    /// Up to `limit` keys of a kind in their order, those after `after`.
    fn list<'a>(
        &'a self,
        kind: ObjectKind,
        after: Option<&'a ObjectKey>,
        limit: usize,
    ) -> Answer<'a, Vec<ObjectKey>>;
}

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Written,
    /// The same bytes were there.
    Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectHead {
    pub bytes: u64,
    pub modified_at: DateTime<Utc>,
}

/// Every message names the store and the key. Keys are boxed to keep results small.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("{store}: there is no object {key}")]
    NotFound { store: String, key: Box<ObjectKey> },
    /// The bytes given (or in the file given) are not those that the key names.
    #[error(
        "{store}: object {key} was not stored: the bytes given have SHA-256 {found}; did the file change meanwhile?"
    )]
    OtherBytes { store: String, key: Box<ObjectKey>, found: Sha256 },
    #[error(
        "{store}: object {key} is damaged: of {expected} bytes, {found} were read back, or others than were written"
    )]
    Damaged { store: String, key: Box<ObjectKey>, expected: u64, found: u64 },
    /// A file that was to be stored, or written to, on the caller's side.
    #[error("{store}: object {key}: the file {}: {source}", file.display())]
    File { store: String, key: Box<ObjectKey>, file: std::path::PathBuf, source: std::io::Error },
    #[error("{store}: object {key}: cannot {doing}: {source}")]
    Store { store: String, key: Box<ObjectKey>, doing: &'static str, source: std::io::Error },
    #[error("{store}: object {key}: cannot {doing}: {failure}")]
    Request { store: String, key: Box<ObjectKey>, doing: &'static str, failure: S3Failure },
    #[error("{store}: object {key} cannot be opened: {failure}")]
    Sealed { store: String, key: Box<ObjectKey>, failure: SealFailure },
    #[error("{store}: object {key}: a temporary file cannot be written: {source}; is the disk full?")]
    Spool { store: String, key: Box<ObjectKey>, source: std::io::Error },
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(
        "{store}: the objects are encrypted, and no keys are given; name them with objects.keys_file or {KEYS_VARIABLE}"
    )]
    KeysMissing { store: String },
    #[error("{store}: cannot {doing}: {failure}")]
    Unreachable { store: String, doing: &'static str, failure: S3Failure },
    #[error("{store}: cannot {doing}: {source}")]
    Unusable { store: String, doing: &'static str, source: std::io::Error },
}

impl ObjectError {
    /// Whoever waits may find it mended: the store is away, or its disk is full.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Request { failure, .. } | Self::Unreachable { failure, .. } => failure.is_passing(),
            Self::Store { source, .. } | Self::Spool { source, .. } | Self::Unusable { source, .. } => {
                matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}
