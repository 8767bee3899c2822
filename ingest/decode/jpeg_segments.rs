//! The segments of a JPEG file (ITU-T T.81 annex B): what surrounds the picture, and whether it is
//! there to its end.

use std::io::{self, BufRead, Read};

/// What the segments say; of a damaged file, what could be read of it.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Horizontal and vertical, from the JFIF segment; not checked for sense.
    pub jfif_dpi: Option<(f64, f64)>,
    /// A TIFF structure.
    pub exif: Option<Vec<u8>>,
    /// Written by an Adobe program, or one that follows their conventions: CMYK is inverted.
    pub is_adobe: bool,
    /// The end-of-image marker was reached; bytes behind it don't matter.
    pub is_whole: bool,
}

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// Walks a file from its first byte to its end-of-image marker.
pub(crate) fn survey(mut source: impl BufRead) -> io::Result<Survey> {
    let mut survey = Survey::default();
    match walk(&mut source, &mut survey) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(survey),
        walked => walked.map(|()| survey),
    }
}

fn walk(source: &mut impl BufRead, survey: &mut Survey) -> io::Result<()> {
    loop {
        match next_marker(source)? {
            END_OF_IMAGE => {
                survey.is_whole = true;
                return Ok(());
            }
            // Without a length: restarts within the picture, and TEM.
            START_OF_IMAGE | 0xd0..=0xd7 | 0x01 => {}
            // The picture's data follow; the next marker is searched in them. 0xff bytes of the
            // data are followed by 0 and are no markers.
            marker => {
                let payload = segment(source)?;
                if marker != START_OF_SCAN {
                    note(survey, marker, payload);
                }
            }
        }
    }
}

/// Skips to behind the next marker and returns its code.
fn next_marker(source: &mut impl BufRead) -> io::Result<u8> {
    loop {
        let available = source.fill_buf()?;
        if available.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match available.iter().position(|byte| *byte == 0xff) {
            None => {
                let count = available.len();
                source.consume(count);
                continue;
            }
            Some(position) => source.consume(position + 1),
        }
        let mut code = byte(source)?;
        while code == 0xff {
            code = byte(source)?;
        }
        if code != 0 {
            return Ok(code);
        }
    }
}

/// The bytes of a segment, its length field left out.
fn segment(source: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let length = usize::from(u16::from_be_bytes([byte(source)?, byte(source)?]));
    let mut payload = vec![0; length.saturating_sub(2)];
    source.read_exact(&mut payload)?;
    Ok(payload)
}

fn byte(source: &mut impl BufRead) -> io::Result<u8> {
    let mut byte = [0];
    source.read_exact(&mut byte)?;
    Ok(byte[0])
}

fn note(survey: &mut Survey, marker: u8, payload: Vec<u8>) {
    let pair = |at: usize| payload.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    match marker {
        APP0 if payload.starts_with(b"JFIF\0") => {
            let per_inch = match payload.get(7) {
                Some(1) => 1.0,
                Some(2) => 2.54,
                _ => return,
            };
            if let (Some(x), Some(y)) = (pair(8), pair(10)) {
                survey.jfif_dpi = Some((f64::from(x) * per_inch, f64::from(y) * per_inch));
            }
        }
        APP1 if payload.starts_with(b"Exif\0") && survey.exif.is_none() => {
            survey.exif = payload.get(6..).map(<[u8]>::to_vec);
        }
        APP14 if payload.starts_with(b"Adobe") => survey.is_adobe = true,
        // Start of frame, of whichever coding; 0xc4, 0xc8 and 0xcc are tables.
        0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) && survey.size.is_none() => {
            if let (Some(height), Some(width)) = (pair(1), pair(3)) {
                survey.size = Some((width.into(), height.into()));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 75);
        encoder.set_density(jpeg_encoder::PixelDensity::dpi(300));
        encoder.add_exif_metadata(b"II*\0\x08\0\0\0\0\0").expect("short");
        let pixels: Vec<u8> = (0..40 * 30).map(|i| (i * 31 % 251) as u8).collect();
        encoder.encode(&pixels, 40, 30, jpeg_encoder::ColorType::Luma).expect("memory");
        bytes
    }

    #[test]
    fn the_segments_are_read() {
        let survey = survey(&sample()[..]).expect("memory");
        assert_eq!(survey.size, Some((40, 30)));
        assert_eq!(survey.jfif_dpi, Some((300.0, 300.0)));
        assert!(survey.exif.is_some_and(|exif| exif.starts_with(b"II*\0")));
        assert!(survey.is_whole);
    }

    #[test]
    fn no_beginning_of_a_file_is_whole() {
        let whole = sample();
        for length in 0..whole.len() {
            assert!(!survey(&whole[..length]).expect("memory").is_whole, "{length}");
        }
        let with_tail = [&whole[..], b"\0\0garbage"].concat();
        assert!(survey(&with_tail[..]).expect("memory").is_whole);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_walked(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = survey(&bytes[..]);
        }
    }
}
