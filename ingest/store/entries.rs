//! Entries: what people say of fields, and what follows from it in the same transaction.
//!
//! One person who sees the machine's value decides alone. Two blind keys that are equal decide
//! together; where they differ, a third person gets an adjudication and sees both. Whatever was
//! decided is a row of [`super::field_decisions`].

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sqlx::{PgConnection, Row};

use super::approvals::{self, Revoked};
use super::captures::CaptureId;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::field_decisions::{self, FieldDecision, Manner, Outcome};
use super::sessions::interval;
use super::tasks::{About, Task, TaskId, TaskKind, task};
use super::{Database, StoreError, escalations, groups};
use crate::application_id::ApplicationId;
use crate::review::AccountName;

/// What a person says of one field of their task. The outcome is normalised: equal values are equal
/// texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    pub field: String,
    pub outcome: Outcome,
    /// With [`Outcome::Escalated`]: a code, and what the municipality should know.
    pub question: Option<Question>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    pub reason: &'static str,
    pub text: String,
}

/// May hold what an applicant wrote.
impl std::fmt::Debug for Question {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Question({}, ***)", self.reason)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    Done,
    /// The same submission came before: a double click, or an answer that got lost.
    Already,
    /// Somebody else has the task now, or has done it. Nothing was changed.
    Stale,
}

/// Ends a task with an entry for each of its fields.
pub async fn submit(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    entries: &[NewEntry],
) -> Result<Submitted, StoreError> {
    let doing = query("submit a task");
    let mut transaction = database.begin().await?;
    let task = match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(task) => task,
        Ended::Before => return Ok(Submitted::Already),
        Ended::Not => return Ok(Submitted::Stale),
    };
    let About::Capture { application_id, capture, fields } = &task.about else {
        return Err(StoreError::Refused("a page has no fields to enter"));
    };
    let mut named: Vec<&str> = entries.iter().map(|entry| entry.field.as_str()).collect();
    let mut wanted: Vec<&str> = fields.iter().map(String::as_str).collect();
    named.sort_unstable();
    wanted.sort_unstable();
    if named != wanted {
        return Err(StoreError::Refused("a task ends with one entry for each of its fields"));
    }
    for entry in entries {
        add(&mut transaction, account, &task, *capture, entry).await?;
    }
    groups::close(&mut transaction, *capture, fields).await?;
    let place = Place { application_id: *application_id, capture: *capture };
    let (decided, differing) = match task.kind {
        TaskKind::Verify => {
            (entries.iter().map(|entry| alone(place, account, entry, Manner::Verified)).collect(), Vec::new())
        }
        TaskKind::Adjudicate => (
            entries.iter().map(|entry| alone(place, account, entry, Manner::Adjudicated)).collect(),
            Vec::new(),
        ),
        TaskKind::Key => compare(&mut transaction, place, account, &task, entries).await?,
        TaskKind::Page
        | TaskKind::Duplicate
        | TaskKind::Escalation
        | TaskKind::Question
        | TaskKind::Qa
        | TaskKind::Group
        | TaskKind::Mask
        | TaskKind::Seed => {
            return Err(StoreError::Refused("that kind of task does not end with entries"));
        }
    };
    for decision in &decided {
        field_decisions::add(&mut transaction, decision).await?;
        if decision.outcome == Outcome::Escalated {
            let question = entries
                .iter()
                .find(|entry| entry.field == decision.field)
                .and_then(|entry| entry.question.clone())
                .ok_or(StoreError::Refused("an escalation says why"))?;
            escalations::open(
                &mut transaction,
                *application_id,
                *capture,
                &decision.field,
                account,
                &question,
            )
            .await?;
        }
    }
    if !differing.is_empty() {
        sqlx::query(
            "insert into task (kind, application_id, capture_id, fields) values ('adjudicate', $1, $2::uuid, $3)",
        )
        .bind(application_id.to_string())
        .bind(capture.to_string())
        .bind(&differing)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    }
    let detail = json!({
        "kind": task.kind.name(),
        "capture": capture.to_string(),
        "fields": fields,
        "decided": decided.iter().map(|decision| &decision.field).collect::<Vec<_>>(),
        "differing": differing,
    });
    let subject = format!("task {id}");
    events::append(&mut transaction, account.as_str(), EventKind::TaskSubmitted, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Submitted::Done)
}

pub(super) enum Ended {
    Now(Task),
    /// By the same person, with the same claim.
    Before,
    Not,
}

/// Marks a task as done by the person who holds it, and locks it; of a capture's keys both, so that the
/// second one to end sees the first.
pub(super) async fn end(
    connection: &mut PgConnection,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
) -> Result<Ended, StoreError> {
    let doing = query("end a task");
    sqlx::query(
        "select id from task
         where id = $1 or (kind = 'key' and capture_id = (select capture_id from task where id = $1 and kind = 'key'))
         order by id for update",
    )
    .bind(id.0)
    .execute(&mut *connection)
    .await
    .map_err(&doing)?;
    let ended = sqlx::query(
        "update task set state = 'done', done_at = now(), done_by = $3, leased_until = null, holder = null
         where id = $1 and epoch = $2 and holder = $3 and state = 'open'
         returning id, kind, epoch, application_id, capture_id::text, fields, scan_id, page_index, reason",
    )
    .bind(id.0)
    .bind(epoch)
    .bind(account.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(&doing)?;
    if let Some(row) = ended {
        return Ok(Ended::Now(task(&row)?));
    }
    let before: bool = sqlx::query_scalar(
        "select exists (select from task where id = $1 and epoch = $2 and done_by = $3 and state = 'done')",
    )
    .bind(id.0)
    .bind(epoch)
    .bind(account.as_str())
    .fetch_one(connection)
    .await
    .map_err(&doing)?;
    Ok(if before { Ended::Before } else { Ended::Not })
}

pub(super) async fn add(
    connection: &mut PgConnection,
    account: &AccountName,
    task: &Task,
    capture: CaptureId,
    entry: &NewEntry,
) -> Result<(), StoreError> {
    let doing = query("add an entry");
    sqlx::query(
        "insert into hand (capture_id, field, account, task_id) values ($1::uuid, $2, $3, $4) on conflict do nothing",
    )
    .bind(capture.to_string())
    .bind(&entry.field)
    .bind(account.as_str())
    .bind(task.id.0)
    .execute(&mut *connection)
    .await
    .map_err(&doing)?;
    let (outcome, value) = entry.outcome.parts();
    let added = sqlx::query(
        "insert into entry (task_id, capture_id, field, blind, outcome, value, account)
         values ($1, $2::uuid, $3, $4, $5, $6, $7)",
    )
    .bind(task.id.0)
    .bind(capture.to_string())
    .bind(&entry.field)
    .bind(matches!(task.kind, TaskKind::Key | TaskKind::Qa))
    .bind(outcome)
    .bind(value)
    .bind(account.as_str())
    .execute(connection)
    .await;
    match added {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Err(StoreError::Refused(
            "the same person never decides a field twice; somebody else must do this task",
        )),
        Err(error) => Err(doing(error)),
    }
}

#[derive(Clone, Copy)]
struct Place {
    application_id: ApplicationId,
    capture: CaptureId,
}

fn alone(place: Place, account: &AccountName, entry: &NewEntry, manner: Manner) -> FieldDecision {
    FieldDecision {
        application_id: place.application_id,
        capture: place.capture,
        field: entry.field.clone(),
        outcome: entry.outcome.clone(),
        manner,
        decided_by: vec![account.to_string()],
    }
}

/// Decisions where both keys are there and equal, and the fields where they differ. A key that
/// escalates is a difference: a third person looks before the municipality is asked.
async fn compare(
    connection: &mut PgConnection,
    place: Place,
    account: &AccountName,
    task: &Task,
    entries: &[NewEntry],
) -> Result<(Vec<FieldDecision>, Vec<String>), StoreError> {
    let rows = sqlx::query(
        "select distinct on (entry.field) entry.field, entry.outcome, entry.value, entry.account
         from entry join task on task.id = entry.task_id
         where entry.capture_id = $1::uuid and task.kind = 'key' and task.id <> $2 and task.state = 'done'
         order by entry.field, entry.id desc",
    )
    .bind(place.capture.to_string())
    .bind(task.id.0)
    .fetch_all(connection)
    .await
    .map_err(query("compare two keys"))?;
    let mut others: BTreeMap<String, (Outcome, String)> = BTreeMap::new();
    for row in &rows {
        let broken = corrupt("entry");
        let outcome = field_decisions::outcome(row)?;
        let other = row.try_get("account").map_err(&broken)?;
        others.insert(row.try_get("field").map_err(&broken)?, (outcome, other));
    }
    let (mut decided, mut differing) = (Vec::new(), Vec::new());
    for entry in entries {
        match others.remove(&entry.field) {
            None => {}
            Some((outcome, other)) if outcome == entry.outcome && outcome != Outcome::Escalated => {
                let mut decision = alone(place, account, entry, Manner::TwoKeys);
                decision.decided_by.insert(0, other);
                decided.push(decision);
            }
            Some(_) => differing.push(entry.field.clone()),
        }
    }
    Ok((decided, differing))
}

/// What others keyed, by field and in the order in which they did, for the person who adjudicates.
pub async fn keyed(
    database: &Database,
    capture: CaptureId,
) -> Result<BTreeMap<String, Vec<Outcome>>, StoreError> {
    let rows = sqlx::query(
        "select distinct on (entry.field, task_id) entry.field, outcome, value
         from entry join task on task.id = task_id
         where entry.capture_id = $1::uuid and kind = 'key' order by entry.field, task_id, entry.id desc",
    )
    .bind(capture.to_string())
    .fetch_all(database.pool())
    .await
    .map_err(query("look at keys"))?;
    let mut keyed: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    for row in &rows {
        let field: String = row.try_get("field").map_err(corrupt("entry"))?;
        keyed.entry(field).or_default().push(field_decisions::outcome(row)?);
    }
    Ok(keyed)
}

/// How long a person can take back what they submitted.
const UNDO: Duration = Duration::from_secs(10 * 60);

/// Takes a task that the person has just done in hand again, with what they entered. None where it is
/// too late: others have built on it.
pub async fn reopen(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    lease: Duration,
) -> Result<Option<(Task, BTreeMap<String, Outcome>)>, StoreError> {
    let doing = query("take a task back");
    let mut transaction = database.begin().await?;
    // A decision that was made of two keys, that the municipality was asked about or that QA looks at is
    // not one person's to undo; nor one that the bank has been asked to pay on.
    let row = sqlx::query(
        "update task as t
         set state = 'open', done_at = null, done_by = null, holder = $2, leased_until = now() + $3,
             epoch = epoch + 1
         where id = $1 and state = 'done' and done_by = $2 and done_at > now() - $4
           and kind in ('verify', 'key')
           and not exists (select from approval as a join payment as p
                               on p.household_id = a.household_id and p.approval_id = a.id
                           where a.application_id = t.application_id and p.state = 'requested')
           and not exists (select from task as o
                           where o.capture_id = t.capture_id and o.id <> t.id and o.fields && t.fields
                             and ((o.kind = 'key' and o.state = 'done') or o.kind in ('adjudicate', 'escalation', 'question', 'qa')))
         returning id, kind, epoch, application_id, capture_id::text, fields, scan_id, page_index, reason",
    )
    .bind(id.0)
    .bind(account.as_str())
    .bind(interval(lease)?)
    .bind(interval(UNDO)?)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    let Some(row) = row else { return Ok(None) };
    let task = task(&row)?;
    let rows = sqlx::query(
        "select distinct on (field) field, outcome, value from entry where task_id = $1 order by field, id desc",
    )
    .bind(id.0)
    .fetch_all(&mut *transaction)
    .await
    .map_err(&doing)?;
    let entered = rows
        .iter()
        .map(|row| Ok((row.try_get("field").map_err(corrupt("entry"))?, field_decisions::outcome(row)?)))
        .collect::<Result<_, StoreError>>()?;
    let (actor, subject) = (account.as_str(), format!("task {id}"));
    if let About::Capture { application_id, .. } = task.about {
        approvals::revoke(&mut transaction, application_id, Revoked::Changed, actor).await?;
    }
    events::append(&mut transaction, actor, EventKind::TaskReopened, &subject, json!({})).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Some((task, entered)))
}
