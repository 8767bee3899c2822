//! A capture's pages to its record: a pure function, so that the same readings give the same bytes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{FormVersion, Provenance, RECORD_SCHEMA, Record, RecordField, RecordPage, Source};
use crate::application_id::ApplicationId;
use crate::check::{self, CheckedPage, Circumstances, Comparison, Finding, Rules, Values};
use crate::digest::Sha256;
use crate::form::{Field, Form};
use crate::identify::Identity;
use crate::page::Registration;
use crate::pipeline::PageLook;
use crate::read::{CopiesSeen, Evidence, EvidenceSource, FieldReading};
use crate::score::{self, FieldScore, PageFacts, Scoring};
use crate::store::objects::ObjectKey;

/// A page of a capture, as its row keeps it: all that the record says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapturedPage {
    /// The scan that holds it, and its name at the station.
    pub sha256: Sha256,
    pub file: String,
    pub identity: Identity,
    pub image: ObjectKey,
    /// `look.index` is the page's place in the scan.
    pub look: PageLook,
    /// Empty where the page was not read.
    pub readings: Vec<StoredReading>,
    /// What the page's neighbours in the scan say of it.
    pub findings: Vec<Finding>,
    /// None where the page was not searched for copies.
    #[serde(default)]
    pub copies: Option<CopiesSeen>,
}

/// A reading, and the key of the picture that it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredReading {
    pub reading: FieldReading,
    pub crop: ObjectKey,
}

/// What is known of a capture beside its pages.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureFacts {
    pub capture_id: String,
    pub application_id: ApplicationId,
    pub station: String,
    pub batch: Option<String>,
    pub captured_at: DateTime<Utc>,
    /// Pages of earlier captures in place of those that were not sent again.
    pub taken_over: Vec<CapturedPage>,
    pub circumstances: Circumstances,
    pub provenance: Provenance,
}

/// The record of the capture that consists of `pages`, all of one application and of `form`, whose
/// fields are scored by `scoring` and checked by `rules`. None where there are no pages.
pub fn build_record(
    form: &Form,
    mut pages: Vec<CapturedPage>,
    mut facts: CaptureFacts,
    scoring: &Scoring<'_>,
    rules: &Rules<'_>,
) -> Option<Record> {
    pages.sort_by_key(|page| page.identity.page);
    let source = source(pages.first()?, &pages, &facts);
    let issue = pages.iter().find_map(|page| page.identity.issue);
    pages.extend(facts.taken_over.drain(..).map(|mut page| {
        page.findings.push(check::taken_over(page.identity.page));
        page
    }));
    pages.sort_by_key(|page| page.identity.page);
    compare_with_copy(&mut pages, rules);
    let stored: BTreeMap<&str, (&StoredReading, PageFacts)> = pages
        .iter()
        .filter_map(|page| Some((page, page_facts(page)?)))
        .flat_map(|(page, facts)| page.readings.iter().map(move |stored| (stored, facts)))
        .map(|(stored, facts)| (stored.reading.field.as_str(), (stored, facts)))
        .collect();
    let fields: BTreeMap<String, RecordField> = form
        .pages
        .iter()
        .flat_map(|page| &page.fields)
        .map(|field| {
            let stored = stored.get(field.name.as_str()).copied();
            (field.name.clone(), record_field(field, stored, scoring))
        })
        .collect();

    let checked: Vec<CheckedPage<'_>> = pages
        .iter()
        .map(|page| CheckedPage {
            identity: &page.identity,
            registered: registration_for_reading(form, &page.look).is_some(),
            copies: page.copies.as_ref(),
        })
        .collect();
    let readings: Vec<&FieldReading> = stored.values().map(|(stored, _)| &stored.reading).collect();
    let mut findings = check::check_capture(form, &checked, &readings, &facts.circumstances, rules);
    findings.extend(pages.iter().flat_map(|page| page.findings.iter().cloned()));
    let disposition = score::record_disposition(fields.values().map(|field| field.disposition), &findings);

    Some(Record {
        schema: RECORD_SCHEMA.to_owned(),
        application_id: facts.application_id,
        capture_id: facts.capture_id,
        form: FormVersion { id: form.id.clone(), version: form.version.clone() },
        issue,
        source,
        captured_at: facts.captured_at,
        pages: pages.iter().map(record_page).collect(),
        fields,
        findings,
        disposition,
        provenance: facts.provenance,
    })
}

/// Adds what the copy of passbook or card says of the readings to their evidence; copies and writing
/// are on different pages.
fn compare_with_copy(pages: &mut [CapturedPage], rules: &Rules<'_>) {
    let Some(copy) = pages.iter().find_map(|page| page.copies.as_ref()?.account.clone()) else { return };
    let readings = pages.iter().flat_map(|page| page.readings.iter().map(|stored| &stored.reading));
    let values = Values::of_readings(&readings.collect::<Vec<_>>());
    let compared = check::compare_with_copy(&values, &copy, rules.banks);
    for stored in pages.iter_mut().flat_map(|page| &mut page.readings) {
        if let Some(Comparison { agrees, copied }) = compared.get(stored.reading.field.as_str()) {
            let score = f64::from(u8::from(*agrees));
            let evidence = Evidence::whole(EvidenceSource::AccountCopy, Some(copied.clone()), score);
            stored.reading.evidence.push(evidence);
        }
    }
}

/// The page's registration, if its residual is within what the form allows: only then it is read.
pub fn registration_for_reading<'a>(form: &Form, look: &'a PageLook) -> Option<&'a Registration> {
    look.registration.as_ref().filter(|registration| registration.residual_px <= form.max_residual_px)
}

fn source(first: &CapturedPage, pages: &[CapturedPage], facts: &CaptureFacts) -> Source {
    let mut page_indexes: Vec<u32> =
        pages.iter().filter(|page| page.sha256 == first.sha256).map(|page| page.look.index).collect();
    page_indexes.sort_unstable();
    Source {
        station: facts.station.clone(),
        batch: facts.batch.clone(),
        file: first.file.clone(),
        sha256: first.sha256,
        page_indexes,
    }
}

fn record_page(page: &CapturedPage) -> RecordPage {
    let registration = page.look.registration.as_ref();
    RecordPage {
        page: page.identity.page,
        sha256: page.sha256,
        page_index: page.look.index,
        image: page.image.to_string(),
        rotation: registration.map_or(0, Registration::rotation),
        skew_deg: page.look.skew_deg,
        dpi: registration.map(|registration| registration.map.dpi()).or(page.look.declared_dpi),
        residual_px: registration.map(|registration| registration.residual_px),
        quality: page.look.quality,
        copies: page.copies.clone(),
    }
}

/// None where the page was not registered: it was not read.
fn page_facts(page: &CapturedPage) -> Option<PageFacts> {
    let registration = page.look.registration.as_ref()?;
    PageFacts::measured(Some(registration.residual_px), Some(registration.map.dpi()), page.look.quality)
}

fn record_field(
    field: &Field,
    stored: Option<(&StoredReading, PageFacts)>,
    scoring: &Scoring<'_>,
) -> RecordField {
    let read = stored.as_ref().map(|(stored, facts)| (&stored.reading, facts));
    let FieldScore { confidence, disposition, reasons } = scoring.score(field, read);
    match stored {
        Some((StoredReading { reading, crop }, _)) => RecordField {
            value: reading.value.clone(),
            ink: Some(reading.state),
            confidence,
            disposition,
            reasons,
            characters: reading.characters.clone(),
            crop: Some(crop.to_string()),
            evidence: reading.evidence.clone(),
        },
        None => RecordField {
            value: None,
            ink: None,
            confidence,
            disposition,
            reasons,
            characters: Vec::new(),
            crop: None,
            evidence: Vec::new(),
        },
    }
}
