//! A form file as it is written: TOML, lengths in millimetres, text sizes in points. Every element
//! keeps its place in the file, so that a fault can be told with its line.

use serde::Deserialize;
use toml::Spanned;

use super::{Align, Face, FieldKind, SymbolRole, Symbology, TextAlign};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormFile {
    pub id: Spanned<String>,
    pub version: Spanned<String>,
    pub title: Spanned<String>,
    pub max_residual_px: Spanned<f64>,
    #[serde(rename = "page")]
    pub pages: Vec<Spanned<PageFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageFile {
    /// Width and height.
    pub size: Spanned<[f64; 2]>,
    pub mark_size: Spanned<f64>,
    /// Centres.
    pub marks: Spanned<Vec<[f64; 2]>>,
    pub symbols: Spanned<Vec<Spanned<SymbolFile>>>,
    pub customer_barcode: Option<Spanned<CustomerBarcodeFile>>,
    #[serde(default)]
    pub boxes: Vec<Spanned<BoxFile>>,
    #[serde(default)]
    pub lines: Vec<Spanned<LineFile>>,
    #[serde(default)]
    pub texts: Vec<Spanned<TextFile>>,
    #[serde(default)]
    pub fields: Vec<Spanned<FieldFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SymbolFile {
    pub symbology: Symbology,
    pub role: SymbolRole,
    /// Left, top, width, height; without the quiet zone.
    pub area: [f64; 4],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerBarcodeFile {
    pub at: [f64; 2],
    #[serde(default = "ten_points")]
    pub points: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoxFile {
    pub area: [f64; 4],
    /// 0 for a box without a border.
    #[serde(default = "thin")]
    pub line: f64,
    #[serde(default)]
    pub dashed: bool,
    /// Gray of the border.
    #[serde(default)]
    pub gray: f64,
    pub fill: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineFile {
    pub from: [f64; 2],
    pub to: [f64; 2],
    #[serde(default = "thin")]
    pub line: f64,
    #[serde(default)]
    pub dashed: bool,
    #[serde(default)]
    pub gray: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextFile {
    pub area: [f64; 4],
    pub text: String,
    pub size: f64,
    #[serde(default)]
    pub font: Face,
    #[serde(default)]
    pub align: TextAlign,
    #[serde(default)]
    pub gray: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldFile {
    pub name: String,
    pub kind: FieldKind,
    #[serde(default)]
    pub printed: bool,
    pub align: Option<Align>,
    /// Rows of equal cells, in reading order.
    #[serde(default)]
    pub combs: Vec<CombFile>,
    /// The one box of a text or a signature.
    #[serde(rename = "box")]
    pub area: Option<[f64; 4]>,
    #[serde(default)]
    pub options: Vec<OptionFile>,
    /// Width of the frame's line; 0 where the form draws none.
    #[serde(default = "thin")]
    pub line: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CombFile {
    pub at: [f64; 2],
    /// Width and height.
    pub cell: [f64; 2],
    pub count: u32,
    /// From one cell's left edge to the next one's; the cell's width where it is not given.
    pub pitch: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionFile {
    pub value: String,
    pub area: [f64; 4],
}

/// The width of a line where none is given, in millimetres.
///
/// 0.25 mm is 2 pixels at 200 dpi: a bilevel scan keeps it unbroken, and the reader takes it out by
/// its known place. Lines are black, not gray: a press prints gray as a screen of dots, which
/// thresholds to specks that look like ink.
fn thin() -> f64 {
    0.25
}

fn ten_points() -> f64 {
    10.0
}
