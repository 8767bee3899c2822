//! The contents of a printed page: what is the same on every application, and what is not.

use pdf_writer::types::LineCapStyle;
use pdf_writer::{Content, Name, Settings, Str};

use super::customer_barcode::{self, Bar};
use super::text::{self, SetText};
use super::{Fonts, Leaf, PrintError, data};
use crate::form::symbol::Pattern;
use crate::form::{Border, CustomerBarcodePlace, Face, Form, FormPage, Printed, PrintedText, TextAlign};
use crate::geometry::{Millimetres, PointMm, RectMm};
use crate::identify::Issue;
use crate::register::Household;

/// The name of a face in a page's resources.
pub(super) fn font_name(face: Face) -> Name<'static> {
    match face {
        Face::Gothic => Name(b"G"),
        Face::Mincho => Name(b"M"),
    }
}

/// What is printed on a page of every application: marks, boxes, lines and texts.
pub(super) fn fixed_part(form: &Form, page: &FormPage, fonts: &Fonts) -> Result<Vec<u8>, PrintError> {
    let mut canvas = Canvas::new(page.height_mm, fonts);
    for printed in &page.printed {
        match printed {
            Printed::Box(place) => canvas.rectangle(&place.area, place.border, place.fill),
            Printed::Line(line) => canvas.line(line.from, line.to, line.border),
            Printed::Text(text) if text.is_static() => {
                let words = super::static_text(text);
                let set = text::set(&words, canvas.font(text.face)?, text.size, &text.area, false)
                    .ok_or_else(|| PrintError::TextTooLarge {
                        form: form.id.clone(),
                        page: page.number,
                        text: words.chars().take(20).collect(),
                    })?;
                canvas.text(text, &set)?;
            }
            Printed::Text(_) | Printed::CustomerBarcode(_) => {}
        }
    }
    let half = page.mark_size_mm / 2.0;
    for mark in &page.marks {
        let square =
            RectMm { x: mark.x - half, y: mark.y - half, w: page.mark_size_mm, h: page.mark_size_mm };
        canvas.rectangle(&square, None, Some(0.0));
    }
    Ok(canvas.finish())
}

/// What is printed on a page of one application: symbols and data of the register.
pub(super) fn own_part(
    form: &Form,
    page: &FormPage,
    fonts: &Fonts,
    household: &Household,
    issue: Issue,
) -> Result<Vec<u8>, PrintError> {
    let mut canvas = Canvas::new(page.height_mm, fonts);
    for place in &page.symbols {
        if let Some(pattern) = form.pattern(page.number, place, household.application_id, issue) {
            canvas.symbol(&place.area, &pattern);
        }
    }
    for printed in &page.printed {
        match printed {
            Printed::Text(text) if !text.is_static() => {
                let words = data::text_of(&text.pieces, household);
                if let Some(set) = text::set(&words, canvas.font(text.face)?, text.size, &text.area, true) {
                    canvas.text(text, &set)?;
                }
            }
            Printed::CustomerBarcode(place) => {
                if let Some(bars) = customer_barcode::encode(&household.postal_code, &household.address) {
                    canvas.customer_barcode(place, &bars);
                }
            }
            Printed::Text(_) | Printed::Box(_) | Printed::Line(_) => {}
        }
    }
    Ok(canvas.finish())
}

/// 見本 across the page, under everything else.
pub(super) fn specimen_part(page: &FormPage, fonts: &Fonts) -> Result<Vec<u8>, PrintError> {
    let mut canvas = Canvas::new(page.height_mm, fonts);
    let text = specimen_text(page);
    if let Some(set) = text::set(SPECIMEN, canvas.font(text.face)?, text.size, &text.area, true) {
        canvas.text(&text, &set)?;
    }
    Ok(canvas.finish())
}

pub(super) const SPECIMEN: &str = "見本";

fn specimen_text(page: &FormPage) -> PrintedText {
    PrintedText {
        area: RectMm { x: 0.0, y: page.height_mm * 0.3, w: page.width_mm, h: page.height_mm * 0.4 },
        size: 220.0,
        face: Face::Gothic,
        align: TextAlign::Centre,
        gray: 0.88,
        pieces: Vec::new(),
    }
}

/// Words in the strip between the upper marks, which must be free.
pub(super) fn mark_part(
    form: &Form,
    page: &FormPage,
    fonts: &Fonts,
    words: &str,
) -> Result<Vec<u8>, PrintError> {
    let text = mark_text(page);
    if !is_free(page, &text.area) {
        return Err(PrintError::NoRoomForMark { form: form.id.clone(), page: page.number });
    }
    let mut canvas = Canvas::new(page.height_mm, fonts);
    if let Some(set) = text::set(words, canvas.font(text.face)?, text.size, &text.area, true) {
        canvas.text(&text, &set)?;
    }
    Ok(canvas.finish())
}

/// The face of [`mark_part`].
pub(super) const MARK_FACE: Face = Face::Gothic;

fn mark_text(page: &FormPage) -> PrintedText {
    PrintedText {
        area: RectMm { x: page.width_mm / 2.0 - 50.0, y: 9.0, w: 100.0, h: 8.0 },
        size: 11.0,
        face: MARK_FACE,
        align: TextAlign::Centre,
        gray: 0.0,
        pieces: Vec::new(),
    }
}

/// Whether nothing is printed or written in `area`, and no symbol or mark is near it.
fn is_free(page: &FormPage, area: &RectMm) -> bool {
    // What the form's file keeps free around marks, and decoders need around symbols.
    const NEAR_MARK_MM: f64 = 3.0;
    const NEAR_SYMBOL_MM: f64 = 4.0;
    let half = page.mark_size_mm / 2.0 + NEAR_MARK_MM;
    let marks = page.marks.iter().map(|mark| RectMm {
        x: mark.x - half,
        y: mark.y - half,
        w: 2.0 * half,
        h: 2.0 * half,
    });
    let symbols = page.symbols.iter().map(|symbol| symbol.area.grown(NEAR_SYMBOL_MM));
    let printed = page.printed.iter().map(|printed| match printed {
        Printed::Text(text) => text.area,
        Printed::Box(place) => place.area,
        Printed::CustomerBarcode(place) => place.area(),
        Printed::Line(line) => RectMm {
            x: line.from.x.min(line.to.x),
            y: line.from.y.min(line.to.y),
            w: (line.from.x - line.to.x).abs(),
            h: (line.from.y - line.to.y).abs(),
        },
    });
    let fields = page
        .fields
        .iter()
        .flat_map(|field| field.cells.iter().copied().chain(field.options.iter().map(|option| option.area)));
    !marks.chain(symbols).chain(printed).chain(fields).any(|taken| taken.overlaps(area))
}

/// All of a leaf. Its texts are made smaller where they do not fit.
pub(super) fn leaf_part(leaf: &Leaf, fonts: &Fonts) -> Result<Vec<u8>, PrintError> {
    let mut canvas = Canvas::new(leaf.height_mm, fonts);
    for printed in &leaf.printed {
        match printed {
            Printed::Box(place) => canvas.rectangle(&place.area, place.border, place.fill),
            Printed::Line(line) => canvas.line(line.from, line.to, line.border),
            Printed::Text(text) => {
                let words = super::static_text(text);
                if let Some(set) = text::set(&words, canvas.font(text.face)?, text.size, &text.area, true) {
                    canvas.text(text, &set)?;
                }
            }
            Printed::CustomerBarcode(place) => {
                let bars = leaf.addressee.as_ref().and_then(|addressee| {
                    customer_barcode::encode(&addressee.postal_code, &addressee.address)
                });
                if let Some(bars) = bars {
                    canvas.customer_barcode(place, &bars);
                }
            }
        }
    }
    Ok(canvas.finish())
}

/// A PDF content stream drawn in millimetres from the top left corner.
struct Canvas<'a> {
    content: Content,
    height_mm: f64,
    fonts: &'a Fonts,
}

impl<'a> Canvas<'a> {
    fn new(height_mm: f64, fonts: &'a Fonts) -> Self {
        let content = Content::with_settings(Settings { pretty: false });
        Self { content, height_mm, fonts }
    }

    fn finish(self) -> Vec<u8> {
        let mut content = self.content.finish().into_vec();
        // Another part may follow: its first operator is not to run into the last of this one.
        content.push(b'\n');
        content
    }

    fn font(&self, face: Face) -> Result<&'a super::font::Font, PrintError> {
        self.fonts.get(&face).ok_or(PrintError::RegisterChanged)
    }

    fn rect_path(&mut self, area: &RectMm) {
        let y = points(self.height_mm - area.bottom());
        self.content.rect(points(area.x), y, points(area.w), points(area.h));
    }

    fn rectangle(&mut self, area: &RectMm, border: Option<Border>, fill: Option<f64>) {
        if let Some(gray) = fill {
            self.content.set_fill_gray(short(gray));
            self.rect_path(area);
            self.content.fill_nonzero();
        }
        if let Some(border) = border {
            self.pen(border);
            self.rect_path(area);
            self.content.stroke();
        }
    }

    fn line(&mut self, from: PointMm, to: PointMm, border: Border) {
        self.pen(border);
        self.content.move_to(points(from.x), points(self.height_mm - from.y));
        self.content.line_to(points(to.x), points(self.height_mm - to.y));
        self.content.stroke();
    }

    fn pen(&mut self, border: Border) {
        let dash = border.dashed.then(|| [points(1.5), points(1.0)]);
        self.content.set_line_width(points(border.width_mm));
        self.content.set_stroke_gray(short(border.gray));
        self.content.set_dash_pattern(dash.into_iter().flatten(), 0.0);
        // Lines that meet in a corner leave no notch.
        self.content.set_line_cap(LineCapStyle::ProjectingSquareCap);
    }

    fn symbol(&mut self, area: &RectMm, pattern: &Pattern) {
        let module = area.w / pattern.width();
        self.content.set_fill_gray(0.0);
        match pattern {
            Pattern::Bars(widths) => {
                let mut x = area.x;
                for (index, width) in widths.iter().enumerate() {
                    let w = width * module;
                    if index % 2 == 0 {
                        self.rect_path(&RectMm { x, w, ..*area });
                    }
                    x += w;
                }
            }
            Pattern::Modules(rows) => {
                for (row, modules) in rows.iter().enumerate() {
                    let y = area.y + row as f64 * module;
                    for (column, count) in runs(modules) {
                        let (x, w) = (area.x + column as f64 * module, count as f64 * module);
                        self.rect_path(&RectMm { x, y, w, h: module });
                    }
                }
            }
        }
        // One path: renderers leave no seams between the parts.
        self.content.fill_nonzero();
    }

    fn customer_barcode(&mut self, place: &CustomerBarcodePlace, bars: &[Bar; customer_barcode::BARS]) {
        let area = place.area();
        // At 10 points bars are 0.6 mm wide, 1.2 mm apart, and reach over thirds of 3.6 mm.
        let unit = area.h / 6.0;
        self.content.set_fill_gray(0.0);
        for (index, bar) in bars.iter().enumerate() {
            let (from, to) = match bar {
                Bar::Long => (0.0, 6.0),
                Bar::Upper => (0.0, 4.0),
                Bar::Lower => (2.0, 6.0),
                Bar::Timing => (2.0, 4.0),
            };
            let x = area.x + index as f64 * 2.0 * unit;
            self.rect_path(&RectMm { x, y: area.y + from * unit, w: unit, h: (to - from) * unit });
        }
        self.content.fill_nonzero();
    }

    fn text(&mut self, place: &PrintedText, set: &SetText) -> Result<(), PrintError> {
        let font = self.font(place.face)?;
        let content = &mut self.content;
        content.begin_text();
        content.set_fill_gray(short(place.gray));
        content.set_font(font_name(place.face), short(set.size));
        content.set_horizontal_scaling(short(set.scale * 100.0));
        for line in &set.lines {
            let room = f64::from(points(place.area.w)) - line.width;
            let indent = match place.align {
                TextAlign::Left => 0.0,
                TextAlign::Centre => room / 2.0,
                TextAlign::Right => room,
            };
            let x = f64::from(points(place.area.x)) + indent;
            let y = f64::from(points(self.height_mm - place.area.y)) - line.baseline;
            content.set_text_matrix([1.0, 0.0, 0.0, 1.0, short(x), short(y)]);
            let glyphs: Vec<u8> = line
                .characters
                .iter()
                .flat_map(|&character| font.glyph(character).id.to_be_bytes())
                .collect();
            content.show(Str(&glyphs));
        }
        content.end_text();
        Ok(())
    }
}

/// Runs of dark modules: where each begins, and its length.
fn runs(modules: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for column in (0..modules.len()).filter(|&column| modules[column]) {
        match runs.last_mut() {
            Some((begin, count)) if *begin + *count == column => *count += 1,
            _ => runs.push((column, 1)),
        }
    }
    runs
}

fn points(mm: f64) -> f32 {
    short(f64::from(Millimetres(mm).to_points()))
}

/// A thousandth of a point is far below what a press resolves, and short to write.
fn short(value: f64) -> f32 {
    ((value * 1000.0).round() / 1000.0) as f32
}
