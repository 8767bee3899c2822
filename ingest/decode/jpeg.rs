//! JPEG, by itself and inside TIFF. A picture that ends too early is an error: no page is ever
//! half gray.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::jpeg_segments::{Survey, survey};
use super::pixels::{cmyk_to_rgb, credible_dpi};
use super::{Fault, Limits, PageImage, exif};
use crate::turn::Turn;

/// Width and height are two bytes each in a JPEG.
const MAX_SIDE: usize = 65_535;

/// zune-jpeg takes everything behind an end-of-image marker for zeros and so paints what is missing
/// gray, but complains where the bytes themselves come to an end. A picture of one scan is therefore
/// handed over without its end marker, and with as many zeros as the decoder reads ahead: a whole
/// picture needs no more, a cut one runs dry.
const READ_AHEAD: [u8; 8] = [0; 8];

/// The page in `bytes`, a whole JPEG file.
pub(super) fn page(bytes: &[u8], limits: &Limits) -> Result<PageImage, Fault> {
    let survey = survey(bytes)?;
    if let Some((width, height)) = survey.size {
        limits.check_size(width.into(), height.into())?;
    }
    if !survey.is_whole() {
        return Err(Fault::truncated("the end of the JPEG picture is missing"));
    }
    let (turn, exif_dpi) = survey.exif.as_deref().map_or((Turn::NONE, None), exif::read);
    let jfif_dpi = survey.jfif_dpi.and_then(|(horizontal, vertical)| credible_dpi(horizontal, vertical));

    let picture = Picture::decode(bytes, &survey, Colours::Converted, limits)?;
    let (width, height) = (picture.width, picture.height);
    let page = match picture.channels {
        1 => PageImage::from_gray(width, height, picture.samples)?,
        3 => PageImage::from_rgb(width, height, picture.samples)?,
        _ => {
            let (inks, _) = picture.samples.as_chunks::<4>();
            let stored = |ink: [u8; 4]| if survey.is_adobe { ink.map(|value| 255 - value) } else { ink };
            let pixels: Vec<[u8; 3]> = inks.iter().map(|ink| cmyk_to_rgb(stored(*ink))).collect();
            PageImage::from_rgb(width, height, pixels.into_flattened())?
        }
    };
    Ok(page.turned(turn).with_dpi(exif_dpi.or(jfif_dpi)))
}

/// How three components are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// As the JPEG says: YCbCr becomes RGB.
    Converted,
    /// As they are: they are RGB already, whatever the JPEG says.
    Untouched,
}

/// A decoded JPEG stream: gray, RGB or CMYK.
pub(super) struct Picture {
    pub width: u32,
    pub height: u32,
    /// 1, 3 or 4.
    pub channels: usize,
    /// `width × height × channels` bytes, row by row.
    pub samples: Vec<u8>,
}

impl Picture {
    /// `survey` is that of `bytes`.
    pub fn decode(bytes: &[u8], survey: &Survey, colours: Colours, limits: &Limits) -> Result<Self, Fault> {
        let open_ended;
        let stream = match survey.end {
            Some(end) if survey.scans == 1 => {
                open_ended = [&bytes[..end as usize], &READ_AHEAD].concat();
                &open_ended
            }
            _ => bytes,
        };
        let options =
            DecoderOptions::default().set_strict_mode(true).set_max_width(MAX_SIDE).set_max_height(MAX_SIDE);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
        let fault = |error| Fault::damaged(format!("its JPEG data cannot be decoded ({error})"));
        decoder.decode_headers().map_err(fault)?;
        let (Some((width, height)), Some(stored)) = (decoder.dimensions(), decoder.input_colorspace()) else {
            return Err(Fault::damaged("its JPEG data have no header"));
        };
        limits.check_pixels(width as u64, height as u64)?;
        let (wanted, channels) = match stored {
            ColorSpace::Luma => (ColorSpace::Luma, 1),
            ColorSpace::YCbCr if colours == Colours::Untouched => (ColorSpace::YCbCr, 3),
            ColorSpace::YCbCr | ColorSpace::RGB | ColorSpace::YCCK => (ColorSpace::RGB, 3),
            ColorSpace::CMYK => (ColorSpace::CMYK, 4),
            other => return Err(Fault::unsupported(format!("JPEG with the colour space {other:?}"))),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(wanted));
        let samples = decoder.decode().map_err(fault)?;
        if samples.len() != width * height * channels {
            return Err(Fault::damaged("its JPEG data have fewer pixels than they say"));
        }
        Ok(Self { width: width as u32, height: height as u32, channels, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jpeg_encoder::{ColorType, Encoder};

    const LIMITS: Limits = Limits { pages: 1, megapixels: 1, page_mib: 1 };

    fn encoded(pixels: &[u8], colours: ColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 100).encode(pixels, 64, 64, colours).expect("memory");
        bytes
    }

    /// A page whose upper half is `upper` and whose lower half is white; `channels` bytes a pixel.
    fn halves<const CHANNELS: usize>(upper: [u8; CHANNELS], lower: [u8; CHANNELS]) -> Vec<u8> {
        [vec![upper; 64 * 32], vec![lower; 64 * 32]].concat().into_flattened()
    }

    fn assert_red_over_white(bytes: &[u8]) {
        let colour = page(bytes, &LIMITS).expect("whole").colour.expect("red");
        for (y, expected) in [(4, [255, 0, 0]), (60, [255, 255, 255])] {
            let found = colour.get_pixel(30, y).0;
            let is_near = std::iter::zip(found, expected).all(|(a, b): (u8, u8)| a.abs_diff(b) < 6);
            assert!(is_near, "row {y}: {found:?}");
        }
    }

    #[test]
    fn all_colour_spaces_show_the_same_page() {
        assert_red_over_white(&encoded(&halves([255, 0, 0], [255; 3]), ColorType::Rgb));
        // Full ink is 255 for the encoder, which inverts it as Adobe does.
        let inks = halves([0, 255, 255, 0], [0; 4]);
        assert_red_over_white(&encoded(&inks, ColorType::Cmyk));
        assert_red_over_white(&encoded(&inks, ColorType::CmykAsYcck));
    }

    #[test]
    fn a_gray_page_stays_gray() {
        let page = page(&encoded(&halves([0], [255]), ColorType::Luma), &LIMITS).expect("whole");
        assert_eq!((page.colour, page.gray.get_pixel(9, 60).0), (None, [255]));
    }

    #[test]
    fn missing_data_are_never_gray() {
        let noise: Vec<u8> = (0..64u32 * 64).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let whole = encoded(&noise, ColorType::Luma);
        let cut_at_the_end = &whole[..whole.len() * 2 / 3];
        assert!(matches!(page(cut_at_the_end, &LIMITS), Err(Fault::Truncated { .. })));
        let end_of_image = [0xff, 0xd9];
        let cut_with_an_end = [cut_at_the_end, &end_of_image].concat();
        assert!(matches!(page(&cut_with_an_end, &LIMITS), Err(Fault::Damaged { .. })));
    }
}
