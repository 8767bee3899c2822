//! The page image that is published: upright, small, without visible loss. Pages of one bit a pixel
//! become PNG of one bit, without any loss; gray and coloured pages become JPEG.

use image::GrayImage;
use jpeg_encoder::{ColorType, SamplingFactor};
use png::{BitDepth, DeflateCompression, Filter};
use serde::{Deserialize, Serialize};

use crate::decode::PageImage;
use crate::settings;
use crate::turn::Turn;

/// A picture as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncodedImage {
    pub format: ImageFormat,
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageFormat {
    Jpeg,
    Png,
}

impl ImageFormat {
    /// The ending of an object's key.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("{width} × {height} pixels do not fit into a JPEG (65,535 a side); scan at a lower resolution")]
    TooLarge { width: u32, height: u32 },
    #[error("the page image cannot be written as JPEG: {0}")]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    #[error("the page image cannot be written as PNG: {0}")]
    Png(#[from] png::EncodingError),
}

/// The page turned clockwise by `rotation` degrees (0, 90, 180 or 270). The same page and settings
/// make the same bytes.
pub fn encode(
    page: &PageImage,
    rotation: u32,
    settings: &settings::Publish,
) -> Result<EncodedImage, EncodeError> {
    let turn = Turn::clockwise(rotation);
    if page.bilevel {
        let bytes = bilevel_png(&turn.gray(&page.gray))?;
        return Ok(EncodedImage { format: ImageFormat::Png, bytes });
    }
    let bytes = match &page.colour {
        Some(colour) => {
            let colour = turn.rgb(colour);
            jpeg(colour.as_raw(), colour.dimensions(), ColorType::Rgb, settings.jpeg_quality)?
        }
        None => {
            let gray = turn.gray(&page.gray);
            jpeg(gray.as_raw(), gray.dimensions(), ColorType::Luma, settings.jpeg_quality)?
        }
    };
    Ok(EncodedImage { format: ImageFormat::Jpeg, bytes })
}

fn jpeg(
    pixels: &[u8],
    (width, height): (u32, u32),
    colours: ColorType,
    quality: u8,
) -> Result<Vec<u8>, EncodeError> {
    let (Ok(w), Ok(h)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(EncodeError::TooLarge { width, height });
    };
    // A page at quality 75 has a sixth of its pixels as bytes; once allocated, never moved.
    let mut bytes = Vec::with_capacity(pixels.len() / 4);
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(pixels, w, h, colours)?;
    Ok(bytes)
}

fn bilevel_png(page: &GrayImage) -> Result<Vec<u8>, EncodeError> {
    let (width, height) = page.dimensions();
    let mut bits = Vec::with_capacity(width.div_ceil(8) as usize * height as usize);
    for row in page.as_raw().chunks_exact(width.max(1) as usize) {
        let pack =
            |pixels: &[u8]| pixels.iter().enumerate().fold(0, |byte, (i, pixel)| byte | (pixel & 0x80) >> i);
        bits.extend(row.chunks(8).map(pack));
    }
    // Level 4 without a filter: of all combinations the smallest that a page has time for.
    png(&bits, (width, height), BitDepth::One, Filter::NoFilter, DeflateCompression::Level(4))
}

fn png(
    samples: &[u8],
    (width, height): (u32, u32),
    depth: BitDepth,
    filter: Filter,
    compression: DeflateCompression,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    encoder.set_filter(filter);
    encoder.set_deflate_compression(compression);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    const SETTINGS: settings::Publish = settings::Publish { jpeg_quality: 75 };

    /// A black bar at the top of a white page; wider than high.
    fn page(bilevel: bool) -> PageImage {
        let gray = GrayImage::from_fn(83, 40, |_, y| image::Luma([if y < 8 { 0 } else { 255 }]));
        PageImage { gray, colour: None, bilevel, declared_dpi: None }
    }

    fn decoded(encoded: &EncodedImage) -> image::DynamicImage {
        image::load_from_memory(&encoded.bytes).expect("a picture")
    }

    #[test]
    fn a_bilevel_page_loses_nothing() {
        let encoded = encode(&page(true), 0, &SETTINGS).expect("small");
        assert_eq!(encoded.format, ImageFormat::Png);
        assert_eq!(decoded(&encoded).to_luma8(), page(true).gray);
    }

    #[test]
    fn a_page_is_turned_upright() {
        for bilevel in [true, false] {
            let turned = decoded(&encode(&page(bilevel), 90, &SETTINGS).expect("small")).to_luma8();
            assert_eq!(turned.dimensions(), (40, 83));
            // The bar is at the right now.
            assert!(turned.get_pixel(37, 40).0[0] < 40 && turned.get_pixel(2, 40).0[0] > 215);
        }
    }

    #[test]
    fn colour_stays_where_there_is_colour() {
        let red = RgbImage::from_pixel(64, 64, image::Rgb([200, 20, 20]));
        let page =
            PageImage { gray: GrayImage::new(64, 64), colour: Some(red), bilevel: false, declared_dpi: None };
        let colours = decoded(&encode(&page, 0, &SETTINGS).expect("small"));
        let [r, g, b] = colours.to_rgb8().get_pixel(30, 30).0;
        assert!(r > 190 && g < 35 && b < 35, "{r} {g} {b}");
        let gray = encode(&super::tests::page(false), 0, &SETTINGS).expect("small");
        assert!(matches!(decoded(&gray), image::DynamicImage::ImageLuma8(_)));
    }

    #[test]
    fn a_page_too_large_for_jpeg_is_an_error() {
        let page = PageImage { gray: GrayImage::new(70_000, 16), ..page(false) };
        assert!(matches!(encode(&page, 0, &SETTINGS), Err(EncodeError::TooLarge { .. })));
        assert!(encode(&PageImage { bilevel: true, ..page }, 0, &SETTINGS).is_ok());
    }
}
