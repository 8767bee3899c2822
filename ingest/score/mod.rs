//! Readings and evidence to dispositions.
//!
//! No calibration is fitted yet: a raw score says nothing about risk, so every field that an
//! applicant filled in goes to a person (`verify`). `accepted` needs a calibrated confidence and
//! a risk target, neither of which may be made up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Finding, FindingCode};
use crate::form::{Field, FieldKind};
use crate::read::{EvidenceSource, FieldReading, InkState};

/// What is to become of a value, from the least to the most of a person's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    Accepted,
    /// The field was left empty.
    Blank,
    /// A person must confirm.
    Verify,
    /// Nothing can be read with confidence.
    Illegible,
    /// The municipality decides.
    Escalate,
}

/// Why a disposition is not `accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The score of this field type has no calibration yet.
    Uncalibrated,
    /// No ink was seen in the field.
    NoInk,
    /// There is ink, but more than one reading of it, or none.
    Ambiguous,
    /// The readers disagree.
    ReadersDisagree,
    /// Fewer digits were written than the field has; zeros were put before them.
    Padded,
    /// A refusal is always confirmed by a person.
    AlwaysConfirmed,
    /// The field's page is missing or could not be registered.
    PageNotRead,
}

/// The disposition of one field and its reasons; `reading` is none where its page was not read.
pub fn field_disposition(field: &Field, reading: Option<&FieldReading>) -> (Disposition, Vec<Reason>) {
    let Some(reading) = reading else {
        return (Disposition::Verify, vec![Reason::PageNotRead]);
    };
    let mut reasons = vec![Reason::Uncalibrated];
    match reading.state {
        InkState::Blank => reasons.push(Reason::NoInk),
        InkState::Ambiguous => reasons.push(Reason::Ambiguous),
        InkState::Written => {}
    }
    if readers_disagree(reading) {
        reasons.push(Reason::ReadersDisagree);
    }
    if field.kind == FieldKind::Digits && is_padded(reading) {
        reasons.push(Reason::Padded);
    }
    if field.name == crate::check::DECLINED && reading.state != InkState::Blank {
        reasons.push(Reason::AlwaysConfirmed);
    }
    (Disposition::Verify, reasons)
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
    use crate::read::{CellState, CharacterReading, Evidence};

    fn digits(name: &str) -> Field {
        Field {
            name: name.to_owned(),
            kind: FieldKind::Digits,
            printed: false,
            align: None,
            cells: Vec::new(),
            options: Vec::new(),
        }
    }

    fn reading(value: &str, cells: &[&str]) -> FieldReading {
        FieldReading {
            field: "account_number".to_owned(),
            value: Some(value.to_owned()),
            score: 0.999,
            state: InkState::Written,
            characters: cells
                .iter()
                .map(|&value| CharacterReading {
                    value: value.to_owned(),
                    state: if value.is_empty() { CellState::Blank } else { CellState::Written },
                    confidence: 0.999,
                    alternatives: Vec::new(),
                })
                .collect(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn nothing_is_accepted_without_a_calibration() {
        let (disposition, reasons) =
            field_disposition(&digits("account_number"), Some(&reading("12", &["1", "2"])));
        assert_eq!((disposition, reasons), (Disposition::Verify, vec![Reason::Uncalibrated]));
    }

    #[test]
    fn padding_and_a_missing_page_are_told() {
        let padded = reading("0012345", &["", "", "1", "2", "3", "4", "5"]);
        let (_, reasons) = field_disposition(&digits("account_number"), Some(&padded));
        assert_eq!(reasons, [Reason::Uncalibrated, Reason::Padded]);
        let (_, reasons) = field_disposition(&digits("account_number"), None);
        assert_eq!(reasons, [Reason::PageNotRead]);
    }

    #[test]
    fn two_readers_that_differ_are_told_but_blanks_are_no_difference() {
        let mut line = reading("横浜", &[]);
        line.evidence = vec![
            Evidence::whole(EvidenceSource::LineModel, Some("横 浜".to_owned()), 0.9),
            Evidence::whole(EvidenceSource::Tesseract, Some("横浜".to_owned()), 0.9),
        ];
        assert!(!readers_disagree(&line));
        line.evidence[1].value = Some("横兵".to_owned());
        assert!(readers_disagree(&line));
    }
}
