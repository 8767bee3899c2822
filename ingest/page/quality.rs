//! Measures of a page that do not depend on what stands on it.

use image::GrayImage;

use super::overview::Overview;
use super::{Quality, skew};
use crate::settings;

/// Every so many rows of the page are looked at for sharpness.
const ROW_STEP: usize = 16;
/// The sharpest edges of a page are those of its print: this share of the steps between
/// neighbouring pixels.
const EDGE_SHARE: f64 = 0.002;

/// Ink, contrast and sharpness of a page, about 4 ms at 300 dpi.
pub fn quality(gray: &GrayImage) -> Quality {
    let overview = Overview::of(gray);
    let depth = overview.paper_gray.saturating_sub(overview.ink_gray);
    Quality { ink: overview.ink_share(), contrast: f64::from(depth) / 255.0, sharpness: sharpness(gray) }
}

/// Whether a page on which no symbol was found is blank.
pub fn is_blank(quality: &Quality, settings: &settings::Page) -> bool {
    quality.ink <= settings.blank_max_ink
}

/// Degrees clockwise by which the page's own lines of ink are turned from level or upright,
/// between -8 and 8; 0 where it has none.
pub fn skew_of(gray: &GrayImage) -> f64 {
    skew::of_ink(&Overview::of(gray))
}

/// The step from one pixel to the next at the page's sharpest edges, as a share of the step from
/// paper to ink over four pixels there: near 1 where an edge is one pixel wide.
fn sharpness(gray: &GrayImage) -> f64 {
    let width = gray.width() as usize;
    let mut single = [0u32; 256];
    let mut wide = [0u32; 256];
    for row in gray.as_raw().chunks_exact(width.max(1)).step_by(ROW_STEP) {
        for pixels in row.windows(5) {
            single[usize::from(pixels[2].abs_diff(pixels[1]))] += 1;
            wide[usize::from(pixels[4].abs_diff(pixels[0]))] += 1;
        }
    }
    let sharpest = |steps: &[u32; 256]| {
        let total: u32 = steps.iter().sum();
        let mut above = 0;
        let place = (0..256).rev().find(|&step| {
            above += steps[step];
            f64::from(above) >= f64::from(total) * EDGE_SHARE
        });
        place.unwrap_or(0) as f64
    };
    let (single, wide) = (sharpest(&single), sharpest(&wide));
    if wide == 0.0 { 0.0 } else { (single / wide).min(1.0) }
}
