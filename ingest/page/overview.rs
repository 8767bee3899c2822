//! A page at a glance: small enough to be looked at as a whole in a few milliseconds.

use image::GrayImage;

use super::gray::reduced;

/// The longer side of an overview, in pixels: about 75 dpi on A4, where a pen's stroke is still
/// two pixels wide.
const LONG_SIDE: u32 = 900;
/// Left out at each edge of the page: the scanner's own shadow and the paper's edge.
const BORDER_SHARE: f64 = 0.025;
/// How far the scanner's dark lid may show inside the image: 7 mm beside, 10 mm above an A4 page
/// that is slanted by 3 degrees.
const SURROUNDINGS_SHARE: f64 = 0.06;
/// Paper is judged in tiles of this many pixels, so that shading does not count as ink.
const TILE: usize = 48;
/// A pixel this much darker than the paper around it is ink, in gray levels. What shows through
/// from the other side is up to 35 darker on simulated pages, pencil 80 and more.
const INK_DEPTH: u8 = 56;
/// A row or column with more ink than this is a streak of the scanner, not writing.
const STREAK_SHARE: f64 = 0.8;

/// The page made smaller, with its ink.
pub(super) struct Overview {
    pub width: usize,
    pub height: usize,
    /// Row by row; streaks and the border hold none.
    pub ink: Vec<bool>,
    /// Median gray of the paper, and of the ink (of the paper, where there is no ink).
    pub paper_gray: u8,
    pub ink_gray: u8,
}

impl Overview {
    pub(super) fn of(gray: &GrayImage) -> Self {
        let (wide, high) = gray.dimensions();
        let small = reduced(gray, wide.max(high).div_ceil(LONG_SIDE));
        let (width, height) = (small.width() as usize, small.height() as usize);
        let small = small.into_raw();
        let mut ink = vec![false; small.len()];
        let border = |length: usize| (length as f64 * BORDER_SHARE).ceil() as usize;
        let (side, end) = (border(width), border(height));
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                let rows = top..(top + TILE).min(height);
                let columns = left..(left + TILE).min(width);
                let mut histogram = [0u32; 256];
                for y in rows.clone() {
                    for &value in &small[y * width..][columns.clone()] {
                        histogram[usize::from(value)] += 1;
                    }
                }
                // Most of a tile is paper, except inside pictures: the upper quarter is then.
                let Some(limit) = share_gray(&histogram, 0.75).and_then(|paper| paper.checked_sub(INK_DEPTH))
                else {
                    continue;
                };
                for y in rows.start.max(end)..rows.end.min(height - end) {
                    for x in columns.start.max(side)..columns.end.min(width - side) {
                        ink[y * width + x] = small[y * width + x] <= limit;
                    }
                }
            }
        }
        remove_streaks(&mut ink, width, height);
        remove_surroundings(&small, &mut ink, width, height);
        let median = |of: bool| {
            let mut histogram = [0u32; 256];
            for (&value, _) in small.iter().zip(&ink).filter(|(_, ink)| **ink == of) {
                histogram[usize::from(value)] += 1;
            }
            share_gray(&histogram, 0.5)
        };
        let paper_gray = median(false).unwrap_or(255);
        let ink_gray = median(true).unwrap_or(paper_gray);
        Self { width, height, ink, paper_gray, ink_gray }
    }

    /// Share of ink in what the border leaves.
    pub(super) fn ink_share(&self) -> f64 {
        let inside = 1.0 - 2.0 * BORDER_SHARE;
        let all = self.width as f64 * self.height as f64 * inside * inside;
        let ink = self.ink.iter().filter(|&&ink| ink).count();
        if all == 0.0 { 0.0 } else { ink as f64 / all }
    }
}

fn remove_streaks(ink: &mut [bool], width: usize, height: usize) {
    let mut columns = vec![0usize; width];
    for row in ink.chunks_exact(width.max(1)) {
        for (count, &ink) in columns.iter_mut().zip(row) {
            *count += usize::from(ink);
        }
    }
    for row in ink.chunks_exact_mut(width.max(1)) {
        let streak = row.iter().filter(|&&ink| ink).count() as f64 > width as f64 * STREAK_SHARE;
        for (ink, &count) in row.iter_mut().zip(&columns) {
            if streak || count as f64 > height as f64 * STREAK_SHARE {
                *ink = false;
            }
        }
    }
}

/// Takes away what is dark from the image's edge inwards: the scanner's lid beside a slanted page.
fn remove_surroundings(small: &[u8], ink: &mut [bool], width: usize, height: usize) {
    let mut histogram = [0u32; 256];
    for &value in small {
        histogram[usize::from(value)] += 1;
    }
    let Some(limit) = share_gray(&histogram, 0.75).and_then(|paper| paper.checked_sub(INK_DEPTH)) else {
        return;
    };
    let band = |length: usize| (length as f64 * SURROUNDINGS_SHARE) as usize;
    let (side, end) = (band(width), band(height));
    let in_band = |x: usize, y: usize| x < side || y < end || x >= width - side || y >= height - end;
    let on_edge = |&place: &usize| {
        let (x, y) = (place % width, place / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let mut seen = vec![false; small.len()];
    let mut open: Vec<usize> = (0..small.len()).filter(on_edge).collect();
    while let Some(place) = open.pop() {
        let (x, y) = (place % width, place / width);
        if seen[place] || small[place] > limit || !in_band(x, y) {
            continue;
        }
        seen[place] = true;
        ink[place] = false;
        let left = (x > 0).then(|| place - 1);
        let right = (x + 1 < width).then_some(place + 1);
        let above = (y > 0).then(|| place - width);
        let below = (y + 1 < height).then_some(place + width);
        open.extend([left, right, above, below].into_iter().flatten());
    }
}

/// The gray that `share` of the counted pixels are not above; none without pixels.
fn share_gray(histogram: &[u32; 256], share: f64) -> Option<u8> {
    let total: u32 = histogram.iter().sum();
    let wanted = f64::from(total) * share;
    let mut below = 0;
    let place = histogram.iter().position(|&count| {
        below += count;
        f64::from(below) >= wanted
    })?;
    (total > 0).then_some(place as u8)
}
