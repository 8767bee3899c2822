//! Bytes of a scan to page images, one page at a time and in bounded memory. Nothing is turned or
//! cleaned here, except as the file itself asks for (orientation tags).

mod ccitt;
mod error;
mod exif;
pub(crate) mod format;
mod jpeg;
pub(crate) mod jpeg_segments;
pub(crate) mod pdf_tail;
pub(crate) mod pdfium;
mod pixels;
mod png;
mod tiff;
mod tiff_data;
pub(crate) mod tiff_directory;
mod tiff_samples;
pub(crate) mod webp;

pub use error::{DecodeError, Fault};

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use crate::settings;
use format::{Format, HEAD_BYTES};

/// One page as it was scanned.
#[derive(Debug, Clone, PartialEq)]
pub struct PageImage {
    /// 0 is black, 255 white.
    pub gray: image::GrayImage,
    /// The same page in colour, where it was scanned in colour.
    pub colour: Option<image::RgbImage>,
    /// The page was scanned with one bit a pixel.
    pub bilevel: bool,
    /// As the file says, where it says anything credible.
    pub declared_dpi: Option<f64>,
}

/// An opened scan. Pages may be taken in any order, each as often as wanted; none is kept.
pub struct Scan {
    pages: Pages,
    page_count: u32,
    limits: Limits,
}

enum Pages {
    Tiff(tiff::TiffScan),
    Jpeg(File),
    Png(File),
    WebP(File),
    Pdf(Box<pdfium::PdfScan>),
}

impl Scan {
    /// Opens a scan and counts its pages; no page is decoded yet. The bytes decide what it is, not
    /// the name. `pdfium_library` is loaded at the first PDF of the process.
    pub fn open(
        path: &Path,
        settings: &settings::Decode,
        pdfium_library: &Path,
    ) -> Result<Self, DecodeError> {
        open_file(path)
            .and_then(|file| Self::of_any(file, settings, pdfium_library))
            .map_err(DecodeError::scan)
    }

    /// As [`Self::open`], of a file that is open already.
    pub fn of_file(
        file: File,
        settings: &settings::Decode,
        pdfium_library: &Path,
    ) -> Result<Self, DecodeError> {
        Self::of_any(file, settings, pdfium_library).map_err(DecodeError::scan)
    }

    fn of_any(mut file: File, settings: &settings::Decode, pdfium_library: &Path) -> Result<Self, Fault> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        (&file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        file.rewind()?;
        if head.is_empty() {
            return Err(Fault::Empty);
        }
        let pages = match format::recognise(&head) {
            Some(Format::Tiff) => Pages::Tiff(tiff::TiffScan::open(file)?),
            Some(Format::Jpeg) => Pages::Jpeg(file),
            Some(Format::Png) => Pages::Png(file),
            Some(Format::WebP) => Pages::WebP(file),
            Some(Format::Pdf) => {
                Pages::Pdf(Box::new(pdfium::PdfScan::open(file, pdfium_library, settings.pdf_render_dpi)?))
            }
            None => return Err(Fault::UnknownFormat { looks_like: format::looks_like(&head) }),
        };
        let count = match &pages {
            Pages::Tiff(scan) => scan.page_count(),
            Pages::Pdf(scan) => scan.page_count(),
            Pages::Jpeg(_) | Pages::Png(_) | Pages::WebP(_) => 1,
        };
        let limits = Limits::of(settings);
        let page_count = limits.check_pages(count)?;
        Ok(Self { pages, page_count, limits })
    }

    /// At least 1.
    pub fn page_count(&self) -> u32 {
        self.page_count
    }

    /// Decodes the page with this index, from 0. An error of one page says nothing about the
    /// others.
    pub fn page(&self, index: u32) -> Result<PageImage, DecodeError> {
        if index >= self.page_count {
            return Err(DecodeError::page(index, Fault::NoSuchPage { count: self.page_count }));
        }
        let page = match &self.pages {
            Pages::Tiff(scan) => scan.page(index, &self.limits),
            Pages::Jpeg(file) => self.whole(file).and_then(|bytes| jpeg::page(&bytes, &self.limits)),
            Pages::Png(file) => self.rewound(file).and_then(|file| png::page(file, &self.limits)),
            Pages::WebP(file) => self.rewound(file).and_then(|file| webp::page(file, &self.limits)),
            Pages::Pdf(scan) => scan.page(index, &self.limits),
        };
        page.map_err(|fault| DecodeError::page(index, fault))
    }

    fn whole(&self, file: &File) -> Result<Vec<u8>, Fault> {
        self.limits.check_bytes(file.metadata()?.len())?;
        let mut bytes = Vec::new();
        self.rewound(file)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn rewound<'a>(&self, mut file: &'a File) -> Result<BufReader<&'a File>, Fault> {
        file.rewind()?;
        Ok(BufReader::new(file))
    }
}

fn open_file(path: &Path) -> Result<File, Fault> {
    // Asked before opening: to open a pipe waits for its writer.
    if !std::fs::metadata(path).map_err(Fault::Unreadable)?.is_file() {
        return Err(Fault::NotAFile);
    }
    File::open(path).map_err(Fault::Unreadable)
}

/// What a scan may have at most, from the settings.
struct Limits {
    pages: u32,
    megapixels: u32,
    /// Compressed bytes of one page (of a TIFF, of one strip) that are read into memory.
    page_mib: u32,
}

/// A side shorter than this is a mistake: at 50 dpi it were 8 mm.
const MIN_SIDE: u64 = 16;

impl Limits {
    fn of(settings: &settings::Decode) -> Self {
        Self {
            pages: settings.max_pages,
            megapixels: settings.max_page_megapixels,
            page_mib: settings.max_page_mib,
        }
    }

    fn check_pages(&self, found: u64) -> Result<u32, Fault> {
        match found {
            0 => Err(Fault::NoPages),
            found if found > self.pages.into() => Err(Fault::TooManyPages { found, limit: self.pages }),
            found => Ok(found as u32),
        }
    }

    /// Of a page, as its header says; to be asked before anything is allocated.
    fn check_size(&self, width: u64, height: u64) -> Result<(), Fault> {
        if width < MIN_SIDE || height < MIN_SIDE {
            return Err(Fault::TooSmall { width, height });
        }
        self.check_pixels(width, height)
    }

    fn check_pixels(&self, width: u64, height: u64) -> Result<(), Fault> {
        let limit = u64::from(self.megapixels) * 1_000_000;
        if width > u64::from(u32::MAX) || height > u64::from(u32::MAX) || width * height > limit {
            return Err(Fault::TooManyPixels { width, height, limit: self.megapixels });
        }
        Ok(())
    }

    fn check_bytes(&self, found: u64) -> Result<(), Fault> {
        if found > u64::from(self.page_mib) << 20 {
            return Err(Fault::TooManyBytes { found, limit_mib: self.page_mib });
        }
        Ok(())
    }
}
