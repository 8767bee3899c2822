//! Objects as files below one folder: `kind/ab/cd/<sha256>`.
//!
//! A file is written under `.tmp`, synced, renamed to its name, and its folders are synced; so a
//! name either is not there or stands for the whole object, whatever is killed when. What a crash
//! leaves under `.tmp` is swept the next time the store is opened.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::Digest;

use super::place::{Chunks, Content, Contents, Existing, Place};
use super::{Answer, ObjectError, ObjectHead, ObjectKey, ObjectKind, Put};
use crate::digest::Sha256;

/// A file below `.tmp` that nobody wrote to for so long belongs to a program that died.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

const TEMPORARY: &str = ".tmp";

#[derive(Debug, Clone)]
pub struct LocalDirectory {
    root: Arc<Path>,
    /// Folders that this program knows to be synced into the one above: each costs some
    /// milliseconds once. At most 65,536 a kind.
    settled: Arc<Mutex<HashSet<PathBuf>>>,
}

impl LocalDirectory {
    /// Opens the store in a folder, which is made where it is missing, readable by its owner only.
    pub fn open(root: &Path) -> Result<Self, ObjectError> {
        let store = Self { root: root.into(), settled: Arc::default() };
        let unusable = |source| store.unusable("open the folder", source);
        private_folder(&root.join(TEMPORARY)).map_err(unusable)?;
        sync_folder(root).map_err(unusable)?;
        store.sweep().map_err(|source| store.unusable("sweep what a crash left", source))?;
        Ok(store)
    }

    /// Where an object lies; for people and for programs on the same machine.
    pub fn path(&self, key: &ObjectKey) -> PathBuf {
        self.root.join(key.to_string())
    }

    fn sweep(&self) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in fs::read_dir(self.root.join(TEMPORARY))? {
            let entry = entry?;
            let age = match entry.metadata().and_then(|metadata| metadata.modified()) {
                Ok(modified) => now.duration_since(modified).unwrap_or_default(),
                // Its writer has just renamed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if age > ABANDONED_AFTER {
                match fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn unusable(&self, doing: &'static str, source: io::Error) -> ObjectError {
        ObjectError::Unusable { store: self.name(), doing, source }
    }

    fn failed(&self, key: &ObjectKey, doing: &'static str) -> impl Fn(io::Error) -> ObjectError + use<> {
        let (store, key) = (self.name(), Box::new(key.clone()));
        move |source| {
            let (store, key) = (store.clone(), key.clone());
            match source.kind() {
                io::ErrorKind::NotFound => ObjectError::NotFound { store, key },
                _ => ObjectError::Store { store, key, doing, source },
            }
        }
    }

    /// Runs blocking file work off the asynchronous threads.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ObjectError> + Send + 'static,
    ) -> Answer<'static, T> {
        let store = self.clone();
        Box::pin(async move {
            let task = store.clone();
            tokio::task::spawn_blocking(move || work(&task))
                .await
                .map_err(|error| store.unusable("finish", error.into()))?
        })
    }

    fn store(
        &self,
        key: &ObjectKey,
        mut source: impl Read,
        from: Option<&Path>,
        sha256: Sha256,
        existing: Existing,
    ) -> Result<Put, ObjectError> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.root);
        let writing = self.failed(key, "write");
        if existing == Existing::Keep && path.try_exists().map_err(&writing)? {
            // Whoever renamed it here may not have come to this yet.
            self.sync_folders(folder).map_err(&writing)?;
            return Ok(Put::Present);
        }
        let mut temporary = tempfile::NamedTempFile::new_in(self.root.join(TEMPORARY)).map_err(&writing)?;
        let mut hasher = sha2::Sha256::new();
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = source.read(&mut buffer).map_err(|source| match from {
                Some(file) => self.outside(key, file)(source),
                None => writing(source),
            })?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            temporary.write_all(&buffer[..count]).map_err(&writing)?;
        }
        let found = Sha256::from_bytes(hasher.finalize().into());
        if found != sha256 {
            return Err(ObjectError::OtherBytes { store: self.name(), key: Box::new(key.clone()), found });
        }
        temporary.as_file().sync_all().map_err(&writing)?;
        private_folder(folder).map_err(&writing)?;
        temporary.persist(&path).map_err(|error| writing(error.error))?;
        self.sync_folders(folder).map_err(&writing)?;
        Ok(Put::Written)
    }

    /// Makes a rename in `folder`, and the making of the folder itself, survive a power cut.
    fn sync_folders(&self, folder: &Path) -> io::Result<()> {
        sync_folder(folder)?;
        let mut made = folder;
        while made != &*self.root && !self.is_settled(made) {
            let Some(above) = made.parent() else { break };
            sync_folder(above)?;
            self.settled.lock().unwrap_or_else(PoisonError::into_inner).insert(made.to_owned());
            made = above;
        }
        Ok(())
    }

    fn is_settled(&self, folder: &Path) -> bool {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    fn outside(&self, key: &ObjectKey, file: &Path) -> impl Fn(io::Error) -> ObjectError {
        let (store, key, file) = (self.name(), Box::new(key.clone()), file.to_owned());
        move |source| ObjectError::File { store: store.clone(), key: key.clone(), file: file.clone(), source }
    }
}

impl Place for LocalDirectory {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn local_path(&self, key: &ObjectKey) -> Option<PathBuf> {
        Some(self.path(key))
    }

    fn write<'a>(
        &'a self,
        key: &'a ObjectKey,
        content: Content<'a>,
        sha256: Sha256,
        existing: Existing,
    ) -> Answer<'a, Put> {
        let key = key.clone();
        match content {
            Content::Bytes(bytes) => {
                let bytes = bytes.to_vec();
                self.run(move |store| store.store(&key, &bytes[..], None, sha256, existing))
            }
            Content::File(file) => {
                let file = file.to_owned();
                self.run(move |store| {
                    let source = File::open(&file).map_err(store.outside(&key, &file))?;
                    store.store(&key, source, Some(&file), sha256, existing)
                })
            }
        }
    }

    fn read<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Contents> {
        let key = key.clone();
        self.run(move |store| {
            let reading = store.failed(&key, "read");
            let file = File::open(store.path(&key)).map_err(&reading)?;
            let bytes = file.metadata().map_err(&reading)?.len();
            let chunks = Box::new(FileChunks { store: store.clone(), key, file: Arc::new(file) });
            Ok(Contents { bytes, chunks })
        })
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ObjectHead> {
        let key = key.clone();
        self.run(move |store| {
            let looking = store.failed(&key, "look at it");
            let metadata = fs::metadata(store.path(&key)).map_err(&looking)?;
            let modified_at = DateTime::<Utc>::from(metadata.modified().map_err(&looking)?);
            Ok(ObjectHead { bytes: metadata.len(), modified_at })
        })
    }

    fn remove<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ()> {
        let key = key.clone();
        self.run(move |store| {
            let path = store.path(&key);
            let removed = fs::remove_file(&path)
                .and_then(|()| sync_folder(path.parent().unwrap_or(&store.root)))
                .map_err(store.failed(&key, "remove"));
            match removed {
                Err(ObjectError::NotFound { .. }) => Ok(()),
                removed => removed,
            }
        })
    }

    fn list<'a>(
        &'a self,
        kind: ObjectKind,
        after: Option<&'a ObjectKey>,
        limit: usize,
    ) -> Answer<'a, Vec<ObjectKey>> {
        let after = after.map(ToString::to_string);
        self.run(move |store| {
            let mut keys = Vec::new();
            store
                .walk(kind.name().to_owned(), 0, after.as_deref().unwrap_or_default(), limit, &mut keys)
                .map_err(|source| store.unusable("list the objects", source))?;
            Ok(keys)
        })
    }
}

/// Bytes of a file that are read or written at a time.
const CHUNK: usize = 1 << 18;

struct FileChunks {
    store: LocalDirectory,
    key: ObjectKey,
    file: Arc<File>,
}

impl Chunks for FileChunks {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        let (key, file) = (self.key.clone(), self.file.clone());
        self.store.run(move |store| {
            let mut chunk = Vec::with_capacity(CHUNK);
            let count =
                (&*file).take(CHUNK as u64).read_to_end(&mut chunk).map_err(store.failed(&key, "read"))?;
            Ok((count > 0).then(|| chunk.into()))
        })
    }
}

/// Folders between the root and an object: the kind, and two of the digest.
const DEPTH: usize = 3;

impl LocalDirectory {
    /// Goes through the folders below `place` in the order of their keys, skipping those that lie
    /// wholly before `after`.
    fn walk(
        &self,
        place: String,
        depth: usize,
        after: &str,
        limit: usize,
        keys: &mut Vec<ObjectKey>,
    ) -> io::Result<()> {
        let mut names: Vec<OsString> = match fs::read_dir(self.root.join(&place)) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        names.sort();
        for name in names {
            if keys.len() >= limit {
                break;
            }
            let Some(place) = name.to_str().map(|name| format!("{place}/{name}")) else { continue };
            let reached = &after[..place.len().min(after.len())];
            if depth + 1 < DEPTH {
                if place.as_str() >= reached {
                    self.walk(place, depth + 1, after, limit, keys)?;
                }
            } else if let Ok(key) = place.parse()
                && place.as_str() > after
            {
                keys.push(key);
            }
        }
        Ok(())
    }
}

fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
