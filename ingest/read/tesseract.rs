//! Tesseract, for lines: the C interface behind one safe type.
//!
//! The `tesseract` crate's calls take the handle by value and lose it on an error, and it has no
//! iterators; this is what is needed of `tesseract-sys`. A process that reads should be started
//! with `OMP_THREAD_LIMIT=1` in its environment: Tesseract's own threads cost ten times what they
//! gain, and the variable has no effect once the process runs.

use std::ffi::{CStr, CString};
use std::ptr::{self, NonNull};

use image::GrayImage;
use tesseract_sys::{
    TessBaseAPI, TessBaseAPIClear, TessBaseAPICreate, TessBaseAPIDelete, TessBaseAPIGetUTF8Text,
    TessBaseAPIInit3, TessBaseAPIMeanTextConf, TessBaseAPISetImage, TessBaseAPISetPageSegMode,
    TessBaseAPISetSourceResolution, TessBaseAPISetVariable, TessDeleteText, TessPageSegMode_PSM_SINGLE_LINE,
};

use super::ReadError;

/// One engine with one language; takes 35 MiB and 60–100 ms to start, then 5–20 ms a line.
pub(super) struct Tesseract {
    handle: NonNull<TessBaseAPI>,
}

// SAFETY: an engine holds no thread-local state and may be used from any thread as long as only one
// uses it at a time, which `&mut self` sees to.
unsafe impl Send for Tesseract {}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct TesseractLine {
    pub text: String,
    /// 0 to 1.
    pub confidence: f64,
}

impl Tesseract {
    /// Starts the engine with the system's data for `language` (`jpn`).
    pub fn start(language: &str) -> Result<Self, ReadError> {
        let failed = || ReadError::Tesseract { language: language.to_owned() };
        let name = CString::new(language).map_err(|_| failed())?;
        // SAFETY: creating takes nothing; a null is turned into an error.
        let handle = NonNull::new(unsafe { TessBaseAPICreate() }).ok_or_else(failed)?;
        let engine = Self { handle };
        // SAFETY: the handle is alive, the strings end in a zero byte and outlive the calls; a null
        // path stands for the data folder Tesseract was built with.
        unsafe {
            if TessBaseAPIInit3(handle.as_ptr(), ptr::null(), name.as_ptr()) != 0 {
                return Err(failed());
            }
            TessBaseAPISetPageSegMode(handle.as_ptr(), TessPageSegMode_PSM_SINGLE_LINE);
            // Its chatter about the picture's size would go to stderr for every line.
            TessBaseAPISetVariable(handle.as_ptr(), c"debug_file".as_ptr(), c"/dev/null".as_ptr());
        }
        Ok(engine)
    }

    /// One upright line at `dpi`; none where nothing is read.
    pub fn read_line(&mut self, line: &GrayImage, dpi: u32) -> Option<TesseractLine> {
        let (width, height) = (line.width() as i32, line.height() as i32);
        // Below 3 pixels it complains of an image that is too small.
        if width < 3 || height < 3 {
            return None;
        }
        let handle = self.handle.as_ptr();
        // SAFETY: the handle is alive. The picture has height rows of width bytes without gaps and
        // lives until Clear, after which the engine no longer refers to it. The text is copied
        // before it is given back.
        unsafe {
            TessBaseAPISetImage(handle, line.as_raw().as_ptr(), width, height, 1, width);
            TessBaseAPISetSourceResolution(handle, dpi as i32);
            let raw = TessBaseAPIGetUTF8Text(handle);
            let text = (!raw.is_null()).then(|| CStr::from_ptr(raw).to_string_lossy().trim().to_owned());
            if !raw.is_null() {
                TessDeleteText(raw);
            }
            let confidence = f64::from(TessBaseAPIMeanTextConf(handle)) / 100.0;
            TessBaseAPIClear(handle);
            text.filter(|text| !text.is_empty())
                .map(|text| TesseractLine { text, confidence: confidence.clamp(0.0, 1.0) })
        }
    }
}

impl Drop for Tesseract {
    fn drop(&mut self) {
        // SAFETY: the handle is alive and not used again.
        unsafe { TessBaseAPIDelete(self.handle.as_ptr()) }
    }
}
