//! QA: which fields are looked at a second time, and what the second look says.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, State};
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::promise::{self, Promise};
use super::settling::{DESK, settle_complete};
use super::task_view::{EntryView, record};
use super::work::OutcomeKind;
use super::{Desk, DeskError};
use crate::digest::Sha256;
use crate::publish::{Record, RecordField};
use crate::score::{Disposition, at_any_time};
use crate::settings;
use crate::store::captures::CaptureId;
use crate::store::field_decisions::{self, FieldDecision, Outcome};
use crate::store::lots;
use crate::store::qa::{self, Complete, Drawn, JudgedDay, Look};
use crate::store::sessions::Visitor;
use crate::store::tasks::{self, About, TaskId};

/// Captures a statement.
const CHUNK: u32 = 100;

/// How often fields are drawn.
pub(super) struct DrawRates<'a> {
    settings: &'a settings::Review,
    /// Field and manner of errors of late.
    widened: Vec<(String, String)>,
    /// Enough of what they decided was looked at.
    known: BTreeSet<String>,
}

impl<'a> DrawRates<'a> {
    pub async fn now(desk: &'a Desk) -> Result<Self, DeskError> {
        let settings = &desk.settings;
        let people = qa::judged_people(&desk.database).await?.into_iter();
        let known = people.filter(|person| person.judged >= settings.qa_learner_looks);
        let known = known.map(|person| person.account.to_string()).collect();
        Ok(Self { settings, widened: qa::widened(&desk.database).await?, known })
    }

    /// `by`: who decided the field; nobody where the machine did.
    fn of(&self, field: &str, manner: &str, by: &[String]) -> f64 {
        let settings = self.settings;
        let usual = if is_of_machine(manner) { settings.qa_accepted_rate } else { settings.qa_decided_rate };
        let is_wide = self.widened.iter().any(|(wide, of)| wide == field && of == manner);
        let is_learner = by.iter().any(|person| !self.known.contains(person));
        let more = [(is_wide, settings.qa_widened_rate), (is_learner, settings.qa_learner_rate)];
        more.into_iter().filter(|&(applies, _)| applies).map(|(_, rate)| rate).fold(usual, f64::max)
    }
}

/// Draws samples of all captures that nobody has work with any more.
pub(super) async fn draw_all(desk: &Desk) -> Result<(), DeskError> {
    let mut captures = qa::complete(&desk.database, None, CHUNK).await?;
    if captures.is_empty() {
        return Ok(());
    }
    let secret = qa::secret(&desk.database).await?;
    let rates = DrawRates::now(desk).await?;
    while let Some(last) = captures.last() {
        let after = last.capture;
        // What was accepted without a person's decision; and what a node that crashed did not come to.
        let mut applications: Vec<_> = captures.iter().map(|capture| capture.application_id).collect();
        applications.dedup();
        settle_complete(desk, &applications).await?;
        for capture in &captures {
            draw(desk, &secret, &rates, capture).await?;
        }
        captures = qa::complete(&desk.database, Some(after), CHUNK).await?;
    }
    Ok(())
}

async fn draw(
    desk: &Desk,
    secret: &[u8],
    rates: &DrawRates<'_>,
    complete: &Complete,
) -> Result<(), DeskError> {
    let record: Record = serde_json::from_str(&complete.record)
        .map_err(|_| DeskError::Inside("a record of an earlier version cannot be read"))?;
    let decisions = field_decisions::current(&desk.database, complete.application_id).await?;
    let drawn: Vec<Drawn> = samplable(&record, complete.capture, &decisions, rates)
        .filter(|drawn| is_drawn(secret, complete.capture, &drawn.field, drawn.probability))
        .collect();
    Ok(qa::draw(&desk.database, complete, &drawn).await?)
}

/// The fields of a capture that a second look may be taken at, each with the probability of its manner.
pub(super) fn samplable<'a>(
    record: &'a Record,
    capture: CaptureId,
    decisions: &'a Decisions,
    rates: &'a DrawRates<'_>,
) -> impl Iterator<Item = Drawn> + 'a {
    record.fields.iter().filter(|(_, field)| field.crop.is_some()).filter_map(move |(name, field)| {
        let decided = decisions.get(name).filter(|(decision, _)| decision.capture == capture);
        let manner = match decided {
            Some((decision, _)) => decision.manner.name(),
            None => match field.disposition {
                Disposition::Accepted => ACCEPTED,
                Disposition::Blank => BLANK,
                // Nobody decided it: the municipality was asked, or its capture is a duplicate.
                Disposition::Verify | Disposition::Illegible | Disposition::Escalate => return None,
            },
        };
        let by = decided.map_or(&[][..], |(decision, _)| &decision.decided_by);
        Some(Drawn {
            field: name.clone(),
            form: format!("{}@{}", record.form.id, record.form.version),
            manner: manner.to_owned(),
            confidence_band: band(field.confidence),
            probability: rates.of(name, manner, by),
            certificate: record.provenance.certificate.filter(|_| decided.is_none()),
            screening: false,
        })
    })
}

/// What people decided of an application, by field.
type Decisions = BTreeMap<String, (FieldDecision, DateTime<Utc>)>;

const ACCEPTED: &str = "accepted";
const BLANK: &str = "blank";

/// Whether no person had a part in a value that came about in that manner.
pub(super) fn is_of_machine(manner: &str) -> bool {
    matches!(manner, ACCEPTED | BLANK)
}

/// The same for the same capture and field, whoever asks; nobody can tell without the key.
pub(super) fn is_drawn(secret: &[u8], capture: CaptureId, field: &str, probability: f64) -> bool {
    (number(secret, capture, field) as f64) < probability * (1u64 << 53) as f64
}

/// What a field drew: of 53 bits, as many as a fraction has.
pub(super) fn number(secret: &[u8], capture: CaptureId, field: &str) -> u64 {
    let mut text = secret.to_vec();
    text.extend(format!("{capture} {field}").bytes());
    let digest = Sha256::of(&text);
    digest.as_bytes()[..8].iter().fold(0u64, |number, &byte| number << 8 | u64::from(byte)) >> 11
}

fn band(confidence: f64) -> i16 {
    [0.9, 0.99, 0.999].into_iter().filter(|&limit| confidence >= limit).count() as i16
}

/// What a person sees in the picture, before anything else is shown to them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen {
    epoch: i32,
    outcome: OutcomeKind,
    #[serde(default)]
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Looked {
    /// What stands, where it is something else: the person says which of the two is right.
    standing: Option<EntryView>,
}

pub(super) async fn look(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(seen): Json<Seen>,
) -> Result<Json<Looked>, DeskError> {
    let held = tasks::held(&desk.database, &visitor.account, id).await?.ok_or(DeskError::Stale)?;
    let About::Capture { capture, fields, .. } = &held.about else { return Err(DeskError::NotFound) };
    let name = fields.first().ok_or(DeskError::NotFound)?;
    let record = record(&desk.database, *capture).await?;
    let form = desk.forms.find(&record.form.id, &record.form.version);
    let outcome =
        seen.outcome.outcome(form, name, &seen.text).map_err(|fault| DeskError::Faults(vec![fault]))?;
    let read = record.fields.get(name).map_or(Outcome::Blank, read_outcome);
    let look = qa::look(&desk.database, &visitor.account, id, seen.epoch, &outcome, &read).await?;
    Ok(Json(Looked {
        standing: match look {
            Look::Right => None,
            Look::Differs(standing) => Some(EntryView::of(&standing)),
            Look::Stale => return Err(DeskError::Stale),
        },
    }))
}

fn read_outcome(field: &RecordField) -> Outcome {
    field.value.clone().filter(|value| !value.is_empty()).map_or(Outcome::Blank, Outcome::Value)
}

/// Whether what stood is wrong, or the person's own entry.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    epoch: i32,
    wrong: bool,
}

pub(super) async fn settle(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(Verdict { epoch, wrong }): Json<Verdict>,
) -> Result<Json<serde_json::Value>, DeskError> {
    if !qa::settle(&desk.database, &visitor.account, id, epoch, wrong).await? {
        return Err(DeskError::Stale);
    }
    if wrong && let Err(error) = lots::judge(&desk.database, DESK).await {
        tracing::warn!(%error, "whether a lot is rejected was not looked at; it is within a minute");
    }
    if wrong && let Err(error) = promise::hold_to_it(&desk, visitor.account.as_str()).await {
        tracing::warn!(%error, "whether the certificate's promise holds was not looked at; it is within a minute");
    }
    Ok(Json(serde_json::json!({})))
}

/// Rates of errors, by field and how the value came about.
#[derive(Serialize, JsonSchema)]
pub(super) struct Rates {
    rates: Vec<Rate>,
    /// None where this node has no certificate.
    promise: Option<Promise>,
    /// By day, for the control chart.
    days: Vec<JudgedDay>,
}

#[derive(Serialize, JsonSchema)]
struct Rate {
    field: String,
    manner: String,
    waiting: i64,
    judged: i64,
    wrong: i64,
    /// What the certificate promises, where it does.
    promised: Option<f64>,
    /// Of all fields that the samples stand for.
    estimate: Option<f64>,
    /// With 95 % at all times of looking together, for the fields that were drawn.
    low: f64,
    high: f64,
}

/// What the control chart shows.
const CHARTED_DAYS: u32 = 60;

/// The chance that the bounds ever leave the true rate out.
const ALPHA: f64 = 0.05;

pub(super) async fn rates(State(desk): State<Desk>) -> Result<Json<Rates>, DeskError> {
    let certificate = desk.certificate.as_ref();
    let rate = |judged: qa::Judged| {
        let (low, high) = at_any_time(judged.wrong.unsigned_abs(), judged.judged.unsigned_abs(), ALPHA);
        Rate {
            estimate: (judged.weight > 0.0).then(|| judged.weight_wrong / judged.weight),
            low,
            high,
            promised: certificate
                .and_then(|file| promise::promised(&file.content, &judged.field, &judged.manner)),
            field: judged.field,
            manner: judged.manner,
            waiting: judged.waiting,
            judged: judged.judged,
            wrong: judged.wrong,
        }
    };
    Ok(Json(Rates {
        rates: qa::judged(&desk.database).await?.into_iter().map(rate).collect(),
        promise: promise::promise(&desk).await?,
        days: qa::judged_by_day(&desk.database, CHARTED_DAYS).await?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application_id::ApplicationId;

    #[test]
    fn a_draw_is_the_same_again_and_has_its_probability() {
        let application = ApplicationId::from_serial(1).expect("in range");
        let captures: Vec<CaptureId> =
            (0..4000).map(|page| CaptureId::of(Sha256::of(b"scan"), application, page)).collect();
        let drawn = |secret: &[u8]| -> Vec<bool> {
            captures.iter().map(|&capture| is_drawn(secret, capture, "phone", 0.25)).collect()
        };
        let (one, other) = (drawn(&[1; 32]), drawn(&[2; 32]));
        assert_eq!(one, drawn(&[1; 32]));
        assert_ne!(one, other, "another key draws others");
        let count = one.iter().filter(|&&drawn| drawn).count();
        // Four standard deviations.
        assert!((890..=1110).contains(&count), "{count}");
        assert!(captures.iter().all(|&capture| is_drawn(&[1; 32], capture, "phone", 1.0)));
        assert!(!captures.iter().any(|&capture| is_drawn(&[1; 32], capture, "phone", 0.0)));
    }

    #[test]
    fn bands_are_tenths_of_the_distance_to_one() {
        assert_eq!([0.5, 0.9, 0.98, 0.995, 1.0].map(band), [0, 1, 1, 2, 3]);
    }
}
