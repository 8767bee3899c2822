//! Readings and evidence to calibrated confidences and dispositions.
//!
//! A [`Calibration`] says what a reading's features are worth; a [`Certificate`] says from which
//! confidence on few enough readings are wrong. Both hold only for the models and forms that they
//! were made with. Without them every field goes to a person (`verify`): `accepted` is a statement
//! about risk, and none may be made up. What the numbers mean is told in `docs/confidence.md`.
//!
//! Nothing here knows of truth, of a database or of files but [`ScoreFiles`], which loads the two.

mod bounds;
mod calibration;
mod certificate;
mod certify;
mod drift;
mod features;
mod files;
mod fit;
mod logistic;
mod page_facts;
mod recalibrate;
mod scoring;
mod sequence;
mod split;
mod stratum;

pub use calibration::{Applies, CALIBRATION_SCHEMA, Calibration, CalibrationBasis, FieldCalibration};
pub use certificate::{Basis, CERTIFICATE_SCHEMA, Certificate, FieldCertificate, METHOD, Verdict};
pub use certify::Target;
pub use drift::{DriftRule, DriftTest, Histogram, Tally};
pub use features::features;
pub use files::{CALIBRATION_FILE, CERTIFICATE_FILE, Identified, ScoreFileError, ScoreFiles, encoded, write};
pub use fit::{Example, Fitted, StratumExamples, fit};
pub use page_facts::PageFacts;
pub use scoring::{FieldScore, Scorer, Scoring, Suspended};
pub use sequence::at_any_time;
pub use split::{Part, Split};
pub use stratum::{Stratum, StratumError, StratumKey};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Finding, FindingCode};
use crate::form::FieldKind;
use crate::read::{EvidenceSource, FieldReading, InkState};

/// What is to become of a value, from the least to the most of a person's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// The value is right, at the risk that the certificate proves.
    Accepted,
    /// The field was left empty, at the risk that the certificate proves.
    Blank,
    /// A person must confirm.
    Verify,
    /// Nothing can be read with confidence.
    Illegible,
    /// The municipality decides.
    Escalate,
}

/// Why a disposition is not `accepted`; and, of an accepted value too, what a person who looks at
/// it should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No calibration fits the models, the form and what was read; the confidence is the reader's
    /// own score.
    Uncalibrated,
    /// The confidence is calibrated, but no risk certificate was made with these models, this form
    /// and this calibration.
    NoCertificate,
    /// The certificate rests on simulated pages, and the operator has not said that this is enough.
    CertificateProvisional,
    /// QA found more errors among what the certificate accepts than it promises.
    CertificateRevoked,
    /// The certificate proves nothing for this field: too few readings were judged.
    TooLittleEvidence,
    /// The confidence is below the certificate's threshold.
    BelowThreshold,
    /// Confidences of this field are no longer distributed as those that the certificate rests on.
    Drift,
    /// No ink was seen in the field.
    NoInk,
    /// There is ink, but more than one reading of it, or none; or the scan may have lost what was written.
    Ambiguous,
    /// The readers disagree.
    ReadersDisagree,
    /// Fewer digits were written than the field has; zeros were put before them.
    Padded,
    /// A refusal is always confirmed by a person.
    AlwaysConfirmed,
    /// The digits of a date are no day of the calendar.
    NoSuchDay,
    /// No bank or branch has this name, or another field of the page leaves no room for the value.
    Contradicted,
    /// The enclosed copy of passbook or card shows something else.
    CopyDisagrees,
    /// The field's page is missing or could not be registered.
    PageNotRead,
}

impl Reason {
    /// Sends the field to a person whatever its confidence.
    fn blocks(self) -> bool {
        matches!(
            self,
            Self::Ambiguous
                | Self::AlwaysConfirmed
                | Self::NoSuchDay
                | Self::Contradicted
                | Self::CopyDisagrees
                | Self::PageNotRead
        )
    }
}

/// Whether rules leave it to the confidence what becomes of the reading. A certificate is about
/// such readings only.
pub fn is_eligible(kind: FieldKind, reading: &FieldReading) -> bool {
    !remarks(kind, reading).into_iter().any(Reason::blocks)
}

/// What is to be said of a reading whatever its confidence.
fn remarks(kind: FieldKind, reading: &FieldReading) -> Vec<Reason> {
    let mut remarks = Vec::new();
    match Stratum::of_reading(reading) {
        Some(Stratum::Blank) => remarks.push(Reason::NoInk),
        Some(Stratum::Written) => {}
        None => remarks.push(Reason::Ambiguous),
    }
    if readers_disagree(reading) {
        remarks.push(Reason::ReadersDisagree);
    }
    let denied = |source| reading.evidence.iter().any(|one| one.source == source && one.score < 0.5);
    if denied(EvidenceSource::AccountCopy) {
        remarks.push(Reason::CopyDisagrees);
    }
    if denied(EvidenceSource::Contradiction) {
        remarks.push(Reason::Contradicted);
    }
    if crate::check::is_no_day(reading) {
        remarks.push(Reason::NoSuchDay);
    }
    if kind == FieldKind::Digits && is_padded(reading) {
        remarks.push(Reason::Padded);
    }
    if reading.field == crate::form::standard::DECLINED && reading.state != InkState::Blank {
        remarks.push(Reason::AlwaysConfirmed);
    }
    remarks
}

/// The disposition of a whole record: the most of its fields', and the municipality's where a
/// finding is its to decide.
pub fn record_disposition(
    fields: impl IntoIterator<Item = Disposition>,
    findings: &[Finding],
) -> Disposition {
    let of_findings = findings.iter().map(|finding| match finding.code {
        FindingCode::NotInRegister => Disposition::Escalate,
        _ => Disposition::Verify,
    });
    fields.into_iter().chain(of_findings).max().unwrap_or(Disposition::Verify)
}

/// Two readers that both read a text and read it differently, blanks aside.
fn readers_disagree(reading: &FieldReading) -> bool {
    let is_reader = |source| {
        matches!(source, EvidenceSource::CellModel | EvidenceSource::LineModel | EvidenceSource::Tesseract)
    };
    let mut texts = reading
        .evidence
        .iter()
        .filter(|evidence| is_reader(evidence.source))
        .filter_map(|evidence| evidence.value.as_deref())
        .map(|text| text.split_whitespace().collect::<String>());
    let Some(first) = texts.next() else { return false };
    texts.any(|text| text != first)
}

/// The value has more digits than cells with ink.
fn is_padded(reading: &FieldReading) -> bool {
    let written = reading.characters.iter().filter(|character| !character.value.is_empty()).count();
    reading.value.as_ref().is_some_and(|value| value.chars().count() > written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Evidence;

    /// A value that its reader is sure of.
    fn written(field: &str, value: &str) -> FieldReading {
        FieldReading {
            field: field.to_owned(),
            value: Some(value.to_owned()),
            score: 0.999_999,
            state: InkState::Written,
            characters: Vec::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn two_readers_that_differ_are_told_but_blanks_are_no_difference() {
        let mut line = written("bank_name", "横浜");
        line.evidence = vec![
            Evidence::whole(EvidenceSource::LineModel, Some("横 浜".to_owned()), 0.9),
            Evidence::whole(EvidenceSource::Tesseract, Some("横浜".to_owned()), 0.9),
        ];
        assert!(!readers_disagree(&line));
        line.evidence[1].value = Some("横兵".to_owned());
        assert!(readers_disagree(&line));
    }

    #[test]
    fn what_is_contradicted_goes_to_a_person_however_sure_it_is() {
        let mut branch = written("branch_name", "新横兵");
        assert!(is_eligible(FieldKind::Text, &branch));
        branch.evidence.push(Evidence::whole(EvidenceSource::Contradiction, None, 0.0));
        assert!(!is_eligible(FieldKind::Text, &branch));
    }

    #[test]
    fn a_date_that_is_no_day_goes_to_a_person_however_sure_it_is() {
        let date = |value: &str| written("application_date", value);
        assert!(is_eligible(FieldKind::Digits, &date("020229")), "2020 has a 29th of February");
        for no_day in ["030229", "020012", "021300", "020431"] {
            assert!(!is_eligible(FieldKind::Digits, &date(no_day)), "{no_day}");
        }
        assert!(is_eligible(FieldKind::Digits, &written("yucho_symbol", "020012")));
    }
}
