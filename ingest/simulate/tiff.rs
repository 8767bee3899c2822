//! Writes TIFF files as scanners do: little-endian, one strip a page, pages one after another.
//! (The `tiff` crate writes neither fax nor JPEG strips.)

/// One page, its pixels already compressed.
pub(super) struct TiffPage {
    pub width: u32,
    pub height: u32,
    pub dpi: u32,
    pub photometric: Photometric,
    pub compression: TiffCompression,
    pub strip: Vec<u8>,
}

/// TIFF 6.0, tag 262, with what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    /// One bit a pixel, 0 is white, as fax machines count.
    WhiteIsZero,
    /// One bit a pixel, 0 is black.
    BilevelBlackIsZero,
    /// A byte a pixel, 0 is black.
    Gray,
    /// Three bytes a pixel.
    Rgb,
    /// Three bytes a pixel, colour at half the resolution both ways (only inside JPEG).
    YCbCr,
}

/// TIFF 6.0, tag 259.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TiffCompression {
    Group4 = 4,
    Lzw = 5,
    /// A whole JPEG file in the strip (TIFF Technical Note 2).
    Jpeg = 7,
}

/// An entry of a directory; all of these values fit into four bytes but for those with an offset.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: u32,
}

const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const HEADER_BYTES: usize = 8;

pub(super) fn write(pages: &[TiffPage]) -> Vec<u8> {
    let mut file = b"II\x2a\0\0\0\0\0".to_vec();
    // Where the offset of the next directory is to be filled in.
    let mut link = 4;
    for page in pages {
        let strip = file.len();
        file.extend_from_slice(&page.strip);
        if file.len() % 2 == 1 {
            file.push(0);
        }
        let resolution = file.len();
        file.extend_from_slice(&page.dpi.to_le_bytes());
        file.extend_from_slice(&1u32.to_le_bytes());
        let depths = file.len();
        for _ in 0..3 {
            file.extend_from_slice(&8u16.to_le_bytes());
        }
        let directory = file.len();
        file[link..link + 4].copy_from_slice(&offset(directory).to_le_bytes());
        let entries = entries(page, offset(strip), offset(resolution), offset(depths));
        file.extend_from_slice(&(entries.len() as u16).to_le_bytes());
        for entry in &entries {
            file.extend_from_slice(&entry.tag.to_le_bytes());
            file.extend_from_slice(&entry.kind.to_le_bytes());
            file.extend_from_slice(&entry.count.to_le_bytes());
            file.extend_from_slice(&entry.value.to_le_bytes());
        }
        link = file.len();
        file.extend_from_slice(&[0; 4]);
    }
    debug_assert!(file.len() >= HEADER_BYTES);
    file
}

/// In directory order, by tag.
fn entries(page: &TiffPage, strip: u32, resolution: u32, depths: u32) -> Vec<Entry> {
    let colour = matches!(page.photometric, Photometric::Rgb | Photometric::YCbCr);
    let (bits, photometric) = match page.photometric {
        Photometric::WhiteIsZero => (1, 0),
        Photometric::BilevelBlackIsZero => (1, 1),
        Photometric::Gray => (8, 1),
        Photometric::Rgb => (8, 2),
        Photometric::YCbCr => (8, 6),
    };
    let one = |tag, kind, value| Entry { tag, kind, count: 1, value };
    let depth = Entry {
        tag: 258,
        kind: SHORT,
        count: if colour { 3 } else { 1 },
        value: if colour { depths } else { bits },
    };
    let mut entries = vec![
        one(254, LONG, 0),
        one(256, LONG, page.width),
        one(257, LONG, page.height),
        depth,
        one(259, SHORT, page.compression as u32),
        one(262, SHORT, photometric),
        one(273, LONG, strip),
        one(277, SHORT, if colour { 3 } else { 1 }),
        one(278, LONG, page.height),
        one(279, LONG, page.strip.len() as u32),
        Entry { tag: 282, kind: RATIONAL, count: 1, value: resolution },
        Entry { tag: 283, kind: RATIONAL, count: 1, value: resolution },
        one(296, SHORT, 2),
    ];
    if page.photometric == Photometric::YCbCr {
        // Colour at half the resolution both ways: two shorts, 2 and 2.
        entries.push(Entry { tag: 530, kind: SHORT, count: 2, value: 2 << 16 | 2 });
    }
    entries
}

/// Offsets have 32 bits; a scan of ours is far below 4 GiB.
fn offset(place: usize) -> u32 {
    place as u32
}
