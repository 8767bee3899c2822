//! Tasks: one piece of work for a person, handed out under a lease.
//!
//! A claim counts the epoch; with the ID it is the fence: whoever comes back after their lease went
//! to somebody else changes nothing, and is told so. Only the server's clock counts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::applications::application_id;
use super::captures::{CaptureId, capture_id};
use super::error::{corrupt, query};
use super::escalations::MAY_REPLY;
use super::events::{self, EventKind};
use super::groups::{self, DoubtfulCell};
use super::scans::ScanId;
use super::sessions::interval;
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::review::AccountName;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub(super) i64);

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for TaskId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Confirm or correct what was read in fields of a capture.
    Verify,
    /// Key fields without seeing what was read, as the first or the second of two people.
    Key,
    /// Two people keyed fields differently: see both, and decide.
    Adjudicate,
    /// A page without a valid ID.
    Page,
    /// A further capture of an application.
    Duplicate,
    /// The municipality is asked.
    Escalation,
    /// The municipality asks back: an escalation while it is the desk's turn ([`super::escalations`]).
    Question,
    /// A second look at a field that was accepted or decided.
    Qa,
    /// Cells of many captures that were read as the same character ([`super::groups`]).
    Group,
    /// What must be black on a page of which the machine could not tell ([`super::masking`]).
    Mask,
    /// A key whose answer is known ([`super::known_answers`]): people see a key like any other.
    #[serde(skip)]
    Seed,
}

impl TaskKind {
    pub const ALL: [Self; 11] = [
        Self::Verify,
        Self::Key,
        Self::Adjudicate,
        Self::Page,
        Self::Duplicate,
        Self::Escalation,
        Self::Question,
        Self::Qa,
        Self::Group,
        Self::Mask,
        Self::Seed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Key => "key",
            Self::Adjudicate => "adjudicate",
            Self::Page => "page",
            Self::Duplicate => "duplicate",
            Self::Escalation => "escalation",
            Self::Question => "question",
            Self::Qa => "qa",
            Self::Group => "group",
            Self::Mask => "mask",
            Self::Seed => "seed",
        }
    }
}

/// A task that a capture gives rise to.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTask {
    pub kind: TaskKind,
    /// Empty for a task about the whole capture.
    pub fields: Vec<String>,
    /// Why the municipality is asked.
    pub reason: Option<&'static str>,
    /// Of a task to verify: what a person may confirm among cells of other forms.
    pub cells: Vec<DoubtfulCell>,
}

/// A task in the hands of the person who claimed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub id: TaskId,
    pub kind: TaskKind,
    /// With the ID, the fence.
    pub epoch: i32,
    pub about: About,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Capture {
        application_id: ApplicationId,
        capture: CaptureId,
        fields: Vec<String>,
    },
    Page {
        scan: ScanId,
        index: u32,
    },
    /// Cells of many captures.
    Group,
    /// What [`super::known_answers`] knows.
    Seed,
}

const COLUMNS: &str =
    "id, kind, epoch, application_id, capture_id::text, fields, scan_id, page_index, reason";

/// Adds the tasks of a capture that was there before, and notes that it has them. Fields that have a task
/// already keep it.
pub(super) async fn plan(
    connection: &mut PgConnection,
    application: ApplicationId,
    capture: CaptureId,
    planned: &[PlannedTask],
) -> Result<(), StoreError> {
    add_further(connection, application, capture, planned).await?;
    sqlx::query("update capture set tasks_planned = true, qa_drawn = false where id = $1::uuid")
        .bind(capture.to_string())
        .execute(connection)
        .await
        .map_err(query("add tasks"))
        .map(drop)
}

/// Adds the tasks of a capture that may have some: it was read before, but for the page that came.
pub(super) async fn add_further(
    connection: &mut PgConnection,
    application: ApplicationId,
    capture: CaptureId,
    planned: &[PlannedTask],
) -> Result<(), StoreError> {
    let covered: Vec<String> =
        sqlx::query_scalar("select distinct unnest(fields) from task where capture_id = $1::uuid")
            .bind(capture.to_string())
            .fetch_all(&mut *connection)
            .await
            .map_err(query("add tasks"))?;
    let further: Vec<PlannedTask> = planned
        .iter()
        .filter_map(|task| {
            let fields: Vec<String> =
                task.fields.iter().filter(|field| !covered.contains(field)).cloned().collect();
            let nothing_left = fields.is_empty() && !task.fields.is_empty();
            let cells = task.cells.iter().filter(|cell| fields.contains(&cell.field)).cloned().collect();
            (!nothing_left).then_some(PlannedTask { fields, cells, ..*task })
        })
        .collect();
    add(connection, application, capture, &further).await
}

/// Whether anybody has work with the application, or will have: second looks apart.
pub async fn open(database: &Database, application: ApplicationId) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (select from capture join task on task.capture_id = capture.id
                        where capture.application_id = $1 and task.state = 'open' and task.kind <> 'qa')",
    )
    .bind(application.to_string())
    .fetch_one(database.pool())
    .await
    .map_err(query("look for open tasks"))
}

/// Adds the tasks of a capture in the transaction that publishes it.
pub(super) async fn add(
    connection: &mut PgConnection,
    application: ApplicationId,
    capture: CaptureId,
    planned: &[PlannedTask],
) -> Result<(), StoreError> {
    if planned.is_empty() {
        return Ok(());
    }
    // Fields are parted by commas: an array of arrays must be rectangular. Two people key, so there are two
    // tasks.
    let added: Vec<(i64, String)> = sqlx::query_as(
        "insert into task (kind, application_id, capture_id, fields, turn, reason)
         select kind, $1, $2::uuid, string_to_array(fields, ','), turn, reason
         from unnest($3::text[], $4::text[], $5::text[]) with ordinality as planned (kind, fields, reason, place),
              unnest(case when kind = 'key' then array[1, 2] else array[null::int] end) as turn
         where fields <> ''
            or not exists (select from task where capture_id = $2::uuid and task.kind = planned.kind)
         order by place, turn
         returning id, kind",
    )
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(planned.iter().map(|task| task.kind.name()).collect::<Vec<_>>())
    .bind(planned.iter().map(|task| task.fields.join(",")).collect::<Vec<_>>())
    .bind(planned.iter().map(|task| task.reason).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await
    .map_err(query("add tasks"))?;
    for task in planned.iter().filter(|task| !task.cells.is_empty()) {
        if let Some((id, _)) = added.iter().find(|(_, kind)| kind == task.kind.name()) {
            groups::add(connection, capture, *id, &task.cells).await?;
        }
    }
    Ok(())
}

/// A capture of which no tasks were made, and its record as JSON.
pub struct Unplanned {
    pub application_id: ApplicationId,
    pub capture: CaptureId,
    pub duplicate: bool,
    pub record: String,
}

/// Up to `limit` captures that were published by a version without tasks.
pub async fn unplanned(database: &Database, limit: u32) -> Result<Vec<Unplanned>, StoreError> {
    sqlx::query(
        "select application_id, id::text as capture_id, duplicate_of is not null as duplicate, record::text
         from capture where not tasks_planned and erased_at is null order by id limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("list captures without tasks"))?
    .iter()
    .map(|row| {
        Ok(Unplanned {
            application_id: application_id(row, "application_id")?,
            capture: capture_id(row, "capture_id")?.ok_or_else(|| corrupt("capture")("no ID"))?,
            duplicate: row.try_get("duplicate").map_err(corrupt("capture"))?,
            record: row.try_get("record").map_err(corrupt("capture"))?,
        })
    })
    .collect()
}

/// Adds the tasks of a capture that was published without them.
pub async fn plan_late(
    database: &Database,
    unplanned: &Unplanned,
    planned: &[PlannedTask],
) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    // Two services may be at it: the second one waits here, and finds it done.
    let waits: Option<i32> =
        sqlx::query_scalar("select 1 from capture where id = $1::uuid and not tasks_planned for update")
            .bind(unplanned.capture.to_string())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(query("add tasks"))?;
    if waits.is_some() {
        plan(&mut transaction, unplanned.application_id, unplanned.capture, planned).await?;
    }
    transaction.commit().await.map_err(query("add tasks"))
}

/// Adds tasks for all unassigned pages that have none: of versions without tasks.
pub async fn plan_late_pages(database: &Database) -> Result<(), StoreError> {
    sqlx::query(
        "insert into task (kind, scan_id, page_index)
         select 'page', scan_id, page_index from page
         where state = 'unassigned' and erased_at is null order by scan_id, page_index on conflict do nothing",
    )
    .execute(database.pool())
    .await
    .map_err(query("add tasks for pages"))
    .map(drop)
}

/// Hands out a task of one of the kinds, the first kind that has one; none where nothing waits.
///
/// What the person holds already and does not name among `except` comes first: their browser has
/// lost it. Nobody gets a field of a capture that they have decided or are keying in another task, but for a
/// question about it, which decides nothing.
pub async fn claim(
    database: &Database,
    account: &AccountName,
    kinds: &[TaskKind],
    except: &[TaskId],
    lease: Duration,
) -> Result<Option<Task>, StoreError> {
    let doing = query("claim a task");
    let except: Vec<i64> = except.iter().map(|id| id.0).collect();
    let mut transaction = database.begin().await?;
    let held = format!(
        "update task set leased_until = now() + $2, epoch = epoch + 1
         where id = (select id from task where state = 'open' and holder = $1 and id <> all($3) and kind = any($4)
                     order by id limit 1 for update skip locked)
         returning {COLUMNS}"
    );
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    let mut row = sqlx::query(sqlx::AssertSqlSafe(held))
        .bind(account.as_str())
        .bind(interval(lease)?)
        .bind(&except)
        .bind(&names)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(&doing)?;
    for kind in names {
        if row.is_some() {
            break;
        }
        // Made when it is claimed; one that was left is not given to anybody else.
        if kind == TaskKind::Seed.name() {
            continue;
        }
        if kind == TaskKind::Group.name() {
            row = groups::form(&mut transaction, account, lease, COLUMNS).await?;
            continue;
        }
        let fresh = format!(
            "update task set holder = $1, leased_until = now() + $2, epoch = epoch + 1
             where id = (
                 select id from task as t
                 where state = 'open' and kind = $4 and id <> all($3)
                   and (leased_until is null or leased_until < now()) and {MAY_REPLY}
                   and (kind = 'question'
                        or not exists (select from hand as h
                                       where h.capture_id = t.capture_id and h.account = $1
                                         and h.field = any(t.fields) and h.task_id <> t.id))
                   and not exists (select from task as o
                                   where o.capture_id = t.capture_id and o.id <> t.id and o.state = 'open'
                                     and o.holder = $1 and o.leased_until > now() and o.fields && t.fields)
                 order by priority, id limit 1 for update skip locked)
             returning {COLUMNS}"
        );
        row = sqlx::query(sqlx::AssertSqlSafe(fresh))
            .bind(account.as_str())
            .bind(interval(lease)?)
            .bind(&except)
            .bind(kind)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(&doing)?;
    }
    let Some(row) = row else { return Ok(None) };
    let task = task(&row)?;
    let detail = json!({ "kind": task.kind.name(), "epoch": task.epoch });
    let subject = format!("task {}", task.id);
    events::append(&mut transaction, account.as_str(), EventKind::TaskClaimed, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Some(task))
}

/// Keeps a task in hand; false where somebody else has it now.
pub async fn renew(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    lease: Duration,
) -> Result<bool, StoreError> {
    let renewed = sqlx::query(
        "update task set leased_until = now() + $4
         where id = $1 and epoch = $2 and holder = $3 and state = 'open'",
    )
    .bind(id.0)
    .bind(epoch)
    .bind(account.as_str())
    .bind(interval(lease)?)
    .execute(database.pool())
    .await
    .map_err(query("renew a task"))?;
    Ok(renewed.rows_affected() == 1)
}

/// Gives a task back for others; one that is in other hands by now is left alone.
pub async fn give_back(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
) -> Result<(), StoreError> {
    let doing = query("give a task back");
    let mut transaction = database.begin().await?;
    let given = sqlx::query(
        "update task set holder = null, leased_until = null
         where id = $1 and epoch = $2 and holder = $3 and state = 'open'",
    )
    .bind(id.0)
    .bind(epoch)
    .bind(account.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if given.rows_affected() == 1 {
        let is_its_own: bool = sqlx::query_scalar("select kind in ('group', 'seed') from task where id = $1")
            .bind(id.0)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&doing)?;
        if is_its_own {
            groups::dissolve(&mut transaction, id).await?;
        }
        let (actor, subject) = (account.as_str(), format!("task {id}"));
        events::append(&mut transaction, actor, EventKind::TaskGivenBack, &subject, json!({})).await?;
    }
    transaction.commit().await.map_err(&doing)
}

/// The task, if that person holds it.
pub async fn held(
    database: &Database,
    account: &AccountName,
    id: TaskId,
) -> Result<Option<Task>, StoreError> {
    let statement = format!("select {COLUMNS} from task where id = $1 and holder = $2 and state = 'open'");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(id.0)
        .bind(account.as_str())
        .fetch_optional(database.pool())
        .await
        .map_err(query("look at a task"))?
        .as_ref()
        .map(task)
        .transpose()
}

/// The task, locked, if that person holds it under that claim.
pub(super) async fn lock_held(
    connection: &mut PgConnection,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
) -> Result<Option<Task>, StoreError> {
    let statement = format!(
        "select {COLUMNS} from task where id = $1 and holder = $2 and epoch = $3 and state = 'open' for update"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(id.0)
        .bind(account.as_str())
        .bind(epoch)
        .fetch_optional(connection)
        .await
        .map_err(query("lock a task"))?
        .as_ref()
        .map(task)
        .transpose()
}

pub(super) fn task(row: &PgRow) -> Result<Task, StoreError> {
    let broken = corrupt("task");
    let kind: &str = row.try_get("kind").map_err(&broken)?;
    let scan: Option<i64> = row.try_get("scan_id").map_err(&broken)?;
    let index: Option<i32> = row.try_get("page_index").map_err(&broken)?;
    let about = match scan.zip(index) {
        Some((scan, index)) => About::Page { scan: ScanId(scan), index: index.unsigned_abs() },
        None if kind == TaskKind::Group.name() => About::Group,
        None if kind == TaskKind::Seed.name() => About::Seed,
        None => About::Capture {
            application_id: application_id(row, "application_id")?,
            capture: capture_id(row, "capture_id")?.ok_or_else(|| corrupt("task")("no capture"))?,
            fields: row.try_get("fields").map_err(&broken)?,
        },
    };
    Ok(Task {
        id: TaskId(row.try_get("id").map_err(&broken)?),
        kind: TaskKind::ALL
            .into_iter()
            .find(|known| known.name() == kind)
            .ok_or_else(|| corrupt("task")("its kind is none of those there are"))?,
        epoch: row.try_get("epoch").map_err(&broken)?,
        about,
        reason: row.try_get("reason").map_err(&broken)?,
    })
}
