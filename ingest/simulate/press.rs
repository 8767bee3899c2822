//! The empty form of a household, as its own PDF prints it, as pixels. pdfium locks itself, so
//! that threads take turns (a page takes milliseconds).

use std::path::Path;

use pdfium_render::prelude::{PdfBitmapFormat, PdfPage, PdfRenderConfig, Pdfium};
use tiny_skia::Pixmap;

use super::SimulateError;
use crate::decode::pdfium;
use crate::form::{Form, FormPage, print};
use crate::register::Household;

/// Prints forms with libpdfium.
pub struct Press {
    pdfium: &'static Pdfium,
}

impl Press {
    /// Binds the engine (`paths.pdfium()` of the settings), where the process has not done so yet.
    ///
    /// # Errors
    /// A library that is missing or cannot be bound.
    pub fn bind(library: &Path) -> Result<Self, SimulateError> {
        let pdfium =
            pdfium::load(library).map_err(|fault| SimulateError::NoPdfium { reason: fault.to_string() })?;
        Ok(Self { pdfium })
    }

    /// The wanted pages of `form` for `household`, in order, each with its gray picture of `dpi`.
    pub(super) fn print<'a>(
        &self,
        form: &'a Form,
        household: &Household,
        dpi: f64,
        is_wanted: &dyn Fn(&FormPage) -> bool,
    ) -> Result<Vec<(&'a FormPage, Pixmap)>, SimulateError> {
        let failed = |reason: String| SimulateError::Rendering { form: form.id.clone(), reason };
        let pdf = print::pdf_of(form, std::slice::from_ref(household))
            .map_err(|error| failed(error.to_string()))?;
        let document =
            self.pdfium.load_pdf_from_byte_slice(&pdf, None).map_err(|error| failed(error.to_string()))?;
        let printed = document.pages().len() as usize;
        if printed != form.pages.len() {
            return Err(failed(format!("it has {} pages, its print {printed}", form.pages.len())));
        }
        let pages = form.pages.iter().zip(document.pages().iter());
        pages
            .filter(|(page, _)| is_wanted(page))
            .map(|(page, printed)| Ok((page, render(&printed, dpi).map_err(failed)?)))
            .collect()
    }
}

fn render(page: &PdfPage<'_>, dpi: f64) -> Result<Pixmap, String> {
    let pixels = |points: f32| (f64::from(points) / 72.0 * dpi).round() as i32;
    let (width, height) = (pixels(page.width().value), pixels(page.height().value));
    let config = PdfRenderConfig::new()
        .set_fixed_size(width, height)
        .set_format(PdfBitmapFormat::Gray)
        .set_reverse_byte_order(false);
    let bitmap = page.render_with_config(&config).map_err(|error| error.to_string())?;
    let mut pixmap = Pixmap::new(width as u32, height as u32)
        .ok_or_else(|| format!("a page of {width} × {height} pixels is none"))?;
    let gray = bitmap.as_raw_bytes();
    // pdfium begins every row at a multiple of four bytes.
    let stride = gray.len() / height as usize;
    for (row, line) in pixmap.data_mut().chunks_exact_mut(width as usize * 4).enumerate() {
        for (pixel, &value) in line.chunks_exact_mut(4).zip(&gray[row * stride..]) {
            pixel.copy_from_slice(&[value, value, value, 255]);
        }
    }
    Ok(pixmap)
}
