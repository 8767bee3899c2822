//! What was read right and what wrong, over the pages of one source.

use std::collections::BTreeMap;
use std::time::Duration;

use uketsuke::evaluate::{Scored, Truth};
use uketsuke::form::standard::{ACCOUNT_NUMBER, HOLDER};
use uketsuke::form::{Field, FieldKind};
use uketsuke::kana::ZenginName;
use uketsuke::read::{CellState, CharacterReading, CroppedReading, FieldReading, InkState};
use uketsuke::score::{Disposition, FieldScore};
use uketsuke::simulate::{Entry, Outcome, PageTruth, Written};
use unicode_normalization::UnicodeNormalization;

/// Part of a whole.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    pub part: usize,
    pub whole: usize,
}

impl Share {
    fn add(&mut self, counts: bool) {
        self.part += usize::from(counts);
        self.whole += 1;
    }
}

/// What one engine, or our chain, reads of combs without a mishap.
#[derive(Debug, Clone, Default)]
pub struct Accuracy {
    pub digits: Share,
    pub account_number: Share,
    pub holder: Share,
}

/// What the scores of a field's readings are worth.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// Of the fields that are written.
    pub accepted: Share,
    /// Of the accepted ones.
    pub accepted_wrong: Share,
    /// Confidence and whether the value is right, of all readings that have a value.
    pub readings: Vec<Scored>,
}

pub struct Tally {
    pub source: &'static str,
    has_kana: bool,
    pub unidentified: usize,
    pub unregistered: usize,
    pub ours: Accuracy,
    /// The holder by the reader's variants, in their order.
    pub holders: Vec<Share>,
    /// By field name.
    pub scores: BTreeMap<String, Scores>,
    pub others: BTreeMap<&'static str, Accuracy>,
    /// Taken for characters.
    pub blank_cells: Share,
    pub struck_cells: Share,
    /// Combs with an overwritten box or the like that are read as something else than is meant.
    pub mishaps_unnoticed: Share,
    /// Marks with another value than they have; unclear ones are none.
    pub marks_wrong: Share,
    pub marks_unclear: Share,
    /// Milliseconds: all fields of a page; a page from bytes to what is published.
    pub reading_ms: Vec<f64>,
    pub page_ms: Vec<f64>,
}

impl Tally {
    pub fn new(source: &'static str, has_kana: bool) -> Self {
        Self {
            source,
            has_kana,
            unidentified: 0,
            unregistered: 0,
            ours: Accuracy::default(),
            holders: Vec::new(),
            scores: BTreeMap::new(),
            others: BTreeMap::new(),
            blank_cells: Share::default(),
            struck_cells: Share::default(),
            mishaps_unnoticed: Share::default(),
            marks_wrong: Share::default(),
            marks_unclear: Share::default(),
            reading_ms: Vec::new(),
            page_ms: Vec::new(),
        }
    }

    pub fn time(&mut self, reading: Duration, page: Duration) {
        self.reading_ms.push(reading.as_secs_f64() * 1000.0);
        self.page_ms.push(page.as_secs_f64() * 1000.0);
    }

    /// The holder as the reader's variant at `place` reads it.
    pub fn holder(&mut self, place: usize, truth: &PageTruth, readings: &[CroppedReading]) {
        if self.holders.len() <= place {
            self.holders.resize(place + 1, Share::default());
        }
        let reading = readings.iter().find(|reading| reading.reading.field == HOLDER);
        let (Some(entry), Some(reading)) = (truth.fields.get(HOLDER), reading) else { return };
        if let Some(meant) = entry.value.as_deref().filter(|_| self.has_kana && is_plain(entry)) {
            let read = reading.reading.value.as_deref().unwrap_or_default();
            self.holders[place].add(zengin(read) == zengin(meant));
        }
    }

    /// What our chain read of one field.
    pub fn field(&mut self, field: &Field, entry: &Entry, reading: &FieldReading) {
        let is_ours = match field.kind {
            FieldKind::Mark => return self.mark(entry, reading),
            FieldKind::Digits => true,
            FieldKind::Kana => self.has_kana,
            FieldKind::Text | FieldKind::Signature => false,
        };
        let Written::Cells(cells) = &entry.written else { return };
        if !is_ours {
            return;
        }
        for place in (0..cells.len()).filter(|&place| cells[place].is_empty()) {
            let mishap = entry.corrected.iter().find(|correction| correction.cell == place);
            let taken = !character_of(reading.characters.get(place)).is_empty();
            match mishap.map(|mishap| mishap.outcome) {
                // A field that is told as unclear takes nothing for a character.
                Some(Outcome::StruckOut) => {
                    self.struck_cells.add(taken && reading.state == InkState::Written);
                }
                _ => self.blank_cells.add(taken),
            }
        }
        if !is_plain(entry) {
            let right = entry.value.as_deref().is_some_and(|meant| {
                reading.value.as_deref().is_some_and(|read| zengin(read) == zengin(meant))
            });
            self.mishaps_unnoticed.add(reading.state == InkState::Written && !right);
            return;
        }
        if field.kind != FieldKind::Digits || is_blank(cells) {
            return;
        }
        for (place, written) in cells.iter().enumerate().filter(|(_, written)| !written.is_empty()) {
            self.ours.digits.add(character_of(reading.characters.get(place)) == written);
        }
        if field.name == ACCOUNT_NUMBER {
            self.ours.account_number.add(reading.value == entry.value);
        }
    }

    /// What was made of one field's score; kana of another source than the digits are left out.
    pub fn score(&mut self, field: &Field, entry: &Entry, reading: &FieldReading, score: &FieldScore) {
        if field.kind == FieldKind::Kana && !self.has_kana {
            return;
        }
        let truth = Truth::of(field, entry);
        let right = truth.admits(field.kind, reading.value.as_deref());
        let scores = self.scores.entry(field.name.clone()).or_default();
        let accepted = score.disposition == Disposition::Accepted;
        if truth.value.is_some() {
            scores.accepted.add(accepted);
        }
        if accepted {
            scores.accepted_wrong.add(!right);
        }
        if reading.value.is_some() {
            scores.readings.push(Scored { confidence: score.confidence, right });
        }
    }

    fn mark(&mut self, entry: &Entry, reading: &FieldReading) {
        let is_unclear = reading.state == InkState::Ambiguous;
        self.marks_unclear.add(is_unclear);
        self.marks_wrong.add(!is_unclear && reading.value != entry.value);
    }

    /// Whether other engines are to read this comb: nothing went wrong, and something is written.
    pub fn is_compared(&self, field: &Field, entry: &Entry) -> bool {
        let Written::Cells(cells) = &entry.written else { return false };
        let is_asked_for = match field.kind {
            FieldKind::Digits => true,
            FieldKind::Kana => self.has_kana && field.name == HOLDER,
            FieldKind::Text | FieldKind::Mark | FieldKind::Signature => false,
        };
        is_asked_for && is_plain(entry) && !is_blank(cells)
    }

    /// What another engine read of a comb.
    pub fn other(&mut self, engine: &'static str, field: &Field, entry: &Entry, text: &str) {
        let Written::Cells(cells) = &entry.written else { return };
        let accuracy = self.others.entry(engine).or_default();
        if field.kind == FieldKind::Kana {
            let meant = entry.value.as_deref().unwrap_or_default();
            accuracy.holder.add(zengin(text) == zengin(meant));
            return;
        }
        let read: Vec<char> = text.nfkc().filter(char::is_ascii_digit).collect();
        let written: Vec<char> = cells.concat().chars().collect();
        accuracy.digits.part += written.len().saturating_sub(edits(&read, &written));
        accuracy.digits.whole += written.len();
        if field.name == ACCOUNT_NUMBER {
            let padded = format!("{:0>7}", read.iter().collect::<String>());
            accuracy.account_number.add(entry.value.as_deref() == Some(padded.as_str()));
        }
    }
}

/// What stands in a cell; empty for a blank one and one that is read as no single character.
fn character_of(cell: Option<&CharacterReading>) -> &str {
    cell.filter(|cell| cell.state == CellState::Written).map_or("", |cell| cell.value.as_str())
}

fn is_plain(entry: &Entry) -> bool {
    entry.corrected.is_empty()
}

fn is_blank(cells: &[String]) -> bool {
    cells.iter().all(String::is_empty)
}

/// A name as banks compare it, or as it is where no bank can write it. Digits stay as they are.
fn zengin(name: &str) -> String {
    // What other engines read of a long vowel.
    let name = name.replace('一', "ー");
    ZenginName::of(&name).map_or(name, |name| name.key())
}

/// How many characters must be put in, left out or changed.
fn edits(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, character) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(character != wanted);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
