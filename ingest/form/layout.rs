//! A form's layout as JSON, for tools that work with forms without this program.

use serde_json::{Value, json};

use super::{Field, Form, FormPage};
use crate::geometry::RectMm;

/// Every page's size, marks, symbols and fields, in millimetres from the top left corner of the
/// page; marks are centres. The shape is fixed by `docs/forms.md`.
pub fn layout_json(form: &Form) -> Value {
    let pages: Vec<Value> = form.pages.iter().map(page_json).collect();
    json!({ "form": form.id, "version": form.version, "pages": pages })
}

fn page_json(page: &FormPage) -> Value {
    let marks: Vec<Value> = page.marks.iter().map(|mark| json!({ "x_mm": mark.x, "y_mm": mark.y })).collect();
    let symbols: Vec<Value> = page
        .symbols
        .iter()
        .map(|symbol| with_area(json!({ "symbology": symbol.symbology }), &symbol.area))
        .collect();
    json!({
        "page": page.number,
        "width_mm": page.width_mm,
        "height_mm": page.height_mm,
        "marks": marks,
        "symbols": symbols,
        "fields": page.fields.iter().map(field_json).collect::<Vec<Value>>(),
    })
}

fn field_json(field: &Field) -> Value {
    let cells: Vec<Value> = field.cells.iter().map(|cell| with_area(json!({}), cell)).collect();
    let options: Vec<Value> = field
        .options
        .iter()
        .map(|option| with_area(json!({ "value": option.value }), &option.area))
        .collect();
    json!({
        "name": field.name,
        "kind": field.kind,
        "printed": field.printed,
        "align": field.align,
        "cells": cells,
        "options": options,
    })
}

fn with_area(mut object: Value, area: &RectMm) -> Value {
    for (key, value) in [("x_mm", area.x), ("y_mm", area.y), ("w_mm", area.w), ("h_mm", area.h)] {
        object[key] = json!(value);
    }
    object
}
