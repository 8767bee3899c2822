//! TBD

mod complete;

pub use complete::{Completeness, is_complete};
