//! What is true of every simulated page; one JSON object a line of `truth.jsonl`. The format is
//! described in docs/formats.md.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::applicant::Entry;
use super::disturbance::Disturbance;
use crate::application_id::ApplicationId;
use crate::form::{SymbolRole, Symbology};
use crate::geometry::{Affine, PointMm};
use crate::read::CopyKind;

/// One page of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageTruth {
    /// Relative to the folder of `truth.jsonl`, with '/' between its parts.
    pub file: String,
    /// The page's place in its file, from 0.
    pub page_index: u32,
    /// Of the sheet, also for its blank back.
    pub application_id: ApplicationId,
    pub form: String,
    pub version: String,
    /// The form's page; none for a blank back.
    pub page: Option<u32>,
    pub blank: bool,
    /// Quarter turns clockwise, in degrees, that bring the scan upright.
    pub rotation: u32,
    /// What is left of the turn after that, clockwise.
    pub skew_deg: f64,
    pub dpi: u32,
    /// From millimetres on the form's page to pixels of the scan; none for a blank back.
    pub map: Option<Affine>,
    pub symbols: Vec<SymbolTruth>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disturbances: Vec<Disturbance>,
    /// Copies that were glued onto it, where enclosures are varied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyTruth>,
    /// Fields of this page by name, printed ones too.
    pub fields: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyTruth {
    pub kind: CopyKind,
    /// Around the digits of numbers that must not be kept, in millimetres on the page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<[PointMm; 4]>,
    /// The number to pay to that it shows, where it is of another account than the form's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub another_account: Option<String>,
    /// Whether a proof of identity had expired, or is of somebody else than the head of the household.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anothers: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SymbolTruth {
    pub role: SymbolRole,
    pub symbology: Symbology,
    /// False where it was blotted, scribbled over or scratched.
    pub intact: bool,
}
