//! A row of boxes to clean cells: box lines out, each stroke to the box that holds most of it.

use image::{GrayImage, Luma};

use super::box_lines;
use super::components::Components;
use super::tile::Tile;
use crate::geometry::RectPx;

/// Ink darker than the paper by this share of the comb's contrast belongs to a stroke.
const STROKE_SHARE: f32 = 0.4;

/// Strokes with at least this share of their ink in a second box join two characters that touch:
/// they are cut at the border. Below it, they run over and go to one box whole.
const JOINED_SHARE: f32 = 0.3;

/// Longer straight ink than this share of a box's side, outside all boxes, is a line of the table that
/// they stand in. What touches it is no part of it: a 9 whose leg runs down to it is still a 9.
const TABLE_LINE_SHARE: f32 = 0.6;

/// A box is widened for strokes that run over by at most this share of its side.
const OVERRUN_SHARE: f32 = 0.3;

/// What is written in one box, without its lines and its neighbours' strokes.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The box with as much around it as its strokes run over, its centre in the middle.
    pub gray: GrayImage,
    pub tile: Tile,
    /// Two tall strokes stand beside each other and touch nowhere: two digits, or one in two strokes.
    pub side_by_side: bool,
    /// Something small stands across the upper or the lower side: what was put right at another field's
    /// box, beside it.
    pub astray: bool,
}

/// A row of boxes, in reading order.
#[derive(Debug, Clone, Default)]
pub(super) struct Comb {
    /// None for a box without writing.
    pub cells: Vec<Option<Cell>>,
    /// In each box, bits of ink that are too small for writing and lie away from its sides.
    pub specks: Vec<usize>,
}

/// What is in each of `boxes`, which lie in `gray` in reading order.
pub(super) fn comb(mut gray: GrayImage, boxes: &[RectPx]) -> Comb {
    box_lines::erase(&mut gray, boxes);
    let paper = box_lines::median(&gray);
    let dark = gray.as_raw().iter().copied().min().unwrap_or(paper);
    let contrast = f32::from(paper.saturating_sub(dark)).max(48.0);
    let limit = f32::from(paper) - STROKE_SHARE * contrast;
    let width = gray.width() as usize;
    let mut mask: Vec<bool> = gray.as_raw().iter().map(|&level| f32::from(level) < limit).collect();
    erase_lines_around(&mut mask, width, boxes);
    let strokes = Components::of(&mask, width);
    let owners = owners(&strokes, &gray, boxes);
    let cells = boxes.iter().enumerate();
    let cells = cells.map(|(index, rect)| cell(&gray, &strokes, &owners, index, rect, paper)).collect();
    let specks = boxes.iter().map(|rect| specks(&strokes, rect)).collect();
    Comb { cells, specks }
}

/// Takes out of the mask of strokes the straight lines above, below and beside all boxes.
fn erase_lines_around(mask: &mut [bool], width: usize, boxes: &[RectPx]) {
    let height = mask.len() / width.max(1);
    let (Some(left), Some(top)) =
        (boxes.iter().map(|rect| rect.x).min(), boxes.iter().map(|rect| rect.y).min())
    else {
        return;
    };
    let right = boxes.iter().map(|rect| rect.x + rect.w).max().unwrap_or(left) as usize;
    let bottom = boxes.iter().map(|rect| rect.y + rect.h).max().unwrap_or(top) as usize;
    let (left, top) = (left as usize, top as usize);
    let least = |side: fn(&RectPx) -> u32| {
        let shortest = boxes.iter().map(side).min().unwrap_or(0);
        (TABLE_LINE_SHARE * shortest as f32).ceil().max(2.0) as usize
    };
    let (across, down) = (least(|rect| rect.w), least(|rect| rect.h));
    let mut erase = |start: usize, step: usize, length: usize, least: usize| {
        let mut run = 0;
        for place in 0..=length {
            if place < length && mask[start + place * step] {
                run += 1;
                continue;
            }
            if run >= least {
                (place - run..place).for_each(|place| mask[start + place * step] = false);
            }
            run = 0;
        }
    };
    for y in (0..top.min(height)).chain(bottom.min(height)..height) {
        erase(y * width, 1, width, across);
    }
    for x in (0..left.min(width)).chain(right.min(width)..width) {
        erase(x, width, height, down);
    }
}

/// What lies along a side of its box within this share of it is the rest of a line.
const BORDER_SHARE: f32 = 0.12;

/// What comes in from outside the crop and reaches less far into its box is a neighbouring field's.
const INTRUSION_SHARE: f32 = 0.3;

/// Who a stroke belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Box(usize),
    /// Two characters that touch: each box keeps what lies inside it.
    Shared,
    /// Outside every box.
    None,
}

fn owners(strokes: &Components, gray: &GrayImage, boxes: &[RectPx]) -> Vec<Owner> {
    let mut inside = vec![vec![0usize; boxes.len()]; strokes.list.len()];
    for (index, rect) in boxes.iter().enumerate() {
        for y in rect.y..(rect.y + rect.h).min(gray.height()) {
            for x in rect.x..(rect.x + rect.w).min(gray.width()) {
                if let Some(stroke) = strokes.at(x as usize, y as usize) {
                    inside[stroke][index] += 1;
                }
            }
        }
    }
    strokes
        .list
        .iter()
        .zip(inside)
        .map(|(stroke, inside)| {
            let mut shares: Vec<(usize, usize)> =
                inside.into_iter().enumerate().filter(|(_, area)| *area > 0).collect();
            shares.sort_by_key(|&(index, area)| (std::cmp::Reverse(area), index));
            let enough = (JOINED_SHARE * stroke.area as f32) as usize;
            match shares[..] {
                [] => Owner::None,
                // Mostly above, below or beside the comb: a neighbouring line's.
                [(_, most), ..] if most * 2 < stroke.area && shares.len() == 1 => Owner::None,
                [_, (_, second), ..] if second > enough => Owner::Shared,
                [(index, _), ..] if is_foreign(&stroke.bounds, &boxes[index], gray) => Owner::None,
                [(index, _), ..] => Owner::Box(index),
            }
        })
        .collect()
}

/// Whether a stroke is the rest of a box line, or the end of something outside the crop.
fn is_foreign(stroke: &RectPx, rect: &RectPx, gray: &GrayImage) -> bool {
    let along = |start: u32, extent: u32, near: u32, size: u32, crop: u32| {
        // How far the stroke reaches into the box from either side.
        let reach = [(start + extent).saturating_sub(near), (near + size).saturating_sub(start)];
        let cut_off = [start == 0, start + extent == crop];
        reach.into_iter().zip(cut_off).any(|(reach, cut_off)| {
            let share = if cut_off { INTRUSION_SHARE } else { BORDER_SHARE };
            reach as f32 <= share * size as f32
        })
    };
    along(stroke.x, stroke.w, rect.x, rect.w, gray.width())
        || along(stroke.y, stroke.h, rect.y, rect.h, gray.height())
}

/// How many pieces of ink lie wholly away from a box's sides.
fn specks(strokes: &Components, rect: &RectPx) -> usize {
    let (aside, down) = (rect.w / 6, rect.h / 6);
    let within = |start: u32, extent: u32, near: u32, size: u32, edge: u32| {
        start >= near + edge && start + extent + edge <= near + size
    };
    let inside = |bounds: &RectPx| {
        within(bounds.x, bounds.w, rect.x, rect.w, aside) && within(bounds.y, bounds.h, rect.y, rect.h, down)
    };
    strokes.list.iter().filter(|stroke| inside(&stroke.bounds)).count()
}

fn cell(
    gray: &GrayImage,
    strokes: &Components,
    owners: &[Owner],
    index: usize,
    rect: &RectPx,
    paper: u8,
) -> Option<Cell> {
    let own = strokes.list.iter().zip(owners).filter(|(_, owner)| **owner == Owner::Box(index));
    let own: Vec<RectPx> = own.map(|(stroke, _)| stroke.bounds).collect();
    // The frame stays centred on the box, since the place in the box is part of a character.
    let limit = (OVERRUN_SHARE * rect.w.min(rect.h) as f32) as u32;
    let beyond = |bounds: &RectPx| {
        let beyond = [
            rect.x.saturating_sub(bounds.x),
            rect.y.saturating_sub(bounds.y),
            (bounds.x + bounds.w).saturating_sub(rect.x + rect.w),
            (bounds.y + bounds.h).saturating_sub(rect.y + rect.h),
        ];
        beyond.into_iter().max().unwrap_or(0)
    };
    let overrun = own.iter().map(beyond).max().unwrap_or(0).min(limit);
    let overrun = i64::from(overrun);
    let inside = |x: i64, y: i64| {
        (i64::from(rect.x)..i64::from(rect.x + rect.w)).contains(&x)
            && (i64::from(rect.y)..i64::from(rect.y + rect.h)).contains(&y)
    };
    // A pixel is the box's if its stroke is, or if it is the blurred edge of such a stroke.
    let belongs = |x: i64, y: i64| {
        let owner = strokes.at(x as usize, y as usize).map(|stroke| owners[stroke]);
        match owner {
            Some(Owner::Box(owner)) => owner == index,
            Some(Owner::Shared) | None => inside(x, y),
            Some(Owner::None) => false,
        }
    };
    let (width, height) = (i64::from(gray.width()), i64::from(gray.height()));
    let gray = GrayImage::from_fn(rect.w + 2 * overrun as u32, rect.h + 2 * overrun as u32, |x, y| {
        let (x, y) = (i64::from(rect.x) + i64::from(x) - overrun, i64::from(rect.y) + i64::from(y) - overrun);
        let on_crop = (0..width).contains(&x) && (0..height).contains(&y);
        if on_crop && belongs(x, y) { *gray.get_pixel(x as u32, y as u32) } else { Luma([paper]) }
    });
    let astray = own.iter().any(|stroke| is_astray(stroke, rect));
    let side_by_side = stand_side_by_side(own, rect);
    Tile::of(&gray).map(|tile| Cell { gray, tile, side_by_side, astray })
}

/// Strokes of at least this share of the box's height are tall; and those below that one are small.
const TALL_SHARE: f32 = 0.4;
const SMALL_SHARE: f32 = 0.55;

/// Between two digits in one box is at least this share of its width.
const APART_SHARE: f32 = 0.06;

/// What has this share of its height beyond its box stands across the box's side.
const BEYOND_SHARE: f32 = 0.2;

/// What is lower than this share of the box is a rest.
const LEAST_SHARE: f32 = 0.2;

fn stand_side_by_side(mut strokes: Vec<RectPx>, rect: &RectPx) -> bool {
    strokes.retain(|stroke| stroke.h as f32 >= TALL_SHARE * rect.h as f32);
    strokes.sort_by_key(|stroke| stroke.x);
    let apart = (APART_SHARE * rect.w as f32) as u32;
    strokes.windows(2).any(|pair| pair[1].x > pair[0].x + pair[0].w + apart)
}

fn is_astray(stroke: &RectPx, rect: &RectPx) -> bool {
    let (height, box_height) = (stroke.h as f32, rect.h as f32);
    let above = rect.y.saturating_sub(stroke.y);
    let below = (stroke.y + stroke.h).saturating_sub(rect.y + rect.h);
    (LEAST_SHARE * box_height..SMALL_SHARE * box_height).contains(&height)
        && above.max(below) as f32 >= BEYOND_SHARE * height
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three boxes of 60 × 70 side by side, with their outlines.
    fn boxes() -> Vec<RectPx> {
        (0..3).map(|index| RectPx { x: 15 + 60 * index, y: 15, w: 60, h: 70 }).collect()
    }

    fn picture(is_ink: impl Fn(u32, u32) -> bool) -> GrayImage {
        GrayImage::from_fn(210, 100, |x, y| {
            let upright = (0..4).any(|line| x.abs_diff(15 + 60 * line) < 2) && (14..87).contains(&y);
            let level = [15, 85].iter().any(|line| y.abs_diff(*line) < 2) && (14..197).contains(&x);
            let level = if upright || level { 90 } else { 245 };
            Luma([if is_ink(x, y) { 30 } else { level }])
        })
    }

    fn written(is_ink: impl Fn(u32, u32) -> bool) -> Vec<bool> {
        comb(picture(is_ink), &boxes()).cells.iter().map(Option::is_some).collect()
    }

    #[test]
    fn empty_boxes_are_blank() {
        assert_eq!(written(|_, _| false), [false, false, false]);
    }

    #[test]
    fn a_stroke_that_runs_over_stays_with_its_box() {
        let slanting = |x: u32, y: u32| (30..75).contains(&y) && (80..86).contains(&(x + y / 2 + 10));
        assert_eq!(written(slanting), [true, false, false]);
        // From the middle of the second box a little into the third.
        assert_eq!(written(|x, y| (95..143).contains(&x) && (48..54).contains(&y)), [false, true, false]);
    }

    #[test]
    fn characters_that_touch_are_parted() {
        assert_eq!(written(|x, y| (40..110).contains(&x) && (48..54).contains(&y)), [true, true, false]);
    }

    #[test]
    fn writing_of_the_line_above_is_not_the_combs() {
        assert_eq!(written(|x, y| (40..46).contains(&x) && y < 20), [false, false, false]);
        assert_eq!(written(|x, y| (40..46).contains(&x) && y < 32), [false, false, false]);
        assert_eq!(written(|x, y| (40..46).contains(&x) && y < 50), [true, false, false]);
    }

    /// A line of a table runs close below and beside the boxes.
    #[test]
    fn what_reaches_a_line_of_the_table_is_still_writing() {
        let table = |x: u32, y: u32| (94..97).contains(&y) || (202..205).contains(&x);
        let leg = |x: u32, y: u32| (100..106).contains(&x) && (25..98).contains(&y);
        assert_eq!(written(|x, y| table(x, y) || leg(x, y)), [false, true, false]);
        let arm = |x: u32, y: u32| (150..205).contains(&x) && (48..54).contains(&y);
        assert_eq!(written(|x, y| table(x, y) || arm(x, y)), [false, false, true]);
        assert_eq!(written(table), [false, false, false]);
    }

    #[test]
    fn two_digits_in_a_box_and_what_stands_across_its_side_are_told() {
        let found = |is_ink: fn(u32, u32) -> bool| {
            let cell = comb(picture(is_ink), &boxes()).cells.swap_remove(1).expect("written");
            (cell.side_by_side, cell.astray)
        };
        assert_eq!(found(|x, y| (100..106).contains(&x) && (30..70).contains(&y)), (false, false));
        assert_eq!(
            found(|x, y| [90, 115]
                .iter()
                .any(|&left| (left..left + 6).contains(&x) && (30..70).contains(&y))),
            (true, false)
        );
        // A 9 whose leg runs over is tall; a correction is small.
        assert_eq!(found(|x, y| (100..106).contains(&x) && (40..98).contains(&y)), (false, false));
        assert_eq!(found(|x, y| (100..106).contains(&x) && (72..98).contains(&y)), (false, true));
    }

    #[test]
    fn the_rest_of_a_line_is_no_writing() {
        assert_eq!(written(|x, y| (68..71).contains(&x) && (30..60).contains(&y)), [false, false, false]);
    }
}
