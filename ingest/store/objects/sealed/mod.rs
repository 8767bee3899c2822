//! Objects that only we can read: a store over any place that encrypts what it is given. Keys stay
//! those of the plain bytes; who runs the place sees names, lengths and times, no contents.

mod format;
mod keyring;

pub use keyring::{KEYS_VARIABLE, KeyId, KeyRing, KeyRingError};

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::checked;
use super::place::{Chunks, Content, Contents, Existing, Place};
use super::{Answer, ObjectError, ObjectHead, ObjectKey, ObjectKind, ObjectStore, Put};
use crate::digest::Sha256;
use format::{HEADER, Opener, SEALED_CHUNK, Sealer, Written, is_sealed, plain_bytes};

#[derive(Debug, Clone)]
pub struct Sealed {
    place: Arc<dyn Place>,
    keys: Arc<KeyRing>,
}

/// Why an object does not open.
#[derive(Debug, thiserror::Error)]
pub enum SealFailure {
    #[error("it is encrypted with the key {id}, which is not at hand; add it behind the key that writes")]
    UnknownKey { id: KeyId },
    #[error("it is encrypted, and there are no keys; name their file in objects.keys_file")]
    NoKeys,
    #[error("it is not encrypted; if it is older than the keys, run `uketsuke objects reencrypt`")]
    Plain,
    #[error("it was changed after it was encrypted, lies under another name, or the key has another value")]
    Changed,
    #[error("its end is missing")]
    Cut,
}

/// What [`Sealed::reencrypt`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reencrypted {
    /// It has the current key already.
    Current,
    /// It was encrypted with another key.
    Rotated,
    /// It was not encrypted.
    Sealed,
}

/// Bytes of a file that are read at a time.
const READ: usize = 1 << 18;

impl Sealed {
    pub fn over(place: Arc<dyn Place>, keys: KeyRing) -> Self {
        Self { place, keys: Arc::new(keys) }
    }

    /// Encrypts an object anew with the current key, under a new data key, unless it has that key
    /// already. Its plain bytes must be those that its name says.
    pub async fn reencrypt(&self, key: &ObjectKey) -> Result<Reencrypted, ObjectError> {
        let (contents, found) = match self.open(key).await? {
            Opened::Sealed { id, .. } if id == *self.keys.current() => return Ok(Reencrypted::Current),
            Opened::Sealed { contents, .. } => (contents, Reencrypted::Rotated),
            Opened::Plain(contents) => (contents, Reencrypted::Sealed),
        };
        let expected = contents.bytes;
        let written = self.seal(key, contents).await?;
        if written.plain != key.sha256() {
            let (store, key) = (self.place.name(), Box::new(key.clone()));
            return Err(ObjectError::Damaged { store, key, expected, found: expected });
        }
        let content = Content::File(written.out.path());
        self.place.write(key, content, written.stored, Existing::Replace).await?;
        Ok(found)
    }

    async fn store(&self, key: &ObjectKey, content: Content<'_>, stored: Sha256) -> Result<Put, ObjectError> {
        if self.place.write(key, content, stored, Existing::Keep).await? == Put::Written {
            return Ok(Put::Written);
        }
        let present = async { checked::digest(self.read(key).await?.chunks).await }.await;
        match present {
            Ok((_, sha256)) if sha256 == key.sha256() => Ok(Put::Present),
            // What does not open is no more worth than what is damaged: here are the right bytes.
            Ok(_) | Err(ObjectError::NotFound { .. } | ObjectError::Sealed { .. }) => {
                self.place.write(key, content, stored, Existing::Replace).await
            }
            Err(error) => Err(error),
        }
    }

    /// Begins to read an object, which must be encrypted.
    async fn read(&self, key: &ObjectKey) -> Result<Contents, ObjectError> {
        match self.open(key).await? {
            Opened::Sealed { contents, .. } => Ok(contents),
            Opened::Plain(_) => Err(self.failed(key, SealFailure::Plain)),
        }
    }

    async fn open(&self, key: &ObjectKey) -> Result<Opened, ObjectError> {
        let Contents { bytes, mut chunks } = self.place.read(key).await?;
        let mut buffer = BytesMut::new();
        while buffer.len() < HEADER {
            match chunks.next().await? {
                Some(chunk) => buffer.extend_from_slice(&chunk),
                None => break,
            }
        }
        if !is_sealed(&buffer) {
            let chunks = Box::new(Rest { begun: Some(buffer.freeze()), chunks });
            return Ok(Opened::Plain(Contents { bytes, chunks }));
        }
        let header = buffer.split_to(HEADER.min(buffer.len()));
        let (id, opener) = Opener::begin(&header, &key.to_string(), &self.keys)
            .map_err(|failure| self.failed(key, failure))?;
        let bytes = plain_bytes(bytes).ok_or_else(|| self.failed(key, SealFailure::Cut))?;
        let store = self.clone();
        let chunks =
            Box::new(Opening { store, key: key.clone(), opener, buffer, chunks: Some(chunks), done: false });
        Ok(Opened::Sealed { id, contents: Contents { bytes, chunks } })
    }

    /// Encrypts into a temporary file, which never holds plain bytes.
    async fn seal(
        &self,
        key: &ObjectKey,
        mut contents: Contents,
    ) -> Result<Written<tempfile::NamedTempFile>, ObjectError> {
        let spooling = |source| self.spooling(key, source);
        let (keys, name) = (self.keys.clone(), key.to_string());
        let mut sealer = blocking(move || Sealer::begin(&name, &keys, tempfile::NamedTempFile::new()?))
            .await
            .map_err(spooling)?;
        while let Some(chunk) = contents.chunks.next().await? {
            sealer = blocking(move || sealer.update(&chunk).map(|()| sealer)).await.map_err(spooling)?;
        }
        blocking(move || sealer.finish()).await.map_err(spooling)
    }

    fn failed(&self, key: &ObjectKey, failure: SealFailure) -> ObjectError {
        ObjectError::Sealed { store: self.place.name(), key: Box::new(key.clone()), failure }
    }

    fn spooling(&self, key: &ObjectKey, source: io::Error) -> ObjectError {
        ObjectError::Spool { store: self.place.name(), key: Box::new(key.clone()), source }
    }

    fn other_bytes(&self, key: &ObjectKey, found: Sha256) -> ObjectError {
        ObjectError::OtherBytes { store: self.place.name(), key: Box::new(key.clone()), found }
    }
}

impl KeyRing {
    /// Encrypts what is kept in a row instead of a store, in the same way; it opens under `name` only.
    pub fn seal(&self, name: &str, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut sealer = Sealer::begin(name, self, Vec::new())?;
        sealer.update(plain)?;
        Ok(sealer.finish()?.out)
    }

    /// What [`Self::seal`] was given, and the key that it was encrypted with.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<(KeyId, Vec<u8>), SealFailure> {
        let (header, mut body) = sealed.split_at_checked(HEADER).ok_or(SealFailure::Cut)?;
        let (id, mut opener) = Opener::begin(header, name, self)?;
        let mut plain = Vec::with_capacity(body.len());
        loop {
            let (chunk, rest) = body.split_at(body.len().min(SEALED_CHUNK));
            plain.extend(opener.open(chunk, rest.is_empty())?);
            if rest.is_empty() {
                return Ok((id, plain));
            }
            body = rest;
        }
    }
}

/// Whether a place holds encrypted objects, as far as one of each kind tells.
pub(super) async fn holds_sealed(place: &dyn Place) -> Result<bool, ObjectError> {
    for kind in ObjectKind::ALL {
        for key in place.list(kind, None, 1).await? {
            let beginning = place.read(&key).await?.chunks.next().await?;
            if beginning.is_some_and(|beginning| is_sealed(&beginning)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Runs file work and ciphers off the asynchronous threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::from)?
}

impl ObjectStore for Sealed {
    fn put<'a>(&'a self, key: &'a ObjectKey, bytes: &'a [u8]) -> Answer<'a, Put> {
        Box::pin(async move {
            let found = Sha256::of(bytes);
            if found != key.sha256() {
                return Err(self.other_bytes(key, found));
            }
            let sealed = Sealer::begin(&key.to_string(), &self.keys, Vec::new()).and_then(|mut sealer| {
                sealer.update(bytes)?;
                sealer.finish()
            });
            let sealed = sealed.map_err(|source| self.spooling(key, source))?;
            self.store(key, Content::Bytes(&sealed.out), sealed.stored).await
        })
    }

    fn put_file<'a>(&'a self, key: &'a ObjectKey, file: &'a Path) -> Answer<'a, Put> {
        Box::pin(async move {
            let plain = PlainFile::open(self.place.name(), key, file).await?;
            let written = self.seal(key, plain).await?;
            if written.plain != key.sha256() {
                return Err(self.other_bytes(key, written.plain));
            }
            self.store(key, Content::File(written.out.path()), written.stored).await
        })
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Vec<u8>> {
        Box::pin(async move { checked::get(self.place.name(), key, self.read(key).await?).await })
    }

    fn get_file<'a>(&'a self, key: &'a ObjectKey, file: &'a Path) -> Answer<'a, ()> {
        Box::pin(async move { checked::get_file(self.place.name(), key, self.read(key).await?, file).await })
    }

    /// The length is that of the plain bytes; of an object that is not encrypted it is wrong.
    fn head<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ObjectHead> {
        Box::pin(async move {
            let head = self.place.head(key).await?;
            let bytes = plain_bytes(head.bytes).ok_or_else(|| self.failed(key, SealFailure::Cut))?;
            Ok(ObjectHead { bytes, ..head })
        })
    }

    fn verify<'a>(&'a self, key: &'a ObjectKey, bytes: u64) -> Answer<'a, ()> {
        Box::pin(async move { checked::verify(self.place.name(), key, self.read(key).await?, bytes).await })
    }

    fn remove<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ()> {
        self.place.remove(key)
    }

    fn list<'a>(
        &'a self,
        kind: ObjectKind,
        after: Option<&'a ObjectKey>,
        limit: usize,
    ) -> Answer<'a, Vec<ObjectKey>> {
        self.place.list(kind, after, limit)
    }

    fn encrypts_with(&self) -> Option<&KeyId> {
        Some(self.keys.current())
    }
}

/// What lies under a name.
enum Opened {
    /// The contents are the plain bytes.
    Sealed {
        contents: Contents,
        id: KeyId,
    },
    Plain(Contents),
}

/// Bytes that were looked at, and those behind them.
struct Rest {
    begun: Option<Bytes>,
    chunks: Box<dyn Chunks>,
}

impl Chunks for Rest {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        match self.begun.take() {
            Some(begun) if !begun.is_empty() => Box::pin(std::future::ready(Ok(Some(begun)))),
            _ => self.chunks.next(),
        }
    }
}

/// An encrypted object being read.
struct Opening {
    store: Sealed,
    key: ObjectKey,
    opener: Opener,
    buffer: BytesMut,
    /// None when they have come to their end.
    chunks: Option<Box<dyn Chunks>>,
    done: bool,
}

impl Chunks for Opening {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            if self.done {
                return Ok(None);
            }
            // A chunk is the last when nothing comes behind it.
            while self.buffer.len() <= SEALED_CHUNK
                && let Some(chunks) = &mut self.chunks
            {
                match chunks.next().await? {
                    Some(chunk) => self.buffer.extend_from_slice(&chunk),
                    None => self.chunks = None,
                }
            }
            self.done = self.buffer.len() <= SEALED_CHUNK;
            let sealed = self.buffer.split_to(self.buffer.len().min(SEALED_CHUNK));
            let plain = self
                .opener
                .open(&sealed, self.done)
                .map_err(|failure| self.store.failed(&self.key, failure))?;
            Ok(Some(plain.into()))
        })
    }
}

/// A file on the caller's side, being read.
struct PlainFile {
    store: String,
    key: Box<ObjectKey>,
    path: Box<Path>,
    file: Arc<File>,
}

impl PlainFile {
    async fn open(store: String, key: &ObjectKey, path: &Path) -> Result<Contents, ObjectError> {
        let key = Box::new(key.clone());
        let name = path.to_owned();
        let opened = blocking(move || {
            let file = File::open(name)?;
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        });
        match opened.await {
            Ok((file, bytes)) => {
                let chunks = Box::new(Self { store, key, path: path.into(), file: Arc::new(file) });
                Ok(Contents { bytes, chunks })
            }
            Err(source) => Err(ObjectError::File { store, key, file: path.to_owned(), source }),
        }
    }
}

impl Chunks for PlainFile {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            let file = self.file.clone();
            let read = blocking(move || {
                let mut chunk = Vec::with_capacity(READ);
                (&*file).take(READ as u64).read_to_end(&mut chunk)?;
                Ok(chunk)
            });
            match read.await {
                Ok(chunk) => Ok((!chunk.is_empty()).then(|| chunk.into())),
                Err(source) => {
                    let (store, key, file) = (self.store.clone(), self.key.clone(), self.path.to_path_buf());
                    Err(ObjectError::File { store, key, file, source })
                }
            }
        })
    }
}
