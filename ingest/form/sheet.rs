//! Puts a page together from its part of a form file: what is printed, where the fields are, and
//! what the checks look at.

use super::check::{self, Element, ElementKind, Fault, Found};
use super::file::{FieldFile, PageFile, SymbolFile, TextFile};
use super::{
    Border, CustomerBarcodePlace, Datum, Face, Field, FieldKind, FormPage, MarkOption, Piece, Printed,
    PrintedBox, PrintedLine, PrintedText, SymbolPlace, SymbolRole, TextAlign, symbol,
};
use crate::geometry::{PointMm, RectMm};
use crate::identify::Issue;

/// The page `number` of `form` (id and version), checked; `offset` is where it begins in the file.
pub(super) fn page_of(
    file: &PageFile,
    number: u32,
    offset: usize,
    form: (&str, &str),
) -> Result<FormPage, Found> {
    let place = |what: String| format!("page {number}, {what}");
    let [width, height] = *file.size.get_ref();
    if ![width, height].iter().all(|side| (100.0..=500.0).contains(side)) {
        return Err(wrong(file.size.span().start, place("size".into()), "sides must be 100 to 500 mm long"));
    }
    let mark_size = *file.mark_size.get_ref();
    if !(3.0..=10.0).contains(&mark_size) {
        return Err(wrong(file.mark_size.span().start, place("mark_size".into()), "it must be 3 to 10 mm"));
    }
    let mut sheet = Sheet { number, printed: Vec::new(), elements: Vec::new() };
    let marks: Vec<PointMm> = file.marks.get_ref().iter().copied().map(point).collect();
    let marks_offset = file.marks.span().start;
    for (index, mark) in (1..).zip(&marks) {
        let half = mark_size / 2.0;
        let square = RectMm { x: mark.x - half, y: mark.y - half, w: mark_size, h: mark_size };
        sheet.element(marks_offset, format!("mark {index}"), ElementKind::Mark, vec![square]);
    }
    if marks.len() < 4 {
        return Err(Found {
            offset: marks_offset,
            place: place("marks".into()),
            fault: Fault::TooFewMarks(marks.len()),
        });
    }
    if !check::shows_half_turn(&marks, width, height) {
        return Err(Found { offset: marks_offset, place: place("marks".into()), fault: Fault::HalfTurn });
    }
    let symbols = sheet.symbols(file, offset, form)?;
    sheet.boxes_and_lines(file)?;
    sheet.customer_barcode(file)?;
    for text in &file.texts {
        sheet.text(text.get_ref(), text.span().start)?;
    }
    let mut fields = Vec::new();
    for field in &file.fields {
        fields.push(sheet.field(field.get_ref(), field.span().start)?);
    }
    check::check_page(&sheet.elements, width, height)?;
    let (width_mm, height_mm, printed) = (width, height, sheet.printed);
    Ok(FormPage { number, width_mm, height_mm, mark_size_mm: mark_size, marks, symbols, printed, fields })
}

/// A page while it is put together: what is printed, and what the checks look at.
struct Sheet {
    number: u32,
    printed: Vec<Printed>,
    elements: Vec<Element>,
}

impl Sheet {
    fn place(&self, what: &str) -> String {
        format!("page {}, {what}", self.number)
    }

    fn element(&mut self, offset: usize, what: String, kind: ElementKind, ink: Vec<RectMm>) {
        self.elements.push(Element { offset, place: self.place(&what), kind, ink });
    }

    fn symbols(
        &mut self,
        file: &PageFile,
        page_offset: usize,
        form: (&str, &str),
    ) -> Result<Vec<SymbolPlace>, Found> {
        let mut symbols = Vec::new();
        for symbol in file.symbols.get_ref() {
            symbols.push(self.symbol(symbol.get_ref(), symbol.span().start, form)?);
        }
        let count = |role| symbols.iter().filter(|symbol| symbol.role == role).count();
        for (role, name) in [
            (SymbolRole::PageCode, "page_code (a QR code)"),
            (SymbolRole::ApplicationId, "application_id (a 1D symbol)"),
        ] {
            let found = count(role);
            if found != 1 {
                let fault = Fault::SymbolCount { role: name, found };
                let offset = page_offset.max(file.symbols.span().start);
                return Err(Found { offset, place: self.place("symbols"), fault });
            }
        }
        Ok(symbols)
    }

    fn symbol(&mut self, file: &SymbolFile, offset: usize, form: (&str, &str)) -> Result<SymbolPlace, Found> {
        let SymbolFile { symbology, role, .. } = *file;
        let what = format!("symbol {}", symbology.name());
        let area = self.rect(file.area, offset, &what)?;
        let place = SymbolPlace { symbology, role, area };
        let pattern = |issue| symbol::pattern(form, self.number, &place, symbol::placeholder_id(), issue);
        // The code of a form that is sent again says so, and may need narrower modules.
        let patterns = pattern(Issue::FIRST).zip(pattern(Issue::of_letter(1)));
        let Some((first, again)) = patterns else {
            let (role, instead) = match role {
                SymbolRole::PageCode => ("page_code", "qr"),
                SymbolRole::ApplicationId => ("application_id", "code128, nw7, itf or code39"),
            };
            return Err(Found {
                offset,
                place: self.place(&what),
                fault: Fault::Symbology { symbology, role, instead },
            });
        };
        let module_mm = area.w / again.width().max(first.width());
        let quiet_mm = first.quiet_zone() * area.w / first.width();
        let kind = ElementKind::Symbol { area, symbology, module_mm, quiet_mm };
        let mut ink = vec![area];
        if role == SymbolRole::ApplicationId {
            let digits = digits_below(&area);
            ink.push(digits.area);
            self.printed.push(Printed::Text(digits));
        }
        self.element(offset, what, kind, ink);
        Ok(place)
    }

    fn boxes_and_lines(&mut self, file: &PageFile) -> Result<(), Found> {
        for (index, spanned) in (1..).zip(&file.boxes) {
            let (offset, file, what) = (spanned.span().start, spanned.get_ref(), format!("box {index}"));
            let area = self.rect(file.area, offset, &what)?;
            let border = self.border(file.line, file.gray, file.dashed, offset, &what)?;
            let fill = file.fill.map(|gray| self.gray(gray, offset, &what)).transpose()?;
            if border.is_none() && fill.is_none() {
                return Err(wrong(offset, self.place(&what), "a box needs a line or a fill"));
            }
            let mut ink = border.map_or(Vec::new(), |border| frame(&area, border.width_mm).to_vec());
            ink.extend(fill.map(|_| area));
            self.printed.push(Printed::Box(PrintedBox { area, border, fill }));
            self.element(offset, what, ElementKind::Print, ink);
        }
        for (index, spanned) in (1..).zip(&file.lines) {
            let (offset, file, what) = (spanned.span().start, spanned.get_ref(), format!("line {index}"));
            let (from, to) = (point(file.from), point(file.to));
            let Some(border) = self.border(file.line, file.gray, file.dashed, offset, &what)? else {
                return Err(wrong(offset, self.place(&what), "line must be more than 0 mm"));
            };
            let (x, y) = (from.x.min(to.x), from.y.min(to.y));
            let bounds = RectMm { x, y, w: (from.x - to.x).abs(), h: (from.y - to.y).abs() };
            self.printed.push(Printed::Line(PrintedLine { from, to, border }));
            self.element(offset, what, ElementKind::Print, vec![bounds.grown(border.width_mm / 2.0)]);
        }
        Ok(())
    }

    fn customer_barcode(&mut self, file: &PageFile) -> Result<(), Found> {
        let Some(spanned) = &file.customer_barcode else { return Ok(()) };
        let (offset, file) = (spanned.span().start, spanned.get_ref());
        let what = "customer_barcode";
        if !(8.0..=11.5).contains(&file.points) {
            return Err(wrong(offset, self.place(what), "points must be 8 to 11.5"));
        }
        let barcode = CustomerBarcodePlace { at: point(file.at), points: file.points };
        self.printed.push(Printed::CustomerBarcode(barcode));
        let area = barcode.area();
        let kind = ElementKind::CustomerBarcode {
            zone: area.grown(CUSTOMER_BARCODE_MARGIN_MM),
            margin_mm: CUSTOMER_BARCODE_MARGIN_MM,
        };
        self.element(offset, what.to_owned(), kind, vec![area]);
        Ok(())
    }

    fn text(&mut self, file: &TextFile, offset: usize) -> Result<(), Found> {
        let beginning: String = file.text.chars().take(12).collect();
        let what = format!("text '{}'", beginning.replace('\n', " "));
        let area = self.rect(file.area, offset, &what)?;
        if !(4.0..=120.0).contains(&file.size) {
            return Err(wrong(offset, self.place(&what), "size must be 4 to 120 points"));
        }
        let gray = self.gray(file.gray, offset, &what)?;
        let pieces = pieces(&file.text).map_err(|message| wrong(offset, self.place(&what), message))?;
        let (size, face, align) = (file.size, file.font, file.align);
        self.printed.push(Printed::Text(PrintedText { area, size, face, align, gray, pieces }));
        self.element(offset, what, ElementKind::Print, vec![area]);
        Ok(())
    }

    fn field(&mut self, file: &FieldFile, offset: usize) -> Result<Field, Found> {
        let FieldFile { kind, printed, align, .. } = *file;
        let what = format!("field '{}'", file.name);
        let refuse = |message: String| wrong(offset, format!("page {}, {what}", self.number), message);
        let first = |c: char| c.is_ascii_lowercase();
        if !file.name.starts_with(first)
            || !file.name.chars().all(|c| first(c) || c.is_ascii_digit() || c == '_')
        {
            return Err(refuse("a name has lower-case letters, digits and '_', a letter first".into()));
        }
        let (combs, area, options) = (!file.combs.is_empty(), file.area.is_some(), !file.options.is_empty());
        let (fits, needs) = match kind {
            FieldKind::Digits | FieldKind::Kana => {
                (combs && !area && !options, "combs and neither box nor options")
            }
            FieldKind::Text | FieldKind::Signature => {
                (area && !combs && !options, "a box and neither combs nor options")
            }
            FieldKind::Mark => (options && !combs && !area, "options and neither combs nor box"),
        };
        if !fits {
            return Err(refuse(format!("a field of kind {} needs {needs}", kind_name(kind))));
        }
        if align.is_some() && !combs {
            return Err(refuse("align is for combs only".into()));
        }
        let mut cells: Vec<RectMm> = Vec::new();
        for comb in &file.combs {
            let ([x, y], [w, h]) = (comb.at, comb.cell);
            let pitch = comb.pitch.unwrap_or(w);
            if !(1..=100).contains(&comb.count) || pitch <= 0.0 {
                return Err(refuse("a comb has 1 to 100 cells and a pitch of more than 0 mm".into()));
            }
            for index in 0..comb.count {
                cells.push(self.rect([hundredth(x + f64::from(index) * pitch), y, w, h], offset, &what)?);
            }
        }
        if let Some(area) = file.area {
            cells.push(self.rect(area, offset, &what)?);
        }
        let mut boxes: Vec<MarkOption> = Vec::new();
        for option in &file.options {
            if option.value.is_empty() || boxes.iter().any(|other| other.value == option.value) {
                return Err(refuse("every option needs a value of its own".into()));
            }
            boxes.push(MarkOption {
                value: option.value.clone(),
                area: self.rect(option.area, offset, &what)?,
            });
        }
        let ink: Vec<RectMm> = cells.iter().copied().chain(boxes.iter().map(|option| option.area)).collect();
        if ink.iter().any(|area| area.w < 2.0 || area.h < 2.0) {
            return Err(refuse("cells must be at least 2 mm wide and high".into()));
        }
        if let Some(border) = self.border(file.line, 0.0, false, offset, &what)? {
            let frame = |&area| Printed::Box(PrintedBox { area, border: Some(border), fill: None });
            self.printed.extend(ink.iter().map(frame));
        }
        let read = !printed && kind != FieldKind::Signature;
        self.element(offset, what, if read { ElementKind::Cells } else { ElementKind::Place }, ink);
        Ok(Field { name: file.name.clone(), kind, printed, align, cells, options: boxes })
    }

    fn rect(&self, [x, y, w, h]: [f64; 4], offset: usize, what: &str) -> Result<RectMm, Found> {
        if ![x, y].iter().all(|edge| edge.is_finite()) || ![w, h].iter().all(|&side| side > 0.0) {
            return Err(wrong(offset, self.place(what), "width and height must be more than 0 mm"));
        }
        Ok(RectMm { x, y, w, h })
    }

    fn gray(&self, gray: f64, offset: usize, what: &str) -> Result<f64, Found> {
        if (0.0..=1.0).contains(&gray) {
            Ok(gray)
        } else {
            Err(wrong(offset, self.place(what), "gray must be 0 (black) to 1 (paper)"))
        }
    }

    fn border(
        &self,
        width_mm: f64,
        gray: f64,
        dashed: bool,
        offset: usize,
        what: &str,
    ) -> Result<Option<Border>, Found> {
        if !(0.0..=3.0).contains(&width_mm) {
            return Err(wrong(offset, self.place(what), "line must be 0 to 3 mm"));
        }
        let gray = self.gray(gray, offset, what)?;
        Ok((width_mm > 0.0).then_some(Border { width_mm, gray, dashed }))
    }
}

/// What Japan Post asks to be left empty around a customer barcode.
const CUSTOMER_BARCODE_MARGIN_MM: f64 = 2.0;

/// The application ID in digits, under its 1D symbol.
fn digits_below(symbol: &RectMm) -> PrintedText {
    PrintedText {
        area: RectMm { x: symbol.x, y: symbol.bottom() + 0.8, w: symbol.w, h: 3.8 },
        size: 10.0,
        face: Face::Gothic,
        align: TextAlign::Centre,
        gray: 0.0,
        pieces: vec![Piece::Data(Datum::ApplicationId)],
    }
}

/// Splits `〒{postal_code}` into what is printed as it stands and what comes from the register.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            pieces.push(Piece::Literal(before.to_owned()));
        }
        let (name, after) = after.split_once('}').ok_or("a '{' is not closed by a '}'")?;
        let datum = Datum::ALL.iter().find(|(known, _)| *known == name).map(|(_, datum)| *datum);
        let names = || Datum::ALL.map(|(known, _)| known).join(", ");
        pieces.push(Piece::Data(
            datum.ok_or_else(|| format!("'{{{name}}}' is not known; known are {}", names()))?,
        ));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_owned()));
    }
    if pieces.is_empty() {
        return Err("the text is empty".to_owned());
    }
    Ok(pieces)
}

/// The four edges of a box as they are drawn.
fn frame(area: &RectMm, width: f64) -> [RectMm; 4] {
    let outer = area.grown(width / 2.0);
    [
        RectMm { h: width, ..outer },
        RectMm { y: area.bottom() - width / 2.0, h: width, ..outer },
        RectMm { w: width, ..outer },
        RectMm { x: area.right() - width / 2.0, w: width, ..outer },
    ]
}

/// Keeps sums of decimal fractions as short as they were written.
fn hundredth(mm: f64) -> f64 {
    (mm * 100.0).round() / 100.0
}

fn point([x, y]: [f64; 2]) -> PointMm {
    PointMm { x, y }
}

fn kind_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Digits => "digits",
        FieldKind::Kana => "kana",
        FieldKind::Text => "text",
        FieldKind::Mark => "mark",
        FieldKind::Signature => "signature",
    }
}

/// A value that cannot be, at `offset` of the file.
pub(super) fn wrong(offset: usize, place: impl Into<String>, message: impl Into<String>) -> Found {
    Found { offset, place: place.into(), fault: Fault::Value(message.into()) }
}
