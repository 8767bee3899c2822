//! The form as data: what is printed where, in millimetres. Printing and reading use the same
//! value; no other module knows a form by name.

mod check;
mod file;
mod layout;
mod load;
pub mod print;
mod printed;
mod sheet;
pub mod standard;
pub mod symbol;

pub use layout::Layout;
pub use load::{FormError, Forms};
pub use printed::{
    Border, CustomerBarcodePlace, Datum, Face, Piece, Printed, PrintedBox, PrintedLine, PrintedText,
    TextAlign,
};

use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::geometry::{PointMm, RectMm};

/// A printed template, validated: marks, symbols, texts and fields lie on their page, field names
/// are unique, cells of a comb do not overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    pub id: String,
    pub version: String,
    pub title: String,
    /// A page whose registration residual is above this, in pixels at 300 dpi, is not read.
    pub max_residual_px: f64,
    /// In order of their numbers, 1 first.
    pub pages: Vec<FormPage>,
    /// Of the form's file.
    pub digest: Sha256,
}

impl Form {
    pub fn page(&self, number: u32) -> Option<&FormPage> {
        self.pages.iter().find(|page| page.number == number)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct FormPage {
    pub number: u32,
    pub width_mm: f64,
    pub height_mm: f64,
    /// The side of a registration mark, a solid black square.
    pub mark_size_mm: f64,
    /// Centres of the registration marks.
    pub marks: Vec<PointMm>,
    pub symbols: Vec<SymbolPlace>,
    /// What else is printed, the frames of the fields included, in the order in which it is drawn.
    pub printed: Vec<Printed>,
    pub fields: Vec<Field>,
}

/// The side lengths of a card in landscape, ISO/IEC 7810 ID-1.
const CARD_MM: (f64, f64) = (85.6, 54.0);

impl FormPage {
    /// Where copies of documents are glued on, from top to bottom: on a page without fields, the empty
    /// boxes that a card has room in.
    pub fn copy_areas(&self) -> Vec<RectMm> {
        if !self.fields.is_empty() {
            return Vec::new();
        }
        let boxes: Vec<RectMm> = self
            .printed
            .iter()
            .filter_map(|printed| match printed {
                Printed::Box(printed) if printed.border.is_some() => Some(printed.area),
                _ => None,
            })
            .collect();
        let is_outer = |area: &RectMm| boxes.iter().any(|other| other != area && area.contains(other));
        let has_room = |area: &RectMm| area.w >= CARD_MM.0 && area.h >= CARD_MM.1;
        let mut areas: Vec<RectMm> =
            boxes.iter().copied().filter(|area| has_room(area) && !is_outer(area)).collect();
        areas.sort_by(|a, b| a.y.total_cmp(&b.y));
        areas
    }
}

/// A symbology that forms use, or that a stray sheet may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Symbology {
    Qr,
    Code128,
    Code39,
    /// Codabar.
    Nw7,
    Itf,
    Ean13,
}

impl Symbology {
    /// As form files and JSON write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::Code128 => "code128",
            Self::Code39 => "code39",
            Self::Nw7 => "nw7",
            Self::Itf => "itf",
            Self::Ean13 => "ean13",
        }
    }
}

/// What a symbol on a form says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SymbolRole {
    /// Form, version, page and application ID ([`crate::identify::PageCode`]).
    PageCode,
    /// The application ID alone.
    ApplicationId,
}

/// Where a symbol is printed, without its quiet zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SymbolPlace {
    pub symbology: Symbology,
    pub role: SymbolRole,
    pub area: RectMm,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub kind: FieldKind,
    /// Printed from the register (true), or written by the applicant.
    pub printed: bool,
    /// How a comb is to be filled.
    pub align: Option<Align>,
    /// The boxes of a comb from left to right, or the one box of a text or a signature.
    pub cells: Vec<RectMm>,
    /// The check boxes of a mark.
    pub options: Vec<MarkOption>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// A comb of digits.
    Digits,
    /// A comb of katakana.
    Kana,
    /// Free writing or print on one line.
    Text,
    /// Check boxes, of which one is to be marked (one option alone: marked or not).
    Mark,
    /// Presence of ink; never read.
    Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Align {
    Left,
    Right,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MarkOption {
    pub value: String,
    pub area: RectMm,
}
