//! PNG.

use std::io::{BufRead, Seek};

use png::{BitDepth, ColorType, Transformations, Unit};

use super::pixels::credible_dpi;
use super::{Fault, Limits, PageImage};

/// What the decoder may use beside the page's own pixels: palettes, profiles, texts.
const AUXILIARY_BYTES: usize = 64 << 20;

/// The page in `source`; of an animation, its first picture.
pub(super) fn page(source: impl BufRead + Seek, limits: &Limits) -> Result<PageImage, Fault> {
    let mut decoder = png::Decoder::new_with_limits(source, png::Limits { bytes: AUXILIARY_BYTES });
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(fault)?;
    let (width, height) = (header.width, header.height);
    let bilevel = header.bit_depth == BitDepth::One && header.color_type == ColorType::Grayscale;
    limits.check_size(width.into(), height.into())?;

    let mut reader = decoder.read_info().map_err(fault)?;
    let dpi = reader.info().pixel_dims.filter(|dims| matches!(dims.unit, Unit::Meter)).and_then(|dims| {
        let per_inch = |per_metre: u32| f64::from(per_metre) * 0.0254;
        credible_dpi(per_inch(dims.xppu), per_inch(dims.yppu))
    });
    let size = reader.output_buffer_size().ok_or_else(|| Fault::damaged("its size overflows"))?;
    let mut samples = vec![0; size];
    let output = reader.next_frame(&mut samples).map_err(fault)?;
    samples.truncate(output.buffer_size());

    let page = match output.color_type {
        ColorType::Grayscale => PageImage::from_gray(width, height, samples)?,
        ColorType::Rgb => PageImage::from_rgb(width, height, samples)?,
        ColorType::GrayscaleAlpha => {
            let (pixels, _) = samples.as_chunks::<2>();
            let gray = pixels.iter().map(|[gray, alpha]| on_white(*gray, *alpha)).collect();
            PageImage::from_gray(width, height, gray)?
        }
        ColorType::Rgba => {
            let (pixels, _) = samples.as_chunks::<4>();
            let opaque =
                |[red, green, blue, alpha]: [u8; 4]| [red, green, blue].map(|value| on_white(value, alpha));
            let rgb: Vec<[u8; 3]> = pixels.iter().map(|pixel| opaque(*pixel)).collect();
            PageImage::from_rgb(width, height, rgb.into_flattened())?
        }
        ColorType::Indexed => return Err(Fault::damaged("its palette was not applied")),
    };
    Ok(PageImage { bilevel, ..page.with_dpi(dpi) })
}

/// Paper shows through where a page is transparent.
fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

fn fault(error: png::DecodingError) -> Fault {
    match error {
        png::DecodingError::IoError(error) => error.into(),
        png::DecodingError::LimitsExceeded => {
            Fault::damaged("it declares more auxiliary data than a scan has")
        }
        error => Fault::damaged(format!("its PNG data cannot be decoded ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const LIMITS: Limits = Limits { pages: 1, megapixels: 1, page_mib: 1 };
    const SIDE: u32 = 32;

    /// A page of `SIDE` × `SIDE` pixels with the rows of `row`, at 300 dpi.
    fn encoded(colours: ColorType, depth: BitDepth, palette: Option<&[u8]>, row: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
        encoder.set_color(colours);
        encoder.set_depth(depth);
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: 11_811, yppu: 11_811, unit: Unit::Meter }));
        if let Some(palette) = palette {
            encoder.set_palette(palette);
        }
        let mut writer = encoder.write_header().expect("memory");
        writer.write_image_data(&row.repeat(SIDE as usize)).expect("memory");
        writer.finish().expect("memory");
        bytes
    }

    fn decoded(bytes: Vec<u8>) -> PageImage {
        page(Cursor::new(bytes), &LIMITS).expect("a page")
    }

    #[test]
    fn depths_and_colours_show_the_same_page() {
        let half = SIDE as usize / 2;
        let bits = encoded(ColorType::Grayscale, BitDepth::One, None, &[0, 0, 255, 255]);
        let bytes =
            encoded(ColorType::Grayscale, BitDepth::Eight, None, &[vec![0; half], vec![255; half]].concat());
        let words = encoded(
            ColorType::Grayscale,
            BitDepth::Sixteen,
            None,
            &[vec![0; SIDE as usize], vec![255; SIDE as usize]].concat(),
        );
        let palette =
            encoded(ColorType::Indexed, BitDepth::One, Some(&[255, 255, 255, 0, 0, 0]), &[255, 255, 0, 0]);
        // Transparent black shows the paper.
        let alpha = encoded(
            ColorType::Rgba,
            BitDepth::Eight,
            None,
            &[[0, 0, 0, 255].repeat(half), vec![0; 4 * half]].concat(),
        );
        let first = decoded(bits);
        assert!(first.bilevel);
        assert_eq!((first.gray.get_pixel(0, 0).0, first.gray.get_pixel(31, 9).0), ([0], [255]));
        assert!(first.declared_dpi.is_some_and(|dpi| (dpi - 300.0).abs() < 0.1));
        for other in [bytes, words, palette, alpha] {
            let other = decoded(other);
            assert_eq!((&other.gray, &other.colour), (&first.gray, &None));
        }
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let noise: Vec<u8> = (0..SIDE * 3).map(|i| (i * 97 % 251) as u8).collect();
        let whole = encoded(ColorType::Rgb, BitDepth::Eight, None, &noise);
        let data_end = whole.len() - 20; // before the checksum of the picture's data
        for length in 8..data_end {
            assert!(page(Cursor::new(&whole[..length]), &LIMITS).is_err(), "{length}");
        }
    }
}
