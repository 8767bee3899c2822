//! Pictures of cells, without a form around them: `uketsuke recognize`.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, Luma, Rgba};
use serde::Serialize;

use super::cell_model;
use super::{CellState, CharacterReading, ReadError, Readers, box_lines, comb};
use crate::geometry::RectPx;

/// Which model reads the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CellKind {
    Digits,
    Kana,
}

/// A row of cells, read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecognizedRow {
    /// The characters joined; a blank cell between others is a space, a cell whose ink is no
    /// character `?`.
    pub text: String,
    /// One a cell.
    pub characters: Vec<CharacterReading>,
}

/// The height of a cell in pixels as it comes from a page at 300 dpi; smaller and larger pictures
/// are brought to it, so that lines and specks have the size that is known of them.
const CELL_HEIGHT: f64 = 84.0;
const KNOWN_HEIGHTS: std::ops::RangeInclusive<f64> = 56.0..=126.0;

/// Reads a picture of `count` equal cells side by side, their boxes drawn or not, dark on light or
/// light on dark.
pub fn recognize(
    picture: &DynamicImage,
    kind: CellKind,
    count: u32,
    readers: &Readers,
) -> Result<RecognizedRow, ReadError> {
    let gray = dark_on_light(picture);
    let height = f64::from(gray.height());
    let gray = if KNOWN_HEIGHTS.contains(&height) {
        gray
    } else {
        let width = f64::from(gray.width()) * CELL_HEIGHT / height;
        imageops::resize(&gray, (width.round() as u32).max(count), CELL_HEIGHT as u32, FilterType::Triangle)
    };
    let edge = |index: u32| (f64::from(gray.width()) * f64::from(index) / f64::from(count)).round() as u32;
    let boxes: Vec<RectPx> = (0..count)
        .map(|index| RectPx { x: edge(index), y: 0, w: edge(index + 1) - edge(index), h: gray.height() })
        .collect();
    let cells = comb::comb(gray, &boxes).cells;
    let model = match kind {
        CellKind::Digits => &readers.digits,
        CellKind::Kana => &readers.katakana,
    };
    let mut readings =
        model.read(&cells.iter().flatten().map(|cell| &cell.tile).collect::<Vec<_>>())?.into_iter();
    let mut text = String::new();
    let mut characters = Vec::with_capacity(cells.len());
    for cell in &cells {
        let character = cell.as_ref().and_then(|_| readings.next());
        let character = character.unwrap_or_else(|| cell_model::blank(1.0));
        match character.state {
            CellState::Blank => text.push(' '),
            CellState::Written => text.push_str(&character.value),
            CellState::StruckOut | CellState::Overwritten | CellState::Several => text.push('?'),
        }
        characters.push(character);
    }
    Ok(RecognizedRow { text: text.trim().to_owned(), characters })
}

/// Gray on white where it is transparent, turned over where most of it is dark.
fn dark_on_light(picture: &DynamicImage) -> GrayImage {
    let mut gray = if picture.color().has_alpha() {
        let colours = picture.to_rgba8();
        GrayImage::from_fn(colours.width(), colours.height(), |x, y| {
            let Rgba([red, green, blue, alpha]) = *colours.get_pixel(x, y);
            let level = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
            let part = f32::from(alpha) / 255.0;
            Luma([(level * part + 255.0 * (1.0 - part)).round() as u8])
        })
    } else {
        picture.to_luma8()
    };
    if box_lines::median(&gray) < 128 {
        imageops::invert(&mut gray);
    }
    gray
}
