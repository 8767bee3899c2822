//! Files of scanner stations, from their first sight to the moment they may be taken in.
//!
//! A drop folder holds `STATION[/BATCH]/file`. [`watch`] looks at it again and again and says which
//! files have arrived; when that is so is decided in [`Arrivals`], without a clock or a disk.
//! [`collect`] lists what was given on the command line. Nothing here opens anything but regular
//! files, and nothing here moves or removes any.

mod arrival;
mod collect;
mod folder;
mod name;
mod watch;

pub use arrival::{Arrivals, Observation, Sighting, Stamp, Waiting};
pub use collect::{CLI_STATION, CollectError, Collected, collect};
pub use folder::{IntakeFinding, NotAScan};
pub use name::escaped;
pub use watch::{FolderState, Watcher, Watching, watch};

use std::path::PathBuf;

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
