//! Takes one arrived file in: its bytes into the object store, verified; its row, its arrival and
//! its job committed; only then may it leave the folder.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::folder::open_seen;
use super::{ArrivedFile, escaped};
use crate::digest::Sha256;
use crate::settings;
use crate::store::jobs::Terms;
use crate::store::objects::{ObjectError, ObjectKey, ObjectKind, ObjectStore};
use crate::store::scans::{self, Accepted, Arrival};
use crate::store::{Database, StoreError};

/// Where files are taken in to; clones share it.
#[derive(Clone)]
pub struct Reception {
    pub database: Database,
    pub objects: Arc<dyn ObjectStore>,
    /// How often a scan may be tried, and until when it should be read.
    pub jobs: settings::Jobs,
    /// Who takes in, for events.
    pub actor: String,
}

/// What becomes of the file once it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Afterwards {
    /// It leaves the drop folder.
    Remove,
    /// It stays in the drop folder, because it may still grow: what comes then is another scan.
    Leave,
    /// It stays where it is; the run tells its arrivals from those of other runs.
    Keep { run: String },
}

/// Nothing is lost with any of these: the file is where it was.
#[derive(Debug, thiserror::Error)]
pub enum TakeInError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}: is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Object { path: PathBuf, source: ObjectError },
    #[error("{}: {source}", path.display())]
    Store { path: PathBuf, source: StoreError },
    #[error("{}: is taken in, but cannot be removed: {source}", path.display())]
    Remove { path: PathBuf, source: io::Error },
}

/// A file's identity and content at one moment.
struct Seen {
    sha256: Sha256,
    bytes: u64,
    modified_at: DateTime<Utc>,
    stamp: Stamp,
}

/// Changes whenever a file is written, replaced or dropped again under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Reception {
    /// Takes one file in. Calling it again for the same file, or from several watchers at once,
    /// changes nothing more. None where the file is gone or changed meanwhile: look again later.
    pub async fn take_in(
        &self,
        file: &ArrivedFile,
        afterwards: &Afterwards,
    ) -> Result<Option<Accepted>, TakeInError> {
        let path = file.path.clone();
        let Some(seen) = blocking(move || look(&path)).await? else { return Ok(None) };
        let original = ObjectKey::of(ObjectKind::Original, seen.sha256, None);
        let object_error = |source| TakeInError::Object { path: file.path.clone(), source };
        match self.objects.put_file(&original, &file.path).await {
            // Somebody wrote to it after all.
            Err(ObjectError::OtherBytes { .. }) => return Ok(None),
            put => put.map_err(object_error)?,
        };
        self.objects.verify(&original, seen.bytes).await.map_err(object_error)?;
        let arrival = Arrival {
            station: file.station.clone(),
            batch: file.batch.clone(),
            path: file_name(&file.path),
            occasion: occasion(&seen.stamp, afterwards),
            sha256: seen.sha256,
            bytes: seen.bytes,
            original,
            modified_at: seen.modified_at,
        };
        let terms =
            Terms { max_attempts: self.jobs.max_attempts, due_in: self.jobs.read_within(&file.station) };
        let accepted = scans::accept(&self.database, &arrival, &self.actor, terms)
            .await
            .map_err(|source| TakeInError::Store { path: file.path.clone(), source })?;
        match accepted {
            Accepted::New(scan) => {
                tracing::info!(%scan, station = file.station, sha256 = %seen.sha256, "taken in");
            }
            Accepted::Repeated(scan) => {
                tracing::info!(%scan, station = file.station, sha256 = %seen.sha256, "the same bytes came again; nothing to do");
            }
            Accepted::Registered(_) => {}
        }
        if *afterwards == Afterwards::Remove {
            let file = file.clone();
            blocking(move || remove_if_unchanged(&file, seen.stamp)).await?;
        }
        Ok(Some(accepted))
    }
}

/// Runs file work beside the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TakeInError> + Send + 'static,
) -> Result<T, TakeInError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
    }
}

/// Opens and digests a file; none where it is gone or changes while it is read.
fn look(path: &Path) -> Result<Option<Seen>, TakeInError> {
    let unreadable = |source| TakeInError::Unreadable { path: path.to_owned(), source };
    let file = match open_seen(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let before = file.metadata().map_err(unreadable)?;
    if !before.is_file() {
        return Err(TakeInError::NotAFile { path: path.to_owned() });
    }
    let sha256 = Sha256::of_reader(&file).map_err(unreadable)?;
    let stamp = Stamp::of(&before);
    if Stamp::of(&file.metadata().map_err(unreadable)?) != stamp {
        return Ok(None);
    }
    let modified_at = before.modified().map_err(unreadable)?.into();
    Ok(Some(Seen { sha256, bytes: before.len(), modified_at, stamp }))
}

fn occasion(stamp: &Stamp, afterwards: &Afterwards) -> String {
    match afterwards {
        Afterwards::Keep { run } => run.clone(),
        Afterwards::Remove | Afterwards::Leave => {
            let Stamp { device, inode, changed: (seconds, nanoseconds), .. } = stamp;
            format!("{device}:{inode}:{seconds}.{nanoseconds:09}")
        }
    }
}

fn file_name(path: &Path) -> String {
    escaped(path.file_name().unwrap_or(path.as_os_str()))
}

/// Removes the file that was taken in, never one that has come under its name since.
fn remove_if_unchanged(file: &ArrivedFile, stamp: Stamp) -> Result<(), TakeInError> {
    match std::fs::symlink_metadata(&file.path) {
        Ok(metadata) if Stamp::of(&metadata) != stamp => return Ok(()),
        _ => {}
    }
    // The announcement goes first: left alone, it would announce the next file of this name.
    for path in file.sidecar.iter().chain([&file.path]) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(|source| TakeInError::Remove { path: path.clone(), source })?,
        }
    }
    Ok(())
}
