//! A capture's pages to its record: a pure function, so that the same readings give the same bytes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    FormVersion, Provenance, RECORD_SCHEMA, Record, RecordField, RecordPage, Source,
};
use crate::application_id::ApplicationId;
use crate::check::{self, CheckedPage, Circumstances};
use crate::digest::Sha256;
use crate::form::{Field, Form};
use crate::identify::Identity;
use crate::page::{Quality, Registration};
use crate::read::FieldReading;
use crate::score;

/// A page of a capture, as its row keeps it: all that the record says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapturedPage {
    pub scan: ScanName,
    pub page_index: u32,
    pub identity: Identity,
    /// The other application on the facing side of this sheet, where they disagree.
    pub facing: Option<ApplicationId>,
    /// Key of the page image.
    pub image: String,
    /// None where the marks were not found, or farther off than the form allows.
    pub registration: Option<Registration>,
    /// Quarter turns that brought the stored image upright, clockwise, in degrees.
    pub rotation: u32,
    pub skew_deg: f64,
    pub dpi: f64,
    pub quality: Quality,
    /// In the form's order; empty where the page was not read.
    pub readings: Vec<StoredReading>,
}

/// Which file a page came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanName {
    pub station: String,
    pub batch: Option<String>,
    pub file: String,
    pub sha256: Sha256,
}

/// A reading, and the key of the picture that it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredReading {
    pub reading: FieldReading,
    pub crop: String,
}

/// What is known of a capture beside its pages.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureFacts {
    pub capture_id: String,
    pub captured_at: DateTime<Utc>,
    pub circumstances: Circumstances,
    pub provenance: Provenance,
}

/// The record of the capture that consists of `pages`, all of one application and of `form`. None
/// where there are no pages.
pub fn build_record(form: &Form, mut pages: Vec<CapturedPage>, facts: CaptureFacts) -> Option<Record> {
    pages.sort_by_key(|page| page.identity.page);
    let first = pages.first()?;
    let application_id = first.identity.application_id;
    let scan = first.scan.clone();
    let mut page_indexes: Vec<u32> =
        pages.iter().filter(|page| page.scan.sha256 == scan.sha256).map(|page| page.page_index).collect();
    page_indexes.sort_unstable();

    let stored: BTreeMap<&str, &StoredReading> = pages
        .iter()
        .flat_map(|page| &page.readings)
        .map(|stored| (stored.reading.field.as_str(), stored))
        .collect();
    let fields: BTreeMap<String, RecordField> = form
        .pages
        .iter()
        .flat_map(|page| &page.fields)
        .map(|field| (field.name.clone(), record_field(field, stored.get(field.name.as_str()).copied())))
        .collect();

    let checked: Vec<CheckedPage<'_>> = pages
        .iter()
        .map(|page| CheckedPage {
            identity: &page.identity,
            registered: page.registration.is_some(),
            facing: page.facing,
        })
        .collect();
    let readings: Vec<&FieldReading> = stored.values().map(|stored| &stored.reading).collect();
    let findings = check::check_capture(form, &checked, &readings, facts.circumstances);
    let disposition = score::record_disposition(fields.values().map(|field| field.disposition), &findings);

    Some(Record {
        schema: RECORD_SCHEMA.to_owned(),
        application_id,
        capture_id: facts.capture_id,
        form: FormVersion { id: form.id.clone(), version: form.version.clone() },
        source: Source {
            station: scan.station,
            batch: scan.batch,
            file: scan.file,
            sha256: scan.sha256,
            page_indexes,
        },
        captured_at: facts.captured_at,
        pages: pages.iter().map(record_page).collect(),
        fields,
        findings,
        disposition,
        provenance: facts.provenance,
    })
}

fn record_page(page: &CapturedPage) -> RecordPage {
    RecordPage {
        page: page.identity.page,
        sha256: page.scan.sha256,
        page_index: page.page_index,
        image: page.image.clone(),
        rotation: page.rotation,
        skew_deg: page.skew_deg,
        dpi: page.dpi,
        residual_px: page.registration.as_ref().map(|registration| registration.residual_px),
        quality: page.quality,
    }
}

fn record_field(field: &Field, stored: Option<&StoredReading>) -> RecordField {
    let (disposition, reasons) = score::field_disposition(field, stored.map(|stored| &stored.reading));
    match stored {
        Some(StoredReading { reading, crop }) => RecordField {
            value: reading.value.clone(),
            confidence: reading.score,
            disposition,
            reasons,
            characters: reading.characters.clone(),
            crop: Some(crop.clone()),
            evidence: reading.evidence.clone(),
        },
        None => RecordField {
            value: None,
            confidence: 0.0,
            disposition,
            reasons,
            characters: Vec::new(),
            crop: None,
            evidence: Vec::new(),
        },
    }
}
