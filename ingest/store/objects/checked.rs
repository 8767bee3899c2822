//! Reading an object to its end, and comparing it with its name.

use std::path::{Path, PathBuf};

use sha2::Digest;
use tokio::io::AsyncWriteExt;

use super::place::{Chunks, Contents};
use super::{ObjectError, ObjectKey};
use crate::digest::Sha256;

/// The whole object. `store` is how messages call it.
pub(super) async fn get(
    store: String,
    key: &ObjectKey,
    mut contents: Contents,
) -> Result<Vec<u8>, ObjectError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = contents.chunks.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    match Sha256::of(&bytes) == key.sha256() {
        true => Ok(bytes),
        false => Err(damaged(store, key, contents.bytes, bytes.len() as u64)),
    }
}

/// Copies the object into a new file, which is there afterwards only if it is the whole one.
pub(super) async fn get_file(
    store: String,
    key: &ObjectKey,
    contents: Contents,
    file: &Path,
) -> Result<(), ObjectError> {
    let mut target = NewFile::create(store.clone(), key, file).await?;
    let result = match target.fill(contents.chunks).await {
        Ok((_, sha256)) if sha256 == key.sha256() => return Ok(()),
        Ok((found, _)) => damaged(store, key, contents.bytes, found),
        Err(error) => error,
    };
    Err(target.given_up(result).await)
}

/// Compares length and digest.
pub(super) async fn verify(
    store: String,
    key: &ObjectKey,
    contents: Contents,
    bytes: u64,
) -> Result<(), ObjectError> {
    let (found, sha256) = digest(contents.chunks).await?;
    match found == bytes && sha256 == key.sha256() {
        true => Ok(()),
        false => Err(damaged(store, key, bytes, found)),
    }
}

/// Length and digest of what is read.
pub(super) async fn digest(mut chunks: Box<dyn Chunks>) -> Result<(u64, Sha256), ObjectError> {
    let mut hasher = sha2::Sha256::new();
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await? {
        bytes += chunk.len() as u64;
        hasher.update(&chunk);
    }
    Ok((bytes, Sha256::from_bytes(hasher.finalize().into())))
}

fn damaged(store: String, key: &ObjectKey, expected: u64, found: u64) -> ObjectError {
    ObjectError::Damaged { store, key: Box::new(key.clone()), expected, found }
}

/// A file on the caller's side that an object is copied into.
struct NewFile {
    store: String,
    key: Box<ObjectKey>,
    path: PathBuf,
    file: tokio::fs::File,
}

impl NewFile {
    async fn create(store: String, key: &ObjectKey, path: &Path) -> Result<Self, ObjectError> {
        let (key, path) = (Box::new(key.clone()), path.to_owned());
        match tokio::fs::File::create_new(&path).await {
            Ok(file) => Ok(Self { store, key, path, file }),
            Err(source) => Err(ObjectError::File { store, key, file: path, source }),
        }
    }

    /// Length and digest of what was written.
    async fn fill(&mut self, mut chunks: Box<dyn Chunks>) -> Result<(u64, Sha256), ObjectError> {
        let mut hasher = sha2::Sha256::new();
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await? {
            bytes += chunk.len() as u64;
            hasher.update(&chunk);
            self.file.write_all(&chunk).await.map_err(|source| self.failed(source))?;
        }
        self.file.flush().await.map_err(|source| self.failed(source))?;
        Ok((bytes, Sha256::from_bytes(hasher.finalize().into())))
    }

    fn failed(&self, source: std::io::Error) -> ObjectError {
        let (store, key, file) = (self.store.clone(), self.key.clone(), self.path.clone());
        ObjectError::File { store, key, file, source }
    }

    /// Nobody must take half an object for the whole one.
    async fn given_up(self, error: ObjectError) -> ObjectError {
        drop(self.file);
        match tokio::fs::remove_file(&self.path).await {
            Ok(()) => error,
            Err(source) => ObjectError::File { store: self.store, key: self.key, file: self.path, source },
        }
    }
}
