//! What is printed on a form beside its symbols and marks: texts, lines, boxes and data from the
//! register. Ink is a gray from 0 (black) to 1 (paper).

use serde::Deserialize;

use crate::geometry::{PointMm, RectMm};

#[derive(Debug, Clone, PartialEq)]
pub enum Printed {
    Text(PrintedText),
    Line(PrintedLine),
    Box(PrintedBox),
    CustomerBarcode(CustomerBarcodePlace),
}

/// A text inside an area, centred vertically; broken into lines where it is wider than the area.
#[derive(Debug, Clone, PartialEq)]
pub struct PrintedText {
    pub area: RectMm,
    /// Points.
    pub size: f64,
    pub face: Face,
    pub align: TextAlign,
    pub gray: f64,
    pub pieces: Vec<Piece>,
}

impl PrintedText {
    /// Whether the text is the same on every application.
    pub fn is_static(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Literal(_)))
    }
}

/// A part of a text: as the form says it, or from the register.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    Literal(String),
    Data(Datum),
}

/// What the register knows of an application; in a text as `{head_name}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum {
    ApplicationId,
    HeadName,
    HeadKana,
    /// As `231-0005`.
    PostalCode,
    Address,
    /// With the year of the era, as `昭和45年1月31日`.
    BirthDate,
    Members,
    /// Yen, in groups of three digits.
    Amount,
}

impl Datum {
    pub const ALL: [(&str, Self); 8] = [
        ("application_id", Self::ApplicationId),
        ("head_name", Self::HeadName),
        ("head_kana", Self::HeadKana),
        ("postal_code", Self::PostalCode),
        ("address", Self::Address),
        ("birth_date", Self::BirthDate),
        ("members", Self::Members),
        ("amount", Self::Amount),
    ];
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Face {
    #[default]
    Gothic,
    Mincho,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextAlign {
    #[default]
    Left,
    Centre,
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrintedLine {
    pub from: PointMm,
    pub to: PointMm,
    pub border: Border,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrintedBox {
    pub area: RectMm,
    pub border: Option<Border>,
    /// Gray of the inside; none leaves the paper.
    pub fill: Option<f64>,
}

/// How a line is drawn; its middle lies on the edge that it stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Border {
    pub width_mm: f64,
    pub gray: f64,
    pub dashed: bool,
}

/// The customer barcode (カスタマバーコード) of the address, for Japan Post's sorting machines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CustomerBarcodePlace {
    /// Its top left corner.
    pub at: PointMm,
    /// 8 to 11.5 points; at 10 the barcode is 79.8 mm wide and 3.6 mm high.
    pub points: f64,
}

impl CustomerBarcodePlace {
    /// Width and height at 10 points: 66 pitches of 1.2 mm and one bar of 0.6 mm, long bars of
    /// 3.6 mm (Japan Post's manual on postal codes and barcodes, page 12).
    const SIZE_AT_10_POINTS: (f64, f64) = (66.0 * 1.2 + 0.6, 3.6);

    pub fn area(&self) -> RectMm {
        let (w, h) = Self::SIZE_AT_10_POINTS;
        let scale = self.points / 10.0;
        RectMm { x: self.at.x, y: self.at.y, w: w * scale, h: h * scale }
    }
}
