//! Escalations: what the municipality is asked, the conversation about it, and its decision.
//!
//! While it is the municipality's turn the task is an escalation, and while it is the desk's a question: whoever
//! takes it then sees all that was written. Nobody holds it in between. Messages are never changed.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::captures::CaptureId;
use super::entries::{Ended, Question, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::field_decisions::{self, FieldDecision, Manner, Outcome};
use super::tasks::{About, TaskId, TaskKind, lock_held};
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

/// The two that talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    Desk,
    Municipality,
}

impl Side {
    /// What the task is while it is that side's turn.
    fn kind(self) -> TaskKind {
        match self {
            Self::Desk => TaskKind::Question,
            Self::Municipality => TaskKind::Escalation,
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Desk => Self::Municipality,
            Self::Municipality => Self::Desk,
        }
    }
}

#[derive(Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Message {
    pub account: String,
    pub side: Side,
    pub decision: Option<String>,
    pub text: String,
    pub written_at: DateTime<Utc>,
}

/// A question waits so long for the one who escalated; then anybody of the desk may reply.
const ASKER_FIRST: &str = "30 minutes";

/// Of a task `t` that `$1` would claim: a question is first for the one who escalated, unless they have not been
/// seen for a while, or do not answer for the desk.
pub(super) const MAY_REPLY: &str = "(t.kind <> 'question' or t.asked_by = $1 or t.asker_first_until < now()
    or not exists (select from session as s join account as a on a.name = s.account
                   where s.account = t.asked_by and a.role = 'reviewer' and a.active
                     and s.seen_at > now() - interval '15 minutes'))";

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
        "insert into task (kind, application_id, capture_id, fields, reason, asked_by)
         values ('escalation', $1, $2::uuid, array[$3], $4, $5) returning id",
    )
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(field)
    .bind(question.reason)
    .bind(account.as_str())
    .fetch_one(&mut *connection)
    .await
    .map_err(&doing)?;
    if !question.text.is_empty() {
        let claim = Claim { task: TaskId(task), account, epoch: None };
        say(connection, claim, Said::Note, &question.text).await?;
    }
    let detail = json!({ "reason": question.reason, "field": field, "capture": capture.to_string() });
    events::append(connection, account.as_str(), EventKind::EscalationOpened, &format!("task {task}"), detail)
        .await
}

const MESSAGE: &str = "task_id, account, asks_back, decision, text, written_at";

/// What was written, oldest first.
pub async fn messages(database: &Database, task: TaskId) -> Result<Vec<Message>, StoreError> {
    let statement = format!("select {MESSAGE} from escalation_message where task_id = $1 order by id");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(task.0)
        .fetch_all(database.pool())
        .await
        .map_err(query("read an escalation"))?
        .iter()
        .map(message)
        .collect()
}

fn message(row: &sqlx::postgres::PgRow) -> Result<Message, StoreError> {
    let broken = corrupt("message");
    let decision: Option<String> = row.try_get("decision").map_err(&broken)?;
    let asks_back: bool = row.try_get("asks_back").map_err(&broken)?;
    Ok(Message {
        account: row.try_get("account").map_err(&broken)?,
        side: if asks_back || decision.is_some() { Side::Municipality } else { Side::Desk },
        decision,
        text: row.try_get("text").map_err(&broken)?,
        written_at: row.try_get("written_at").map_err(&broken)?,
    })
}

/// How many questions of the municipality that person may take in hand.
pub async fn questions(database: &Database, account: &AccountName) -> Result<i64, StoreError> {
    let statement = format!(
        "select count(*) from task as t
         where state = 'open' and kind = 'question' and (leased_until is null or leased_until < now())
           and {MAY_REPLY}"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
        .bind(account.as_str())
        .fetch_one(database.pool())
        .await
        .map_err(query("count questions"))
}

/// An escalation, as those who took part in it look back at it.
#[derive(Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Conversation {
    pub application_id: ApplicationId,
    pub fields: Vec<String>,
    pub reason: String,
    /// Whose turn it is; none where it has ended.
    pub turn: Option<Side>,
    pub messages: Vec<Message>,
}

/// The newest that a person began or wrote in, the last one that was opened first.
pub async fn conversations(
    database: &Database,
    account: &AccountName,
) -> Result<Vec<Conversation>, StoreError> {
    const NEWEST: i64 = 50;
    let doing = query("list escalations");
    let tasks = sqlx::query(
        "select id, application_id, fields, reason, state, kind from task
         where id in ((select id from task where asked_by = $1 order by id desc limit $2)
                      union (select task_id from (select task_id from escalation_message where account = $1
                                                  order by id desc limit $2) as written))
           and state <> 'withdrawn'
         order by id desc limit $2",
    )
    .bind(account.as_str())
    .bind(NEWEST)
    .fetch_all(database.pool())
    .await
    .map_err(&doing)?;
    let broken = corrupt("escalation");
    let ids: Vec<i64> =
        tasks.iter().map(|row| row.try_get("id").map_err(&broken)).collect::<Result<_, _>>()?;
    let statement =
        format!("select {MESSAGE} from escalation_message where task_id = any($1) order by task_id, id");
    let written = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(&ids)
        .fetch_all(database.pool())
        .await
        .map_err(&doing)?;
    let mut messages: std::collections::BTreeMap<i64, Vec<Message>> = std::collections::BTreeMap::new();
    for row in &written {
        messages.entry(row.try_get("task_id").map_err(&broken)?).or_default().push(message(row)?);
    }
    tasks
        .iter()
        .zip(ids)
        .map(|(row, id)| {
            let (state, kind): (&str, &str) =
                (row.try_get("state").map_err(&broken)?, row.try_get("kind").map_err(&broken)?);
            let turn = [Side::Desk, Side::Municipality].into_iter().find(|side| side.kind().name() == kind);
            Ok(Conversation {
                application_id: super::applications::application_id(row, "application_id")?,
                fields: row.try_get("fields").map_err(&broken)?,
                reason: row.try_get("reason").map_err(&broken)?,
                turn: turn.filter(|_| state == "open"),
                messages: messages.remove(&id).unwrap_or_default(),
            })
        })
        .collect()
}

/// Writes something, and gives the task to the other side; false where somebody else has it now.
pub async fn pass(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    from: Side,
    text: &str,
) -> Result<bool, StoreError> {
    let doing = query("pass an escalation on");
    let mut transaction = database.begin().await?;
    let Some(task) = lock_held(&mut transaction, account, id, epoch).await? else {
        // An answer that got lost: the same was sent before.
        return sqlx::query_scalar(
            "select exists (select from escalation_message where task_id = $1 and epoch = $2 and account = $3)",
        )
        .bind(id.0)
        .bind(epoch)
        .bind(account.as_str())
        .fetch_one(&mut *transaction)
        .await
        .map_err(&doing);
    };
    if task.kind != from.kind() {
        return Err(StoreError::Refused("it is not that side's turn"));
    }
    let (said, event, first) = match from {
        Side::Municipality => (Said::Question, EventKind::EscalationAskedBack, Some(ASKER_FIRST)),
        Side::Desk => (Said::Note, EventKind::EscalationReplied, None),
    };
    say(&mut transaction, Claim { task: id, account, epoch: Some(epoch) }, said, text).await?;
    sqlx::query(
        "update task set kind = $2, asker_first_until = now() + $3::text::interval, holder = null,
                         leased_until = null
         where id = $1",
    )
    .bind(id.0)
    .bind(from.other().kind().name())
    .bind(first)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    events::append(&mut transaction, account.as_str(), event, &format!("task {id}"), json!({})).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
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
    let claim = Claim { task: id, account, epoch: Some(epoch) };
    say(&mut transaction, claim, Said::Decision(answer.decision), &answer.text).await?;
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

/// Who writes, in what.
#[derive(Clone, Copy)]
struct Claim<'a> {
    task: TaskId,
    account: &'a AccountName,
    /// None for what comes before anybody claims the task.
    epoch: Option<i32>,
}

#[derive(Clone, Copy)]
enum Said {
    /// By the desk.
    Note,
    /// By the municipality, to the desk.
    Question,
    Decision(Decision),
}

async fn say(
    connection: &mut PgConnection,
    Claim { task, account, epoch }: Claim<'_>,
    said: Said,
    text: &str,
) -> Result<(), StoreError> {
    let decision = match said {
        Said::Decision(decision) => Some(decision.name()),
        Said::Note | Said::Question => None,
    };
    sqlx::query(
        "insert into escalation_message (task_id, account, epoch, asks_back, decision, text)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(task.0)
    .bind(account.as_str())
    .bind(epoch)
    .bind(matches!(said, Said::Question))
    .bind(decision)
    .bind(text)
    .execute(connection)
    .await
    .map_err(query("write to an escalation"))
    .map(drop)
}
