//! The structure of a TIFF file (TIFF 6.0, BigTIFF, and the TIFF inside Exif): a chain of
//! directories of tags. Only what is asked for is read.

use std::collections::HashSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::Fault;

/// Values of one tag are read up to this many bytes: four million strip offsets, more than the
/// pixel limit lets a page have.
const MAX_VALUE_BYTES: u64 = 32 << 20;

/// A directory has at most this many tags; scanners write twenty.
const MAX_TAGS: u64 = 4096;

/// Directories are counted up to here, whatever the limit on pages is, so that an error can say
/// how many there are.
const MAX_DIRECTORIES: usize = 100_000;

pub(crate) mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const IMAGE_WIDTH: u16 = 256;
    pub const IMAGE_LENGTH: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTE_COUNTS: u16 = 279;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const PLANAR_CONFIGURATION: u16 = 284;
    pub const T4_OPTIONS: u16 = 292;
    pub const RESOLUTION_UNIT: u16 = 296;
    pub const PREDICTOR: u16 = 317;
    pub const COLOUR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_LENGTH: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTE_COUNTS: u16 = 325;
    pub const SAMPLE_FORMAT: u16 = 339;
    pub const JPEG_TABLES: u16 = 347;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
}

/// A TIFF file, or the TIFF inside something else; offsets count from its beginning.
pub(crate) struct TiffFile<R> {
    source: R,
    length: u64,
    big_endian: bool,
    /// BigTIFF: offsets and counts of eight bytes.
    big: bool,
    first: u64,
}

/// The tags of one image.
pub(crate) struct Directory {
    entries: Vec<Entry>,
    /// Where the next directory is; 0 where there is none.
    next: u64,
}

struct Entry {
    tag: u16,
    /// Bytes of one value, and how they are to be understood.
    kind: Kind,
    count: u64,
    /// Where the values are.
    position: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unsigned {
        bytes: u64,
    },
    Rational,
    /// Signed numbers, floating point, text: skipped, never asked for.
    Other {
        bytes: u64,
    },
}

impl Kind {
    fn of(code: u16) -> Self {
        match code {
            1 | 7 => Self::Unsigned { bytes: 1 },
            3 => Self::Unsigned { bytes: 2 },
            4 | 13 => Self::Unsigned { bytes: 4 },
            16 | 18 => Self::Unsigned { bytes: 8 },
            5 => Self::Rational,
            8 => Self::Other { bytes: 2 },
            9 | 11 => Self::Other { bytes: 4 },
            10 | 12 | 17 => Self::Other { bytes: 8 },
            _ => Self::Other { bytes: 1 },
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::Unsigned { bytes } | Self::Other { bytes } => bytes,
            Self::Rational => 8,
        }
    }
}

impl<R: Read + Seek> TiffFile<R> {
    /// Reads the header.
    pub fn open(mut source: R) -> Result<Self, Fault> {
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let mut file = Self { source, length, big_endian: false, big: false, first: 0 };
        let order = file.bytes_here::<2>()?;
        file.big_endian = &order == b"MM";
        file.first = match file.number(2)? {
            42 => file.number(4)?,
            43 => {
                file.big = true;
                file.number(4)?;
                file.number(8)?
            }
            _ => return Err(Fault::damaged("the TIFF header has an unknown version")),
        };
        Ok(file)
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// The first directory; Exif needs no other.
    pub fn first_directory(&mut self) -> Result<Directory, Fault> {
        self.directory(self.first)
    }

    /// Where the directories are, in the order of the chain; a chain that bites its own tail is an
    /// error. `visit` sees each of them once.
    pub fn chain(
        &mut self,
        mut visit: impl FnMut(&mut Self, u64, &Directory) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        let mut offset = self.first;
        while offset != 0 && seen.len() < MAX_DIRECTORIES {
            if !seen.insert(offset) {
                return Err(Fault::damaged("its pages refer to each other in a circle"));
            }
            let directory = self.directory(offset)?;
            visit(self, offset, &directory)?;
            offset = directory.next;
        }
        Ok(())
    }

    /// The directory at `offset`.
    pub fn directory(&mut self, offset: u64) -> Result<Directory, Fault> {
        if offset >= self.length {
            return Err(Fault::truncated("a page's directory lies behind the end of the file"));
        }
        self.source.seek(SeekFrom::Start(offset))?;
        let (count_bytes, offset_bytes) = if self.big { (8, 8) } else { (2, 4) };
        let count = self.number(count_bytes)?;
        if count > MAX_TAGS {
            return Err(Fault::damaged(format!("a page's directory has {count} tags")));
        }
        let mut position = offset + count_bytes;
        let mut entries = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let tag = self.number(2)? as u16;
            let kind = Kind::of(self.number(2)? as u16);
            let count = self.number(offset_bytes)?;
            let value_here = position + 4 + offset_bytes;
            let value = self.number(offset_bytes)?;
            let is_here = count.checked_mul(kind.bytes()).is_some_and(|bytes| bytes <= offset_bytes);
            entries.push(Entry { tag, kind, count, position: if is_here { value_here } else { value } });
            position = value_here + offset_bytes;
        }
        // A file cut off exactly here still shows this page; the chain is what ends too early.
        let next = self.number(offset_bytes)?;
        Ok(Directory { entries, next })
    }

    /// The values of an unsigned tag; none where the page has no such tag.
    pub fn unsigned(&mut self, directory: &Directory, tag: u16) -> Result<Option<Vec<u64>>, Fault> {
        let Some(entry) = directory.entry(tag) else { return Ok(None) };
        let Kind::Unsigned { bytes } = entry.kind else {
            return Err(Fault::damaged(format!("tag {tag} of its TIFF directory has the wrong type")));
        };
        let raw = self.value_bytes(entry)?;
        Ok(Some(raw.chunks_exact(bytes as usize).map(|value| self.to_number(value)).collect()))
    }

    /// The first value of an unsigned tag.
    pub fn first_unsigned(&mut self, directory: &Directory, tag: u16) -> Result<Option<u64>, Fault> {
        Ok(self.unsigned(directory, tag)?.and_then(|values| values.first().copied()))
    }

    /// The first value of a tag that holds a fraction.
    pub fn rational(&mut self, directory: &Directory, tag: u16) -> Result<Option<f64>, Fault> {
        let Some(entry) = directory.entry(tag).filter(|entry| entry.kind == Kind::Rational) else {
            return Ok(None);
        };
        let raw = self.value_bytes(entry)?;
        let Some((numerator, denominator)) = raw.get(..8).map(|raw| raw.split_at(4)) else { return Ok(None) };
        Ok(Some(self.to_number(numerator) as f64 / self.to_number(denominator) as f64))
    }

    /// Up to `count` bytes at `offset`; an error where the file has fewer.
    pub fn bytes_at(&mut self, offset: u64, count: u64) -> Result<Vec<u8>, Fault> {
        if offset.checked_add(count).is_none_or(|end| end > self.length) {
            return Err(Fault::truncated("its data reach behind the end of the file"));
        }
        self.source.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; count as usize];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn value_bytes(&mut self, entry: &Entry) -> Result<Vec<u8>, Fault> {
        let count = entry.bytes();
        if count > MAX_VALUE_BYTES {
            return Err(Fault::damaged(format!("tag {} of its TIFF directory has {count} bytes", entry.tag)));
        }
        self.bytes_at(entry.position, count)
    }

    fn bytes_here<const COUNT: usize>(&mut self) -> io::Result<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `count` bytes (at most 8) as a number.
    fn number(&mut self, count: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..count as usize];
        self.source.read_exact(bytes)?;
        Ok(self.to_number(bytes))
    }

    fn to_number(&self, bytes: &[u8]) -> u64 {
        let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) }
    }
}

impl Directory {
    /// Position and length of the values of every tag.
    pub fn value_extents(&self) -> impl Iterator<Item = (u64, u64)> {
        self.entries.iter().map(|entry| (entry.position, entry.bytes()))
    }

    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

impl Entry {
    fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.kind.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    proptest! {
        #[test]
        fn any_bytes_have_a_chain_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 8..200)) {
            bytes[..4].copy_from_slice(b"II*\0");
            bytes[5..8].fill(0);
            if let Ok(mut file) = TiffFile::open(Cursor::new(bytes)) {
                let _ = file.chain(|file, _, directory| file.unsigned(directory, tag::STRIP_OFFSETS).map(drop));
            }
        }
    }

    #[test]
    fn a_directory_that_follows_itself_is_an_error() {
        let bytes = b"II*\0\x08\0\0\0\0\0\x08\0\0\0";
        let mut file = TiffFile::open(Cursor::new(bytes)).expect("a header");
        let error = file.chain(|_, _, _| Ok(())).expect_err("a circle");
        assert!(error.to_string().contains("circle"), "{error}");
    }
}
