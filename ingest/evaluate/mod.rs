//! Records against truth: which values are right, and what was known of them.

mod compare;
#[cfg(test)]
mod example;
mod judge;
mod lines;
mod truths;

pub use compare::{Account, Comparison, RecordSide, TruthSide};
pub use judge::{Judged, PageFacts, Truth, judge};
pub use lines::{LineError, json_line, json_lines};
pub use truths::Truths;
