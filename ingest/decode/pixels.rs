//! From samples as a format stores them to the pixels of a [`PageImage`].

use image::{GrayImage, RgbImage};

use super::{Fault, PageImage};
use crate::turn::Turn;

/// A declared resolution outside of this range is a default of some software, not a measurement.
const CREDIBLE_DPI: std::ops::RangeInclusive<f64> = 50.0..=1200.0;

/// Horizontal and vertical resolution may differ by this share and still be one.
const SQUARE_PIXELS: f64 = 0.05;

impl PageImage {
    /// `pixels` has `width × height` bytes, 0 black.
    pub(super) fn from_gray(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, Fault> {
        let gray = GrayImage::from_raw(width, height, pixels)
            .ok_or_else(|| Fault::damaged("it has fewer pixels than it says"))?;
        Ok(Self { gray, colour: None, bilevel: false, declared_dpi: None })
    }

    /// `pixels` has `width × height × 3` bytes. A page without a single coloured pixel is gray,
    /// however it was stored.
    pub(super) fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, Fault> {
        let (triples, _) = pixels.as_chunks::<3>();
        let coloured = triples.iter().any(|[red, green, blue]| red != green || green != blue);
        let gray = triples.iter().map(|pixel| luma(*pixel)).collect();
        let mut page = Self::from_gray(width, height, gray)?;
        if coloured {
            page.colour = RgbImage::from_raw(width, height, pixels);
        }
        Ok(page)
    }

    pub(super) fn with_dpi(self, declared_dpi: Option<f64>) -> Self {
        Self { declared_dpi, ..self }
    }

    pub(super) fn turned(self, turn: Turn) -> Self {
        if turn == Turn::NONE {
            return self;
        }
        let colour = self.colour.map(|colour| turn.rgb(&colour).into_owned());
        Self { gray: turn.gray(&self.gray).into_owned(), colour, ..self }
    }
}

/// Rec. 601 luma in 1/256: what JPEG's Y is, so that a page has the same gray in every format.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

/// Ink on white paper, without a colour profile: scanners that write CMYK mean it so.
pub(super) fn cmyk_to_rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(255 - ink) * u32::from(255 - black);
        ((product + 127) / 255) as u8
    })
}

/// JPEG's full-range YCbCr (T.871), which TIFF uses too.
pub(super) fn ycbcr_to_rgb([y, blue_difference, red_difference]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(blue_difference) - 128.0, f32::from(red_difference) - 128.0);
    [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|value| value.round() as u8)
}

/// The resolution that a file declares, in pixels an inch, where it is credible and the same in
/// both directions.
pub(super) fn credible_dpi(horizontal: f64, vertical: f64) -> Option<f64> {
    let dpi = (horizontal * vertical).sqrt();
    let square = (horizontal - vertical).abs() <= dpi * SQUARE_PIXELS;
    (CREDIBLE_DPI.contains(&dpi) && square).then_some(dpi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_resolutions_are_none() {
        assert_eq!(credible_dpi(300.0, 300.0), Some(300.0));
        assert_eq!(credible_dpi(1.0, 1.0), None);
        assert_eq!(credible_dpi(f64::NAN, 300.0), None);
        assert_eq!(credible_dpi(f64::INFINITY, f64::INFINITY), None);
        assert_eq!(credible_dpi(204.0, 98.0), None, "a coarse fax has no one resolution");
    }

    #[test]
    fn a_gray_page_stored_in_colour_is_gray() {
        let page = PageImage::from_rgb(2, 1, vec![7, 7, 7, 200, 200, 200]).expect("two pixels");
        assert_eq!((page.gray.as_raw().as_slice(), page.colour), (&[7, 200][..], None));
        let page = PageImage::from_rgb(1, 1, vec![255, 0, 0]).expect("one pixel");
        assert!(page.colour.is_some());
    }

    #[test]
    fn no_ink_is_white_and_black_ink_is_black() {
        assert_eq!(cmyk_to_rgb([0, 0, 0, 0]), [255; 3]);
        assert_eq!(cmyk_to_rgb([0, 0, 0, 255]), [0; 3]);
        assert_eq!(cmyk_to_rgb([255, 0, 0, 0]), [0, 255, 255]);
        assert_eq!(ycbcr_to_rgb([255, 128, 128]), [255; 3]);
    }
}
