//! Takes the printed lines of boxes out of a crop and leaves the strokes that cross them.
//!
//! The form says where each line should be; it is looked for within a little of that place, since
//! registration leaves a pixel or two. Where no line is found nothing is changed.

use std::ops::Range;

use image::GrayImage;

use crate::geometry::RectPx;

/// How far a line may lie from where the form has it, as a share of the box's shorter side: 0.5 mm
/// of a box of 6 mm.
const SEARCH_SHARE: f32 = 0.085;

/// A printed line covers its whole length but for gaps in a bad print; a long straight stroke of
/// writing does not reach from corner to corner.
const MIN_COVERAGE: f32 = 0.8;

/// Rows beside the line's core that still carry its blurred edge, and how many there are at most.
/// They must do so at both ends of the line: a stroke that runs along it, as the side of a large 0
/// does, is nearest in the middle.
const EDGE_COVERAGE: f32 = 0.35;
const MAX_EDGE: usize = 2;

/// Ink that reaches this many pixels away from a line at one side is a stroke that touches it.
const STROKE_DEPTH: u32 = 3;

/// A line thicker than this share of the box is a bar, not a box line.
const MAX_THICKNESS_SHARE: f32 = 0.16;

/// Darker than the paper by this many gray levels counts as printed.
const DARKER: u8 = 28;

/// Removes the outlines of `boxes` from `gray`.
pub(super) fn erase(gray: &mut GrayImage, boxes: &[RectPx]) {
    let paper = median(gray);
    // Uprights first, over their crossings with the horizontals; these then find clean sides.
    for rect in boxes {
        for x in [rect.x, rect.x + rect.w] {
            erase_lines(&mut Upright(gray), x, rect.y, rect.h, rect.w.min(rect.h), paper);
        }
    }
    for rect in boxes {
        for y in [rect.y, rect.y + rect.h] {
            erase_lines(&mut Level(gray), y, rect.x, rect.w, rect.w.min(rect.h), paper);
        }
    }
}

pub(super) fn median(gray: &GrayImage) -> u8 {
    let mut counts = [0usize; 256];
    for &level in gray.as_raw() {
        counts[usize::from(level)] += 1;
    }
    let half = gray.as_raw().len() / 2;
    let mut seen = 0;
    let middle = counts.iter().position(|&count| {
        seen += count;
        seen > half
    });
    middle.unwrap_or(255) as u8
}

/// A picture addressed along a line and across it.
trait Lines {
    /// (pixels along, pixels across).
    fn size(&self) -> (u32, u32);
    fn level(&mut self, along: u32, across: u32) -> &mut u8;
}

struct Level<'a>(&'a mut GrayImage);
struct Upright<'a>(&'a mut GrayImage);

impl Lines for Level<'_> {
    fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }
    fn level(&mut self, along: u32, across: u32) -> &mut u8 {
        &mut self.0.get_pixel_mut(along, across).0[0]
    }
}

impl Lines for Upright<'_> {
    fn size(&self) -> (u32, u32) {
        let (width, height) = self.0.dimensions();
        (height, width)
    }
    fn level(&mut self, along: u32, across: u32) -> &mut u8 {
        &mut self.0.get_pixel_mut(across, along).0[0]
    }
}

/// Most lines that stand side by side where one is expected: a box's own, and those of a table
/// around it.
const MAX_LINES: usize = 3;

/// Removes the lines near `across`, which run from `start` over `length`; `side` is the shorter
/// side of their box.
fn erase_lines(picture: &mut impl Lines, across: u32, start: u32, length: u32, side: u32, paper: u8) {
    for _ in 0..MAX_LINES {
        if !erase_line(picture, across, start, length, side, paper) {
            return;
        }
    }
}

/// Removes the clearest line; false where none is found.
fn erase_line(picture: &mut impl Lines, across: u32, start: u32, length: u32, side: u32, paper: u8) -> bool {
    let (size_along, size_across) = picture.size();
    let reach = (SEARCH_SHARE * side as f32).ceil() as u32;
    // Its core is looked for within reach; its edges, and a second line grown into it, further out.
    let (low, high) = (across.saturating_sub(2 * reach), (across + 2 * reach + 1).min(size_across));
    let cores = across.saturating_sub(reach)..across + reach + 1;
    let (from, to) = (start.min(size_along), (start + length).min(size_along));
    if low >= high || to - from < 4 {
        return false;
    }
    let limit = paper.saturating_sub(DARKER);
    let mut covered = |row: u32, part: Range<u32>| {
        let length = part.len() as f32;
        part.filter(|&along| *picture.level(along, row) < limit).count() as f32 / length
    };
    let coverage: Vec<f32> = (low..high).map(|row| covered(row, from..to)).collect();
    let end = (to - from) / 4;
    let at_ends: Vec<f32> =
        (low..high).map(|row| covered(row, from..from + end).min(covered(row, to - end..to))).collect();
    let within = (0..coverage.len()).filter(|&row| cores.contains(&(low + row as u32)));
    let Some(core) = within.max_by(|&a, &b| coverage[a].total_cmp(&coverage[b])) else {
        return false;
    };
    if coverage[core] < MIN_COVERAGE {
        return false;
    }
    let is_core = |row: &usize| coverage[*row] >= MIN_COVERAGE;
    let first = (0..core).rev().take_while(is_core).last().unwrap_or(core);
    let last = (core..coverage.len()).take_while(is_core).last().unwrap_or(core);
    if (last - first + 1) as f32 > (MAX_THICKNESS_SHARE * side as f32).max(4.0) {
        return false;
    }
    let is_edge = |row: &usize| at_ends[*row] >= EDGE_COVERAGE;
    let first = (0..first).rev().take(MAX_EDGE).take_while(is_edge).last().unwrap_or(first);
    let last = (last + 1..coverage.len()).take(MAX_EDGE).take_while(is_edge).last().unwrap_or(last);
    // One row more on either side for the faint rest of the blur.
    let band = (low + first as u32).saturating_sub(1)..(low + last as u32 + 2).min(size_across);
    // A little beyond both ends, so that corners go too.
    let beyond = reach.max(2);
    let (from, to) = (from.saturating_sub(beyond), (to + beyond).min(size_along));
    erase_band(picture, band, from..to, limit, paper);
    true
}

/// Paints a band of rows over with paper, but for the strokes that cross or touch it.
fn erase_band(picture: &mut impl Lines, band: Range<u32>, span: Range<u32>, limit: u8, paper: u8) {
    let crossings = crossings(picture, &band, span.clone(), limit);
    let touched = touched(picture, &band, span.clone(), limit);
    let thickness = (band.end - band.start) as f32;
    let middle = band.start + (band.end - band.start) / 2;
    for row in band.clone() {
        let part = (row - band.start) as f32 + 0.5;
        for along in span.clone() {
            let (before, behind) = touched[(along - span.start) as usize];
            let kept = (if row < middle { before } else { behind })
                || crossings.iter().any(|crossing| crossing.covers(along, part / thickness));
            let level = picture.level(along, row);
            if !kept && *level < paper {
                *level = paper;
            }
        }
    }
}

/// A stroke that goes through the line: where it enters and where it leaves, inclusive.
struct Crossing {
    near: (u32, u32),
    far: (u32, u32),
}

impl Crossing {
    /// Whether it covers a place, `part` of the way from the near to the far side.
    fn covers(&self, along: u32, part: f32) -> bool {
        let between = |near: u32, far: u32| near as f32 * (1.0 - part) + far as f32 * part;
        (between(self.near.0, self.far.0) - 0.5..=between(self.near.1, self.far.1) + 0.5)
            .contains(&(along as f32))
    }
}

/// Strokes that are seen on both sides of the band.
fn crossings(picture: &mut impl Lines, band: &Range<u32>, span: Range<u32>, limit: u8) -> Vec<Crossing> {
    let (_, size_across) = picture.size();
    let (Some(before), after) = (band.start.checked_sub(1), band.end) else { return Vec::new() };
    if after >= size_across {
        return Vec::new();
    }
    let near = runs(picture, before, span.clone(), limit);
    let far = runs(picture, after, span, limit);
    // A stroke at 45° moves by the band's thickness on its way through.
    let slope = band.end - band.start + 1;
    let meets = |a: (u32, u32), b: (u32, u32)| a.0 <= b.1 + slope && b.0 <= a.1 + slope;
    near.iter()
        .flat_map(|&near| far.iter().map(move |&far| Crossing { near, far }))
        .filter(|crossing| meets(crossing.near, crossing.far))
        .collect()
}

/// For each place of the span, whether a stroke comes up to the band from before it and from behind it.
/// What of it lies inside the band cannot be told from the line; the half on its side stays. A stroke
/// grown by half a line's thickness reads better than one without its side, and does not reach what
/// stands beyond the line.
fn touched(picture: &mut impl Lines, band: &Range<u32>, span: Range<u32>, limit: u8) -> Vec<(bool, bool)> {
    let (_, size_across) = picture.size();
    let before = band.start.checked_sub(STROKE_DEPTH).map(|from| from..band.start);
    let behind = Some(band.end..band.end + STROKE_DEPTH).filter(|side| side.end <= size_across);
    let mut is_ink = |along: u32, side: &Option<Range<u32>>| {
        side.clone().is_some_and(|mut side| side.all(|row| *picture.level(along, row) < limit))
    };
    span.map(|along| (is_ink(along, &before), is_ink(along, &behind))).collect()
}

/// The stretches of ink along one row, inclusive.
fn runs(picture: &mut impl Lines, row: u32, span: Range<u32>, limit: u8) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for along in span {
        if *picture.level(along, row) >= limit {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.1 + 1 == along => run.1 = along,
            _ => runs.push((along, along)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, imageops};

    const BOX: RectPx = RectPx { x: 20, y: 20, w: 70, h: 80 };

    /// Paper with the outline of [`BOX`], three pixels thick and `off` pixels from where it should be.
    fn boxed(off: u32) -> GrayImage {
        GrayImage::from_fn(120, 130, |x, y| {
            let near = |value: u32, line: u32| value + 1 >= line + off && value <= line + off + 1;
            let upright = (near(x, 20) || near(x, 90)) && (19 + off..=101 + off).contains(&y);
            let level = (near(y, 20) || near(y, 100)) && (19 + off..=91 + off).contains(&x);
            Luma([if upright || level { 60 } else { 240 }])
        })
    }

    fn dark(gray: &GrayImage) -> usize {
        gray.as_raw().iter().filter(|&&level| level < 200).count()
    }

    #[test]
    fn an_empty_box_leaves_nothing_even_where_it_is_shifted() {
        for off in 0..4 {
            let mut gray = boxed(off);
            erase(&mut gray, &[BOX]);
            assert_eq!(dark(&gray), 0, "shifted by {off}");
        }
    }

    #[test]
    fn the_line_of_a_table_beside_the_box_goes_too() {
        let mut gray = boxed(0);
        for (x, y) in (95..98).flat_map(|x| (0..130).map(move |y| (x, y))) {
            gray.put_pixel(x, y, Luma([60]));
        }
        erase(&mut gray, &[BOX]);
        let inside = imageops::crop_imm(&gray, BOX.x, BOX.y, BOX.w + 4, BOX.h).to_image();
        assert_eq!(dark(&inside), 0);
    }

    #[test]
    fn a_crossing_stroke_is_not_cut() {
        let mut gray = boxed(1);
        // A slanting stroke, six pixels wide, through the lower line.
        let stroke =
            |x: u32, y: u32| (60..125).contains(&y) && (0..6).contains(&(x as i64 - 30 - i64::from(y) / 4));
        for (x, y) in (0..120).flat_map(|x| (0..130).map(move |y| (x, y))).filter(|&(x, y)| stroke(x, y)) {
            gray.put_pixel(x, y, Luma([30]));
        }
        erase(&mut gray, &[BOX]);
        for y in 60..125 {
            let width = (0..120).filter(|&x| gray.get_pixel(x, y).0[0] < 200).count();
            assert!((5..=8).contains(&width), "row {y} keeps {width} pixels");
        }
    }

    /// The side of a large 0 runs along the box's own: the line goes, the 0 stays closed.
    #[test]
    fn a_stroke_along_the_line_stays_and_the_line_goes() {
        let ring = |x: u32, y: u32| {
            let (dx, dy) = ((f64::from(x) - 72.0) / 20.0, (f64::from(y) - 60.0) / 30.0);
            (0.5..1.0).contains(&(dx * dx + dy * dy))
        };
        let mut gray = boxed(1);
        for (x, y) in (0..120).flat_map(|x| (0..130).map(move |y| (x, y))).filter(|&(x, y)| ring(x, y)) {
            gray.put_pixel(x, y, Luma([30]));
        }
        erase(&mut gray, &[BOX]);
        let at = |x: u32, y: u32| gray.get_pixel(x, y).0[0] < 200;
        assert!((42..=78).all(|y| (84..96).filter(|&x| at(x, y)).count() >= 2), "the 0 has lost its side");
        assert!((24..30).chain(92..98).all(|y| !(84..98).any(|x| at(x, y))), "the line is still there");
    }

    #[test]
    fn a_stroke_that_ends_at_the_line_is_not_tied_to_the_table_behind_it() {
        let mut gray = boxed(0);
        // A 1 that stands on its box's line, and a table's line close below.
        for (x, y) in (0..120).flat_map(|x| (0..130).map(move |y| (x, y))) {
            if ((52..58).contains(&x) && (40..100).contains(&y)) || (103..107).contains(&y) {
                gray.put_pixel(x, y, Luma([30]));
            }
        }
        erase(&mut gray, &[BOX]);
        let column = |y: u32| (52..58).any(|x| gray.get_pixel(x, y).0[0] < 200);
        assert!((40..98).all(column), "the 1 is cut");
        assert!(!(98..112).all(column), "the 1 hangs on the table");
    }

    #[test]
    fn writing_is_not_taken_for_a_line_where_no_line_is_printed() {
        let one = |x: u32, y: u32| (22..26).contains(&x) && (30..90).contains(&y);
        let mut gray = GrayImage::from_fn(120, 130, |x, y| Luma([if one(x, y) { 30 } else { 240 }]));
        let before = gray.clone();
        erase(&mut gray, &[BOX]);
        assert_eq!(gray, before);
    }
}
