//! Finds a registration mark, a solid dark square of known size and turn, near the place where it
//! is expected.

use image::GrayImage;

use super::gray::{otsu, sample};
use crate::geometry::PointPx;

/// What a mark should look like on the image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    pub centre: PointPx,
    /// The ways of the form's x and y axes on the image, as long as the mark's side, in pixels.
    pub across: (f64, f64),
    pub down: (f64, f64),
    /// How far from `centre` the mark may be, in pixels.
    pub reach: f64,
}

/// How many squares are looked at closely; more than a stamp and a stain beside a mark there are
/// not.
const CANDIDATES: usize = 3;
/// A window without this difference between ink and paper, in gray levels, holds no mark.
const MIN_CONTRAST: f64 = 50.0;
/// Share of dark pixels in the middle of a mark, at least: specks and streaks may cost some.
const MIN_INSIDE: f64 = 0.8;
/// Share of dark pixels in the ring around a mark, at most: writing and lines may touch it.
const MAX_AROUND: f64 = 0.45;
/// Difference between a mark's measured and expected sides, at most, as a share.
const SIDE_TOLERANCE: f64 = 0.15;
/// Unevenness of a mark's edges, at most, as a share of its side. A disc has 0.05.
const MAX_UNEVENNESS: f64 = 0.035;

/// The centres of the solid squares that look like the expected mark, the best first, at most
/// [`CANDIDATES`].
pub(super) fn squares_near(gray: &GrayImage, expected: &Expected) -> Vec<PointPx> {
    let side = expected.across.0.hypot(expected.across.1);
    let Some(window) = Window::around(gray, expected, side) else {
        return Vec::new();
    };
    let mut found: Vec<PointPx> = Vec::new();
    for rough in window.solid_places(side) {
        let Some(centre) = window.refine(gray, expected, rough) else { continue };
        if found.iter().all(|other| other.distance(&centre) > side / 2.0) {
            found.push(centre);
        }
        if found.len() == CANDIDATES {
            break;
        }
    }
    found
}

/// A part of the image, with its grays told apart and its ink summed up.
struct Window {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    paper: f64,
    ink: f64,
    /// Ink pixels above and left of each corner of a pixel, `width + 1` a row.
    sums: Vec<u32>,
}

impl Window {
    fn around(gray: &GrayImage, expected: &Expected, side: f64) -> Option<Self> {
        let reach = expected.reach + side;
        let clamp = |value: f64, limit: u32| value.clamp(0.0, f64::from(limit)) as usize;
        let left = clamp(expected.centre.x - reach, gray.width());
        let right = clamp(expected.centre.x + reach, gray.width());
        let top = clamp(expected.centre.y - reach, gray.height());
        let bottom = clamp(expected.centre.y + reach, gray.height());
        let (width, height) = (right - left, bottom - top);
        if (width as f64) < side || (height as f64) < side || side < 6.0 {
            return None;
        }
        let stride = gray.width() as usize;
        let row = |y: usize| &gray.as_raw()[(top + y) * stride + left..][..width];

        let mut histogram = [0u32; 256];
        for y in 0..height {
            for &value in row(y) {
                histogram[usize::from(value)] += 1;
            }
        }
        let threshold = otsu(&histogram);
        let (dark, light) = histogram.split_at(usize::from(threshold) + 1);
        let ink = middle_gray(dark, 0)?;
        let paper = middle_gray(light, dark.len())?;
        if paper - ink < MIN_CONTRAST {
            return None;
        }

        let mut sums = vec![0u32; (width + 1) * (height + 1)];
        for y in 0..height {
            let mut so_far = 0;
            for (x, &value) in row(y).iter().enumerate() {
                so_far += u32::from(value <= threshold);
                sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + so_far;
            }
        }
        Some(Self { left, top, width, height, paper, ink, sums })
    }

    /// Ink pixels of the square of half side `half` around a place, and all of its pixels that
    /// lie in the window.
    fn count(&self, x: usize, y: usize, half: usize) -> (u32, u32) {
        let (left, right) = (x.saturating_sub(half), (x + half).min(self.width));
        let (top, bottom) = (y.saturating_sub(half), (y + half).min(self.height));
        let sum = |x: usize, y: usize| self.sums[y * (self.width + 1) + x];
        let dark = sum(right, bottom) + sum(left, top) - sum(right, top) - sum(left, bottom);
        (dark, ((right - left) * (bottom - top)) as u32)
    }

    /// Where a square is dark and its surroundings are not, the clearest first. The inner square
    /// and the ring leave room for a mark turned by eight degrees.
    fn solid_places(&self, side: f64) -> Vec<PointPx> {
        let part = |share: f64| (side * share / 2.0).round().max(1.0) as usize;
        let (inner, ring_from, ring_to) = (part(0.78), part(1.25), part(1.7));
        let step = (side / 12.0).floor().max(1.0) as usize;
        let mut places: Vec<(f64, usize, usize)> = Vec::new();
        for y in (inner..self.height.saturating_sub(inner)).step_by(step) {
            for x in (inner..self.width.saturating_sub(inner)).step_by(step) {
                let (dark, all) = self.count(x, y, inner);
                let inside = f64::from(dark) / f64::from(all.max(1));
                if inside < MIN_INSIDE {
                    continue;
                }
                let (dark_within, all_within) = self.count(x, y, ring_from);
                let (dark_to, all_to) = self.count(x, y, ring_to);
                let around = f64::from(dark_to - dark_within) / f64::from((all_to - all_within).max(1));
                if around <= MAX_AROUND {
                    places.push((inside - around, x, y));
                }
            }
        }
        places.sort_by(|a, b| b.0.total_cmp(&a.0));
        let apart = (side / 2.0) as usize;
        let mut best: Vec<(f64, usize, usize)> = Vec::new();
        for place in places {
            if best.iter().all(|other| place.1.abs_diff(other.1).max(place.2.abs_diff(other.2)) > apart) {
                best.push(place);
            }
            if best.len() == 2 * CANDIDATES {
                break;
            }
        }
        let point = |&(_, x, y): &(f64, usize, usize)| PointPx {
            x: (self.left + x) as f64,
            y: (self.top + y) as f64,
        };
        best.iter().map(point).collect()
    }

    /// The centre between the four edges of the square at `rough`; none where they are not those
    /// of a square of the expected size.
    fn refine(&self, gray: &GrayImage, expected: &Expected, rough: PointPx) -> Option<PointPx> {
        let Expected { across, down, .. } = *expected;
        let mut centre = rough;
        let mut unevenness = f64::MAX;
        // The first round sees edges from up to a sixth of a side away, the last from beside them.
        for _ in 0..3 {
            let edge = |outwards, beside| self.edge(gray, centre, outwards, beside);
            let (right, a) = edge(across, down)?;
            let (left, b) = edge(minus(across), down)?;
            let (lower, c) = edge(down, across)?;
            let (upper, d) = edge(minus(down), across)?;
            unevenness = a.max(b).max(c).max(d);
            for length in [left + right, upper + lower] {
                if (length - 1.0).abs() > SIDE_TOLERANCE {
                    return None;
                }
            }
            let (sideways, downwards) = ((right - left) / 2.0, (lower - upper) / 2.0);
            centre.x += sideways * across.0 + downwards * down.0;
            centre.y += sideways * across.1 + downwards * down.1;
        }
        (unevenness <= MAX_UNEVENNESS).then_some(centre)
    }

    /// How far from `centre` the ink ends in the way `outwards`, in sides, and how uneven that
    /// edge is. Each of many lines says how long its dark part is, which is exact between pixels
    /// and not moved by noise; the outer quarters of them are left out, so that writing that
    /// touches the mark, or a streak, does not count.
    fn edge(
        &self,
        gray: &GrayImage,
        centre: PointPx,
        outwards: (f64, f64),
        beside: (f64, f64),
    ) -> Option<(f64, f64)> {
        const FROM: f64 = 0.3;
        const TO: f64 = 0.7;
        let side = outwards.0.hypot(outwards.1);
        let lines = (side * 0.6).ceil().clamp(9.0, 40.0) as usize;
        let steps = (side * (TO - FROM) * 1.5).ceil() as usize;
        let step = (TO - FROM) / steps as f64;
        let mut places: Vec<f64> = (0..lines)
            .map(|line| {
                let aside = ((line as f64 + 0.5) / lines as f64 - 0.5) * 0.7;
                let dark: f64 = (0..steps)
                    .map(|place| {
                        let out = FROM + (place as f64 + 0.5) * step;
                        let value = sample(
                            gray,
                            PointPx {
                                x: centre.x + out * outwards.0 + aside * beside.0,
                                y: centre.y + out * outwards.1 + aside * beside.1,
                            },
                        );
                        ((self.paper - value) / (self.paper - self.ink)).clamp(0.0, 1.0)
                    })
                    .sum();
                FROM + dark * step
            })
            .collect();
        places.sort_by(f64::total_cmp);
        let kept = &places[lines / 4..lines - lines / 4];
        let mean = kept.iter().sum::<f64>() / kept.len() as f64;
        let spread = kept.last()? - kept.first()?;
        Some((mean, spread / 2.0))
    }
}

/// The gray that half of the pixels are below; none without pixels. `first` is the gray of the
/// first count.
fn middle_gray(counts: &[u32], first: usize) -> Option<f64> {
    let total: u32 = counts.iter().sum();
    let mut below = 0;
    let place = counts.iter().position(|&count| {
        below += count;
        2 * below >= total
    })?;
    (total > 0).then_some((first + place) as f64)
}

fn minus(way: (f64, f64)) -> (f64, f64) {
    (-way.0, -way.1)
}
