//! A published field beside what is true of it.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use crate::form::{Field, FieldKind, Forms};
use crate::kana::ZenginName;
use crate::publish::{FormVersion, Record, RecordField};
use crate::read::{CellState, FieldReading, InkState};
use crate::score::PageFacts;
use crate::simulate::{Entry, Outcome, PageTruth, Written};

/// A field of a record, and what stands in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub capture_id: String,
    pub form: FormVersion,
    pub kind: FieldKind,
    pub name: String,
    /// As it was published.
    pub published: RecordField,
    /// As it was read: what [`crate::score`] saw.
    pub reading: FieldReading,
    pub page: PageFacts,
    pub truth: Truth,
    /// Whether the published value is the true one; a field read blank is right where nothing is
    /// written.
    pub right: bool,
}

/// What stands in a field.
#[derive(Clone, PartialEq)]
pub struct Truth {
    /// In the form in which values are published; none where nothing is written.
    pub value: Option<String>,
    /// What may be published as well: a bank's name as it was written, beside its official one.
    pub also: Option<String>,
    /// Box by box, for a comb; empty for an empty box.
    pub cells: Vec<String>,
    /// The boxes of a comb that hold something else than nothing or one character.
    pub irregular: BTreeMap<usize, CellState>,
}

/// Truth is what applicants wrote.
impl std::fmt::Debug for Truth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Truth(***)")
    }
}

impl Truth {
    /// Of what a simulated applicant wrote into `field`.
    pub fn of(field: &Field, entry: &Entry) -> Self {
        let state = |outcome| match outcome {
            Outcome::WrittenAbove | Outcome::StruckOut => CellState::StruckOut,
            Outcome::Overwritten => CellState::Overwritten,
            Outcome::Several => CellState::Several,
        };
        let irregular =
            entry.corrected.iter().map(|correction| (correction.cell, state(correction.outcome))).collect();
        let (cells, line) = match &entry.written {
            Written::Cells(cells) => (cells.clone(), cells.concat()),
            Written::Line(line) => (Vec::new(), line.clone()),
        };
        let meant = entry.value.as_deref().filter(|_| !line.is_empty());
        let value = match field.kind {
            FieldKind::Signature => meant.map(|_| "present".to_owned()),
            _ => meant.map(|value| normal(field.kind, value)),
        };
        let also = (field.kind == FieldKind::Text && !line.is_empty()).then(|| normal(field.kind, &line));
        Self { value, also, cells, irregular }
    }

    /// Of a value that a person saw; none for an empty field.
    pub fn seen(kind: FieldKind, value: Option<&str>) -> Self {
        let value = value.map(|value| normal(kind, value));
        Self { value, also: None, cells: Vec::new(), irregular: BTreeMap::new() }
    }

    /// Whether anything stands in the field.
    pub fn is_written(&self) -> bool {
        self.value.is_some() || self.also.is_some() || self.cells.iter().any(|cell| !cell.is_empty())
    }

    /// Whether `value` may be published.
    pub fn admits(&self, kind: FieldKind, value: Option<&str>) -> bool {
        let value = value.map(|value| normal(kind, value));
        value == self.value || (value.is_some() && value == self.also)
    }
}

/// Values that differ by writing alone are one: width, blanks in texts; kana in their Zengin form.
pub(super) fn normal(kind: FieldKind, value: &str) -> String {
    match kind {
        FieldKind::Kana => ZenginName::of(value).map_or_else(|_| value.to_owned(), |name| name.key()),
        FieldKind::Text => value.nfkc().filter(|character| !character.is_whitespace()).collect(),
        FieldKind::Digits | FieldKind::Mark | FieldKind::Signature => value.to_owned(),
    }
}

/// The fields of `record` whose truth is known, those of pages that were not read left out.
/// `truths` are of the record's own pages, in any order.
pub fn judge(record: &Record, truths: &[&PageTruth], forms: &Forms) -> Vec<Judged> {
    let Some(form) = forms.find(&record.form.id, &record.form.version) else {
        return Vec::new();
    };
    let mut judged = Vec::new();
    for page in &record.pages {
        let truth = truths
            .iter()
            .find(|truth| truth.application_id == record.application_id && truth.page == Some(page.page));
        let (Some(truth), Some(facts), Some(form_page)) = (truth, page.facts(), form.page(page.page)) else {
            continue;
        };
        let entries =
            form_page.fields.iter().filter_map(|field| Some((field, truth.fields.get(&field.name)?)));
        judged.extend(
            entries.filter_map(|(field, entry)| beside(record, field, facts, Truth::of(field, entry))),
        );
    }
    judged
}

/// The fields of `record` that people judged, by name; `None` for one that they saw empty. Those of
/// pages that were not read are left out.
pub fn judge_seen(record: &Record, seen: &BTreeMap<String, Option<String>>, forms: &Forms) -> Vec<Judged> {
    let Some(form) = forms.find(&record.form.id, &record.form.version) else {
        return Vec::new();
    };
    let pages = record.pages.iter().filter_map(|page| Some((page.facts()?, form.page(page.page)?)));
    pages
        .flat_map(|(facts, form_page)| form_page.fields.iter().map(move |field| (facts, field)))
        .filter_map(|(facts, field)| {
            let value = seen.get(&field.name)?.as_deref();
            beside(record, field, facts, Truth::seen(field.kind, value))
        })
        .collect()
}

/// The published field beside its truth; none where it was not read.
fn beside(record: &Record, field: &Field, page: PageFacts, truth: Truth) -> Option<Judged> {
    let published = record.fields.get(&field.name)?;
    let ink = published.ink?;
    Some(Judged {
        capture_id: record.capture_id.clone(),
        form: record.form.clone(),
        kind: field.kind,
        name: field.name.clone(),
        reading: reading(&field.name, published, ink),
        right: truth.admits(field.kind, published.value.as_deref()),
        published: published.clone(),
        page,
        truth,
    })
}

fn reading(name: &str, published: &RecordField, ink: InkState) -> FieldReading {
    FieldReading {
        field: name.to_owned(),
        value: published.value.clone(),
        score: published.confidence,
        state: ink,
        characters: published.characters.clone(),
        evidence: published.evidence.clone(),
    }
}
