//! Decodes scans with libtiff, libjpeg and libpng (through leptonica) and with pdfium: nothing of
//! what wrote them.

use std::path::Path;
use std::sync::OnceLock;

use image::GrayImage;
use pdfium_render::prelude::{PdfBitmapFormat, PdfPageObjectsCommon, PdfRenderConfig, Pdfium};

/// Every page of the file, as gray.
pub fn pages(path: &Path) -> Vec<GrayImage> {
    let bytes = std::fs::read(path).expect("a file that was written");
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("pdf") => pdf_pages(&bytes),
        Some("tif") => tiff_pages(&bytes),
        // SAFETY: the buffer is valid for its length while the call reads it.
        _ => vec![gray(unsafe { leptonica_sys::pixReadMem(bytes.as_ptr(), bytes.len()) })],
    }
}

fn tiff_pages(bytes: &[u8]) -> Vec<GrayImage> {
    let mut pages = Vec::new();
    let mut offset = 0;
    loop {
        // SAFETY: the buffer is valid for its length; `offset` is read and written by the call,
        // which sets it to 0 behind the last page.
        let pix = unsafe {
            leptonica_sys::pixReadMemFromMultipageTiff(bytes.as_ptr(), bytes.len(), &raw mut offset)
        };
        pages.push(gray(pix));
        if offset == 0 {
            return pages;
        }
    }
}

fn gray(mut pix: *mut leptonica_sys::Pix) -> GrayImage {
    assert!(!pix.is_null(), "leptonica cannot read this");
    // SAFETY: `pix` is not null; the converted one is checked before it is read, inside its size;
    // both are freed once.
    unsafe {
        let mut converted = leptonica_sys::pixConvertTo8(pix, 0);
        leptonica_sys::pixDestroy(&raw mut pix);
        assert!(!converted.is_null(), "leptonica cannot convert this");
        let (width, height) =
            (leptonica_sys::pixGetWidth(converted) as u32, leptonica_sys::pixGetHeight(converted) as u32);
        let image = GrayImage::from_fn(width, height, |x, y| {
            let mut value = 0;
            leptonica_sys::pixGetPixel(converted, x as i32, y as i32, &raw mut value);
            image::Luma([value as u8])
        });
        leptonica_sys::pixDestroy(&raw mut converted);
        image
    }
}

fn pdf_pages(bytes: &[u8]) -> Vec<GrayImage> {
    static PDFIUM: OnceLock<Pdfium> = OnceLock::new();
    let pdfium = PDFIUM.get_or_init(|| {
        let library = concat!(env!("CARGO_MANIFEST_DIR"), "/vendor/libpdfium.so");
        Pdfium::new(Pdfium::bind_to_library(library).expect("scripts/setup fetches libpdfium"))
    });
    let document = pdfium.load_pdf_from_byte_slice(bytes, None).expect("a PDF");
    let pages = document.pages();
    let images = pages.iter().map(|page| {
        let object = page.objects().get(0).expect("one object");
        let scan = object.as_image_object().expect("an image");
        let (width, height) = (scan.width().expect("a width"), scan.height().expect("a height"));
        // At the scan's own size, so that each of its pixels is one of the picture.
        let config = PdfRenderConfig::new()
            .set_fixed_size(width, height)
            .set_format(PdfBitmapFormat::Gray)
            .set_reverse_byte_order(false);
        let bitmap = page.render_with_config(&config).expect("a page that can be shown");
        let bytes = bitmap.as_raw_bytes();
        let stride = bytes.len() / height as usize;
        GrayImage::from_fn(width as u32, height as u32, |x, y| {
            image::Luma([bytes[y as usize * stride + x as usize]])
        })
    });
    images.collect()
}
