//! What the score of a field knows of its page.

use crate::page::Quality;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageFacts {
    /// In pixels at 300 dpi: the largest distance between a mark and where registration puts it.
    pub residual_px: f64,
    /// As measured on the marks.
    pub dpi: f64,
    pub quality: Quality,
}

impl PageFacts {
    /// None where the page could not be registered, and so was not read.
    pub fn measured(residual_px: Option<f64>, dpi: Option<f64>, quality: Quality) -> Option<Self> {
        Some(Self { residual_px: residual_px?, dpi: dpi?, quality })
    }
}
