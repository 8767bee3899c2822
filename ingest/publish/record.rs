//! The published record: what outside tools read. Its JSON Schema is generated from these types
//! (`config/schema/record.json`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::application_id::ApplicationId;
use crate::check::Finding;
use crate::digest::Sha256;
use crate::identify::Issue;
use crate::page::Quality;
use crate::read::{CharacterReading, CopiesSeen, Evidence, InkState};
use crate::score::{Disposition, PageFacts, Reason};

/// Names this layout of the record.
pub const RECORD_SCHEMA: &str = "uketsuke.record.1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// [`RECORD_SCHEMA`].
    pub schema: String,
    pub application_id: ApplicationId,
    /// Differs for every capture, also of the same application.
    pub capture_id: String,
    pub form: FormVersion,
    /// Which of the application's forms it is, from 1: the one that was mailed first, then those that went with
    /// its letters; none where no legible code says so.
    #[serde(default)]
    pub issue: Option<Issue>,
    /// Where the capture's first page came from.
    pub source: Source,
    pub captured_at: DateTime<Utc>,
    pub pages: Vec<RecordPage>,
    pub fields: BTreeMap<String, RecordField>,
    pub findings: Vec<Finding>,
    /// The most severe of the fields' and findings'.
    pub disposition: Disposition,
    pub provenance: Provenance,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormVersion {
    pub id: String,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    pub station: String,
    pub batch: Option<String>,
    pub file: String,
    pub sha256: Sha256,
    /// Pages of that file that belong to the capture, from 0.
    pub page_indexes: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordPage {
    /// The form's page number, from 1.
    pub page: u32,
    /// The scan that holds it, and the index of the page in that scan, from 0.
    pub sha256: Sha256,
    pub page_index: u32,
    /// Key of the page image in the object store; upright, not deskewed.
    pub image: String,
    /// Quarter turns clockwise that brought the scan upright, in degrees.
    pub rotation: u32,
    /// What is left of the turn, clockwise, in degrees.
    pub skew_deg: f64,
    /// Measured on the registration marks, else as the scan declares it.
    pub dpi: Option<f64>,
    /// In pixels at 300 dpi; none where the page could not be registered and was not read.
    pub residual_px: Option<f64>,
    pub quality: Quality,
    /// What was seen of copies on the page; none where it was not searched for any.
    #[serde(default)]
    pub copies: Option<CopiesSeen>,
}

impl RecordPage {
    /// None where the page was not read.
    pub fn facts(&self) -> Option<PageFacts> {
        PageFacts::measured(self.residual_px, self.dpi, self.quality)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordField {
    pub value: Option<String>,
    /// None where the field's page was not read.
    #[serde(default)]
    pub ink: Option<InkState>,
    /// The calibrated probability that the whole value is right; without a calibration the
    /// reader's own score.
    pub confidence: f64,
    pub disposition: Disposition,
    pub reasons: Vec<Reason>,
    pub characters: Vec<CharacterReading>,
    /// Key of the field's picture in the object store; none where its page was not read.
    pub crop: Option<String>,
    pub evidence: Vec<Evidence>,
}

/// What made the record: the same of all of these and the same bytes make the same record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    pub software: String,
    /// Of the form file.
    pub form: Sha256,
    /// Of each model file, by name.
    pub models: BTreeMap<String, Sha256>,
    /// Of the calibration file in use; none while there is none.
    pub calibration: Option<Sha256>,
    /// Of the risk certificate under which fields were accepted; none where there is none in force.
    #[serde(default)]
    pub certificate: Option<Sha256>,
}
