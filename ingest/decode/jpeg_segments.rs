//! The segments of a JPEG file (ITU-T T.81 annex B): what surrounds the picture, and whether it is
//! there to its end.

use std::io::{self, BufRead};

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
    /// Scans: more than one where the picture is progressive, or its colours come one by one.
    pub scans: usize,
    /// Where the end-of-image marker is; bytes behind it don't matter. None where it is missing.
    pub end: Option<u64>,
}

impl Survey {
    pub fn is_whole(&self) -> bool {
        self.end.is_some()
    }
}

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const APP0: u8 = 0xe0;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// Walks a file from its first byte to its end-of-image marker.
pub(crate) fn survey(source: impl BufRead) -> io::Result<Survey> {
    let mut survey = Survey::default();
    match walk(&mut Bytes { source, position: 0 }, &mut survey) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(survey),
        walked => walked.map(|()| survey),
    }
}

fn walk(bytes: &mut Bytes<impl BufRead>, survey: &mut Survey) -> io::Result<()> {
    loop {
        match bytes.next_marker()? {
            END_OF_IMAGE => {
                survey.end = Some(bytes.position - 2);
                return Ok(());
            }
            // Without a length: restarts within the picture, and TEM.
            START_OF_IMAGE | 0xd0..=0xd7 | 0x01 => {}
            // The picture's data follow; the next marker is searched in them. 0xff bytes of the
            // data are followed by 0 and are no markers.
            START_OF_SCAN => {
                bytes.segment()?;
                survey.scans += 1;
            }
            marker => note(survey, marker, bytes.segment()?),
        }
    }
}

/// Reads and counts.
struct Bytes<R> {
    source: R,
    position: u64,
}

impl<R: BufRead> Bytes<R> {
    /// Skips to behind the next marker and returns its code.
    fn next_marker(&mut self) -> io::Result<u8> {
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let found = available.iter().position(|byte| *byte == 0xff);
            let count = found.map_or(available.len(), |position| position + 1);
            self.source.consume(count);
            self.position += count as u64;
            if found.is_none() {
                continue;
            }
            let mut code = self.byte()?;
            while code == 0xff {
                code = self.byte()?;
            }
            if code != 0 {
                return Ok(code);
            }
        }
    }

    /// The bytes of a segment, its length field left out.
    fn segment(&mut self) -> io::Result<Vec<u8>> {
        let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]));
        let mut payload = vec![0; length.saturating_sub(2)];
        self.source.read_exact(&mut payload)?;
        self.position += payload.len() as u64;
        Ok(payload)
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.source.read_exact(&mut byte)?;
        self.position += 1;
        Ok(byte[0])
    }
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
        assert_eq!((survey.end, survey.scans), (Some(sample().len() as u64 - 2), 1));
    }

    #[test]
    fn no_beginning_of_a_file_is_whole() {
        let whole = sample();
        for length in 0..whole.len() {
            assert!(!survey(&whole[..length]).expect("memory").is_whole(), "{length}");
        }
        let with_tail = [&whole[..], b"\0\0garbage"].concat();
        assert!(survey(&with_tail[..]).expect("memory").is_whole());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_walked(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = survey(&bytes[..]);
        }
    }
}
