//! Records against truth: which values are right, and what was known of them.

mod collect;
mod fusion;
mod judge;
mod sources;

pub use collect::{Collection, Collections, Counts, Skipped};
pub use fusion::FusionCells;
pub use judge::{Judged, Truth, judge, judge_seen};
pub use sources::{Opinions, SourceError, Truths, records};
