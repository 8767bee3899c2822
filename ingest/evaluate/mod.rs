//! Records against truth: which values are right, and what was known of them.

mod judge;

pub use judge::{Judged, PageFacts, Truth, judge};
