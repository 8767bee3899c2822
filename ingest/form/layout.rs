//! A form's layout as JSON, for tools that work with forms without this program.

use serde::Serialize;

use super::{Align, Field, FieldKind, Form, FormPage, Symbology};
use crate::geometry::RectMm;

/// Every page's size, marks, symbols and fields, in millimetres from the top left corner of the
/// page; marks are given by their centres. `docs/forms.md` fixes the shape.
#[derive(Serialize)]
pub struct Layout<'a> {
    form: &'a str,
    version: &'a str,
    pages: Vec<Page<'a>>,
}

#[derive(Serialize)]
struct Page<'a> {
    page: u32,
    width_mm: f64,
    height_mm: f64,
    marks: Vec<Mark>,
    symbols: Vec<SymbolArea>,
    fields: Vec<FieldLayout<'a>>,
}

#[derive(Serialize)]
struct Mark {
    x_mm: f64,
    y_mm: f64,
}

#[derive(Serialize)]
struct SymbolArea {
    symbology: Symbology,
    #[serde(flatten)]
    area: Area,
}

#[derive(Serialize)]
struct FieldLayout<'a> {
    name: &'a str,
    kind: FieldKind,
    printed: bool,
    align: Option<Align>,
    cells: Vec<Area>,
    options: Vec<OptionArea<'a>>,
}

#[derive(Serialize)]
struct OptionArea<'a> {
    value: &'a str,
    #[serde(flatten)]
    area: Area,
}

#[derive(Serialize)]
struct Area {
    x_mm: f64,
    y_mm: f64,
    w_mm: f64,
    h_mm: f64,
}

impl From<&RectMm> for Area {
    fn from(&RectMm { x, y, w, h }: &RectMm) -> Self {
        Self { x_mm: x, y_mm: y, w_mm: w, h_mm: h }
    }
}

impl Form {
    pub fn layout(&self) -> Layout<'_> {
        Layout { form: &self.id, version: &self.version, pages: self.pages.iter().map(page).collect() }
    }
}

fn page(page: &FormPage) -> Page<'_> {
    Page {
        page: page.number,
        width_mm: page.width_mm,
        height_mm: page.height_mm,
        marks: page.marks.iter().map(|mark| Mark { x_mm: mark.x, y_mm: mark.y }).collect(),
        symbols: page
            .symbols
            .iter()
            .map(|symbol| SymbolArea { symbology: symbol.symbology, area: (&symbol.area).into() })
            .collect(),
        fields: page.fields.iter().map(field).collect(),
    }
}

fn field(field: &Field) -> FieldLayout<'_> {
    FieldLayout {
        name: &field.name,
        kind: field.kind,
        printed: field.printed,
        align: field.align,
        cells: field.cells.iter().map(Area::from).collect(),
        options: field
            .options
            .iter()
            .map(|option| OptionArea { value: &option.value, area: (&option.area).into() })
            .collect(),
    }
}
