//! The writing or print in a box, cut close for a line reader.

use image::GrayImage;
use image::imageops;

use super::box_lines;
use super::components::{Component, Components};
use super::crop::Crop;
use crate::geometry::{Millimetres, RectMm};

/// Darker than the paper by this many gray levels is ink.
const DARKER: u8 = 48;

/// Components smaller than this are specks: a full stop is four times as large.
const SPECK_MM2: f64 = 0.04;

/// Around the ink, as a share of its height: what line readers were trained with.
const MARGIN_SHARE: f64 = 0.2;

/// A line without its box.
pub(super) struct Line {
    pub gray: GrayImage,
}

impl Line {
    /// The ink inside `area`, its box's outline left out; none where there is none.
    pub fn find(crop: &Crop, area: &RectMm) -> Option<Self> {
        let (gray, components) = ink_inside(crop, area);
        let bounds = components
            .iter()
            .map(|part| part.bounds)
            .map(|part| (part.x, part.y, part.x + part.w, part.y + part.h))
            .reduce(|a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)))?;
        let margin = (f64::from(bounds.3 - bounds.1) * MARGIN_SHARE).round().max(3.0) as u32;
        let (left, top) = (bounds.0.saturating_sub(margin), bounds.1.saturating_sub(margin));
        let right = (bounds.2 + margin).min(gray.width());
        let bottom = (bounds.3 + margin).min(gray.height());
        Some(Self { gray: imageops::crop_imm(&gray, left, top, right - left, bottom - top).to_image() })
    }
}

/// Square millimetres of ink inside `area` that is not its outline.
pub(super) fn ink_mm2(crop: &Crop, area: &RectMm) -> f64 {
    let (_, components) = ink_inside(crop, area);
    let side = Millimetres::PER_INCH / crop.dpi;
    components.iter().map(|part| part.area).sum::<usize>() as f64 * side * side
}

/// `area` without its outline, and each piece of ink in it.
fn ink_inside(crop: &Crop, area: &RectMm) -> (GrayImage, Vec<Component>) {
    let rect = crop.pixels(area);
    let mut gray = crop.gray.clone();
    box_lines::erase(&mut gray, &[rect]);
    let gray = imageops::crop_imm(&gray, rect.x, rect.y, rect.w, rect.h).to_image();
    let limit = box_lines::median(&gray).saturating_sub(DARKER);
    let mask: Vec<bool> = gray.as_raw().iter().map(|&level| level < limit).collect();
    let smallest = SPECK_MM2 * (crop.dpi / Millimetres::PER_INCH).powi(2);
    let components = Components::of(&mask, gray.width() as usize)
        .list
        .into_iter()
        .filter(|part| part.area as f64 >= smallest)
        .collect();
    (gray, components)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    const AREA: RectMm = RectMm { x: 1.0, y: 1.0, w: 30.0, h: 8.0 };

    fn crop(is_ink: impl Fn(u32, u32) -> bool) -> Crop {
        let gray = GrayImage::from_fn(320, 100, |x, y| {
            let outline = ((9..12).contains(&x) || (309..312).contains(&x)) && (9..92).contains(&y)
                || ((9..12).contains(&y) || (89..92).contains(&y)) && (9..312).contains(&x);
            Luma([if outline || is_ink(x, y) { 40 } else { 240 }])
        });
        Crop { gray, area: RectMm { x: 0.0, y: 0.0, w: 32.0, h: 10.0 }, dpi: 254.0 }
    }

    #[test]
    fn an_empty_box_has_no_line_and_no_ink() {
        let empty = crop(|_, _| false);
        assert!(Line::find(&empty, &AREA).is_none());
        assert!(ink_mm2(&empty, &AREA) < 0.01);
    }

    #[test]
    fn writing_is_cut_close() {
        let written = crop(|x, y| (50..150).contains(&x) && (40..60).contains(&y));
        let line = Line::find(&written, &AREA).expect("ink");
        assert_eq!(line.gray.dimensions(), (108, 28));
        assert!((ink_mm2(&written, &AREA) - 20.0).abs() < 0.5);
    }
}
