//! Small judged fields, records and truths for the tests of this folder.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Judged, Truth};
use crate::application_id::ApplicationId;
use crate::digest::Sha256;
use crate::form::{FieldKind, Forms};
use crate::page::Quality;
use crate::publish::{FormVersion, Provenance, RECORD_SCHEMA, Record, RecordField, RecordPage, Source};
use crate::read::{CellState, CharacterReading, FieldReading, InkState};
use crate::score::{Disposition, PageFacts};
use crate::simulate::{Entry, PageTruth, Written};

const QUALITY: Quality = Quality { ink: 0.05, contrast: 0.8, sharpness: 0.9 };

pub fn forms() -> Forms {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/forms");
    Forms::load_dir(&folder).expect("the shipped forms")
}

pub fn application(serial: u64) -> ApplicationId {
    ApplicationId::from_serial(serial).expect("in range")
}

fn form() -> FormVersion {
    FormVersion { id: "benefit-2020".to_owned(), version: "1".to_owned() }
}

/// A character of a reading: `_` blank, `#` struck out, anything else itself.
fn cell(sign: char, confidence: f64) -> CharacterReading {
    let (value, state) = match sign {
        '_' => (String::new(), CellState::Blank),
        '#' => (String::new(), CellState::StruckOut),
        other => (other.to_string(), CellState::Written),
    };
    CharacterReading { value, state, confidence, alternatives: Vec::new() }
}

/// What was read in the boxes of a comb, written as in [`cell`]; a text is read the same way.
pub fn published(kind: FieldKind, read: &str, confidence: f64) -> RecordField {
    let characters: Vec<CharacterReading> = match kind {
        FieldKind::Digits | FieldKind::Kana | FieldKind::Text => {
            read.chars().map(|sign| cell(sign, confidence)).collect()
        }
        FieldKind::Mark | FieldKind::Signature => Vec::new(),
    };
    let value: String = read.chars().filter(|sign| *sign != '_').collect();
    let (value, ink) = match (value.is_empty(), value.contains('#')) {
        (_, true) => (None, InkState::Ambiguous),
        (true, _) => (None, InkState::Blank),
        (false, _) => (Some(value), InkState::Written),
    };
    RecordField {
        value,
        ink: Some(ink),
        confidence,
        disposition: Disposition::Verify,
        reasons: Vec::new(),
        characters,
        crop: None,
        evidence: Vec::new(),
    }
}

/// What an applicant wrote, written as in [`cell`]; `#` stands for a slip above which 5 was put.
pub fn entry(kind: FieldKind, written: &str) -> Entry {
    let cells: Vec<String> = written
        .chars()
        .map(|sign| match sign {
            '_' => String::new(),
            '#' => "5".to_owned(),
            other => other.to_string(),
        })
        .collect();
    let value = cells.concat();
    let corrected = written
        .chars()
        .enumerate()
        .filter(|&(_, sign)| sign == '#')
        .map(|(cell, _)| crate::simulate::Correction {
            cell,
            struck: "3".to_owned(),
            outcome: crate::simulate::Outcome::WrittenAbove,
        })
        .collect();
    let written = match kind {
        FieldKind::Digits | FieldKind::Kana => Written::Cells(cells),
        FieldKind::Text | FieldKind::Mark | FieldKind::Signature => Written::Line(value.clone()),
    };
    Entry { written, value: Some(value).filter(|value| !value.is_empty()), corrected }
}

/// A field of its own capture.
pub fn judged(name: &str, kind: FieldKind, written: &str, read: &str, confidence: f64) -> Judged {
    let field = crate::form::Field {
        name: name.to_owned(),
        kind,
        printed: false,
        align: None,
        cells: Vec::new(),
        options: Vec::new(),
    };
    let truth = Truth::of(&field, &entry(kind, written));
    let published = published(kind, read, confidence);
    Judged {
        capture_id: format!("capture of {name}, {confidence}"),
        form: form(),
        kind,
        name: name.to_owned(),
        reading: FieldReading {
            field: name.to_owned(),
            value: published.value.clone(),
            score: confidence,
            state: published.ink.unwrap_or(InkState::Blank),
            characters: published.characters.clone(),
            evidence: Vec::new(),
        },
        page: PageFacts { residual_px: 0.4, dpi: 300.0, quality: QUALITY },
        right: truth.admits(kind, published.value.as_deref()),
        published,
        truth,
    }
}

/// An account number.
pub fn account(written: &str, read: &str, confidence: f64) -> Judged {
    judged("account_number", FieldKind::Digits, written, read, confidence)
}

/// A record of one page with these readings.
pub fn record(serial: u64, page: u32, fields: &[(&str, RecordField)]) -> Record {
    let sha256 = Sha256::of(&serial.to_le_bytes());
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        application_id: application(serial),
        capture_id: format!("capture {serial}"),
        form: form(),
        issue: None,
        source: Source {
            station: "kita".to_owned(),
            batch: Some("batch-001".to_owned()),
            file: format!("{serial}.tif"),
            sha256,
            page_indexes: vec![0],
        },
        captured_at: chrono::DateTime::UNIX_EPOCH,
        pages: vec![RecordPage {
            page,
            sha256,
            page_index: 0,
            image: String::new(),
            rotation: 0,
            skew_deg: 0.0,
            dpi: Some(300.0),
            residual_px: Some(0.4),
            quality: QUALITY,
            copies: None,
        }],
        fields: fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect(),
        findings: Vec::new(),
        disposition: Disposition::Verify,
        provenance: Provenance {
            software: "test".to_owned(),
            form: Sha256::of(b"form"),
            models: BTreeMap::new(),
            calibration: None,
            certificate: None,
        },
    }
}

/// What is true of a page: the one that [`record`] was made of.
pub fn truth(serial: u64, page: Option<u32>, fields: &[(&str, Entry)]) -> PageTruth {
    PageTruth {
        file: format!("kita/batch-001/{serial}.tif"),
        page_index: 0,
        application_id: application(serial),
        form: "benefit-2020".to_owned(),
        version: "1".to_owned(),
        page,
        blank: page.is_none(),
        rotation: 0,
        skew_deg: 0.0,
        dpi: 300,
        map: None,
        symbols: Vec::new(),
        disturbances: Vec::new(),
        copies: Vec::new(),
        fields: fields.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect(),
    }
}
