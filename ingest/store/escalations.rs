//! Escalations: what the municipality is asked, the conversation about it, and its decision.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::captures::CaptureId;
use super::entries::{Ended, Question, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::field_decisions::{self, FieldDecision, Manner, Outcome};
use super::tasks::{About, TaskId, TaskKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::review::AccountName;

/// What the municipality decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The application goes on.
    Confirmed,
    /// It does not.
    Rejected,
    /// The applicant must send something again.
    Defect,
}

impl Decision {
    fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Defect => "defect",
        }
    }
}

#[derive(Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Message {
    pub account: String,
    pub decision: Option<String>,
    pub text: String,
    pub written_at: DateTime<Utc>,
}

/// Asks the municipality about a field, in the transaction of the entry that escalates it.
pub(super) async fn open(
    connection: &mut PgConnection,
    application: ApplicationId,
    capture: CaptureId,
    field: &str,
    account: &AccountName,
    question: &Question,
) -> Result<(), StoreError> {
    let doing = query("open an escalation");
    let task: i64 = sqlx::query_scalar(
        "insert into task (kind, application_id, capture_id, fields, reason)
         values ('escalation', $1, $2::uuid, array[$3], $4) returning id",
    )
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(field)
    .bind(question.reason)
    .fetch_one(&mut *connection)
    .await
    .map_err(&doing)?;
    if !question.text.is_empty() {
        say(connection, TaskId(task), account, None, &question.text).await?;
    }
    let detail = json!({ "reason": question.reason, "field": field, "capture": capture.to_string() });
    events::append(connection, account.as_str(), EventKind::EscalationOpened, &format!("task {task}"), detail)
        .await
}

/// What was written, oldest first.
pub async fn messages(database: &Database, task: TaskId) -> Result<Vec<Message>, StoreError> {
    sqlx::query(
        "select account, decision, text, written_at from escalation_message where task_id = $1 order by id",
    )
    .bind(task.0)
    .fetch_all(database.pool())
    .await
    .map_err(query("read an escalation"))?
    .iter()
    .map(|row| {
        let broken = corrupt("message");
        Ok(Message {
            account: row.try_get("account").map_err(&broken)?,
            decision: row.try_get("decision").map_err(&broken)?,
            text: row.try_get("text").map_err(&broken)?,
            written_at: row.try_get("written_at").map_err(&broken)?,
        })
    })
    .collect()
}

/// What the municipality says, and what the field holds where it says so.
pub struct Answer {
    pub decision: Decision,
    pub text: String,
    /// For the field that was asked about, where the decision is that it holds something.
    pub outcome: Option<Outcome>,
}

/// Decides an escalation; false where somebody else has it now.
pub async fn answer(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    answer: &Answer,
) -> Result<bool, StoreError> {
    let mut transaction = database.begin().await?;
    let task = match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(task) => task,
        Ended::Before => return Ok(true),
        Ended::Not => return Ok(false),
    };
    if task.kind != TaskKind::Escalation {
        return Err(StoreError::Refused("only an escalation is answered"));
    }
    say(&mut transaction, id, account, Some(answer.decision), &answer.text).await?;
    if let (About::Capture { application_id, capture, fields }, Some(outcome)) =
        (&task.about, &answer.outcome)
    {
        let [field] = &fields[..] else {
            return Err(StoreError::Refused("a value is decided where one field was asked about"));
        };
        let decision = FieldDecision {
            application_id: *application_id,
            capture: *capture,
            field: field.clone(),
            outcome: outcome.clone(),
            manner: Manner::Municipality,
            decided_by: vec![account.to_string()],
        };
        field_decisions::add(&mut transaction, &decision).await?;
    }
    let detail = json!({ "decision": answer.decision.name(), "field_decided": answer.outcome.is_some() });
    let subject = format!("task {id}");
    events::append(&mut transaction, account.as_str(), EventKind::EscalationAnswered, &subject, detail)
        .await?;
    transaction.commit().await.map_err(query("answer an escalation"))?;
    Ok(true)
}

async fn say(
    connection: &mut PgConnection,
    task: TaskId,
    account: &AccountName,
    decision: Option<Decision>,
    text: &str,
) -> Result<(), StoreError> {
    sqlx::query("insert into escalation_message (task_id, account, decision, text) values ($1, $2, $3, $4)")
        .bind(task.0)
        .bind(account.as_str())
        .bind(decision.map(Decision::name))
        .bind(text)
        .execute(connection)
        .await
        .map_err(query("write to an escalation"))
        .map(drop)
}
