//! One look at a folder of stations: which files lie in it, and what lies in it that is no scan.
//! Links are never followed and nothing is opened.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{DirEntry, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::ArrivedFile;
use super::arrival::{Observation, Stamp};
use super::name::{escaped, is_called_like_a_scan, is_passing, is_sidecar, sidecar_of};

/// Something in a drop folder that cannot be taken in and stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IntakeFinding {
    pub path: PathBuf,
    pub reason: NotAScan,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotAScan {
    #[error("is a link; drop the file itself")]
    Link,
    #[error("is a pipe, not a file; remove it")]
    Fifo,
    #[error("is a socket, not a file; remove it")]
    Socket,
    #[error("is a device, not a file; remove it")]
    Device,
    #[error("belongs to no station; move it into a station's folder")]
    NoStation,
    #[error("is a folder inside a batch, which nobody looks into; move its files up")]
    TooDeep,
    #[error("is a folder but called like a scan; rename it")]
    FolderCalledLikeAScan,
    #[error("cannot be read ({0}); check the permissions")]
    Unreadable(io::ErrorKind),
}

impl fmt::Display for IntakeFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", escaped(self.path.as_os_str()), self.reason)
    }
}

/// What one look saw, in the order of the paths.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub files: Vec<Observation>,
    pub findings: Vec<IntakeFinding>,
}

/// Where a folder stands.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Holds stations. Files in it belong to the station that is named here, if any.
    Stations {
        own: Option<String>,
    },
    Station {
        station: String,
    },
    Batch {
        station: String,
        batch: String,
    },
}

impl Listing {
    /// Looks at `folder` and below. An error is that of `folder` itself; folders below it that
    /// cannot be read are findings.
    pub fn of(folder: &Path, place: &Place) -> io::Result<Self> {
        let mut listing = Self::default();
        listing.add_folder(folder, place)?;
        Ok(listing)
    }

    fn add_folder(&mut self, folder: &Path, place: &Place) -> io::Result<()> {
        let mut entries: Vec<DirEntry> = std::fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        entries.sort_unstable_by_key(DirEntry::file_name);
        let mut files = Vec::new();
        let mut sidecars = HashMap::new();
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            if is_passing(&name) {
                continue;
            }
            // Of the entry itself, not of what it may link to.
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.find(path, NotAScan::Unreadable(error.kind()));
                    continue;
                }
            };
            match not_a_file(metadata.file_type()) {
                Some(reason) => self.find(path, reason),
                None if metadata.is_dir() => self.add_subfolder(path, &name, place),
                None if is_sidecar(&name) => {
                    sidecars.insert(name, Stamp::of(&metadata));
                }
                None => files.push((name, path, Stamp::of(&metadata))),
            }
        }
        for (name, path, stamp) in files {
            let Some((station, batch)) = place.owner() else {
                self.find(path, NotAScan::NoStation);
                continue;
            };
            // One that is older than the file belonged to another file of the same name.
            let sidecar = sidecars
                .get_key_value(&sidecar_of(&name))
                .filter(|(_, sidecar)| sidecar.modified >= stamp.modified)
                .map(|(name, _)| folder.join(name));
            let file =
                ArrivedFile { station: station.to_owned(), batch: batch.map(str::to_owned), path, sidecar };
            self.files.push(Observation { file, stamp });
        }
        Ok(())
    }

    fn add_subfolder(&mut self, path: PathBuf, name: &OsStr, place: &Place) {
        let below = match place {
            Place::Stations { .. } => Place::Station { station: escaped(name) },
            Place::Station { .. } if is_called_like_a_scan(name) => {
                return self.find(path, NotAScan::FolderCalledLikeAScan);
            }
            Place::Station { station } => Place::Batch { station: station.clone(), batch: escaped(name) },
            Place::Batch { .. } => return self.find(path, NotAScan::TooDeep),
        };
        match self.add_folder(&path, &below) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.find(path, NotAScan::Unreadable(error.kind()));
            }
            // It is in the list, or it was removed since its name was read.
            _ => (),
        }
    }

    fn find(&mut self, path: PathBuf, reason: NotAScan) {
        self.findings.push(IntakeFinding { path, reason });
    }
}

impl Place {
    /// Station and batch of the files in such a folder.
    fn owner(&self) -> Option<(&str, Option<&str>)> {
        match self {
            Self::Stations { own } => own.as_deref().map(|station| (station, None)),
            Self::Station { station } => Some((station, None)),
            Self::Batch { station, batch } => Some((station, Some(batch))),
        }
    }
}

impl Stamp {
    pub(super) fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// Opens a file that was seen in a folder. What was put in its place since is not waited for, if it
/// is a pipe, nor followed, if it is a link; the caller asks whether it is a file.
pub(super) fn open_seen(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// Why something is neither a file nor a folder.
pub(super) fn not_a_file(kind: FileType) -> Option<NotAScan> {
    match kind {
        kind if kind.is_file() || kind.is_dir() => None,
        kind if kind.is_symlink() => Some(NotAScan::Link),
        kind if kind.is_fifo() => Some(NotAScan::Fifo),
        kind if kind.is_socket() => Some(NotAScan::Socket),
        _ => Some(NotAScan::Device),
    }
}
