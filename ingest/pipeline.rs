//! The order of the stages inside a reader: one page, from its image to its readings.
//!
//! The talk has two turns. [`look`] says which application a page belongs to; the worker then
//! hands over what is known of it, and [`read`] reads the page and scores what is known as
//! hypotheses. Nothing here opens a file, a socket or a clock.

use serde::{Deserialize, Serialize};

use crate::identify::{Identification, Symbol};
use crate::page::{Quality, Registration};
use crate::publish::EncodedImage;
use crate::read::CroppedReading;

/// What is seen of a page before it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageLook {
    /// The page's place in its scan, from 0.
    pub index: u32,
    pub width_px: u32,
    pub height_px: u32,
    pub declared_dpi: Option<f64>,
    pub quality: Quality,
    pub blank: bool,
    /// Clockwise; of the registration where there is one, else of the page's own lines.
    pub skew_deg: f64,
    pub symbols: Vec<Symbol>,
    pub identification: Identification,
    /// Where the form lies on the page; none where its marks were not found.
    pub registration: Option<Registration>,
}

/// What the worker knows of the application that a page belongs to, as hypotheses for the reader.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownApplication {
    pub head_name: String,
    pub head_kana: String,
}

impl std::fmt::Debug for KnownApplication {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KnownApplication(***)")
    }
}

/// A page read: its image to be published, and what stands in its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageRead {
    pub image: EncodedImage,
    /// Empty where the page is not part of an application or could not be registered.
    pub readings: Vec<CroppedReading>,
}
