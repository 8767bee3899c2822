//! Samples of a row as TIFF stores them to gray or red, green and blue of eight bits.

use super::Fault;
use super::pixels::{cmyk_to_rgb, ycbcr_to_rgb};

/// What the samples of a pixel mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Gray {
        white_is_zero: bool,
    },
    Rgb,
    /// One colour for each value; missing ones are black.
    Palette(Vec<[u8; 3]>),
    Cmyk,
    YCbCr,
}

impl Meaning {
    /// Samples that a pixel needs at least; further ones (alpha) are left out.
    pub fn samples(&self) -> usize {
        match self {
            Self::Gray { .. } | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }

    /// Bytes of a finished pixel: 1 for gray, 3 for colour.
    pub fn channels(&self) -> usize {
        if matches!(self, Self::Gray { .. }) { 1 } else { 3 }
    }
}

/// The layout of samples within a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampling {
    /// 1, 2, 4, 8 or 16.
    pub bits: u32,
    /// Samples of a pixel that stand side by side.
    pub samples: usize,
    pub big_endian: bool,
}

impl Sampling {
    /// Bytes of a row of `width` pixels; rows begin at a byte.
    pub fn row_bytes(&self, width: u32) -> usize {
        (width as usize * self.samples * self.bits as usize).div_ceil(8)
    }

    /// Undoes the horizontal predictor (TIFF 6.0 section 14) in a row.
    pub fn undo_differences(&self, row: &mut [u8]) -> Result<(), Fault> {
        match self.bits {
            8 => {
                for i in self.samples..row.len() {
                    row[i] = row[i].wrapping_add(row[i - self.samples]);
                }
            }
            16 => {
                let (words, _) = row.as_chunks_mut::<2>();
                for i in self.samples..words.len() {
                    words[i] = self
                        .to_bytes(self.to_word(words[i]).wrapping_add(self.to_word(words[i - self.samples])));
                }
            }
            bits => return Err(Fault::unsupported(format!("a predictor with {bits} bits a sample"))),
        }
        Ok(())
    }

    /// The first `count` samples of `row`. Of sixteen bits the upper eight; of fewer than eight the
    /// value itself, not scaled.
    pub fn unpack(&self, row: &[u8], count: usize, samples: &mut Vec<u8>) {
        samples.clear();
        match self.bits {
            8 => samples.extend_from_slice(&row[..count]),
            16 => {
                let upper = if self.big_endian { 0 } else { 1 };
                samples.extend(row.as_chunks::<2>().0.iter().take(count).map(|word| word[upper]));
            }
            bits => {
                let mask = (1_u8 << bits) - 1;
                let per_byte = 8 / bits;
                let values =
                    row.iter().flat_map(|byte| (1..=per_byte).map(move |i| byte >> (8 - i * bits) & mask));
                samples.extend(values.take(count));
            }
        }
    }

    fn to_word(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn to_bytes(self, word: u16) -> [u8; 2] {
        if self.big_endian { word.to_be_bytes() } else { word.to_le_bytes() }
    }
}

/// Writes `target.len() / meaning.channels()` pixels. `samples` has `stride` values a pixel, each
/// of `bits` bits (eight where there were sixteen).
pub(super) fn interpret(samples: &[u8], stride: usize, bits: u32, meaning: &Meaning, target: &mut [u8]) {
    // 1, 3, 15 or 255 to 255.
    let scale = match bits {
        1 => 255,
        2 => 85,
        4 => 17,
        _ => 1,
    };
    let pixels = samples.chunks_exact(stride);
    let (triples, _) = target.as_chunks_mut::<3>();
    match meaning {
        Meaning::Gray { white_is_zero } => {
            let inverted = if *white_is_zero { 255 } else { 0 };
            for (target, sample) in target.iter_mut().zip(samples.iter().step_by(stride)) {
                *target = (sample * scale) ^ inverted;
            }
        }
        Meaning::Palette(colours) => {
            for (target, pixel) in triples.iter_mut().zip(pixels) {
                *target = colours.get(usize::from(pixel[0])).copied().unwrap_or_default();
            }
        }
        Meaning::Rgb => {
            for (target, pixel) in triples.iter_mut().zip(pixels) {
                *target = [pixel[0], pixel[1], pixel[2]].map(|value| value * scale);
            }
        }
        Meaning::YCbCr => {
            for (target, pixel) in triples.iter_mut().zip(pixels) {
                *target = ycbcr_to_rgb([pixel[0], pixel[1], pixel[2]].map(|value| value * scale));
            }
        }
        Meaning::Cmyk => {
            for (target, pixel) in triples.iter_mut().zip(pixels) {
                *target = cmyk_to_rgb([pixel[0], pixel[1], pixel[2], pixel[3]].map(|value| value * scale));
            }
        }
    }
}

/// Writes the pixels of a row of one bit a pixel: by far the most frequent kind of page, and worth
/// eight pixels at a time.
pub(super) fn interpret_bits(row: &[u8], white_is_zero: bool, target: &mut [u8]) {
    const EIGHT_PIXELS: [[u8; 8]; 256] = {
        let mut table = [[0; 8]; 256];
        let mut byte = 0;
        while byte < 256 {
            let mut bit = 0;
            while bit < 8 {
                table[byte][bit] = if byte >> (7 - bit) & 1 == 1 { 255 } else { 0 };
                bit += 1;
            }
            byte += 1;
        }
        table
    };
    let inverted = if white_is_zero { 255 } else { 0 };
    for (pixels, byte) in target.chunks_mut(8).zip(row) {
        pixels.copy_from_slice(&EIGHT_PIXELS[usize::from(byte ^ inverted)][..pixels.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_every_width_are_unpacked() {
        let unpacked = |bits, row: &[u8], count| {
            let mut samples = Vec::new();
            Sampling { bits, samples: 1, big_endian: true }.unpack(row, count, &mut samples);
            samples
        };
        assert_eq!(unpacked(1, &[0b1010_0000], 3), [1, 0, 1]);
        assert_eq!(unpacked(2, &[0b1101_1000], 3), [3, 1, 2]);
        assert_eq!(unpacked(4, &[0xa5, 0xf0], 3), [10, 5, 15]);
        assert_eq!(unpacked(16, &[0xab, 1, 0xcd, 2], 2), [0xab, 0xcd]);
    }

    #[test]
    fn white_may_be_zero() {
        let mut target = [9; 3];
        interpret(&[0, 1, 3], 1, 2, &Meaning::Gray { white_is_zero: true }, &mut target);
        assert_eq!(target, [255, 170, 0]);
        interpret_bits(&[0b0100_0000], true, &mut target);
        assert_eq!(target, [255, 0, 255]);
    }

    #[test]
    fn differences_are_summed_in_the_byte_order_of_the_file() {
        let mut row = [0x01, 0x00, 0x01, 0x00, 0xff, 0xff];
        Sampling { bits: 16, samples: 1, big_endian: false }.undo_differences(&mut row).expect("supported");
        assert_eq!(row, [0x01, 0x00, 0x02, 0x00, 0x01, 0x00]);
    }
}
