//! Groups: cells of many forms that the machine read as the same character, before one person at once.
//!
//! What a group may settle is a field that one person may decide and of which every doubtful cell was
//! confirmed, in this group or others: then it holds what was read. A cell that is not what it was taken for
//! leaves its field to the person who verifies it. No entry is made: a group is never one of two keys.

use std::time::Duration;

use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::applications::application_id;
use super::captures::{CaptureId, capture_id};
use super::entries::{Ended, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::field_decisions::{self, FieldDecision, Manner, Outcome};
use super::sessions::interval;
use super::tasks::{TaskId, TaskKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::publish::Record;
use crate::read::CellKind;
use crate::review::AccountName;

/// A cell that a person may confirm among others.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubtfulCell {
    pub field: String,
    /// In its comb, from 0.
    pub place: u16,
    pub kind: CellKind,
    /// As it was read; empty for an empty cell.
    pub character: String,
    /// Key of the field's picture, and where the cell lies on it: left, top, width and height, as shares.
    pub crop: String,
    pub area: [f32; 4],
}

fn kind_name(kind: CellKind) -> &'static str {
    match kind {
        CellKind::Digits => "digits",
        CellKind::Kana => "kana",
    }
}

/// Fewer of a character are no group: their fields are verified one by one.
pub const LEAST: usize = 6;
/// What fits on a screen.
const MOST: i64 = 60;
/// Of so many cells that have waited longest, the most frequent character makes the next group.
const LOOKED_AT: i64 = 5000;

/// Adds the cells of a task that verifies fields of a capture.
pub(super) async fn add(
    connection: &mut PgConnection,
    capture: CaptureId,
    task: i64,
    cells: &[DoubtfulCell],
) -> Result<(), StoreError> {
    let side = |which: usize| cells.iter().map(|cell| cell.area[which]).collect::<Vec<_>>();
    sqlx::query(
        "insert into doubtful_cell (capture_id, field, place, kind, character, crop, area, task_id)
         select $1::uuid, field, place, kind, character, crop, array[x, y, w, h], $2
         from unnest($3::text[], $4::int2[], $5::text[], $6::text[], $7::text[], $8::real[], $9::real[],
                     $10::real[], $11::real[]) as cell (field, place, kind, character, crop, x, y, w, h)
         on conflict do nothing",
    )
    .bind(capture.to_string())
    .bind(task)
    .bind(cells.iter().map(|cell| cell.field.as_str()).collect::<Vec<_>>())
    .bind(cells.iter().map(|cell| i16::try_from(cell.place).unwrap_or(i16::MAX)).collect::<Vec<_>>())
    .bind(cells.iter().map(|cell| kind_name(cell.kind)).collect::<Vec<_>>())
    .bind(cells.iter().map(|cell| cell.character.as_str()).collect::<Vec<_>>())
    .bind(cells.iter().map(|cell| cell.crop.as_str()).collect::<Vec<_>>())
    .bind(side(0))
    .bind(side(1))
    .bind(side(2))
    .bind(side(3))
    .execute(connection)
    .await
    .map_err(query("add doubtful cells"))
    .map(drop)
}

/// Makes a group for a person: nothing that they had a hand in, nothing that somebody is at. None where no
/// character waits often enough. The row has the columns `returning` names.
pub(super) async fn form(
    connection: &mut PgConnection,
    account: &AccountName,
    lease: Duration,
    returning: &str,
) -> Result<Option<PgRow>, StoreError> {
    let doing = query("make a group");
    // Groups that nobody holds any more are no groups: their cells wait again.
    let left: Vec<i64> = sqlx::query_scalar(
        "select id from task where kind = 'group' and state = 'open'
           and (leased_until is null or leased_until < now()) for update skip locked",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(&doing)?;
    for id in left {
        dissolve(connection, TaskId(id)).await?;
    }
    let cells: Vec<i64> = sqlx::query_scalar(
        "with waiting as (
             select c.id, c.kind, c.character from doubtful_cell as c join task on task.id = c.task_id
             where c.group_id is null and not c.closed
               and task.state = 'open' and (task.leased_until is null or task.leased_until < now())
               and not exists (select from hand where hand.capture_id = c.capture_id and hand.field = c.field
                                                  and hand.account = $1)
             order by c.id limit $2
         ), chosen as (
             select kind, character from waiting group by kind, character
             having count(*) >= $3 order by count(*) desc, kind, character limit 1
         )
         select cell.id from doubtful_cell as cell
         where cell.id in (select id from waiting join chosen using (kind, character) order by id limit $4)
           and cell.group_id is null and not cell.closed
         for update skip locked",
    )
    .bind(account.as_str())
    .bind(LOOKED_AT)
    .bind(LEAST as i64)
    .bind(MOST)
    .fetch_all(&mut *connection)
    .await
    .map_err(&doing)?;
    if cells.len() < LEAST {
        return Ok(None);
    }
    let statement = format!(
        "insert into task (kind, holder, leased_until, epoch) values ('group', $1, now() + $2, 1) returning {returning}"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(account.as_str())
        .bind(interval(lease)?)
        .fetch_one(&mut *connection)
        .await
        .map_err(&doing)?;
    sqlx::query("update doubtful_cell set group_id = $1 where id = any($2)")
        .bind(row.try_get::<i64, _>("id").map_err(corrupt("group"))?)
        .bind(cells)
        .execute(connection)
        .await
        .map_err(&doing)?;
    Ok(Some(row))
}

/// Ends a group of which nothing was said; its cells wait for another one.
pub(super) async fn dissolve(connection: &mut PgConnection, id: TaskId) -> Result<(), StoreError> {
    for statement in [
        "update doubtful_cell set group_id = null where group_id = $1 and confirmed is null",
        "update task set state = 'withdrawn', holder = null, leased_until = null where id = $1",
    ] {
        sqlx::query(statement).bind(id.0).execute(&mut *connection).await.map_err(query("end a group"))?;
    }
    Ok(())
}

/// Nobody is asked in a group about fields that a person has decided.
pub(super) async fn close(
    connection: &mut PgConnection,
    capture: CaptureId,
    fields: &[String],
) -> Result<(), StoreError> {
    sqlx::query(
        "update doubtful_cell set closed = true
         where capture_id = $1::uuid and field = any($2) and confirmed is null and not closed",
    )
    .bind(capture.to_string())
    .bind(fields)
    .execute(connection)
    .await
    .map_err(query("close doubtful cells"))
    .map(drop)
}

/// A cell of a group, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownCell {
    pub character: String,
    pub crop: String,
    pub area: [f32; 4],
}

/// The cells of a group in the order in which they are shown.
pub async fn cells(database: &Database, id: TaskId) -> Result<Vec<ShownCell>, StoreError> {
    sqlx::query("select character, crop, area from doubtful_cell where group_id = $1 order by id")
        .bind(id.0)
        .fetch_all(database.pool())
        .await
        .map_err(query("look at a group"))?
        .iter()
        .map(|row| {
            let broken = corrupt("doubtful cell");
            let area: Vec<f32> = row.try_get("area").map_err(&broken)?;
            Ok(ShownCell {
                character: row.try_get("character").map_err(&broken)?,
                crop: row.try_get("crop").map_err(&broken)?,
                area: area
                    .try_into()
                    .map_err(|_| corrupt("doubtful cell")("its area has not four numbers"))?,
            })
        })
        .collect()
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Applications of which fields were settled.
    Done(Vec<ApplicationId>),
    /// The same submission came before.
    Already,
    /// Somebody else has the cells now. Nothing was changed.
    Stale,
}

/// Ends a group: all of its cells are what they were read as, but for those at the places `odd`.
/// `blind` are fields that two people key, as the policy is now: no group settles one.
pub async fn submit(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    odd: &[u16],
    blind: &[String],
) -> Result<Said, StoreError> {
    let doing = query("submit a group");
    let mut transaction = database.begin().await?;
    // In the order in which a verification takes them: its task first, then the cells.
    sqlx::query(
        "select id from task where id in (select task_id from doubtful_cell where group_id = $1) order by id for update",
    )
    .bind(id.0)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(task) if task.kind == TaskKind::Group => {}
        Ended::Now(_) => return Err(StoreError::Refused("only a group ends with its odd cells")),
        Ended::Before => return Ok(Said::Already),
        Ended::Not => return Ok(Said::Stale),
    }
    let said = sqlx::query(
        "update doubtful_cell as cell set confirmed = not (shown.number - 1 = any($2)), said_by = $3
         from (select id, row_number() over (order by id) as number from doubtful_cell where group_id = $1) as shown
         where cell.id = shown.id and not cell.closed",
    )
    .bind(id.0)
    .bind(odd.iter().map(|&place| i64::from(place)).collect::<Vec<_>>())
    .bind(account.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    // One cell that is something else, and the whole field is looked at.
    sqlx::query(
        "update doubtful_cell as cell set closed = true
         from doubtful_cell as odd
         where odd.group_id = $1 and not odd.confirmed and cell.capture_id = odd.capture_id
           and cell.field = odd.field and cell.confirmed is null and cell.group_id is null",
    )
    .bind(id.0)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    let settled = settle(&mut transaction, id, blind).await?;
    let detail = json!({
        "kind": TaskKind::Group.name(), "cells": said.rows_affected(), "odd": odd.len(), "decided": settled.len(),
    });
    let subject = format!("task {id}");
    events::append(&mut transaction, account.as_str(), EventKind::TaskSubmitted, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    let mut applications: Vec<ApplicationId> = settled;
    applications.sort_unstable();
    applications.dedup();
    Ok(Said::Done(applications))
}

/// Decides the fields of which this group confirmed the last cell, but for those that somebody is at.
async fn settle(
    connection: &mut PgConnection,
    group: TaskId,
    blind: &[String],
) -> Result<Vec<ApplicationId>, StoreError> {
    let doing = query("settle fields of a group");
    let rows = sqlx::query(
        "select capture.id::text as capture_id, capture.application_id, field, min(cell.task_id) as task_id,
                array_agg(distinct said_by order by said_by) as people, min(capture.record::text) as record
         from doubtful_cell as cell join capture on capture.id = cell.capture_id
         where (cell.capture_id, field) in (select capture_id, field from doubtful_cell where group_id = $1)
           and field <> all($2) and capture.erased_at is null
         group by capture.id, capture.application_id, field having bool_and(coalesce(confirmed, false))",
    )
    .bind(group.0)
    .bind(blind)
    .fetch_all(&mut *connection)
    .await
    .map_err(&doing)?;
    let mut settled = Vec::new();
    for row in &rows {
        let broken = corrupt("group");
        let (field, record): (String, &str) =
            (row.try_get("field").map_err(&broken)?, row.try_get("record").map_err(&broken)?);
        let record: Record = serde_json::from_str(record).map_err(corrupt("record"))?;
        let Some(value) = record.fields.get(&field).and_then(|read| read.value.clone()) else { continue };
        let capture = capture_id(row, "capture_id")?.ok_or_else(|| corrupt("capture")("no ID"))?;
        if !take_from_verification(connection, row.try_get("task_id").map_err(&broken)?, &field).await? {
            continue;
        }
        let people: Vec<String> = row.try_get("people").map_err(&broken)?;
        sqlx::query(
            "insert into hand (capture_id, field, account, task_id)
             select $1::uuid, $2, person, $4 from unnest($3::text[]) as person on conflict do nothing",
        )
        .bind(capture.to_string())
        .bind(&field)
        .bind(&people)
        .bind(group.0)
        .execute(&mut *connection)
        .await
        .map_err(&doing)?;
        let application_id = application_id(row, "application_id")?;
        let decision = FieldDecision {
            application_id,
            capture,
            field,
            outcome: Outcome::Value(value),
            manner: Manner::Group,
            decided_by: people,
        };
        field_decisions::add(connection, &decision).await?;
        settled.push(application_id);
    }
    Ok(settled)
}

/// Takes a field out of the task that would verify it; false where somebody is at it or has done it, or two
/// people key the field.
async fn take_from_verification(
    connection: &mut PgConnection,
    task: i64,
    field: &str,
) -> Result<bool, StoreError> {
    let taken = sqlx::query(
        "update task set fields = case when cardinality(fields) = 1 then fields else array_remove(fields, $2) end,
                         state = case when cardinality(fields) = 1 then 'withdrawn' else 'open' end,
                         holder = null, leased_until = null
         where id = $1 and kind = 'verify' and state = 'open' and $2 = any(fields)
           and (leased_until is null or leased_until < now())
           and not exists (select from task as other
                           where other.capture_id = task.capture_id and other.kind in ('key', 'adjudicate')
                             and $2 = any(other.fields))",
    )
    .bind(task)
    .bind(field)
    .execute(connection)
    .await
    .map_err(query("take a field out of a task"))?;
    Ok(taken.rows_affected() == 1)
}
