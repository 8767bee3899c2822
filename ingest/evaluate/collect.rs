//! Records whose truth is known, to what a calibration is fitted on: features and outcomes, not the
//! readings themselves, so that ten thousand applications fit into memory.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{FusionCells, Judged, Opinions, Truths, judge, judge_seen};
use crate::application_id::ApplicationId;
use crate::digest::Sha256;
use crate::form::Forms;
use crate::publish::Record;
use crate::read::Fusion;
use crate::score::{
    Applies, Calibration, Example, Identified, Part, Split, Stratum, StratumExamples, StratumKey, features,
    is_eligible,
};
use crate::simulate::PageTruth;

/// Readings that were made alike: by the same models, fused with the same weights, from the same
/// forms.
#[derive(Default)]
pub struct Collection {
    pub applies: Applies,
    pub fusion: Fusion,
    pub strata: BTreeMap<StratumKey, StratumExamples>,
    pub cells: FusionCells,
    pub applications: Parts,
    /// Whose readings are in; of an application the first capture counts, for two of them are not
    /// two draws.
    seen: BTreeSet<ApplicationId>,
    latest: DateTime<Utc>,
}

/// Applications by what their readings are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Parts {
    pub fit: u64,
    pub recalibrate: u64,
    pub certify: u64,
}

impl Parts {
    pub fn total(self) -> u64 {
        self.fit + self.recalibrate + self.certify
    }
}

/// Records that say nothing about what is to be calibrated, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Skipped {
    /// Nothing is known of what stands on its pages, or its pages were not read.
    pub no_truth: u64,
    /// A further capture of an application.
    pub duplicates: u64,
    /// Read from another version of the form than the one in use.
    pub other_form: u64,
    /// Read under a calibration that is not the one in use: how its readers were weighed is not
    /// known.
    pub other_calibration: u64,
    /// Made with other models or weights than the latest records.
    pub other_models: u64,
}

/// Collections by how their readings were made.
pub struct Collections<'a> {
    forms: &'a Forms,
    truths: &'a Truths,
    opinions: &'a Opinions,
    split: &'a Split,
    /// The calibration in use.
    calibration: Option<&'a Identified<Calibration>>,
    made: Vec<Collection>,
    skipped: Skipped,
}

impl<'a> Collections<'a> {
    pub fn new(
        forms: &'a Forms,
        truths: &'a Truths,
        opinions: &'a Opinions,
        split: &'a Split,
        calibration: Option<&'a Identified<Calibration>>,
    ) -> Self {
        let (made, skipped) = (Vec::new(), Skipped::default());
        Self { forms, truths, opinions, split, calibration, made, skipped }
    }

    /// Takes up what is known of a record.
    pub fn add(&mut self, record: &Record) {
        let Some(fusion) = self.fusion_of(record.provenance.calibration) else {
            self.skipped.other_calibration += 1;
            return;
        };
        let form = self.forms.find(&record.form.id, &record.form.version);
        if form.is_none_or(|form| form.digest != record.provenance.form) {
            self.skipped.other_form += 1;
            return;
        }
        let judged = match self.opinions.of(record) {
            Some(seen) => judge_seen(record, seen, self.forms),
            None => judge(record, &self.truths_of(record), self.forms),
        };
        if judged.is_empty() {
            self.skipped.no_truth += 1;
            return;
        }
        let part = self.split.part(record.application_id);
        let collection = self.collection(record, fusion);
        if !collection.seen.insert(record.application_id) {
            self.skipped.duplicates += 1;
            return;
        }
        collection.take(record, part, &judged);
    }

    fn truths_of(&self, record: &Record) -> Vec<&'a PageTruth> {
        record.pages.iter().filter_map(|page| self.truths.of(record, page)).collect()
    }

    /// The collection of the latest records, and what was left out. None where nothing is known of
    /// any record.
    pub fn latest(mut self) -> (Option<Collection>, Skipped) {
        self.made.sort_by_key(|collection| collection.latest);
        let latest = self.made.pop();
        let others = self.made.iter().map(|collection| collection.seen.len() as u64).sum();
        (latest, Skipped { other_models: others, ..self.skipped })
    }

    /// The weights under which a record's readers were fused.
    fn fusion_of(&self, calibration: Option<Sha256>) -> Option<Fusion> {
        match calibration {
            None => Some(Fusion::default()),
            Some(sha256) => {
                self.calibration.filter(|file| file.sha256 == sha256).map(|file| file.content.fusion)
            }
        }
    }

    fn collection(&mut self, record: &Record, fusion: Fusion) -> &mut Collection {
        let models = &record.provenance.models;
        let made = self.made.iter().position(|one| one.applies.models == *models && one.fusion == fusion);
        let place = made.unwrap_or_else(|| {
            let applies = Applies { models: models.clone(), forms: BTreeMap::new() };
            self.made.push(Collection { applies, fusion, ..Collection::default() });
            self.made.len() - 1
        });
        &mut self.made[place]
    }
}

impl Collection {
    fn take(&mut self, record: &Record, part: Part, judged: &[Judged]) {
        self.latest = self.latest.max(record.captured_at);
        let form = format!("{}@{}", record.form.id, record.form.version);
        self.applies.forms.insert(form, record.provenance.form);
        match part {
            Part::Fit => {
                self.applications.fit += 1;
                self.cells.extend(judged);
            }
            Part::Recalibrate => self.applications.recalibrate += 1,
            Part::Certify => self.applications.certify += 1,
        }
        for judged in judged {
            let Some(stratum) = Stratum::of_reading(&judged.reading) else { continue };
            let example = Example {
                part,
                features: features(judged.kind, &judged.reading, &judged.page),
                right: judged.right,
                eligible: is_eligible(judged.kind, &judged.reading),
            };
            let stratum = self
                .strata
                .entry(StratumKey::new(&judged.name, stratum))
                .or_insert_with(|| StratumExamples { kind: judged.kind, examples: Vec::new() });
            // Two forms may give one name to fields of two kinds; features of the first are kept.
            if stratum.kind == judged.kind {
                stratum.examples.push(example);
            }
        }
    }
}
