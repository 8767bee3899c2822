//! Fills in and "scans" forms: samples, load, material for measurements.
//!
//! What comes in is a form, a register and a seed; what goes out is a folder as a mailroom's
//! scanners leave it, STATION/BATCH/file, and `truth.jsonl` with what is true of every page. The
//! same arguments give the same bytes; what happens to an application does not depend on how many
//! others there are. In the order of an application's way:
//!
//! - [`register`]: households that do not exist.
//! - [`applicant`]: somebody with an account and habits; [`answers`]: what is written into each
//!   field, with slips of the pen.
//! - [`handwriting`]: that decision in somebody's [`hand`], out of [`fonts`] and [`skeleton`]s.
//! - [`press`]: the form as printed; [`copies`]: what is glued onto its second sheet.
//! - [`scanner`]: how a page lies on the glass; [`optics`]: what becomes of its pixels.
//! - [`files`]: pages to files.
//! - [`mail`]: all this for one application; [`drops`]: which applications share a file.

mod answers;
mod applicant;
mod bank;
mod copies;
mod drops;
mod files;
mod fonts;
mod gesture;
mod hand;
mod handwriting;
pub mod ink;
mod mail;
mod names;
mod optics;
mod press;
mod random;
pub mod register;
mod scanner;
mod skeleton;
mod tiff;
mod truth;

pub use applicant::{Correction, Entry, Written};
pub use drops::{Order, Summary, simulate};
pub use files::Format;
pub use fonts::{Font, Fonts, Hands};
pub use hand::Hand;
pub use press::Press;
pub use truth::{PageTruth, SymbolTruth};

use std::path::PathBuf;

/// Why nothing, or not everything, could be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("the font {} cannot be used: {reason}; scripts/setup installs it", path.display())]
    Font { path: PathBuf, reason: String },
    #[error("no form can be rendered: {reason}; scripts/setup fetches libpdfium")]
    NoPdfium { reason: String },
    #[error("the printed form {form} cannot be rendered: {reason}")]
    Rendering { form: String, reason: String },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} already holds a truth.jsonl; name a new folder with --out, or remove this one", .0.display())]
    Occupied(PathBuf),
    #[error("there is no form to fill in; name one with --form")]
    NoForm,
    #[error("there is no station to drop files at; name one with --stations")]
    NoStation,
    #[error("there is no kind of file to write; name one with --formats")]
    NoFormat,
}
