//! Handing out tasks about fields, and taking what people enter.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::mask::normalise;
use super::settling::settle_when_decided;
use super::task_view::{self, TaskView, form_field, record, view};
use super::{Desk, DeskError, Role};
use crate::form::Form;
use crate::store::entries::{self, NewEntry, Question, Submitted};
use crate::store::escalations;
use crate::store::field_decisions::Outcome;
use crate::store::known_answers;
use crate::store::sessions::Visitor;
use crate::store::tasks::{self, About, TaskId, TaskKind};

/// What a person asks for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// In the order of what is wanted first. If empty, all that the role may have but pages, duplicates, groups
    /// and questions: one asks for those by name.
    #[serde(default)]
    kinds: Vec<TaskKind>,
    /// Tasks that are in hand, or were skipped.
    #[serde(default)]
    #[schemars(with = "Vec<i64>")]
    except: Vec<TaskId>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Claimed {
    /// None where nothing waits.
    task: Option<TaskView>,
    /// Of the municipality, that wait for this person.
    questions: i64,
}

/// The kinds of tasks that a role may have.
pub(super) fn kinds_of(role: Role) -> &'static [TaskKind] {
    match role {
        Role::Keyer => &[TaskKind::Key, TaskKind::Verify, TaskKind::Group],
        Role::Reviewer => &[
            TaskKind::Adjudicate,
            TaskKind::Key,
            TaskKind::Verify,
            TaskKind::Page,
            TaskKind::Duplicate,
            TaskKind::Group,
            TaskKind::Question,
        ],
        Role::Municipality => &[TaskKind::Escalation],
        Role::Qa => &[TaskKind::Qa],
        Role::Masker => &[TaskKind::Mask],
        Role::Supervisor | Role::Inquiry | Role::Administrator | Role::Payment => &[],
    }
}

/// Not worked on field by field, but on a page of its own.
fn has_its_page(kind: TaskKind) -> bool {
    matches!(kind, TaskKind::Page | TaskKind::Duplicate | TaskKind::Group | TaskKind::Question)
}

/// More than a person skips in a shift.
const MOST_EXCEPT: usize = 1000;

pub(super) async fn claim(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Json(Claim { kinds, except }): Json<Claim>,
) -> Result<Json<Claimed>, DeskError> {
    let allowed = kinds_of(visitor.role);
    if kinds.iter().any(|kind| !allowed.contains(kind)) {
        return Err(DeskError::Forbidden);
    }
    if kinds.len() > allowed.len() || except.len() > MOST_EXCEPT {
        return Err(DeskError::Refused("too many kinds or exceptions"));
    }
    let mut kinds: Vec<TaskKind> = match kinds.is_empty() {
        true => allowed.iter().copied().filter(|kind| !has_its_page(*kind)).collect(),
        false => kinds,
    };
    let lease = desk.settings.lease;
    let keys = kinds.contains(&TaskKind::Key);
    if keys {
        kinds.push(TaskKind::Seed);
    }
    let seeded = keys && rand::random::<f64>() < desk.settings.seed_rate;
    let seed = match seeded {
        true => {
            known_answers::claim(&desk.database, &visitor.account, desk.settings.seed_after, lease).await?
        }
        false => None,
    };
    let task = match seed {
        Some(seed) => Some(seed),
        None => tasks::claim(&desk.database, &visitor.account, &kinds, &except, lease).await?,
    };
    let task = match task {
        Some(task) => Some(view(&desk, visitor.role, task, &BTreeMap::new()).await?),
        None => None,
    };
    Ok(Json(Claimed { task, questions: questions(&desk, &visitor).await? }))
}

/// The claim that a request rests on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    epoch: i32,
}

pub(super) async fn renew(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(Held { epoch }): Json<Held>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let renewed = tasks::renew(&desk.database, &visitor.account, id, epoch, desk.settings.lease).await?;
    if renewed { Ok(Json(serde_json::json!({}))) } else { Err(DeskError::Stale) }
}

pub(super) async fn give_back(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(Held { epoch }): Json<Held>,
) -> Result<Json<serde_json::Value>, DeskError> {
    tasks::give_back(&desk.database, &visitor.account, id, epoch).await?;
    Ok(Json(serde_json::json!({})))
}

/// An entry for each field of a task.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Submission {
    epoch: i32,
    entries: Vec<Entry>,
}

/// What a person says of a field.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    field: String,
    outcome: OutcomeKind,
    /// As it was typed, with `value`; the question to the municipality, with `escalated`.
    #[serde(default)]
    text: String,
    /// With `escalated`.
    reason: Option<EscalationReason>,
}

#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutcomeKind {
    Value,
    Blank,
    Illegible,
    StruckOut,
    Escalated,
}

#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum EscalationReason {
    /// The holder is somebody else than the head of the household.
    OtherHolder,
    /// The applicant wrote something that the form does not ask for.
    Remark,
    /// What stands in several fields does not go together.
    Contradiction,
    Other,
}

impl EscalationReason {
    fn code(self) -> &'static str {
        match self {
            Self::OtherHolder => "other_holder",
            Self::Remark => "remark",
            Self::Contradiction => "contradiction",
            Self::Other => "other",
        }
    }
}

/// Of a question to the municipality.
const LONGEST_QUESTION: usize = 1000;

impl OutcomeKind {
    /// The outcome for what was typed.
    pub fn outcome(self, form: Option<&Form>, field: &str, text: &str) -> Result<Outcome, Fault> {
        let fault = |code| Fault { field: field.to_owned(), code };
        Ok(match self {
            Self::Value => {
                let known = form.and_then(|form| form_field(form, field)).ok_or(fault("no_form"))?;
                Outcome::Value(normalise(known, text).map_err(|error| fault(error.code()))?)
            }
            Self::Blank => Outcome::Blank,
            Self::Illegible => Outcome::Illegible,
            Self::StruckOut => Outcome::StruckOut,
            Self::Escalated => Outcome::Escalated,
        })
    }
}

impl Entry {
    fn parse(self, form: Option<&Form>) -> Result<NewEntry, Fault> {
        let outcome = self.outcome.outcome(form, &self.field, &self.text)?;
        let question = match (self.outcome, self.reason) {
            (OutcomeKind::Escalated, Some(reason)) if self.text.chars().count() <= LONGEST_QUESTION => {
                Some(Question { reason: reason.code(), text: self.text.trim().to_owned() })
            }
            (OutcomeKind::Escalated, _) => return Err(Fault { field: self.field, code: "reason" }),
            _ => None,
        };
        Ok(NewEntry { field: self.field, outcome, question })
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Ended {
    /// False where the same submission came before.
    pub first: bool,
}

pub(super) async fn submit(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(Submission { epoch, entries }): Json<Submission>,
) -> Result<Json<Ended>, DeskError> {
    // Who lost the task, or did it already, is told so by the submission itself.
    let (application, form, known) = match known_answers::held(&desk.database, &visitor.account, id).await? {
        Some(task) => match task.about {
            About::Capture { application_id, capture, .. } => {
                let record = record(&desk.database, capture).await?;
                let form = desk.forms.find(&record.form.id, &record.form.version);
                (application_id, form, task.kind == TaskKind::Seed)
            }
            About::Page { .. } | About::Group | About::Seed => return Err(DeskError::NotFound),
        },
        None => {
            return match entries::submit(&desk.database, &visitor.account, id, epoch, &[]).await? {
                Submitted::Already => Ok(Json(Ended { first: false })),
                Submitted::Done | Submitted::Stale => Err(DeskError::Stale),
            };
        }
    };
    let (mut parsed, mut faults) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry.parse(form) {
            Ok(entry) => parsed.push(entry),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(DeskError::Faults(faults));
    }
    if known {
        let [entry] = &parsed[..] else {
            return Err(DeskError::Refused("a task ends with one entry for each of its fields"));
        };
        return match known_answers::answer(&desk.database, &visitor.account, id, epoch, &entry.outcome)
            .await?
        {
            Submitted::Done => Ok(Json(Ended { first: true })),
            Submitted::Already => Ok(Json(Ended { first: false })),
            Submitted::Stale => Err(DeskError::Stale),
        };
    }
    match entries::submit(&desk.database, &visitor.account, id, epoch, &parsed).await? {
        Submitted::Done => {
            settle_when_decided(&desk, application, &visitor.account).await;
            Ok(Json(Ended { first: true }))
        }
        Submitted::Already => Ok(Json(Ended { first: false })),
        Submitted::Stale => Err(DeskError::Stale),
    }
}

/// Takes back what the person has just submitted.
pub(super) async fn reopen(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
) -> Result<Json<Claimed>, DeskError> {
    let reopened = entries::reopen(&desk.database, &visitor.account, id, desk.settings.lease).await?;
    let (task, entered) = reopened.ok_or(DeskError::Stale)?;
    let task = Some(task_view::view(&desk, visitor.role, task, &entered).await?);
    Ok(Json(Claimed { task, questions: questions(&desk, &visitor).await? }))
}

async fn questions(desk: &Desk, visitor: &Visitor) -> Result<i64, DeskError> {
    match kinds_of(visitor.role).contains(&TaskKind::Question) {
        true => Ok(escalations::questions(&desk.database, &visitor.account).await?),
        false => Ok(0),
    }
}
