//! What holds of an application's fields: people's decisions where there are any, else what the machine
//! read and the certificate accepts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::check::{Content, Values};
use crate::publish::Record;
use crate::read::InkState;
use crate::score::Disposition;
use crate::store::captures::CaptureId;
use crate::store::field_decisions::{FieldDecision, Manner, Outcome};

/// Why a household is not paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The applicant took the application back.
    Withdrawn,
    /// They want no payment, and a person made sure of it.
    Declined,
    Deceased,
    PaidElsewhere,
    /// Another application of the household came by another way.
    AppliedOnline,
    /// QA found an error.
    Qa,
    /// Too much was wrong in the sample of its batch.
    Lot,
    /// A field was accepted under a certificate whose promise did not hold.
    Certificate,
    /// The operator's own.
    Other,
}

impl StopReason {
    pub const ALL: [Self; 9] = [
        Self::Withdrawn,
        Self::Declined,
        Self::Deceased,
        Self::PaidElsewhere,
        Self::AppliedOnline,
        Self::Qa,
        Self::Lot,
        Self::Certificate,
        Self::Other,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::Declined => "declined",
            Self::Deceased => "deceased",
            Self::PaidElsewhere => "paid_elsewhere",
            Self::AppliedOnline => "applied_online",
            Self::Qa => "qa",
            Self::Lot => "lot",
            Self::Certificate => "certificate",
            Self::Other => "other",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Why a payment came back (METI's taxonomy of accounts that cannot be paid to).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReturnReason {
    /// Bank, branch, type or number.
    Number,
    /// The holder's name is not that of the account.
    Holder,
    /// Closed, frozen, of somebody who died.
    Closed,
    Other,
}

impl ReturnReason {
    pub const ALL: [Self; 4] = [Self::Number, Self::Holder, Self::Closed, Self::Other];

    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Holder => "holder",
            Self::Closed => "closed",
            Self::Other => "other",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// The last payment that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returned {
    pub at: DateTime<Utc>,
    pub reason: ReturnReason,
}

/// The newest decision about a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    pub decision: FieldDecision,
    pub at: DateTime<Utc>,
}

/// What a person says of a capture of an application that had come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    Earlier,
    Later,
}

impl Counts {
    pub fn name(self) -> &'static str {
        match self {
            Self::Earlier => "earlier_counts",
            Self::Later => "later_counts",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Earlier, Self::Later].into_iter().find(|counts| counts.name() == name)
    }
}

/// Of the captures of an application, in the order in which they came, the one that counts: the last of which
/// people say so; else that which they looked at last, but for those that they say do not count; else the
/// first.
pub fn effective_capture(
    captures: &[(CaptureId, Option<Counts>)],
    decisions: &BTreeMap<String, Decided>,
) -> Option<CaptureId> {
    let said = captures.iter().rev().find(|(_, said)| *said == Some(Counts::Later));
    let looked_at = || {
        let possible = |wanted: CaptureId| {
            captures.iter().find(|(capture, said)| *capture == wanted && *said != Some(Counts::Earlier))
        };
        let decided =
            decisions.values().filter_map(|decided| Some((decided.at, possible(decided.decision.capture)?)));
        decided.max_by_key(|(at, _)| *at).map(|(_, capture)| capture)
    };
    said.or_else(looked_at).or(captures.first()).map(|(capture, _)| *capture)
}

/// Who answers for what a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The machine, at the risk that a certificate proves.
    Machine,
    Person(Manner),
    /// Nobody yet.
    Nobody,
    /// The municipality was asked and has not answered.
    Municipality,
}

/// The fields of one capture as they stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub(super) values: Values,
    answers: BTreeMap<String, (Answer, Option<DateTime<Utc>>)>,
}

impl Standing {
    /// Decisions about other captures are about other pictures: they say nothing of this one.
    pub fn of(record: &Record, capture: CaptureId, decisions: &BTreeMap<String, Decided>) -> Self {
        let mut answers = BTreeMap::new();
        let mut values = Vec::new();
        for (name, field) in &record.fields {
            let decided = decisions.get(name).filter(|decided| decided.decision.capture == capture);
            let (content, answer, at) = match decided {
                Some(Decided { decision, at }) => {
                    let (content, answer) = match &decision.outcome {
                        Outcome::Value(value) => {
                            (Content::Value(value.clone()), Answer::Person(decision.manner))
                        }
                        Outcome::Blank => (Content::Blank, Answer::Person(decision.manner)),
                        Outcome::Illegible | Outcome::StruckOut => {
                            (Content::Unreadable, Answer::Person(decision.manner))
                        }
                        Outcome::Escalated => (Content::Unreadable, Answer::Municipality),
                    };
                    (content, answer, Some(*at))
                }
                None => {
                    let answer = match field.disposition {
                        Disposition::Accepted | Disposition::Blank => Answer::Machine,
                        Disposition::Verify | Disposition::Illegible | Disposition::Escalate => {
                            Answer::Nobody
                        }
                    };
                    let content = match (field.ink, &field.value) {
                        (Some(InkState::Blank), _) => Content::Blank,
                        (Some(_), Some(value)) => Content::Value(value.clone()),
                        (Some(_), None) | (None, _) => Content::Unreadable,
                    };
                    (content, answer, None)
                }
            };
            answers.insert(name.clone(), (answer, at));
            values.push((name.clone(), content));
        }
        Self { values: values.into_iter().collect(), answers }
    }

    /// None where the form has no such field.
    pub(super) fn answer(&self, field: &str) -> Option<Answer> {
        self.answers.get(field).map(|(answer, _)| *answer)
    }

    /// When a person decided it.
    pub(super) fn decided_at(&self, field: &str) -> Option<DateTime<Utc>> {
        self.answers.get(field).and_then(|(_, at)| *at)
    }
}
