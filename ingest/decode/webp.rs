//! WebP: no scanner writes it, but photographs of sheets come so.

use std::io::{BufRead, Seek, SeekFrom};

use image::codecs::webp::WebPDecoder;
use image::{ColorType, ImageDecoder};

use super::{Fault, Limits, PageImage};

/// Bytes of "RIFF" and of the length of what follows.
const RIFF_HEADER: u64 = 8;

/// The page in `source`; of an animation, its first picture.
pub(super) fn page(source: impl BufRead + Seek, limits: &Limits) -> Result<PageImage, Fault> {
    let decoder = WebPDecoder::new(source).map_err(fault)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width.into(), height.into())?;
    let colours = decoder.color_type();
    let mut samples = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX)];
    decoder.read_image(&mut samples).map_err(fault)?;
    let rgb = match colours {
        ColorType::Rgba8 => {
            let (pixels, _) = samples.as_chunks::<4>();
            pixels.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect()
        }
        _ => samples,
    };
    PageImage::from_rgb(width, height, rgb)
}

/// Whether the file ends before the length that its header announces.
pub(crate) fn is_cut_short(mut source: impl BufRead + Seek) -> std::io::Result<bool> {
    let mut header = [0; RIFF_HEADER as usize];
    let found = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(0))?;
    if found < RIFF_HEADER {
        return Ok(true);
    }
    source.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    Ok(found < RIFF_HEADER + u64::from(u32::from_le_bytes([a, b, c, d])))
}

fn fault(error: image::ImageError) -> Fault {
    match error {
        image::ImageError::IoError(error) => error.into(),
        error => Fault::damaged(format!("its WebP data cannot be decoded ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const LIMITS: Limits = Limits { pages: 1, megapixels: 1, page_mib: 1 };

    fn encoded() -> Vec<u8> {
        let picture = image::RgbImage::from_fn(40, 30, |x, y| image::Rgb([x as u8, y as u8, 200]));
        let mut bytes = Vec::new();
        let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
        encoder.encode(picture.as_raw(), 40, 30, image::ExtendedColorType::Rgb8).expect("encoded");
        bytes
    }

    #[test]
    fn a_picture_is_decoded_in_colour() {
        let page = page(Cursor::new(encoded()), &LIMITS).expect("a page");
        let colour = page.colour.expect("colour");
        assert_eq!((colour.dimensions(), colour.get_pixel(7, 3).0), ((40, 30), [7, 3, 200]));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = encoded();
        assert!(!is_cut_short(Cursor::new(&bytes)).expect("memory"));
        for end in 0..bytes.len() {
            assert!(is_cut_short(Cursor::new(&bytes[..end])).expect("memory"), "{end}");
        }
    }
}
