//! Orientation and resolution out of Exif, which is a small TIFF structure.

use std::io::Cursor;

use super::Fault;
use super::pixels::credible_dpi;
use super::tiff_directory::{Directory, TiffFile, tag};
use crate::turn::Turn;

/// What is said about the page; a damaged structure says nothing.
pub(super) fn read(exif: &[u8]) -> (Turn, Option<f64>) {
    let mut tiff = match TiffFile::open(Cursor::new(exif)) {
        Ok(tiff) => tiff,
        Err(_) => return (Turn::NONE, None),
    };
    let Ok(directory) = tiff.first_directory() else { return (Turn::NONE, None) };
    let turn = turn(&mut tiff, &directory).unwrap_or(Turn::NONE);
    (turn, dpi(&mut tiff, &directory).ok().flatten())
}

/// The Orientation tag.
pub(super) fn turn<R: std::io::Read + std::io::Seek>(
    tiff: &mut TiffFile<R>,
    directory: &Directory,
) -> Result<Turn, Fault> {
    let orientation = tiff.first_unsigned(directory, tag::ORIENTATION)?.unwrap_or(1);
    Ok(Turn::from_orientation_tag(orientation))
}

/// The resolution tags.
pub(super) fn dpi<R: std::io::Read + std::io::Seek>(
    tiff: &mut TiffFile<R>,
    directory: &Directory,
) -> Result<Option<f64>, Fault> {
    const INCH: u64 = 2;
    const CENTIMETRE: u64 = 3;
    let per_inch = match tiff.first_unsigned(directory, tag::RESOLUTION_UNIT)?.unwrap_or(INCH) {
        INCH => 1.0,
        CENTIMETRE => 2.54,
        _ => return Ok(None),
    };
    let horizontal = tiff.rational(directory, tag::X_RESOLUTION)?;
    let vertical = tiff.rational(directory, tag::Y_RESOLUTION)?;
    let (Some(horizontal), Some(vertical)) = (horizontal.or(vertical), vertical.or(horizontal)) else {
        return Ok(None);
    };
    Ok(credible_dpi(horizontal * per_inch, vertical * per_inch))
}
