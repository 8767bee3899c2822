//! Keys whose answer is known: fields that people settled before, given out as if they were new, to measure
//! those who key. They make no entry, nobody has a hand in the field for it, and no decision follows.

use std::time::Duration;

use serde_json::json;
use sqlx::Row;

use super::applications::application_id;
use super::captures::capture_id;
use super::entries::{Ended, Submitted, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::field_decisions::{self, Outcome};
use super::sessions::interval;
use super::tasks::{self, About, Task, TaskId, TaskKind};
use super::{Database, StoreError};
use crate::review::AccountName;

/// Gives a person a field that two others settled at least `after` ago; none where there is none that they had
/// no hand in.
pub async fn claim(
    database: &Database,
    account: &AccountName,
    after: Duration,
    lease: Duration,
) -> Result<Option<Task>, StoreError> {
    let doing = query("claim a known answer");
    let mut transaction = database.begin().await?;
    // Any place among the decisions: the next one from there on that fits.
    let chosen = sqlx::query(
        "select application_id, capture_id::text, field from field_decision as d
         where id >= (select coalesce(min(id) + floor(random() * (max(id) - min(id) + 1))::bigint, 0)
                       from field_decision)
           and manner in ('two_keys', 'adjudicated') and outcome in ('value', 'blank')
           and decided_at <= now() - $2
           and not exists (select from field_decision as newer
                           where newer.application_id = d.application_id and newer.field = d.field and newer.id > d.id)
           and not exists (select from hand where hand.capture_id = d.capture_id and hand.field = d.field
                                              and hand.account = $1)
           and not exists (select from known_answer as known
                           where known.capture_id = d.capture_id and known.field = d.field and known.account = $1)
         order by id limit 1",
    )
    .bind(account.as_str())
    .bind(interval(after)?)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    let Some(chosen) = chosen else { return Ok(None) };
    let field: String = chosen.try_get("field").map_err(corrupt("decision"))?;
    let application = application_id(&chosen, "application_id")?;
    let capture = capture_id(&chosen, "capture_id")?.ok_or_else(|| corrupt("decision")("no capture"))?;
    let id: i64 = sqlx::query_scalar(
        "with made as (insert into task (kind, holder, leased_until, epoch) values ('seed', $1, now() + $2, 1)
                       returning id),
              known as (insert into known_answer (task_id, account, application_id, capture_id, field)
                        select id, $1, $3, $4::uuid, $5 from made)
         select id from made",
    )
    .bind(account.as_str())
    .bind(interval(lease)?)
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(&field)
    .fetch_one(&mut *transaction)
    .await
    .map_err(&doing)?;
    let (subject, detail) = (format!("task {id}"), json!({ "kind": TaskKind::Seed.name(), "epoch": 1 }));
    events::append(&mut transaction, account.as_str(), EventKind::TaskClaimed, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    let about = About::Capture { application_id: application, capture, fields: vec![field] };
    Ok(Some(Task { id: TaskId(id), kind: TaskKind::Seed, epoch: 1, about, reason: None }))
}

/// As [`tasks::held`]; of a known answer it tells what it is about.
pub async fn held(
    database: &Database,
    account: &AccountName,
    id: TaskId,
) -> Result<Option<Task>, StoreError> {
    let task = tasks::held(database, account, id).await?;
    match task {
        Some(task) if task.kind == TaskKind::Seed => about(database, task).await.map(Some),
        other => Ok(other),
    }
}

/// The task, with what it is about where that is not in its row.
pub async fn about(database: &Database, task: Task) -> Result<Task, StoreError> {
    let row =
        sqlx::query("select application_id, capture_id::text, field from known_answer where task_id = $1")
            .bind(task.id.0)
            .fetch_one(database.pool())
            .await
            .map_err(query("look at a known answer"))?;
    let about = About::Capture {
        application_id: application_id(&row, "application_id")?,
        capture: capture_id(&row, "capture_id")?.ok_or_else(|| corrupt("known answer")("no capture"))?,
        fields: vec![row.try_get("field").map_err(corrupt("known answer"))?],
    };
    Ok(Task { about, ..task })
}

/// Ends the task, and keeps whether what was keyed is what stands.
pub async fn answer(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    keyed: &Outcome,
) -> Result<Submitted, StoreError> {
    let doing = query("answer what is known");
    let mut transaction = database.begin().await?;
    match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(_) => {}
        Ended::Before => return Ok(Submitted::Already),
        Ended::Not => return Ok(Submitted::Stale),
    }
    let standing = sqlx::query(
        "select outcome, value from field_decision join known_answer using (application_id, field)
         where task_id = $1 order by id desc limit 1",
    )
    .bind(id.0)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    // It was erased meanwhile: then nobody knows.
    if let Some(standing) = standing {
        sqlx::query("update known_answer set is_right = $2, answered_at = now() where task_id = $1")
            .bind(id.0)
            .bind(field_decisions::outcome(&standing)? == *keyed)
            .execute(&mut *transaction)
            .await
            .map_err(&doing)?;
    }
    let (subject, detail) = (format!("task {id}"), json!({ "kind": TaskKind::Seed.name() }));
    events::append(&mut transaction, account.as_str(), EventKind::TaskSubmitted, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Submitted::Done)
}

/// How often a person keyed what was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub account: AccountName,
    pub answered: u64,
    pub wrong: u64,
}

/// Of the last 90 days, in the order of the names: it says nothing about who is better.
pub async fn measured(database: &Database) -> Result<Vec<Measured>, StoreError> {
    sqlx::query(
        "select account, count(*) as answered, count(*) filter (where not is_right) as wrong from known_answer
         where answered_at > now() - interval '90 days' group by account order by account",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("measure who keys"))?
    .iter()
    .map(|row| {
        let broken = corrupt("known answer");
        let account: &str = row.try_get("account").map_err(&broken)?;
        Ok(Measured {
            account: account.parse().map_err(corrupt("known answer"))?,
            answered: row.try_get::<i64, _>("answered").map_err(&broken)?.unsigned_abs(),
            wrong: row.try_get::<i64, _>("wrong").map_err(&broken)?.unsigned_abs(),
        })
    })
    .collect()
}
