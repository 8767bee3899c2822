//! Files of scanner stations, from their first sight to the moment they may be taken in.
//!
//! A drop folder holds `STATION[/BATCH]/file`. [`watch`] looks at it again and again and says which
//! files have arrived; when that is so is decided in [`Arrivals`], without a clock or a disk.
//! [`collect`] lists what was given on the command line. [`Reception`] takes a file in, and is the
//! only one that removes any. Nothing here opens anything but regular files.

mod arrival;
mod collect;
mod complete;
mod folder;
mod name;
mod room;
mod take_in;
mod watch;

pub use arrival::{Arrivals, Observation, Sighting, Stamp, Waiting};
pub use collect::{CLI_STATION, CollectError, Collected, collect};
pub use complete::{Completeness, is_complete};
pub use folder::{IntakeFinding, NotAScan};
pub use name::escaped;
pub use room::Full;
pub use take_in::{Afterwards, Reception, TakeInError};
pub use watch::{FolderState, Watcher, Watching, watch};

use std::path::PathBuf;

/// So many files are taken in at the same time: each waits for the disk or the network most of its time.
pub const FILES_AT_ONCE: usize = 4;

/// A file that may be taken in. It may be gone or reported twice: taking in must bear both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArrivedFile {
    /// Names of its folders, [`escaped`].
    pub station: String,
    pub batch: Option<String>,
    pub path: PathBuf,
    /// The `NAME.ready` beside it, to be removed with it.
    pub sidecar: Option<PathBuf>,
}

/// What the watcher asks of a file: false where its format's end is missing, or it cannot be read.
/// A file that is no scan will not become one by waiting.
pub fn is_whole(path: &std::path::Path) -> bool {
    matches!(is_complete(path), Ok(Completeness::Complete | Completeness::NotAFormatWeKnow))
}
