//! A record to the work for people that follows from it: a pure function, run where the record is
//! published, and for records that were published before there was a desk.

use crate::check::FindingCode;
use crate::form::{Field, FieldKind, Form};
use crate::geometry::RectMm;
use crate::publish::{Record, RecordField};
use crate::read::{self, CellKind, CellState};
use crate::score::{Disposition, Reason};
use crate::settings;
use crate::store::groups::DoubtfulCell;
use crate::store::tasks::{PlannedTask, TaskKind};

/// Why the municipality is asked where the program asks it.
pub const NOT_IN_REGISTER: &str = "not_in_register";

/// One task to verify all doubtful fields, one to key those that decide where money goes, and the
/// municipality's where a finding is its to decide.
///
/// Of a duplicate nothing is keyed before a person has said that it counts. A field whose page was not
/// read has no picture, and nobody can be asked about it. Without its form, no cell is before a person
/// among those of others.
pub fn plan(
    record: &Record,
    form: Option<&Form>,
    duplicate: bool,
    policy: &settings::Review,
) -> Vec<PlannedTask> {
    if duplicate {
        return vec![task(TaskKind::Duplicate, Vec::new())];
    }
    plan_fields(record, form, policy)
}

fn task(kind: TaskKind, fields: Vec<String>) -> PlannedTask {
    PlannedTask { kind, fields, reason: None, cells: Vec::new() }
}

/// As [`plan`], of a capture that counts whatever came before it.
pub fn plan_fields(record: &Record, form: Option<&Form>, policy: &settings::Review) -> Vec<PlannedTask> {
    let (blind, seen): (Vec<String>, Vec<String>) = record
        .fields
        .iter()
        .filter(|(_, field)| {
            matches!(field.disposition, Disposition::Verify | Disposition::Illegible)
                && field.crop.is_some()
                && !field.reasons.contains(&Reason::PageNotRead)
        })
        .map(|(name, _)| name.clone())
        .partition(|name| policy.blind_fields.contains(name));
    let mut planned = Vec::new();
    if !seen.is_empty() {
        let cells = form.map(|form| cells(record, form, &seen)).unwrap_or_default();
        planned.push(PlannedTask { cells, ..task(TaskKind::Verify, seen) });
    }
    if !blind.is_empty() {
        planned.push(task(TaskKind::Key, blind));
    }
    if record.findings.iter().any(|finding| finding.code == FindingCode::NotInRegister) {
        let reason = Some(NOT_IN_REGISTER);
        planned.push(PlannedTask { reason, ..task(TaskKind::Escalation, Vec::new()) });
    }
    planned
}

/// A character that its reader is less sure of is doubtful, as people see it underlined.
const DOUBTFUL: f64 = 0.99;

/// Around a cell, so that what sticks out of its box is seen, in millimetres.
const AROUND_MM: f64 = 0.6;

/// The doubtful cells of the fields that a group may settle: combs that were read as something whole, and
/// whose confidence alone keeps them from being accepted. Where no certificate says what a confidence is
/// worth, every cell is doubtful.
fn cells(record: &Record, form: &Form, names: &[String]) -> Vec<DoubtfulCell> {
    let fields = form.pages.iter().flat_map(|page| &page.fields);
    fields
        .filter(|field| names.contains(&field.name))
        .filter_map(|field| Some((field, record.fields.get(&field.name)?)))
        .flat_map(|(field, read)| cells_of(field, read).unwrap_or_default())
        .collect()
}

fn cells_of(field: &Field, read: &RecordField) -> Option<Vec<DoubtfulCell>> {
    let kind = match field.kind {
        FieldKind::Digits => CellKind::Digits,
        FieldKind::Kana => CellKind::Kana,
        FieldKind::Text | FieldKind::Mark | FieldKind::Signature => return None,
    };
    let crop = read.crop.as_ref()?;
    let shown = read::comb_area(field)?;
    let is_whole = read.value.as_ref().is_some_and(|value| !value.is_empty())
        && read.characters.len() <= field.cells.len()
        && read.characters.iter().all(|cell| matches!(cell.state, CellState::Blank | CellState::Written));
    if !is_whole || !read.reasons.iter().all(|reason| is_of_confidence(*reason)) {
        return None;
    }
    let known = read.reasons.contains(&Reason::BelowThreshold);
    let doubtful = read.characters.iter().zip(&field.cells).enumerate();
    let doubtful = doubtful.filter(|(_, (cell, _))| !known || cell.confidence < DOUBTFUL);
    Some(
        doubtful
            .map(|(place, (cell, area))| DoubtfulCell {
                field: field.name.clone(),
                place: u16::try_from(place).unwrap_or(u16::MAX),
                kind,
                character: cell.value.clone(),
                crop: crop.clone(),
                area: share(&area.grown(AROUND_MM), &shown),
            })
            .collect(),
    )
}

/// Nothing but the confidence, or what it is worth, is in the way.
fn is_of_confidence(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BelowThreshold
            | Reason::Uncalibrated
            | Reason::NoCertificate
            | Reason::CertificateProvisional
            | Reason::CertificateRevoked
            | Reason::TooLittleEvidence
            | Reason::ReadersDisagree
    )
}

fn share(area: &RectMm, of: &RectMm) -> [f32; 4] {
    [(area.x - of.x) / of.w, (area.y - of.y) / of.h, area.w / of.w, area.h / of.h].map(|share| share as f32)
}
