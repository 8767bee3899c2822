//! What a store is built on: a place that keeps bytes under the names of objects, whatever the bytes
//! are. A place checks that it stores what it was given; that these are the bytes that the key names is
//! checked above it, the same way for every place.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::checked;
use super::{Answer, ObjectError, ObjectHead, ObjectKey, ObjectKind, ObjectStore, Put};
use crate::digest::Sha256;

/// Somewhere that bytes are kept. Every place is an [`ObjectStore`] by itself, one that stores
/// objects as they are.
pub trait Place: std::fmt::Debug + Send + Sync {
    /// How messages call it.
    fn name(&self) -> String;

    /// Stores `content`, which must have the digest `sha256`, whole or not at all. When it returns,
    /// the bytes survive a crash.
    fn write<'a>(
        &'a self,
        key: &'a ObjectKey,
        content: Content<'a>,
        sha256: Sha256,
        existing: Existing,
    ) -> Answer<'a, Put>;

    /// Begins to read an object.
    fn read<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Contents>;

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ObjectHead>;

    /// Takes an object away; one that is not there is no error.
    fn remove<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ()>;

    /// Up to `limit` keys of a kind in their order, those after `after`.
    fn list<'a>(
        &'a self,
        kind: ObjectKind,
        after: Option<&'a ObjectKey>,
        limit: usize,
    ) -> Answer<'a, Vec<ObjectKey>>;

    /// Where the bytes lie on this machine, for places that keep files.
    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        let _ = key;
        None
    }
}

/// What is to be stored.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    Bytes(&'a [u8]),
    /// Read in bounded memory.
    File(&'a Path),
}

/// What becomes of bytes that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They are kept, whatever they are, where the place can tell; it then answers
    /// [`Put::Present`] and has stored nothing.
    Keep,
    Replace,
}

/// An object being read.
pub struct Contents {
    /// Its length.
    pub bytes: u64,
    pub chunks: Box<dyn Chunks>,
}

/// The bytes of an object from front to back.
pub trait Chunks: Send {
    /// None after the last; an object that ends early is an error.
    fn next(&mut self) -> Answer<'_, Option<Bytes>>;
}

impl<P: Place> ObjectStore for P {
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: &'a [u8]) -> Answer<'a, Put> {
        Box::pin(put(self, key, Content::Bytes(bytes)))
    }

    fn put_file<'a>(&'a self, key: &'a ObjectKey, file: &'a Path) -> Answer<'a, Put> {
        Box::pin(put(self, key, Content::File(file)))
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Vec<u8>> {
        Box::pin(async move { checked::get(self.name(), key, self.read(key).await?).await })
    }

    fn get_file<'a>(&'a self, key: &'a ObjectKey, file: &'a Path) -> Answer<'a, ()> {
        Box::pin(async move { checked::get_file(self.name(), key, self.read(key).await?, file).await })
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        Place::local_path(self, key)
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ObjectHead> {
        Place::head(self, key)
    }

    fn verify<'a>(&'a self, key: &'a ObjectKey, bytes: u64) -> Answer<'a, ()> {
        Box::pin(async move { checked::verify(self.name(), key, self.read(key).await?, bytes).await })
    }

    fn remove<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ()> {
        Place::remove(self, key)
    }

    fn list<'a>(
        &'a self,
        kind: ObjectKind,
        after: Option<&'a ObjectKey>,
        limit: usize,
    ) -> Answer<'a, Vec<ObjectKey>> {
        Place::list(self, kind, after, limit)
    }
}

/// An object that is there counts only when it is whole: something outside may have damaged it, and
/// some servers keep what they refused.
async fn put(place: &impl Place, key: &ObjectKey, content: Content<'_>) -> Result<Put, ObjectError> {
    if let Content::Bytes(bytes) = content {
        let found = Sha256::of(bytes);
        if found != key.sha256() {
            return Err(ObjectError::OtherBytes { store: place.name(), key: Box::new(key.clone()), found });
        }
    }
    if place.write(key, content, key.sha256(), Existing::Keep).await? == Put::Written {
        return Ok(Put::Written);
    }
    let present = async { checked::digest(place.read(key).await?.chunks).await }.await;
    match present {
        Ok((_, sha256)) if sha256 == key.sha256() => Ok(Put::Present),
        Ok(_) | Err(ObjectError::NotFound { .. }) => {
            place.write(key, content, key.sha256(), Existing::Replace).await
        }
        Err(error) => Err(error),
    }
}
