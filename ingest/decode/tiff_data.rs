//! The compressed data of a strip or a tile to its rows of samples.

use std::io::{self, Read};

use flate2::bufread::ZlibDecoder;
use weezl::LzwStatus;

use super::jpeg::{Colours, Picture};
use super::jpeg_segments::survey;
use super::{Fault, Limits, ccitt};

/// The compressions that scanners write (TIFF 6.0; 8 and 32946 are Adobe's Deflate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Fax(ccitt::Coding),
    Lzw,
    Jpeg,
    Deflate,
    PackBits,
}

impl Compression {
    /// `t4_options` is the value of the T4Options tag.
    pub fn from_tag(value: u64, t4_options: u64) -> Result<Self, Fault> {
        Ok(match value {
            1 => Self::None,
            2 => Self::Fax(ccitt::Coding::ModifiedHuffman),
            3 => Self::Fax(ccitt::Coding::Group3 { two_dimensional: t4_options & 1 != 0 }),
            4 => Self::Fax(ccitt::Coding::Group4),
            5 => Self::Lzw,
            6 => return Err(Fault::unsupported("the old JPEG compression of TIFF (6)")),
            7 => Self::Jpeg,
            8 | 32_946 => Self::Deflate,
            32_773 => Self::PackBits,
            34_661 => return Err(Fault::unsupported("JBIG compression")),
            34_712 => return Err(Fault::unsupported("JPEG 2000 compression")),
            50_000 => return Err(Fault::unsupported("Zstandard compression")),
            50_001 => return Err(Fault::unsupported("WebP compression")),
            other => return Err(Fault::unsupported(format!("TIFF compression {other}"))),
        })
    }
}

/// A strip or a tile, in pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChunkSize {
    pub width: u32,
    pub rows: u32,
}

/// The rows of one strip or tile, from the top.
pub(super) enum Rows<'a> {
    Stream(Box<dyn Read + 'a>),
    Fax(ccitt::Decoder<'a>),
}

impl<'a> Rows<'a> {
    /// `data` are the compressed bytes, first pixel in the highest bit (FillOrder 1).
    pub fn new(data: &'a [u8], compression: Compression, width: u32) -> Self {
        match compression {
            Compression::None | Compression::Jpeg => Self::Stream(Box::new(data)),
            Compression::Fax(coding) => Self::Fax(ccitt::Decoder::new(data, coding, width)),
            Compression::Lzw => Self::Stream(Box::new(Lzw::new(data))),
            Compression::Deflate => Self::Stream(Box::new(ZlibDecoder::new(data))),
            Compression::PackBits => Self::Stream(Box::new(PackBits { data, run: Run::Literal(0) })),
        }
    }

    /// Fills `row` with the next row; an error where the data end before.
    pub fn read(&mut self, row: &mut [u8]) -> Result<(), Fault> {
        match self {
            Self::Fax(decoder) => decoder.line(row),
            Self::Stream(stream) => stream.read_exact(row).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    Fault::truncated("its compressed data end before the last line")
                }
                _ => Fault::damaged(format!("its compressed data cannot be decoded ({error})")),
            }),
        }
    }
}

/// The samples of a JPEG strip or tile: `channels` bytes a pixel, as many rows as the chunk has at
/// least. `tables` are what the strips of the page have in common.
pub(super) fn jpeg_chunk(
    data: &[u8],
    tables: &[u8],
    chunk: ChunkSize,
    colours: Colours,
    channels: usize,
    limits: &Limits,
) -> Result<Vec<u8>, Fault> {
    let joined;
    let stream = match (tables.strip_suffix(b"\xff\xd9"), data.strip_prefix(b"\xff\xd8")) {
        (Some(tables), Some(rest)) => {
            joined = [tables, rest].concat();
            &joined
        }
        _ => data,
    };
    let picture = Picture::decode(stream, &survey(stream)?, colours, limits)?;
    if picture.width != chunk.width || picture.height < chunk.rows || picture.channels != channels {
        return Err(Fault::damaged(format!(
            "a JPEG strip has {} × {} pixels of {} colours instead of {} × {} of {channels}",
            picture.width, picture.height, picture.channels, chunk.width, chunk.rows
        )));
    }
    Ok(picture.samples)
}

/// LZW of variable code width, highest bit first, with TIFF's early change.
struct Lzw<'a> {
    decoder: weezl::decode::Decoder,
    data: &'a [u8],
}

impl<'a> Lzw<'a> {
    fn new(data: &'a [u8]) -> Self {
        let configuration = weezl::decode::Configuration::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
        Self { decoder: configuration.with_yield_on_full_buffer(true).build(), data }
    }
}

impl Read for Lzw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = self.decoder.decode_bytes(self.data, buffer);
            self.data = &self.data[result.consumed_in..];
            match result.status {
                Ok(LzwStatus::Ok) if result.consumed_out == 0 && !buffer.is_empty() => {}
                Ok(LzwStatus::Ok | LzwStatus::Done | LzwStatus::NoProgress) => return Ok(result.consumed_out),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    }
}

/// Apple's run lengths (TIFF 6.0 section 9).
struct PackBits<'a> {
    data: &'a [u8],
    run: Run,
}

enum Run {
    /// As many bytes follow as they are.
    Literal(usize),
    Repeated {
        value: u8,
        count: usize,
    },
}

impl Read for PackBits<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.run {
                Run::Literal(0) | Run::Repeated { count: 0, .. } => match self.data {
                    [] => return Ok(0),
                    // A no-operation.
                    [128, rest @ ..] => self.data = rest,
                    [length @ 0..=127, rest @ ..] => {
                        self.run = Run::Literal(usize::from(*length) + 1);
                        self.data = rest;
                    }
                    [length, value, rest @ ..] => {
                        self.run = Run::Repeated { value: *value, count: 257 - usize::from(*length) };
                        self.data = rest;
                    }
                    [_] => return Ok(0),
                },
                Run::Literal(left) => {
                    let count = buffer.len().min(*left).min(self.data.len());
                    let (literal, rest) = self.data.split_at(count);
                    buffer[..count].copy_from_slice(literal);
                    self.data = rest;
                    *left -= count;
                    return Ok(count);
                }
                Run::Repeated { value, count: left } => {
                    let count = buffer.len().min(*left);
                    buffer[..count].fill(*value);
                    *left -= count;
                    return Ok(count);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packed_bits_are_those_of_the_specification() {
        // The example of Apple's technical note 1023.
        let packed =
            [0xfe, 0xaa, 0x02, 0x80, 0x00, 0x2a, 0xfd, 0xaa, 0x03, 0x80, 0x00, 0x2a, 0x22, 0xf7, 0xaa];
        let mut row = [0; 24];
        Rows::new(&packed, Compression::PackBits, 24).read(&mut row).expect("whole");
        let expected = [
            0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0xaa, 0xaa, 0xaa, 0xaa, 0x80, 0x00, 0x2a, 0x22, 0xaa, 0xaa,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
        ];
        assert_eq!(row, expected);
    }

    proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            compression in prop_oneof![
                Just(Compression::None), Just(Compression::Lzw), Just(Compression::Deflate),
                Just(Compression::PackBits), Just(Compression::Fax(ccitt::Coding::Group4)),
            ],
        ) {
            let mut rows = Rows::new(&data, compression, 400);
            let mut row = [0; 50];
            for _ in 0..100 {
                if rows.read(&mut row).is_err() {
                    return Ok(());
                }
            }
        }
    }
}
