//! PDF through pdfium. A page that is one scanned image is taken as that image, pixel by pixel;
//! any other page is rendered, in colour where it has any.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pdfium_render::prelude::*;

use super::pixels::credible_dpi;
use super::{Fault, Limits, PageImage, jpeg_segments, pdf_tail};
use crate::turn::Turn;

/// An image is the page if each of its edges lies within this share of the page's size from the
/// page's edge.
const EDGE_TOLERANCE: f32 = 0.02;

/// An image stands straight if its sides deviate from the page's by less than this share: one pixel
/// in a thousand.
const STRAIGHT: f32 = 0.001;

const POINTS_PER_INCH: f32 = 72.0;

/// pdfium keeps every object that it has read until the document is closed: after so many bytes the
/// document is closed and opened again, which costs a few milliseconds.
const BYTES_KEPT: u64 = 64 << 20;

/// An opened document. pdfium reads from the file what it needs, when it needs it.
pub(super) struct PdfScan {
    file: File,
    pdfium: &'static Pdfium,
    opened: RefCell<Opened>,
    page_count: u64,
    render_dpi: u32,
}

impl PdfScan {
    /// Opens the document; `library` is loaded where the process has not done so yet.
    pub fn open(file: File, library: &Path, render_dpi: u32) -> Result<Self, Fault> {
        if let Some(missing) = pdf_tail::missing(&file)? {
            return Err(Fault::truncated(missing));
        }
        let pdfium = load(library)?;
        let opened = Opened::open(&file, pdfium)?;
        let page_count = opened.document.pages().len().try_into().unwrap_or(0);
        Ok(Self { file, pdfium, opened: RefCell::new(opened), page_count, render_dpi })
    }

    pub fn page_count(&self) -> u64 {
        self.page_count
    }

    /// The page with this index, from 0; it must exist.
    pub fn page(&self, index: u32, limits: &Limits) -> Result<PageImage, Fault> {
        let mut opened = self.opened.borrow_mut();
        if opened.bytes_read.load(Ordering::Relaxed) > BYTES_KEPT {
            *opened = Opened::open(&self.file, self.pdfium)?;
        }
        let index = index.try_into().map_err(|_| Fault::damaged("it has no such page"))?;
        let page = opened.document.pages().get(index).map_err(damaged)?;
        match scanned_image(&page) {
            Some(scanned) => scanned.take(limits),
            None => self.rendered(&page, limits),
        }
    }

    fn rendered(&self, page: &PdfPage, limits: &Limits) -> Result<PageImage, Fault> {
        let pixels = |points: PdfPoints| (points.value / POINTS_PER_INCH * self.render_dpi as f32).round();
        let (width, height) = (pixels(page.width()), pixels(page.height()));
        limits.check_size(width as u64, height as u64)?;
        let config = PdfRenderConfig::new()
            .set_fixed_size(width as i32, height as i32)
            .set_format(PdfBitmapFormat::BGRx)
            .set_reverse_byte_order(false);
        let bitmap = page.render_with_config(&config).map_err(damaged)?;
        let page = to_page(&bitmap)?.ok_or_else(|| Fault::damaged("pdfium does not render it"))?;
        Ok(page.with_dpi(Some(self.render_dpi.into())))
    }
}

/// A document as pdfium holds it.
struct Opened {
    document: PdfDocument<'static>,
    /// From the file since it was opened.
    bytes_read: Arc<AtomicU64>,
}

impl Opened {
    fn open(file: &File, pdfium: &'static Pdfium) -> Result<Self, Fault> {
        // pdfium keeps the last error for the whole process: one opening at a time, so that each
        // sees its own.
        static OPENING: Mutex<()> = Mutex::new(());
        let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes_read = Arc::new(AtomicU64::new(0));
        let source = Counted { file: file.try_clone()?, bytes_read: Arc::clone(&bytes_read) };
        let document = pdfium.load_pdf_from_reader(source, None).map_err(|error| match error {
            PdfiumError::PdfiumLibraryInternalError(
                PdfiumInternalError::PasswordError | PdfiumInternalError::SecurityError,
            ) => Fault::Encrypted,
            error => damaged(error),
        })?;
        Ok(Self { document, bytes_read })
    }
}

/// Counts what is read of a file.
struct Counted {
    file: File,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// The engine, for whoever renders in this process: it is initialised once and never unloaded.
pub(crate) fn load(library: &Path) -> Result<&'static Pdfium, Fault> {
    static LOADED: Mutex<Option<&'static Pdfium>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pdfium) = *loaded {
        return Ok(pdfium);
    }
    let bindings = Pdfium::bind_to_library(library)
        .map_err(|error| Fault::NoPdfium { library: library.to_owned(), reason: format!("{error:?}") })?;
    Ok(loaded.insert(Box::leak(Box::new(Pdfium::new(bindings)))))
}

fn damaged(error: PdfiumError) -> Fault {
    Fault::damaged(format!("pdfium cannot read it ({error:?})"))
}

/// The one image that a page consists of.
struct ScannedImage<'a> {
    object: PdfPageObject<'a>,
    /// What the placement and the page's /Rotate do to it.
    turn: Turn,
    dpi: Option<f64>,
}

/// The image of `page`, if nothing else is to be seen on it: the image covers the page, stands
/// straight, is neither mirrored nor masked. Invisible text (that of an earlier OCR) doesn't count.
fn scanned_image<'a>(page: &'a PdfPage<'a>) -> Option<ScannedImage<'a>> {
    if !page.annotations().is_empty() {
        return None;
    }
    let mut only = None;
    for object in page.objects().iter() {
        match &object {
            PdfPageObject::Text(text) if text.render_mode() == PdfPageTextRenderMode::Invisible => {}
            PdfPageObject::Image(_) if only.is_none() => only = Some(object),
            _ => return None,
        }
    }
    let object = only?;
    let image = object.as_image_object()?;
    // pdfium hands out a stencil mask, which has no colour space, as its mask and not as it looks.
    let is_opaque = !object.has_transparency() && image.color_space().ok()? != PdfColorSpace::Unknown;

    // The image's right and up, on the page.
    let matrix = object.matrix().ok()?;
    let (right, up) = ((matrix.a(), matrix.b()), (matrix.c(), matrix.d()));
    let (across, upwards) = (right.0.hypot(right.1), up.0.hypot(up.1));
    let is_mirrored = right.0 * up.1 - right.1 * up.0 <= 0.0;
    let placed_degrees = right.1.atan2(right.0).to_degrees();
    let straight = |(x, y): (f32, f32)| x.abs().min(y.abs()) <= STRAIGHT * x.abs().max(y.abs());
    if !is_opaque || is_mirrored || !straight(right) || !straight(up) {
        return None;
    }

    let bounds = page.boundaries().bounding().ok()?.bounds;
    let (left, bottom) =
        (matrix.e() + right.0.min(0.0) + up.0.min(0.0), matrix.f() + right.1.min(0.0) + up.1.min(0.0));
    let (width, height) = (right.0.abs() + up.0.abs(), right.1.abs() + up.1.abs());
    let (page_width, page_height) = (bounds.width().value, bounds.height().value);
    let is_near = |a: f32, b: f32, size: f32| (a - b).abs() <= EDGE_TOLERANCE * size;
    let covers = is_near(left, bounds.left().value, page_width)
        && is_near(bottom, bounds.bottom().value, page_height)
        && is_near(left + width, bounds.right().value, page_width)
        && is_near(bottom + height, bounds.top().value, page_height);
    if !covers {
        return None;
    }

    let page_degrees = match page.rotation().ok()? {
        PdfPageRenderRotation::None => 0.0,
        PdfPageRenderRotation::Degrees90 => 90.0,
        PdfPageRenderRotation::Degrees180 => 180.0,
        PdfPageRenderRotation::Degrees270 => 270.0,
    };
    let clockwise = (page_degrees - placed_degrees).round().rem_euclid(360.0);
    let per_inch = |pixels: i32, points: f32| f64::from(pixels) / f64::from(points / POINTS_PER_INCH);
    let dpi = credible_dpi(per_inch(image.width().ok()?, across), per_inch(image.height().ok()?, upwards));
    Some(ScannedImage { turn: Turn::clockwise(clockwise as u32), dpi, object })
}

impl ScannedImage<'_> {
    fn take(&self, limits: &Limits) -> Result<PageImage, Fault> {
        let image = self.object.as_image_object().ok_or_else(|| Fault::damaged("its image is gone"))?;
        let size = |side: Result<i32, PdfiumError>| side.map(|side| side.max(0) as u64).map_err(damaged);
        limits.check_size(size(image.width())?, size(image.height())?)?;
        check_jpeg_is_whole(image)?;
        let bitmap = image.get_raw_bitmap().map_err(damaged)?;
        let page = to_page(&bitmap)?.ok_or_else(|| Fault::damaged("its image cannot be decoded"))?;
        let bilevel = image.bits_per_pixel().is_ok_and(|bits| bits == 1) && page.colour.is_none();
        Ok(PageImage { bilevel, ..page.turned(self.turn).with_dpi(self.dpi) })
    }
}

/// pdfium paints what is missing of a JPEG gray.
fn check_jpeg_is_whole(image: &PdfPageImageObject) -> Result<(), Fault> {
    let filters = image.filters();
    let mut filters = filters.iter();
    let is_jpeg =
        filters.next().is_some_and(|filter| filter.name() == "DCTDecode") && filters.next().is_none();
    if is_jpeg {
        let stored = image.get_raw_image_data().map_err(damaged)?;
        if !jpeg_segments::survey(&stored[..])?.is_whole() {
            return Err(Fault::truncated("the end of its JPEG picture is missing"));
        }
    }
    Ok(())
}

/// None where pdfium gave no pixels.
fn to_page(bitmap: &PdfBitmap) -> Result<Option<PageImage>, Fault> {
    let (Ok(width), Ok(height)) = (usize::try_from(bitmap.width()), usize::try_from(bitmap.height())) else {
        return Ok(None);
    };
    if width == 0 || height == 0 {
        return Ok(None);
    }
    let bytes = bitmap.as_raw_bytes();
    // Rows may have padding.
    let rows = bytes.chunks_exact(bytes.len() / height);
    let (w, h) = (width as u32, height as u32);
    Ok(Some(match bitmap.format().map_err(damaged)? {
        PdfBitmapFormat::Gray => {
            let mut gray = Vec::with_capacity(width * height);
            rows.for_each(|row| gray.extend_from_slice(&row[..width]));
            PageImage::from_gray(w, h, gray)?
        }
        PdfBitmapFormat::BGR => PageImage::from_rgb(w, h, to_rgb::<3>(rows, width, height))?,
        PdfBitmapFormat::BGRx | PdfBitmapFormat::BGRA => {
            PageImage::from_rgb(w, h, to_rgb::<4>(rows, width, height))?
        }
    }))
}

/// From blue, green, red and possibly a fourth byte.
fn to_rgb<'a, const BYTES: usize>(
    rows: impl Iterator<Item = &'a [u8]>,
    width: usize,
    height: usize,
) -> Vec<u8> {
    let mut rgb = vec![[0; 3]; width * height];
    for (target, row) in rgb.chunks_exact_mut(width).zip(rows) {
        for (target, pixel) in target.iter_mut().zip(row.as_chunks::<BYTES>().0) {
            *target = [pixel[2], pixel[1], pixel[0]];
        }
    }
    rgb.into_flattened()
}
