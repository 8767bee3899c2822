//! Measures of a page that do not depend on what stands on it.

use image::GrayImage;

use super::overview::Overview;
use super::{Quality, skew};
use crate::settings;

/// Every so many rows of the page are looked at for sharpness.
const ROW_STEP: usize = 16;
/// A smaller step between grays is noise, not an edge.
const MIN_EDGE: u8 = 48;
/// Ink, contrast and sharpness of a page, about 4 ms at 300 dpi.
pub fn quality(gray: &GrayImage) -> Quality {
    let overview = Overview::of(gray);
    let depth = overview.paper_gray.saturating_sub(overview.ink_gray);
    Quality { ink: overview.ink_share(), contrast: f64::from(depth) / 255.0, sharpness: sharpness(gray, depth) }
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

/// How much of the step from paper to ink happens between two neighbouring pixels, as the mean of
/// all edges across the rows that are looked at: above 0.7 where an edge is one pixel wide, 0.25
/// where it takes four pixels or more; 0 without edges.
fn sharpness(gray: &GrayImage, depth: u8) -> f64 {
    let width = gray.width() as usize;
    let least = (depth / 2).max(MIN_EDGE);
    let (mut shares, mut edges) = (0.0, 0u32);
    for row in gray.as_raw().chunks_exact(width.max(1)).step_by(ROW_STEP) {
        for pixels in row.windows(5) {
            let step = pixels[4].abs_diff(pixels[0]);
            if step >= least {
                let steepest = pixels.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max().unwrap_or(0);
                shares += (f64::from(steepest) / f64::from(step)).min(1.0);
                edges += 1;
            }
        }
    }
    if edges == 0 { 0.0 } else { shares / f64::from(edges) }
}
