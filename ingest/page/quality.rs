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
    Quality {
        ink: overview.ink_share(),
        contrast: f64::from(depth) / 255.0,
        sharpness: sharpness(gray, depth),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::synthetic::{Sheet, form_page, noisy, scan_map};
    use crate::settings::Settings;
    use image::{GrayImage, Luma};

    fn blank(gray: &GrayImage) -> bool {
        is_blank(&quality(gray), &Settings::load(None).expect("shipped settings").page)
    }

    /// A blank back under a shade that falls from the middle to the edge, with a streak of the
    /// scanner, what shines through from the front, and noise.
    fn back(seed: u64) -> GrayImage {
        let (map, width, height) = scan_map(200.0, 0.5, 0.0);
        let mut front = Sheet { ink: Vec::new() };
        for line in 0..20 {
            front = front.ink(20.0, 30.0 + 12.0 * f64::from(line), 150.0, 2.5);
        }
        let mut picture = front.scan(&map, width, height);
        for (x, _, Luma([value])) in picture.enumerate_pixels_mut() {
            let shade = 1.0 - 0.2 * (2.0 * f64::from(x) / f64::from(width) - 1.0).powi(2);
            let through = 235.0 - (235.0 - f64::from(*value)) * 0.12;
            *value = if x == width / 3 { 120 } else { (through * shade) as u8 };
        }
        noisy(picture, 15, seed)
    }

    #[test]
    fn a_back_with_all_that_a_scanner_adds_is_blank() {
        for seed in 0..3 {
            assert!(blank(&back(seed)), "{:?}", quality(&back(seed)));
        }
    }

    #[test]
    fn the_lid_beside_a_slanted_blank_page_is_no_ink() {
        let paper = Sheet { ink: Vec::new() }.ink(0.0, 0.0, 210.0, 297.0);
        let (mut map, ..) = scan_map(200.0, 2.5, 0.0);
        (map.c, map.f) = (map.c - 180.0, map.f - 190.0);
        // White where the sheet has "ink", dark around it.
        let mut picture = paper.scan(&map, 1654, 2339);
        for value in picture.iter_mut() {
            *value = 255 - *value;
        }
        let picture = noisy(picture, 10, 3);
        assert!(picture.pixels().filter(|pixel| pixel[0] < 80).count() > 30_000, "the lid shows");
        assert!(blank(&picture), "{:?}", quality(&picture));
    }

    #[test]
    fn a_back_with_one_written_line_is_not_blank() {
        let (map, width, height) = scan_map(200.0, 0.0, 0.0);
        // Twelve characters of two strokes each, 6 mm long and 0.5 mm wide.
        let mut note = Sheet { ink: Vec::new() };
        for place in 0..12 {
            let left = 40.0 + 7.0 * f64::from(place);
            note = note.ink(left, 100.0, 0.5, 6.0).ink(left, 103.0, 5.0, 0.5);
        }
        let note = noisy(note.scan(&map, width, height), 10, 1);
        let quality = quality(&note);
        assert!(quality.ink > 0.0006, "{quality:?}");
        assert!(!blank(&note));
    }

    #[test]
    fn skew_is_that_of_the_lines_on_the_page() {
        let mut sheet = Sheet::with_marks(&form_page(1));
        for line in 0..12 {
            sheet = sheet.ink(20.0, 40.0 + 18.0 * f64::from(line), 160.0, 0.4);
        }
        for degrees in [-7.3, -1.2, 0.0, 2.6, 91.4, 178.5] {
            let (map, width, height) = scan_map(200.0, degrees, 0.0);
            let skew = skew_of(&noisy(sheet.scan(&map, width, height), 15, 2));
            let truth = degrees - (degrees / 90.0_f64).round() * 90.0;
            assert!((skew - truth).abs() < 0.15, "{degrees}: {skew}");
        }
        assert_eq!(skew_of(&GrayImage::from_pixel(600, 800, Luma([255]))), 0.0);
    }

    #[test]
    fn a_blurred_page_is_less_sharp() {
        let (map, width, height) = scan_map(200.0, 0.3, 0.0);
        let sharp = Sheet::with_marks(&form_page(1)).code128("6291041500213").scan(&map, width, height);
        let blurred = image::imageops::blur(&sharp, 2.0);
        let (sharp, blurred) = (quality(&sharp), quality(&blurred));
        assert!(sharp.sharpness > 0.65 && blurred.sharpness < 0.5, "{sharp:?} {blurred:?}");
        assert!(sharp.contrast > 0.6);
    }
}
