//! Scans made for tests: files in every format that stations drop, and in ways that no writer would
//! choose; and a folder to drop them in.

#![allow(dead_code, reason = "each test file that includes this one uses another part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::GrayImage;
use lopdf::{Document, Object, Stream, dictionary};
use tempfile::TempDir;
use uketsuke::decode::{DecodeError, PageImage, Scan};
use uketsuke::settings::{Decode, Settings};

/// A folder with files to decode.
pub struct Drop {
    pub folder: TempDir,
    settings: Settings,
}

impl Drop {
    pub fn new() -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/uketsuke.toml");
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            settings: Settings::load(Some(&shipped)).expect("the shipped settings"),
        }
    }

    pub fn with_limits(change: impl FnOnce(&mut Decode)) -> Self {
        let mut drop = Self::new();
        change(&mut drop.settings.decode);
        drop
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn open(&self, path: &Path) -> Result<Scan, DecodeError> {
        Scan::open(path, &self.settings.decode, &self.settings.paths.pdfium())
    }

    /// All pages of a file with these bytes; the first error.
    pub fn decode(&self, bytes: &[u8]) -> Result<Vec<PageImage>, DecodeError> {
        let path = self.path("scan");
        std::fs::write(&path, bytes).expect("space");
        let scan = self.open(&path)?;
        (0..scan.page_count()).map(|index| scan.page(index)).collect()
    }

    pub fn page(&self, bytes: &[u8]) -> PageImage {
        self.decode(bytes).expect("a whole file").remove(0)
    }

    pub fn error(&self, bytes: &[u8]) -> DecodeError {
        self.decode(bytes).expect_err("a bad file")
    }
}

/// Like `assert_eq`, but does not print a million pixels.
pub fn assert_same(found: &GrayImage, expected: &GrayImage, what: &str) {
    assert_eq!(found.dimensions(), expected.dimensions(), "{what}");
    let differing = std::iter::zip(found.as_raw(), expected.as_raw()).filter(|(a, b)| a != b).count();
    assert_eq!(differing, 0, "{what}: pixels that differ");
}

pub fn assert_near(found: &GrayImage, expected: &GrayImage, what: &str) {
    assert_eq!(found.dimensions(), expected.dimensions(), "{what}");
    let sum: u64 =
        std::iter::zip(found.as_raw(), expected.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let mean = sum as f64 / expected.as_raw().len() as f64;
    assert!(mean < 4.0, "{what}: {mean} gray levels of mean difference");
}

/// Baseline TIFF tags (TIFF 6.0).
pub mod tag {
    pub const WIDTH: u16 = 256;
    pub const LENGTH: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const OFFSETS: u16 = 273;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const BYTE_COUNTS: u16 = 279;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const COLOUR_MAP: u16 = 320;
}

/// A bilevel page with lines of "text": 0 and 255 only, so that every format can hold it exactly.
/// The width is no multiple of 8.
pub fn sample_page() -> GrayImage {
    GrayImage::from_fn(301, 420, |x, y| {
        let in_line = (20..380).contains(&y) && y % 24 < 14 && (20..280).contains(&x);
        let is_ink = in_line && (x / 3 * 7 + y / 24 * 5 + y % 24 / 4 * 3) % 5 < 2;
        image::Luma([if is_ink { 0 } else { 255 }])
    })
}

/// One bit a pixel, 1 for white, rows padded to bytes.
pub fn packed(page: &GrayImage) -> Vec<u8> {
    let pack = |bits: &[u8]| bits.iter().enumerate().fold(0, |byte, (i, pixel)| byte | (pixel & 0x80) >> i);
    page.rows()
        .flat_map(|row| {
            row.map(|pixel| pixel.0[0]).collect::<Vec<_>>().chunks(8).map(pack).collect::<Vec<_>>()
        })
        .collect()
}

/// The values of a tag.
#[derive(Clone)]
pub enum Value {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Rational(u32, u32),
}

/// One page of a TIFF, with one uncompressed strip.
#[derive(Clone)]
pub struct TiffPage {
    tags: Vec<(u16, Value)>,
    strip: Vec<u8>,
}

impl TiffPage {
    /// `bits` of one sample, `samples` a pixel.
    pub fn new(
        (width, height): (u32, u32),
        bits: u16,
        samples: u16,
        photometric: u16,
        strip: Vec<u8>,
    ) -> Self {
        let tags = vec![
            (tag::WIDTH, Value::Long(vec![width])),
            (tag::LENGTH, Value::Long(vec![height])),
            (tag::BITS, Value::Short(vec![bits; samples.into()])),
            (tag::COMPRESSION, Value::Short(vec![1])),
            (tag::PHOTOMETRIC, Value::Short(vec![photometric])),
            (tag::SAMPLES, Value::Short(vec![samples])),
            (tag::ROWS_PER_STRIP, Value::Long(vec![height])),
            (tag::BYTE_COUNTS, Value::Long(vec![strip.len() as u32])),
        ];
        Self { tags, strip }
    }

    /// The sample page, one bit a pixel, 300 dpi.
    pub fn bilevel() -> Self {
        let page = sample_page();
        Self::new(page.dimensions(), 1, 1, 1, packed(&page))
            .with(tag::X_RESOLUTION, Value::Rational(300, 1))
            .with(tag::Y_RESOLUTION, Value::Rational(300, 1))
    }

    /// With the tag set to another value, or added.
    pub fn with(mut self, tag: u16, value: Value) -> Self {
        self.tags.retain(|(existing, _)| *existing != tag);
        self.tags.push((tag, value));
        self
    }

    pub fn without(mut self, tag: u16) -> Self {
        self.tags.retain(|(existing, _)| *existing != tag);
        self
    }
}

/// A little-endian TIFF file. Each page's strip lies before its directory. `next_of_last` is where
/// the last directory points: 0, or somewhere it should not.
pub fn tiff(pages: &[TiffPage], next_of_last: u32) -> Vec<u8> {
    let mut file = b"II*\0\0\0\0\0".to_vec();
    let mut next_at = 4;
    for page in pages {
        let strip_at = file.len() as u32;
        file.extend(&page.strip);
        let mut tags = page.tags.clone();
        tags.push((tag::OFFSETS, Value::Long(vec![strip_at])));
        tags.sort_by_key(|(tag, _)| *tag);
        let entries: Vec<_> = tags.iter().map(|(tag, value)| entry(*tag, value, &mut file)).collect();
        file.resize(file.len().next_multiple_of(2), 0);
        let directory_at = file.len() as u32;
        file[next_at..next_at + 4].copy_from_slice(&directory_at.to_le_bytes());
        file.extend((entries.len() as u16).to_le_bytes());
        file.extend(entries.concat());
        next_at = file.len();
        file.extend(next_of_last.to_le_bytes());
    }
    file
}

fn entry(tag: u16, value: &Value, file: &mut Vec<u8>) -> Vec<u8> {
    let (kind, count, mut bytes): (u16, usize, Vec<u8>) = match value {
        Value::Short(values) => {
            (3, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Value::Long(values) => {
            (4, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
        Value::Rational(a, b) => (5, 1, [a.to_le_bytes(), b.to_le_bytes()].concat()),
    };
    if bytes.len() > 4 {
        let position = file.len() as u32;
        file.append(&mut bytes);
        bytes = position.to_le_bytes().to_vec();
    }
    bytes.resize(4, 0);
    [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &(count as u32).to_le_bytes(), &bytes].concat()
}

/// Has libtiff's `tiffcp` write `source` anew with `options`.
pub fn tiffcp(source: &Path, options: &[&str], target: &Path) {
    let output = Command::new("tiffcp").args(options).arg(source).arg(target).output();
    let output = output.expect("tiffcp runs (Debian package libtiff-tools, installed by scripts/setup)");
    assert!(output.status.success(), "tiffcp {options:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The sample page as G4.
pub fn group4(page: &GrayImage) -> Vec<u8> {
    let mut encoder = fax::encoder::Encoder::new(fax::VecWriter::new());
    for row in page.rows() {
        let colours = row.map(|pixel| if pixel.0[0] < 128 { fax::Color::Black } else { fax::Color::White });
        encoder.encode_line(colours, page.width()).expect("memory");
    }
    encoder.finish().expect("memory").finish()
}

pub fn jpeg(page: &GrayImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = page.dimensions();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_density(jpeg_encoder::PixelDensity::dpi(300));
    encoder
        .encode(page.as_raw(), width as u16, height as u16, jpeg_encoder::ColorType::Luma)
        .expect("memory");
    bytes
}

pub fn png(page: &GrayImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let target = std::io::Cursor::new(&mut bytes);
    page.write_with_encoder(image::codecs::png::PngEncoder::new(target)).expect("memory");
    bytes
}

/// How an image lies in a PDF.
pub enum PdfImage {
    /// One bit a pixel.
    Group4,
    Flate,
    Jpeg,
}

/// How a page of a PDF shows its image.
pub struct PdfPage {
    pub image: PdfImage,
    /// /Rotate of the page.
    pub rotate: i64,
    /// Content of the page; the image is /Im0, the page 72.24 × 100.8 points (300 dpi).
    pub content: &'static str,
}

/// Fills the page.
pub const FULL_PAGE: &str = "q 72.24 0 0 100.8 0 0 cm /Im0 Do Q";

impl PdfPage {
    pub fn of(image: PdfImage) -> Self {
        Self { image, rotate: 0, content: FULL_PAGE }
    }
}

/// A PDF whose pages show the sample page.
pub fn pdf(pages: &[PdfPage]) -> Document {
    let sample = sample_page();
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let mut kids: Vec<Object> = Vec::new();
    for page in pages {
        let (filter, bits, data, parameters) = match page.image {
            PdfImage::Group4 => {
                let (columns, rows) = sample.dimensions();
                let parameters = dictionary! { "K" => -1, "Columns" => columns, "Rows" => rows };
                ("CCITTFaxDecode", 1, group4(&sample), Some(parameters))
            }
            PdfImage::Flate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(sample.as_raw()).expect("memory");
                ("FlateDecode", 8, encoder.finish().expect("memory"), None)
            }
            PdfImage::Jpeg => ("DCTDecode", 8, jpeg(&sample, 95), None),
        };
        let mut description = dictionary! {
            "Type" => "XObject", "Subtype" => "Image", "Width" => sample.width(), "Height" => sample.height(),
            "ColorSpace" => "DeviceGray", "BitsPerComponent" => bits, "Filter" => filter,
        };
        if let Some(parameters) = parameters {
            description.set("DecodeParms", parameters);
        }
        let image = document.add_object(Stream::new(description, data));
        let font = document
            .add_object(dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica" });
        let content = document.add_object(Stream::new(dictionary! {}, page.content.as_bytes().to_vec()));
        let page = document.add_object(dictionary! {
            "Type" => "Page", "Parent" => tree, "Rotate" => page.rotate, "Contents" => content,
            "MediaBox" => vec![0.into(), 0.into(), Object::Real(72.24), Object::Real(100.8)],
            "Resources" => dictionary! {
                "XObject" => dictionary! { "Im0" => image }, "Font" => dictionary! { "F0" => font },
            },
        });
        kids.push(page.into());
    }
    let count = kids.len() as i64;
    document.objects.insert(tree, dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalog);
    document
}

pub fn saved(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("memory");
    bytes
}
