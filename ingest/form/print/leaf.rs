//! Pages that are no form's: letters and sheets.

use crate::form::{Border, Face, Piece, Printed, PrintedBox, PrintedLine, PrintedText, TextAlign};
use crate::geometry::{PointMm, RectMm};

/// A page of texts, lines and boxes, in the order in which they are drawn. Data of the register stands in
/// its texts as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    pub width_mm: f64,
    pub height_mm: f64,
    pub printed: Vec<Printed>,
    /// Whose customer barcode stands where the leaf has a place for one.
    pub addressee: Option<Addressee>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    pub postal_code: String,
    pub address: String,
}

impl Leaf {
    /// An empty page of A4, upright.
    pub fn a4() -> Self {
        Self { width_mm: 210.0, height_mm: 297.0, printed: Vec::new(), addressee: None }
    }

    /// Adds a text inside `[left, top, width, height]`, at `size` points or what fits.
    pub fn text(&mut self, [x, y, w, h]: [f64; 4], size: f64, face: Face, align: TextAlign, words: &str) {
        self.printed.push(Printed::Text(PrintedText {
            area: RectMm { x, y, w, h },
            size,
            face,
            align,
            gray: 0.0,
            pieces: vec![Piece::Literal(words.to_owned())],
        }));
    }

    /// Adds a box with a thin border, and its inside as dark as `fill` says.
    pub fn frame(&mut self, [x, y, w, h]: [f64; 4], fill: Option<f64>) {
        let border = Some(Border { width_mm: 0.25, gray: 0.0, dashed: false });
        self.printed.push(Printed::Box(PrintedBox { area: RectMm { x, y, w, h }, border, fill }));
    }

    /// Adds a thin line.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2]) {
        let point = |[x, y]: [f64; 2]| PointMm { x, y };
        let border = Border { width_mm: 0.15, gray: 0.4, dashed: false };
        self.printed.push(Printed::Line(PrintedLine { from: point(from), to: point(to), border }));
    }
}
