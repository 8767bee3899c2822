//! One cell, gray, to the tile that the cell models take.
//!
//! This is recipe [`RECIPE`]; `ocr-models/train/tile.py` states it in words and does the same, and
//! the tests here compare both on the cells of `ocr-models/fixtures/`. Change them together.

use image::GrayImage;

use super::components::Components;
use crate::geometry::RectPx;

/// Written into the models; a model of another recipe is refused.
pub(super) const RECIPE: u32 = 1;

/// Pixels a side.
pub(super) const SIDE: usize = 36;

/// How much of [`SIDE`] writing takes.
const INK_SIDE: f32 = 30.0;

/// Writing that is smaller than its cell by more than this stays smaller: '.' must not become 'ロ'.
const MAX_ENLARGEMENT: f32 = 2.2;

/// The least difference between paper and ink, in gray levels; below it is noise.
const MIN_CONTRAST: i32 = 48;

/// Ink below this share of the contrast is paper texture; from the second on it forms components.
const INK_FLOOR: f32 = 0.2;
const INK_CORE: f32 = 0.4;

/// Components smaller than this share of the cell, or than [`MIN_AREA`] pixels, are specks.
const SPECK_SHARE: f32 = 0.0012;
const MIN_AREA: f32 = 3.0;

/// Components along a border within this share of the cell's side are what was left of a box line.
const BORDER_SHARE: f32 = 0.12;

/// Row by row, ink 1, paper 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tile(pub Vec<f32>);

impl Tile {
    /// The tile of a cell whose lines and neighbours' strokes are gone; none where nothing is
    /// written.
    pub fn of(cell: &GrayImage) -> Option<Self> {
        let (width, height) = (cell.width() as usize, cell.height() as usize);
        if width == 0 || height == 0 {
            return None;
        }
        let mut ink = ink_of(cell);
        let core: Vec<bool> = ink.iter().map(|&ink| ink >= INK_CORE).collect();
        let components = Components::of(&core, width);
        let kept: Vec<bool> = components
            .list
            .iter()
            .map(|part| {
                part.area as f32 >= (SPECK_SHARE * (width * height) as f32).max(MIN_AREA)
                    && !is_remnant(&part.bounds, width, height)
            })
            .collect();
        let writing = |x: usize, y: usize| components.at(x, y).is_some_and(|part| kept[part]);
        let bounds = components
            .list
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(part, _)| part.bounds)
            .reduce(around)?;
        for y in 0..height {
            for x in 0..width {
                if ink[y * width + x] == 0.0 {
                    continue;
                }
                let near = (y.saturating_sub(1)..(y + 2).min(height))
                    .any(|row| (x.saturating_sub(1)..(x + 2).min(width)).any(|column| writing(column, row)));
                if !near {
                    ink[y * width + x] = 0.0;
                }
            }
        }
        let longest = width.max(height) as f32;
        let scale = (INK_SIDE / bounds.w.max(bounds.h) as f32).min(MAX_ENLARGEMENT * INK_SIDE / longest);
        let across = overlaps(width, bounds.x, bounds.w, scale);
        let down = overlaps(height, bounds.y, bounds.h, scale);
        Some(Self(resample(&ink, width, &across, &down)))
    }
}

/// Ink of each pixel, 0 to 1, row by row.
fn ink_of(cell: &GrayImage) -> Vec<f32> {
    let mut counts = [0usize; 256];
    for &level in cell.as_raw() {
        counts[usize::from(level)] += 1;
    }
    let total = cell.as_raw().len() as f64;
    let percentile = |share: f64| {
        let mut seen = 0;
        let found = counts.iter().position(|&count| {
            seen += count;
            seen as f64 >= share * total
        });
        found.unwrap_or(255) as i32
    };
    let (paper, dark) = (percentile(0.5), percentile(0.01));
    let contrast = (paper - dark).max(MIN_CONTRAST) as f32;
    let ink = |level: u8| ((paper - i32::from(level)) as f32 / contrast).clamp(0.0, 1.0);
    cell.as_raw()
        .iter()
        .map(|&level| Some(ink(level)).filter(|&ink| ink >= INK_FLOOR).unwrap_or(0.0))
        .collect()
}

fn is_remnant(bounds: &RectPx, width: usize, height: usize) -> bool {
    let along = |start: u32, extent: u32, size: usize| {
        let edge = BORDER_SHARE * size as f32;
        let stop = start + extent;
        (start == 0 && stop as f32 <= edge) || (stop as usize == size && extent as f32 <= edge)
    };
    along(bounds.x, bounds.w, width) || along(bounds.y, bounds.h, height)
}

fn around(one: RectPx, other: RectPx) -> RectPx {
    let (x, y) = (one.x.min(other.x), one.y.min(other.y));
    let (right, bottom) = ((one.x + one.w).max(other.x + other.w), (one.y + one.h).max(other.y + other.h));
    RectPx { x, y, w: right - x, h: bottom - y }
}

/// For each tile pixel along one axis: the first source pixel under it, and the weights from there
/// on. `length` is the cell's size, `start` and `extent` the writing's.
fn overlaps(length: usize, start: u32, extent: u32, scale: f32) -> Vec<(usize, Vec<f32>)> {
    let centre = start as f32 + extent as f32 / 2.0;
    let room = ((SIDE as f32 - extent as f32 * scale) / 2.0).max(0.0);
    let shift = (0.25 * (centre - length as f32 / 2.0) * scale).clamp(-room, room);
    let first = centre - (SIDE as f32 / 2.0 + shift) / scale;
    let step = 1.0 / scale;
    let side = step.max(1.0);
    (0..SIDE)
        .map(|index| {
            let middle = first + (index as f32 + 0.5) * step;
            let (low, high) = (middle - side / 2.0, middle + side / 2.0);
            let begin = low.floor().clamp(0.0, length as f32) as usize;
            let end = high.ceil().clamp(0.0, length as f32) as usize;
            let weights = (begin..end)
                .map(|pixel| (high.min(pixel as f32 + 1.0) - low.max(pixel as f32)).max(0.0) / side)
                .collect();
            (begin, weights)
        })
        .collect()
}

fn resample(ink: &[f32], width: usize, across: &[(usize, Vec<f32>)], down: &[(usize, Vec<f32>)]) -> Vec<f32> {
    let mut tile = Vec::with_capacity(SIDE * SIDE);
    for (top, row_weights) in down {
        for (left, column_weights) in across {
            let mut sum = 0.0;
            for (row, row_weight) in row_weights.iter().enumerate() {
                let at = (top + row) * width + left;
                let line = ink[at..at + column_weights.len()].iter().zip(column_weights);
                sum += row_weight * line.map(|(ink, weight)| ink * weight).sum::<f32>();
            }
            tile.push(sum);
        }
    }
    let peak = tile.iter().copied().fold(1e-6, f32::max);
    tile.iter_mut().for_each(|ink| *ink /= peak);
    tile
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    #[test]
    fn the_trainer_makes_the_same_tiles() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ocr-models/fixtures");
        let mut compared = 0;
        for index in 0.. {
            let Ok(cell) = image::open(folder.join(format!("cell-{index:02}.png"))) else { break };
            let expected =
                image::open(folder.join(format!("tile-{index:02}.png"))).expect("its tile").to_luma8();
            let tile = Tile::of(&cell.to_luma8()).expect("written");
            for (pixel, (ink, expected)) in tile.0.iter().zip(expected.as_raw()).enumerate() {
                let difference = (ink * 255.0 - f32::from(*expected)).abs();
                assert!(difference <= 1.5, "cell {index}, pixel {pixel}: {difference}");
            }
            compared += 1;
        }
        assert!(compared >= 8, "fixtures are missing: {compared}");
    }

    fn cell(is_ink: impl Fn(u32, u32) -> bool) -> GrayImage {
        GrayImage::from_fn(70, 80, |x, y| Luma([if is_ink(x, y) { 30 } else { 235 }]))
    }

    #[test]
    fn paper_specks_and_remnants_of_lines_are_not_writing() {
        assert_eq!(Tile::of(&cell(|_, _| false)), None);
        assert_eq!(Tile::of(&cell(|x, y| x == 40 && (30..32).contains(&y))), None, "a speck");
        assert_eq!(Tile::of(&cell(|x, y| x < 3 && (10..60).contains(&y))), None, "a box line");
    }

    #[test]
    fn a_dot_stays_small_and_a_character_fills_the_tile() {
        let dark = |tile: Tile| tile.0.iter().filter(|&&ink| ink > 0.5).count();
        let dot = Tile::of(&cell(|x, y| (10..16).contains(&x) && (62..68).contains(&y))).expect("ink");
        assert!(dark(dot) < 60);
        let block = Tile::of(&cell(|x, y| (15..55).contains(&x) && (20..60).contains(&y))).expect("ink");
        assert!((800..=961).contains(&dark(block)));
    }

    #[test]
    fn brightness_of_paper_and_ink_does_not_matter() {
        let shape = |x: u32, y: u32| (20..24).contains(&x) && (15..60).contains(&y);
        let pale = GrayImage::from_fn(70, 80, |x, y| Luma([if shape(x, y) { 110 } else { 200 }]));
        assert_eq!(Tile::of(&cell(shape)), Tile::of(&pale));
    }
}
