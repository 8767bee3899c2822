//! Reader processes and the talk with them.
//!
//! Native libraries meet untrusted bytes only in readers: child processes ([`reader`]) without root,
//! network and credentials, that see their models and the scan they are handed and nothing else of
//! the file system, under a memory limit and a time limit. A worker owns a [`ReaderPool`]; what
//! they say to each other is in [`protocol`]. What a reader's end costs is decided by the worker,
//! never here.

mod bell;
mod chatter;
mod confine;
mod ends;
mod handover;
mod nursery;
mod pool;
mod process;
pub mod protocol;
mod publication;
pub mod reader;
mod rereading;
mod scan_reader;
mod upkeep;
mod work;

pub use bell::Bell;
pub use confine::{Confinement, missing_confinement};
pub use ends::ReaderEnd;
pub use pool::{Reader, ReaderPool};
pub use process::{Exit, ReaderError, StartError};
pub use scan_reader::{LoadError, ScanReader};
pub use upkeep::{CONDEMNED_FOR, Upkeep, UpkeepError, manifest_key};
pub use work::{Until, Worker};
