//! One field after another: what is cut, which reader reads it, and what its reading is.

use image::GrayImage;

use super::box_lines;
use super::cell_model;
use super::comb::{Cell, Comb};
use super::crop::{self, Crop};
use super::ctc::Posteriors;
use super::digits::{self, Meaning, Padding, Reaches};
use super::fuse::{FusionWeights, fuse};
use super::line::{self, Line};
use super::line_model::LineModel;
use super::mark::{self, BoxInk, Marked};
use super::names::{self, Names};
use super::register_support;
use super::tesseract::Tesseract;
use super::{
    CellState, CharacterReading, Evidence, EvidenceSource, FieldReading, InkState, LEAST_ALTERNATIVE,
    ReadError,
};
use crate::form::standard::{ACCOUNT_NUMBER, APPLICATION_DATE, BANK_CODE, BRANCH_CODE, YUCHO_SYMBOL};
use crate::form::{Field, FieldKind, FormPage, MarkOption, Printed};
use crate::geometry::{Affine, PointMm, RectMm};
use crate::kana::{ZenginName, large};

/// At which cells, lines and marks are read; a box of 6 mm then has 71 pixels. Scans of another
/// resolution are resampled, so that the readers see one scale.
pub(super) const READ_DPI: f64 = 300.0;

/// Around a field, so that its outline and strokes that run over are seen whole.
const MARGIN_MM: f64 = 1.0;

/// Around a mark, so that a circle around its boxes is seen whole; and what is cut out of the page
/// to judge it.
const MARK_MARGIN_MM: f64 = mark::AROUND_MM + 0.3;
const MARK_SURROUNDINGS_MM: f64 = mark::SURROUNDINGS_MM;

/// Registration leaves less than this.
const PLACE_MM: f64 = 0.4;

/// Signing leaves at least this much ink: some 4 mm of a thin pen's stroke. Less than the second, a character's, may
/// as well be what was put right in the field beside it.
const SIGNED_MM2: f64 = 1.5;
const SURELY_SIGNED_MM2: f64 = 5.0;

/// A signature's value where there is ink.
const PRESENT: &str = "present";

/// A field's piece of the page.
pub(super) struct Piece<'a> {
    pub field: &'a Field,
    /// As it was scanned.
    crop: Crop,
    /// Where the form itself prints a text inside the field's boxes.
    printed: Vec<RectMm>,
}

impl<'a> Piece<'a> {
    /// None for a field without a place on the page.
    pub fn cut(page: &GrayImage, map: &Affine, form_page: &FormPage, field: &'a Field) -> Option<Self> {
        let margin = if field.kind == FieldKind::Mark { MARK_SURROUNDINGS_MM } else { MARGIN_MM };
        let area = area_of(field)?.grown(margin);
        Some(Self {
            field,
            crop: crop::cut(page, map, area, READ_DPI),
            printed: printed_inside(form_page, field),
        })
    }

    /// What is published of the field: a gray PNG, upright, with its margin, at `dpi` (at most
    /// [`READ_DPI`]).
    pub fn picture(&self, dpi: u32) -> Result<Vec<u8>, ReadError> {
        let shown = match (self.field.kind, area_of(self.field)) {
            (FieldKind::Mark, Some(area)) => self.crop.part(&area, MARK_MARGIN_MM),
            _ => self.crop.clone(),
        };
        crop::png_of(&shown.coarser(f64::from(dpi)))
            .map_err(|source| ReadError::Picture { field: self.field.name.clone(), source })
    }

    /// What is written in a comb's boxes; nothing for what is no comb.
    pub fn comb(&self) -> Comb {
        if !matches!(self.field.kind, FieldKind::Digits | FieldKind::Kana) {
            return Comb::default();
        }
        let boxes: Vec<_> = self.field.cells.iter().map(|cell| self.crop.pixels(cell)).collect();
        super::comb::comb(self.unprinted().gray, &boxes)
    }

    /// The crop without the form's own texts.
    fn unprinted(&self) -> Crop {
        let mut crop = self.crop.clone();
        if !self.printed.is_empty() {
            let paper = box_lines::median(&crop.gray);
            self.printed.iter().for_each(|area| crop.fill(area, paper));
        }
        crop
    }
}

/// What the picture of a comb shows, in millimetres on the form.
pub fn comb_area(field: &Field) -> Option<RectMm> {
    area_of(field).map(|area| area.grown(MARGIN_MM))
}

/// Around all cells and options of a field.
fn area_of(field: &Field) -> Option<RectMm> {
    let options = field.options.iter().map(|option| option.area);
    RectMm::around(field.cells.iter().copied().chain(options))
}

/// Where the form prints the same text on every application inside a box that is to be written in,
/// such as the sign for a seal where one signs.
fn printed_inside(form_page: &FormPage, field: &Field) -> Vec<RectMm> {
    if field.printed {
        return Vec::new();
    }
    let texts = form_page.printed.iter().filter_map(|printed| match printed {
        Printed::Text(text) if text.is_static() => Some(text.area),
        _ => None,
    });
    texts.filter(|area| field.cells.iter().any(|cell| cell.overlaps(area))).collect()
}

/// What lies around the box of an option and is none of its ink: the other options, and what the
/// form prints beside the box itself.
fn elsewhere(form_page: &FormPage, field: &Field, option: &RectMm) -> Vec<RectMm> {
    let line = |from: PointMm, to: PointMm| RectMm {
        x: from.x.min(to.x),
        y: from.y.min(to.y),
        w: (from.x - to.x).abs(),
        h: (from.y - to.y).abs(),
    };
    let mut places: Vec<RectMm> = Vec::new();
    for printed in &form_page.printed {
        match printed {
            Printed::Text(text) => places.push(text.area),
            Printed::Line(printed) => places.push(line(printed.from, printed.to)),
            Printed::Box(printed) => {
                let [a, b, c, d] = printed.area.corners();
                places.extend([line(a, b), line(b, c), line(c, d), line(d, a)]);
            }
            Printed::CustomerBarcode(_) => {}
        }
    }
    places.extend(field.options.iter().map(|other| other.area).filter(|other| other != option));
    let around = option.grown(MARK_SURROUNDINGS_MM);
    // The box's own outline is removed as such.
    let is_own = |place: &RectMm| option.grown(PLACE_MM).contains(place);
    let places = places.into_iter().filter(|place| !is_own(place));
    places.map(|place| place.grown(PLACE_MM)).filter(|place| place.overlaps(&around)).collect()
}

/// What of a reading depends on the kind of its field.
struct Content {
    value: Option<String>,
    score: f64,
    state: InkState,
    characters: Vec<CharacterReading>,
    evidence: Vec<Evidence>,
}

/// What the readers say of a comb, cell by cell, before its value is made of it.
pub(super) struct CombReading {
    /// Of the cell model.
    pub cells: Vec<CharacterReading>,
    /// Of the line model, where it has read the comb.
    pub line: Option<Vec<Option<CharacterReading>>>,
}

/// What is known of a comb beside its ink.
pub(super) struct CombContext<'a> {
    pub weights: FusionWeights,
    pub names: Option<&'a Names>,
    /// What the register says stands here.
    pub expected: Option<&'a str>,
}

/// The reading of a comb.
pub(super) fn comb(field: &Field, read: CombReading, context: &CombContext<'_>) -> FieldReading {
    let CombReading { mut cells, line } = read;
    let mut evidence: Vec<Evidence> =
        cell_evidence(EvidenceSource::CellModel, cells.iter().cloned()).into_iter().collect();
    if field.kind == FieldKind::Kana {
        cells.iter_mut().for_each(large_kana);
        // A blank between kana parts a name.
        let blank = |cell: &&mut CharacterReading| cell.state == CellState::Blank;
        cells.iter_mut().filter(blank).for_each(|cell| cell.alternatives.clear());
    }
    if let Some(line) = line {
        let of_line = line.iter().map(|cell| cell.clone().unwrap_or_else(|| cell_model::blank(1.0)));
        evidence.extend(cell_evidence(EvidenceSource::LineModel, of_line));
        let pairs = cells.iter().zip(&line);
        cells = pairs.map(|(cell, line)| fuse(cell, line.as_ref(), context.weights)).collect();
    }
    if let Some(expected) = context.expected {
        let written = cells.iter().any(|cell| cell.state != CellState::Blank);
        let support = || {
            Evidence::whole(
                EvidenceSource::RegisterSupport,
                Some(expected.to_owned()),
                names::support(&cells, expected),
            )
        };
        evidence.extend(written.then(support));
    }
    let content = if field.kind == FieldKind::Kana {
        if let Some(names) = context.names {
            let decoded = names.decode(&cells);
            cells = decoded.cells;
            evidence.push(Evidence::whole(EvidenceSource::Lexicon, None, decoded.listed));
        }
        join_kana(cells)
    } else {
        join_digits(field, cells)
    };
    // Nothing written has nothing to say.
    let evidence = if content.state == InkState::Blank { Vec::new() } else { evidence };
    let characters = content.characters.into_iter().map(with_likely_alternatives).collect();
    reading(field, Content { evidence, characters, ..content })
}

/// As people are shown it.
fn with_likely_alternatives(mut character: CharacterReading) -> CharacterReading {
    character.alternatives.retain(|other| other.confidence >= LEAST_ALTERNATIVE);
    character
}

/// What the cell model reads in a box of a digit, where the strokes do not say that more is in it: it
/// takes a slim second digit for the rest of a line.
pub(super) fn digit_of(cell: &Cell, read: CharacterReading) -> CharacterReading {
    // An open 4 is two strokes.
    let two = cell.side_by_side && read.value != "4";
    match read.state {
        CellState::Written if two || cell.astray => CharacterReading { state: CellState::Several, ..read },
        _ => read,
    }
}

fn large_kana(cell: &mut CharacterReading) {
    let alternatives = cell.alternatives.iter_mut().map(|other| &mut other.value);
    for name in std::iter::once(&mut cell.value).chain(alternatives) {
        *name = name.chars().map(large).collect();
    }
}

fn is_legible(cells: &[CharacterReading]) -> bool {
    cells.iter().all(|cell| matches!(cell.state, CellState::Blank | CellState::Written))
}

fn join_digits(field: &Field, mut characters: Vec<CharacterReading>) -> Content {
    let groups = groups(&field.cells);
    digits::without_gaps(&mut characters, &groups, reaches_of(field));
    if let Some(meaning) = meaning_of(field) {
        digits::weighed(&mut characters, &groups, meaning);
    }
    let joined = digits::join(&characters, &groups, padding_of(field), is_legible(&characters));
    Content {
        value: joined.value,
        score: joined.score,
        state: joined.state,
        characters,
        evidence: Vec::new(),
    }
}

fn meaning_of(field: &Field) -> Option<Meaning> {
    match field.name.as_str() {
        "application_date" => Some(Meaning::Date),
        "phone" => Some(Meaning::Telephone),
        _ => None,
    }
}

/// Codes fill their boxes; a telephone number begins in the first.
fn reaches_of(field: &Field) -> Reaches {
    let code = padding_of(field) == Padding::Complete;
    Reaches { first: code || field.name == "phone", last: code }
}

/// An account number is always the seven digits to pay to; a date's parts have their own length.
fn padding_of(field: &Field) -> Padding {
    match field.name.as_str() {
        ACCOUNT_NUMBER => Padding::Whole(7),
        APPLICATION_DATE => Padding::Groups,
        BANK_CODE | BRANCH_CODE | YUCHO_SYMBOL => Padding::Complete,
        _ => Padding::None,
    }
}

/// The lengths of the groups of boxes in a comb: a gap of half a box parts them.
fn groups(cells: &[RectMm]) -> Vec<usize> {
    let mut groups = vec![1];
    for pair in cells.windows(2) {
        match groups.last_mut() {
            Some(length) if pair[1].x - pair[0].right() < pair[0].w / 2.0 => *length += 1,
            _ => groups.push(1),
        }
    }
    groups
}

/// The holder's name in the form of transfer files, or as it is written where no transfer file may
/// hold it. Blank cells at the end are dropped, one between characters is a blank; unwritten cells
/// at the front are nothing.
fn join_kana(mut characters: Vec<CharacterReading>) -> Content {
    let last = characters.iter().rposition(|cell| cell.state != CellState::Blank);
    characters.truncate(last.map_or(0, |last| last + 1));
    let score = characters.iter().filter(|cell| !cell.value.is_empty()).map(|cell| cell.confidence).product();
    let text: String =
        characters.iter().map(|cell| if cell.value.is_empty() { " " } else { &cell.value }).collect();
    let (value, state) = match (text.trim().is_empty(), is_legible(&characters)) {
        (_, false) => (None, InkState::Ambiguous),
        (true, true) => (None, InkState::Blank),
        (false, true) => {
            let name = ZenginName::of(&text).map_or_else(|_| text.trim().to_owned(), |name| name.to_string());
            (Some(name), InkState::Written)
        }
    };
    Content { value, score, state, characters, evidence: Vec::new() }
}

/// What one reader says of a comb's cells.
fn cell_evidence(source: EvidenceSource, cells: impl Iterator<Item = CharacterReading>) -> Option<Evidence> {
    let mut characters: Vec<CharacterReading> = cells.collect();
    let last = characters.iter().rposition(|cell| cell.state != CellState::Blank)?;
    characters.truncate(last + 1);
    let value = characters.iter().map(|cell| cell.value.as_str()).collect();
    let score = characters.iter().filter(|cell| !cell.value.is_empty()).map(|cell| cell.confidence).product();
    Some(Evidence { source, value: Some(value), score, characters })
}

/// The ink in each option of a mark.
pub(super) fn mark_ink(piece: &Piece, form_page: &FormPage) -> Vec<BoxInk> {
    let measure = |option: &MarkOption| {
        let part = piece.crop.part(&option.area, MARK_SURROUNDINGS_MM);
        mark::measure(&part, &option.area, &elsewhere(form_page, piece.field, &option.area))
    };
    piece.field.options.iter().map(measure).collect()
}

/// The reading of a mark, by the ink of its options and the baseline of the page. One that was
/// corrected is ambiguous all the same, with the option that was not struck out as its value.
pub(super) fn mark(field: &Field, ink: &[BoxInk], baseline: f64) -> FieldReading {
    let judged: Vec<(BoxInk, f64)> = ink.iter().map(|ink| (*ink, mark::likelihood(ink, baseline))).collect();
    let value_of = |option: usize| Some(field.options[option].value.clone());
    let evidence = field
        .options
        .iter()
        .zip(&judged)
        .map(|(option, (_, score))| Evidence::whole(EvidenceSource::Ink, Some(option.value.clone()), *score))
        .collect();
    let (value, state, score) = match mark::decide(&judged) {
        Marked::None { score } => (None, InkState::Blank, score),
        Marked::One { option, score } => (value_of(option), InkState::Written, score),
        Marked::Corrected { option } => (value_of(option), InkState::Ambiguous, 0.0),
        Marked::Unclear => (None, InkState::Ambiguous, 0.0),
    };
    reading(field, Content { value, score, state, characters: Vec::new(), evidence })
}

/// The reading of a signature: whether there is one.
pub(super) fn signature(piece: &Piece) -> FieldReading {
    let crop = piece.unprinted();
    let ink_mm2: f64 = piece.field.cells.iter().map(|cell| line::ink_mm2(&crop, cell)).sum();
    let score = 1.0 / (1.0 + (4.0 * (SIGNED_MM2 - ink_mm2)).exp());
    let evidence = vec![Evidence::whole(EvidenceSource::Ink, None, score)];
    let present = Some(PRESENT.to_owned());
    let (value, state, score) = match ink_mm2 {
        ink if ink >= SURELY_SIGNED_MM2 => (present, InkState::Written, score),
        ink if ink >= SIGNED_MM2 => (present, InkState::Ambiguous, 0.0),
        _ => (None, InkState::Blank, 1.0 - score),
    };
    let content = Content { value, score, state, characters: Vec::new(), evidence };
    reading(piece.field, content)
}

/// The reading of a text, and what the line model says of it in full. `expected` is what the
/// register says stands here.
pub(super) fn text<'m>(
    piece: &Piece,
    readers: Option<(&'m LineModel, &mut Tesseract)>,
    expected: Option<&str>,
) -> Result<(FieldReading, Option<Posteriors<'m>>), ReadError> {
    let without_text =
        |state, score| Content { value: None, score, state, characters: Vec::new(), evidence: Vec::new() };
    let Some(line) = piece.field.cells.first().and_then(|cell| Line::find(&piece.unprinted(), cell)) else {
        return Ok((reading(piece.field, without_text(InkState::Blank, 1.0)), None));
    };
    let Some((model, tesseract)) = readers else {
        return Ok((reading(piece.field, without_text(InkState::Written, 0.0)), None));
    };
    let posteriors = model.posteriors(&line.gray)?;
    let characters = without_outer_spaces(model.likeliest(&posteriors));
    let read: String = characters.iter().map(|character| character.value.as_str()).collect();
    let score = characters.iter().map(|character| character.confidence).product();
    let mut evidence = Vec::new();
    if !read.is_empty() {
        evidence.push(Evidence::whole(EvidenceSource::LineModel, Some(read.clone()), score));
    }
    // Made for print: of handwriting it says next to nothing, for a tenth of a page's reading time.
    let second = piece.field.printed.then(|| tesseract.read_line(&line.gray, READ_DPI as u32)).flatten();
    evidence.extend(
        second.map(|second| Evidence::whole(EvidenceSource::Tesseract, Some(second.text), second.confidence)),
    );
    if let Some(expected) = expected {
        let score = register_support::of_line(&posteriors, &characters, expected);
        evidence.push(Evidence::whole(EvidenceSource::RegisterSupport, Some(expected.to_owned()), score));
    }
    let content = match read.is_empty() {
        true => Content { value: None, score: 0.0, state: InkState::Ambiguous, characters, evidence },
        false => Content { value: Some(read), score, state: InkState::Written, characters, evidence },
    };
    Ok((reading(piece.field, content), Some(posteriors)))
}

fn without_outer_spaces(mut characters: Vec<CharacterReading>) -> Vec<CharacterReading> {
    let written = |character: &CharacterReading| !character.value.trim().is_empty();
    characters.truncate(characters.iter().rposition(written).map_or(0, |last| last + 1));
    characters.drain(..characters.iter().position(written).unwrap_or(0));
    characters
}

fn reading(field: &Field, content: Content) -> FieldReading {
    FieldReading {
        field: field.name.clone(),
        value: content.value,
        score: content.score,
        state: content.state,
        characters: content.characters,
        evidence: content.evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<CharacterReading> {
        let cell = |character| match character {
            '_' => cell_model::blank(0.9),
            '?' => CharacterReading { state: CellState::StruckOut, ..cell_model::blank(0.9) },
            other => CharacterReading {
                value: String::from(other),
                state: CellState::Written,
                ..cell_model::blank(0.9)
            },
        };
        text.chars().map(cell).collect()
    }

    #[test]
    fn a_name_ends_with_its_last_character_and_is_written_as_banks_do() {
        let joined = join_kana(cells("_ヤマタ゛_ショーコ__"));
        assert_eq!(joined.value.as_deref(), Some("ﾔﾏﾀﾞ ｼﾖ-ｺ"));
        assert_eq!(joined.characters.len(), 10);
        assert_eq!(join_kana(cells("゛ア")).value.as_deref(), Some("゛ア"));
    }

    #[test]
    fn nothing_written_is_blank_and_a_scribble_is_ambiguous() {
        assert_eq!(join_kana(cells("___")).state, InkState::Blank);
        assert_eq!(join_kana(cells("アイ?")).state, InkState::Ambiguous);
    }

    #[test]
    fn a_gap_between_boxes_parts_groups() {
        let cell = |x: f64| RectMm { x, y: 0.0, w: 7.0, h: 9.0 };
        assert_eq!(groups(&[cell(0.0), cell(7.0), cell(20.0), cell(27.0), cell(40.0)]), [2, 2, 1]);
    }
}
