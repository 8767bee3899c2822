//! What the municipality and the desk say to each other about an escalation, until the municipality decides.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settling::settle_when_decided;
use super::task_view::record;
use super::work::OutcomeKind;
use super::{Desk, DeskError};
use crate::store::escalations::{self, Answer, Conversation, Decision, Side};
use crate::store::sessions::Visitor;
use crate::store::tasks::{self, About, TaskId};

/// The decision, and where it is that the field holds something, what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    epoch: i32,
    decision: Decision,
    /// Why, for those who asked.
    text: String,
    outcome: Option<OutcomeKind>,
    #[serde(default)]
    value: String,
}

const LONGEST_TEXT: usize = 2000;

fn said(text: &str) -> Result<String, DeskError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_TEXT {
        return Err(DeskError::Refused("it says something, in 2,000 characters at most"));
    }
    Ok(text.to_owned())
}

/// A question, or what is said to one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    epoch: i32,
    text: String,
}

/// The municipality wants to know more: the desk has the turn.
pub(super) async fn ask(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(written): Json<Written>,
) -> Result<Json<serde_json::Value>, DeskError> {
    pass(&desk, &visitor, id, Side::Municipality, written).await
}

/// The desk says it: the municipality has the turn.
pub(super) async fn reply(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(written): Json<Written>,
) -> Result<Json<serde_json::Value>, DeskError> {
    pass(&desk, &visitor, id, Side::Desk, written).await
}

async fn pass(
    desk: &Desk,
    visitor: &Visitor,
    id: TaskId,
    from: Side,
    Written { epoch, text }: Written,
) -> Result<Json<serde_json::Value>, DeskError> {
    let passed = escalations::pass(&desk.database, &visitor.account, id, epoch, from, &said(&text)?).await?;
    if passed { Ok(Json(serde_json::json!({}))) } else { Err(DeskError::Stale) }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Conversations {
    conversations: Vec<Conversation>,
}

pub(super) async fn conversations(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<Conversations>, DeskError> {
    let conversations = escalations::conversations(&desk.database, &visitor.account).await?;
    Ok(Json(Conversations { conversations }))
}

pub(super) async fn answer(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(answered): Json<Answered>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let text = said(&answered.text)?;
    let held = tasks::held(&desk.database, &visitor.account, id).await?.ok_or(DeskError::Stale)?;
    let outcome = match (&held.about, answered.outcome) {
        (About::Capture { capture, fields, .. }, Some(kind)) => {
            let field = fields.first().ok_or(DeskError::Refused("no field was asked about"))?;
            let record = record(&desk.database, *capture).await?;
            let form = desk.forms.find(&record.form.id, &record.form.version);
            Some(kind.outcome(form, field, &answered.value).map_err(|fault| DeskError::Faults(vec![fault]))?)
        }
        _ => None,
    };
    let answer = Answer { decision: answered.decision, text, outcome };
    if !escalations::answer(&desk.database, &visitor.account, id, answered.epoch, &answer).await? {
        return Err(DeskError::Stale);
    }
    if let About::Capture { application_id, .. } = held.about {
        settle_when_decided(&desk, application_id, &visitor.account).await;
    }
    Ok(Json(serde_json::json!({})))
}
