//! The municipality's answer to an escalation.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;

use super::settling::settle_when_decided;
use super::task_view::record;
use super::work::OutcomeKind;
use super::{Desk, DeskError};
use crate::store::escalations::{self, Answer, Decision};
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

const LONGEST_ANSWER: usize = 2000;

pub(super) async fn answer(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(said): Json<Answered>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let text = said.text.trim().to_owned();
    if text.is_empty() || text.chars().count() > LONGEST_ANSWER {
        return Err(DeskError::Refused("an answer says why, in 2,000 characters at most"));
    }
    let held = tasks::held(&desk.database, &visitor.account, id).await?.ok_or(DeskError::Stale)?;
    let outcome = match (&held.about, said.outcome) {
        (About::Capture { capture, fields, .. }, Some(kind)) => {
            let field = fields.first().ok_or(DeskError::Refused("no field was asked about"))?;
            let record = record(&desk.database, *capture).await?;
            let form = desk.forms.find(&record.form.id, &record.form.version);
            Some(kind.outcome(form, field, &said.value).map_err(|fault| DeskError::Faults(vec![fault]))?)
        }
        _ => None,
    };
    let answer = Answer { decision: said.decision, text, outcome };
    if !escalations::answer(&desk.database, &visitor.account, id, said.epoch, &answer).await? {
        return Err(DeskError::Stale);
    }
    if let About::Capture { application_id, .. } = held.about {
        settle_when_decided(&desk, application_id, &visitor.account).await;
    }
    Ok(Json(serde_json::json!({})))
}
