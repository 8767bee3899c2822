//! The page that staff read: `report.html` filled in. It asks no other host for anything and needs
//! no script; beside it lies the contact sheet that it shows pieces of.

use askama::Template;

use super::confusion::DigitConfusion;
use super::contact_sheet::{ContactSheet, Line, Place, Tile};
use super::labels::{self, Label};
use super::plot::{self, Size, percent};
use super::rate::Rate;
use super::tally::{Evaluation, FieldMeasures, Measures};
use super::worst::WrongReading;
use crate::score::Disposition;

/// The name of the contact sheet's file beside the page.
pub const CONTACT_SHEET: &str = "contact-sheet.png";

/// What the page says besides the evaluation.
pub struct Surroundings<'a> {
    /// When the page was made.
    pub made: &'a str,
    /// Of the pictures of [`Evaluation::worst`]; none where there are none.
    pub sheet: Option<&'a ContactSheet>,
    /// How many of those pictures could not be had.
    pub missing: usize,
}

/// The page of an evaluation, HTML in UTF-8.
///
/// # Errors
/// The template cannot be filled in: no memory.
pub fn page(evaluation: &Evaluation, around: &Surroundings<'_>) -> Result<String, askama::Error> {
    Page::of(evaluation, around).render()
}

/// What the contact sheet says of a wrong reading: place in the list and field, what was read, what
/// is true.
pub fn tile(number: usize, reading: &WrongReading, picture: Option<image::GrayImage>) -> Tile {
    let field = labels::field(&reading.field).ja;
    let line = |text: String, colour| Line { text, colour };
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "（空欄）".to_owned());
    let lines = [
        line(format!("{number}  {field}  {}", confidence(reading.confidence)), [90, 90, 90]),
        line(format!("読取 {}", value(&reading.read)), [176, 42, 48]),
        line(format!("正解 {}", value(&reading.truth)), [22, 101, 72]),
    ];
    Tile { picture, lines }
}

#[derive(Template)]
#[template(path = "evaluate/report.html")]
struct Page<'a> {
    evaluation: &'a Evaluation,
    made: &'a str,
    missing: usize,
    target: String,
    exact: RateView,
    accepted: RateView,
    /// Shares of the fields compared.
    accepted_share: RateView,
    not_compared: u64,
    is_calibrated: bool,
    has_certificate: bool,
    rates: String,
    risk_coverage: String,
    reliability: String,
    at_target: String,
    fields: Vec<FieldView<'a>>,
    totals: FieldView<'a>,
    dispositions: Vec<(Label, RateView)>,
    digits: Vec<DigitRow>,
    kana: Vec<KanaView>,
    forms: Vec<String>,
    by_form: Vec<(Label, Vec<RateView>)>,
    worst: Vec<WorstView<'a>>,
    /// Of the contact sheet, in pixels.
    sheet_size: (u32, u32),
}

/// A share in words.
#[derive(Clone)]
struct RateView {
    hits: u64,
    of: u64,
    /// "–" of no case.
    share: String,
    /// "95.1 – 98.9 %"; empty of no case.
    interval: String,
}

struct FieldView<'a> {
    label: Label,
    name: &'a str,
    measures: &'a Measures,
    exact: RateView,
    characters: RateView,
    unread: RateView,
    taken_for_blank: RateView,
    taken_for_written: RateView,
    accepted: RateView,
    calibration_error: String,
    area: String,
    at_target: String,
    cell_blank: RateView,
    cell_missed: RateView,
    /// Struck out, overwritten, several: noticed; taken for a character.
    irregular: [(RateView, RateView); 3],
    has_cells: bool,
    risk_coverage: String,
    reliability: String,
}

struct DigitRow {
    name: Label,
    cells: Vec<DigitCell>,
}

struct DigitCell {
    count: u64,
    class: &'static str,
    /// 0 to 1: how dark.
    shade: f64,
}

struct KanaView {
    written: String,
    read: Label,
    count: u64,
    of: u64,
    share: String,
}

struct WorstView<'a> {
    number: usize,
    label: Label,
    reading: &'a WrongReading,
    confidence: String,
    disposition: Label,
    place: Option<Place>,
    read: Vec<Part>,
    truth: Vec<Part>,
}

/// A piece of a value, marked where the two values differ.
struct Part {
    text: String,
    differs: bool,
}

impl<'a> Page<'a> {
    fn of(evaluation: &'a Evaluation, around: &Surroundings<'a>) -> Self {
        let overall = &evaluation.overall;
        let wrong_accepted = wrong(overall, Disposition::Accepted);
        let records = &evaluation.account.records;
        let provenances = || evaluation.provenance.iter().map(|made| &made.provenance);
        let rows: Vec<(Label, Rate)> = evaluation
            .fields
            .iter()
            .filter(|field| field.measures.counts.written > 0)
            .map(|field| (labels::field(&field.name), field.measures.counts.exact))
            .collect();
        let forms = &evaluation.forms;
        let exact_of = |of: &[super::OfForm]| -> Vec<RateView> {
            let find = |form: &super::OfForm| of.iter().find(|of| of.form == form.form);
            forms.iter().map(|form| view(find(form).map_or(Rate::default(), |of| of.counts.exact))).collect()
        };
        let mut by_form: Vec<(Label, Vec<RateView>)> = evaluation
            .fields
            .iter()
            .map(|field| (labels::field(&field.name), exact_of(&field.forms)))
            .collect();
        by_form.push((everything(), exact_of(forms)));
        Self {
            evaluation,
            made: around.made,
            missing: around.missing,
            target: percent(evaluation.target_risk),
            exact: view(overall.counts.exact),
            accepted: view(wrong_accepted),
            accepted_share: view(Rate::new(wrong_accepted.of, overall.counts.fields)),
            not_compared: records.fields - records.fields_compared,
            is_calibrated: provenances().all(|made| made.calibration.is_some()),
            has_certificate: provenances().any(|made| made.certificate.is_some()),
            rates: plot::rates(&rows),
            risk_coverage: plot::risk_coverage(&overall.risk_coverage, evaluation.target_risk, Size::Large),
            reliability: plot::reliability(&overall.reliability, Size::Large),
            at_target: percent(overall.risk_coverage.coverage_at_target),
            fields: evaluation
                .fields
                .iter()
                .map(|field| FieldView::of_field(field, evaluation.target_risk))
                .collect(),
            totals: FieldView::of("", everything(), overall, evaluation.target_risk),
            dispositions: overall
                .dispositions
                .iter()
                .map(|(disposition, disposed)| (labels::disposition(*disposition), view(disposed.wrong)))
                .collect(),
            digits: digits(&evaluation.digits),
            kana: evaluation.kana.iter().map(KanaView::of).collect(),
            forms: forms.iter().map(|of| format!("{} ({})", of.form.id, of.form.version)).collect(),
            by_form,
            worst: worst(&evaluation.worst, around.sheet),
            sheet_size: around.sheet.map_or((0, 0), |sheet| sheet.size),
        }
    }
}

fn everything() -> Label {
    Label::new("すべての欄", "all fields")
}

fn wrong(measures: &Measures, disposition: Disposition) -> Rate {
    measures.dispositions.get(&disposition).copied().unwrap_or_default().wrong
}

fn view(rate: Rate) -> RateView {
    let interval = rate
        .interval()
        .map(|[low, high]| format!("{} – {}", percent(low).trim_end_matches(" %"), percent(high)));
    RateView {
        hits: rate.hits,
        of: rate.of,
        share: rate.share().map_or_else(|| "–".to_owned(), percent),
        interval: interval.unwrap_or_default(),
    }
}

/// Of a confidence: so that 0.99996 is not "100 %".
fn confidence(value: f64) -> String {
    format!("{:.2} %", (value * 10_000.0).floor() / 100.0)
}

impl<'a> FieldView<'a> {
    fn of_field(field: &'a FieldMeasures, target: f64) -> Self {
        Self::of(&field.name, labels::field(&field.name), &field.measures, target)
    }

    fn of(name: &'a str, label: Label, measures: &'a Measures, target: f64) -> Self {
        let counts = &measures.counts;
        let cells = &counts.cells;
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), percent);
        Self {
            label,
            name,
            exact: view(counts.exact),
            characters: view(counts.characters),
            unread: view(counts.unread),
            taken_for_blank: view(counts.taken_for_blank),
            taken_for_written: view(counts.taken_for_written),
            accepted: view(wrong(measures, Disposition::Accepted)),
            calibration_error: number(measures.reliability.expected_calibration_error),
            area: number(measures.risk_coverage.area),
            at_target: percent(measures.risk_coverage.coverage_at_target),
            cell_blank: view(cells.blank_taken_for_character),
            cell_missed: view(cells.written_taken_for_blank),
            irregular: [&cells.struck_out, &cells.overwritten, &cells.several]
                .map(|irregular| (view(irregular.noticed), view(irregular.taken_for_character))),
            has_cells: cells.blank_taken_for_character.of + cells.written_taken_for_blank.of > 0,
            risk_coverage: plot::risk_coverage(&measures.risk_coverage, target, Size::Small),
            reliability: plot::reliability(&measures.reliability, Size::Small),
            measures,
        }
    }
}

fn digits(confusion: &DigitConfusion) -> Vec<DigitRow> {
    let rows = confusion.counts.iter().enumerate();
    rows.map(|(row, counts)| {
        let sum: u64 = counts.iter().sum();
        let cell = |(column, &count): (usize, &u64)| {
            let share = if sum == 0 { 0.0 } else { count as f64 / sum as f64 };
            // A wrong character is worse than "no digit", which a person looks at. Few of many must
            // still be seen: shades go with the root.
            let (class, shade) = match (column == row, column + 1 == DigitConfusion::COLUMNS) {
                (true, _) => ("same", share),
                (false, false) => ("other", share.sqrt().mul_add(2.0, 0.15).min(1.0)),
                (false, true) => ("none", share.sqrt().mul_add(2.0, 0.15).min(1.0)),
            };
            DigitCell { count, class, shade: if count == 0 { 0.0 } else { shade } }
        };
        let name = match row {
            0..=9 => Label::new(&row.to_string(), &row.to_string()),
            _ => Label::new("空欄", "blank"),
        };
        DigitRow { name, cells: counts.iter().enumerate().map(cell).collect() }
    })
    .collect()
}

impl KanaView {
    fn of(pair: &super::KanaPair) -> Self {
        let read = match pair.read.as_deref() {
            None => Label::new("文字でない", "no kana"),
            Some("") => Label::new("空欄", "blank"),
            Some(read) => Label::new(read, read),
        };
        let written = if pair.written.is_empty() { "␣".to_owned() } else { pair.written.clone() };
        let share = view(Rate::new(pair.count, pair.of)).share;
        Self { written, read, count: pair.count, of: pair.of, share }
    }
}

fn worst<'a>(readings: &'a [WrongReading], sheet: Option<&ContactSheet>) -> Vec<WorstView<'a>> {
    let views = readings.iter().enumerate().map(|(index, reading)| {
        let [read, truth] = differences(reading.read.as_deref(), reading.truth.as_deref());
        WorstView {
            number: index + 1,
            label: labels::field(&reading.field),
            reading,
            confidence: confidence(reading.confidence),
            disposition: labels::disposition(reading.disposition),
            place: sheet.and_then(|sheet| sheet.places.get(index)).copied(),
            read,
            truth,
        }
    });
    views.collect()
}

/// Two values in pieces, marked where they differ: character by character where they are equally
/// long, else as a whole between what they share at both ends.
fn differences(read: Option<&str>, truth: Option<&str>) -> [Vec<Part>; 2] {
    let characters = |value: Option<&str>| -> Vec<char> { value.unwrap_or_default().chars().collect() };
    let (a, b) = (characters(read), characters(truth));
    let shared = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - shared;
    let end = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let differs = |index: usize, own: &[char], other: &[char]| match own.len() == other.len() {
        true => own[index] != other[index],
        false => index >= shared && index < own.len() - end,
    };
    let parts = |own: &[char], other: &[char]| {
        let mut parts: Vec<Part> = Vec::new();
        for (index, character) in own.iter().enumerate() {
            let differs = differs(index, own, other);
            match parts.last_mut() {
                Some(part) if part.differs == differs => part.text.push(*character),
                _ => parts.push(Part { text: character.to_string(), differs }),
            }
        }
        parts
    };
    [parts(&a, &b), parts(&b, &a)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::example::{account, judged, record};
    use crate::evaluate::{Account, Tally};
    use crate::form::FieldKind;

    fn evaluation() -> Evaluation {
        let mut tally = Tally::default();
        let evil = judged("bank_name", FieldKind::Text, "横浜銀行", "<b>横浜&", 0.9);
        tally.add(&record(1, 1, &[]), &[account("1234567", "1234561", 0.9), evil]);
        tally.finish(Account::default(), 0.0014)
    }

    fn html(sheet: Option<&ContactSheet>) -> String {
        let around = Surroundings { made: "2020-06-30 12:00", sheet, missing: 0 };
        page(&evaluation(), &around).expect("a page")
    }

    #[test]
    fn the_page_asks_nobody_for_anything() {
        let sheet = ContactSheet {
            png: Vec::new(),
            size: (99, 99),
            places: vec![Place { x: 0, y: 0, w: 9, h: 9 }; 2],
        };
        let html = html(Some(&sheet));
        for word in ["http:", "https:", "//", "<script", "<link", "@import", "url(", "<iframe", "javascript:"]
        {
            assert!(!html.contains(word), "{word}");
        }
        assert!(!html.contains(" src="));
        let links: Vec<&str> =
            html.split(" href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.iter().all(|link| link.starts_with('#') || *link == CONTACT_SHEET), "{links:?}");
        assert_eq!(html.matches("<image href=").count(), 2);
    }

    #[test]
    fn what_was_read_cannot_become_part_of_the_page() {
        let html = html(None);
        assert!(!html.contains("<b>横浜"));
        assert!(html.contains("&#60;b&#62;横浜&#38;"));
    }

    #[test]
    fn every_word_is_there_in_both_languages() {
        let html = html(None);
        let count = |language: &str| html.matches(&format!(" lang=\"{language}\">")).count();
        assert_eq!(count("ja"), count("en") + 1, "the page itself is Japanese");
    }

    #[test]
    fn differences_are_marked_where_they_are() {
        let marked = |read: &str, truth: &str| {
            differences(Some(read), Some(truth)).map(|parts| {
                parts
                    .iter()
                    .map(|part| if part.differs { format!("[{}]", part.text) } else { part.text.clone() })
                    .collect::<String>()
            })
        };
        assert_eq!(marked("1234561", "1934567"), ["1[2]3456[1]", "1[9]3456[7]"]);
        assert_eq!(marked("ヤマダ", "ヤママダ"), ["ヤマダ", "ヤマ[マ]ダ"]);
        assert_eq!(marked("", "12"), ["", "[12]"]);
    }
}
