//! QA: samples of what was accepted and decided, and what a second look says of them.
//!
//! Samples are drawn of a capture once, when nobody has work with it any more, with a probability that is
//! kept beside each. The person who looks is none of those who decided: that is the rule of all entries.
//!
//! A screening is looked at in the same way because its lot was rejected ([`super::screening`]). It is no sample: no
//! rate, bound, chart or calibration counts it.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::applications::application_id;
use super::approvals;
use super::captures::{CaptureId, capture_id};
use super::entries::{self, Ended, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::field_decisions::{self, FieldDecision, Manner, Outcome};
use super::sessions::interval;
use super::tasks::{self, About, Task, TaskId, TaskKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::digest::Sha256;
use crate::review::AccountName;

/// A capture, and its record as JSON.
pub struct Complete {
    pub application_id: ApplicationId,
    pub capture: CaptureId,
    pub station: String,
    pub record: String,
}

impl Complete {
    /// Of `application_id`, `capture_id`, `station` and `record`, all as text.
    pub(super) fn of(row: &PgRow) -> Result<Self, StoreError> {
        let broken = corrupt("capture");
        Ok(Self {
            application_id: application_id(row, "application_id")?,
            capture: capture_id(row, "capture_id")?.ok_or_else(|| corrupt("capture")("no ID"))?,
            station: row.try_get("station").map_err(&broken)?,
            record: row.try_get("record").map_err(&broken)?,
        })
    }
}

/// Up to `limit` captures that nobody has work with any more, of which no samples were drawn; those after `after`.
pub async fn complete(
    database: &Database,
    after: Option<CaptureId>,
    limit: u32,
) -> Result<Vec<Complete>, StoreError> {
    sqlx::query(
        "select application_id, id::text as capture_id, station, record::text from capture as c
         where not qa_drawn and tasks_planned and erased_at is null and ($2::uuid is null or id > $2::uuid)
           and not exists (select from task where capture_id = c.id and state = 'open')
         order by id limit $1",
    )
    .bind(i64::from(limit))
    .bind(after.map(|capture| capture.to_string()))
    .fetch_all(database.pool())
    .await
    .map_err(query("list complete captures"))?
    .iter()
    .map(Complete::of)
    .collect()
}

/// The key of all draws.
pub async fn secret(database: &Database) -> Result<Vec<u8>, StoreError> {
    sqlx::query_scalar("select secret from qa_key")
        .fetch_one(database.pool())
        .await
        .map_err(query("look up the key of draws"))
}

/// What is drawn more often, after an error: field and manner.
pub async fn widened(database: &Database) -> Result<Vec<(String, String)>, StoreError> {
    sqlx::query_as("select field, manner from qa_widening where until > now()")
        .fetch_all(database.pool())
        .await
        .map_err(query("look at widened samples"))
}

/// A field that was drawn.
pub struct Drawn {
    pub field: String,
    pub form: String,
    /// `accepted` or `blank` by the machine, or how people decided.
    pub manner: String,
    /// 0 below a confidence of 0.9, 1 below 0.99, 2 below 0.999, else 3.
    pub confidence_band: i16,
    pub probability: f64,
    /// Under which it was accepted, where it was.
    pub certificate: Option<Sha256>,
    /// Looked at because its lot was rejected, whatever it drew.
    pub screening: bool,
}

impl Drawn {
    /// The same field as a screening: it stands for itself alone, and no certificate is judged by it.
    pub fn screened(self) -> Self {
        Self { probability: 1.0, certificate: None, screening: true, ..self }
    }
}

/// Adds a task for each field that was drawn of a capture, and notes that it was done. A capture that a
/// page came to is drawn of again; what was drawn before stays.
pub async fn draw(database: &Database, complete: &Complete, drawn: &[Drawn]) -> Result<(), StoreError> {
    let doing = query("draw samples");
    let mut transaction = database.begin().await?;
    let first = sqlx::query("update capture set qa_drawn = true where id = $1::uuid and not qa_drawn")
        .bind(complete.capture.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    // Another node was faster.
    if first.rows_affected() == 0 {
        return Ok(());
    }
    let origin = Origin {
        application: complete.application_id,
        capture: complete.capture,
        station: &complete.station,
    };
    for sample in drawn {
        add(&mut transaction, origin, sample).await?;
    }
    transaction.commit().await.map_err(&doing)
}

/// The capture that a sample is of.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub application: ApplicationId,
    pub capture: CaptureId,
    pub station: &'a str,
}

/// Of tasks, unless something else is said.
const PRIORITY: i16 = 100;
/// After all samples: verdicts on other lots wait for those.
const PRIORITY_OF_SCREENING: i16 = 200;

/// Adds a task for a field, unless it is a sample already.
pub(super) async fn add(
    connection: &mut PgConnection,
    origin: Origin<'_>,
    sample: &Drawn,
) -> Result<(), StoreError> {
    sqlx::query(
        "with drawn as (insert into task (kind, application_id, capture_id, fields, priority)
                        select 'qa', $1, $2::uuid, array[$3], $11
                        where not exists (select from qa_sample where capture_id = $2::uuid and field = $3)
                        returning id)
         insert into qa_sample (task_id, capture_id, field, form, station, manner, confidence_band, probability,
                                certificate, screening)
         select id, $2::uuid, $3, $4, $5, $6, $7, $8, $9, $10 from drawn",
    )
    .bind(origin.application.to_string())
    .bind(origin.capture.to_string())
    .bind(&sample.field)
    .bind(&sample.form)
    .bind(origin.station)
    .bind(&sample.manner)
    .bind(sample.confidence_band)
    .bind(sample.probability)
    .bind(sample.certificate.map(|certificate| certificate.as_bytes().to_vec()))
    .bind(sample.screening)
    .bind(if sample.screening { PRIORITY_OF_SCREENING } else { PRIORITY })
    .execute(connection)
    .await
    .map_err(query("draw samples"))
    .map(drop)
}

/// What a blind second look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Right,
    /// Another outcome stands; the person sees it now, and says which of the two is right.
    Differs(Outcome),
    Stale,
}

/// Takes what a person keyed blind, and compares it with `read`, or with what people decided where they
/// did. Where both are equal the task has ended.
pub async fn look(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    outcome: &Outcome,
    read: &Outcome,
) -> Result<Look, StoreError> {
    let mut transaction = database.begin().await?;
    let Some(task) = tasks::lock_held(&mut transaction, account, id, epoch).await? else {
        return Ok(Look::Stale);
    };
    let (application, capture, field) = sampled(&task)?;
    let entry = entries::NewEntry { field: field.clone(), outcome: outcome.clone(), question: None };
    entries::add(&mut transaction, account, &task, capture, &entry).await?;
    let standing = standing(&mut transaction, application, capture, &field).await?.unwrap_or(read.clone());
    let look = if standing == *outcome {
        judge(&mut transaction, account, id, epoch, "right").await?;
        Look::Right
    } else {
        Look::Differs(standing)
    };
    transaction.commit().await.map_err(query("take a second look"))?;
    Ok(look)
}

/// For how long what shares field and manner with an error is drawn more often.
const WIDENED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Ends a second look that differed: what stood is wrong, or the person slipped. What is wrong is decided
/// anew by what they keyed; a screening that finds it has nothing drawn more often, for its lot's sample did. False where somebody else has the task, or nothing was keyed yet.
pub async fn settle(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    wrong: bool,
) -> Result<bool, StoreError> {
    let doing = query("settle a second look");
    let mut transaction = database.begin().await?;
    let Some(task) = tasks::lock_held(&mut transaction, account, id, epoch).await? else {
        return Ok(false);
    };
    let (application, capture, field) = sampled(&task)?;
    // The first one: it was keyed blind.
    let keyed = sqlx::query(
        "select outcome, value from entry where task_id = $1 and account = $2 order by id limit 1",
    )
    .bind(id.0)
    .bind(account.as_str())
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    let Some(keyed) = keyed else { return Ok(false) };
    judge(&mut transaction, account, id, epoch, if wrong { "wrong" } else { "own_slip" }).await?;
    if wrong {
        let decision = FieldDecision {
            application_id: application,
            capture,
            field: field.clone(),
            outcome: field_decisions::outcome(&keyed)?,
            manner: Manner::Qa,
            decided_by: vec![account.to_string()],
        };
        field_decisions::add(&mut transaction, &decision).await?;
        sqlx::query(
            "insert into qa_widening (field, manner, until)
             select field, manner, now() + $2 from qa_sample where task_id = $1 and not screening
             on conflict (field, manner) do update set until = excluded.until",
        )
        .bind(id.0)
        .bind(interval(WIDENED)?)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
        approvals::reopen_within(&mut transaction, application, account.as_str()).await?;
        let (subject, detail) = (format!("application {application}"), json!({ "field": field, "task": id }));
        events::append(&mut transaction, account.as_str(), EventKind::QaError, &subject, detail).await?;
    }
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}

fn sampled(task: &Task) -> Result<(ApplicationId, CaptureId, String), StoreError> {
    match &task.about {
        About::Capture { application_id, capture, fields } if task.kind == TaskKind::Qa => {
            let field = fields.first().ok_or_else(|| corrupt("sample")("no field"))?;
            Ok((*application_id, *capture, field.clone()))
        }
        _ => Err(StoreError::Refused("only a sample is judged")),
    }
}

/// What people decided of the field on this capture, if they did.
async fn standing(
    connection: &mut PgConnection,
    application: ApplicationId,
    capture: CaptureId,
    field: &str,
) -> Result<Option<Outcome>, StoreError> {
    sqlx::query(
        "select outcome, value from field_decision
         where application_id = $1 and capture_id = $2::uuid and field = $3 order by id desc limit 1",
    )
    .bind(application.to_string())
    .bind(capture.to_string())
    .bind(field)
    .fetch_optional(connection)
    .await
    .map_err(query("look at a decision"))?
    .as_ref()
    .map(field_decisions::outcome)
    .transpose()
}

async fn judge(
    connection: &mut PgConnection,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    outcome: &'static str,
) -> Result<(), StoreError> {
    match end(connection, account, id, epoch).await? {
        Ended::Now(_) => {}
        Ended::Before | Ended::Not => return Err(StoreError::Refused("the sample is judged already")),
    }
    sqlx::query("insert into qa_judgement (task_id, outcome, judged_by) values ($1, $2, $3)")
        .bind(id.0)
        .bind(outcome)
        .bind(account.as_str())
        .execute(&mut *connection)
        .await
        .map_err(query("judge a sample"))?;
    let (subject, detail) = (format!("task {id}"), json!({ "outcome": outcome }));
    events::append(connection, account.as_str(), EventKind::QaJudged, &subject, detail).await
}

/// A sample, and what stands in the field by it.
pub struct SecondLook {
    pub capture: CaptureId,
    pub field: String,
    /// With which it was drawn.
    pub probability: f64,
    /// None as long as nobody has judged it.
    pub seen: Option<Outcome>,
}

/// All samples of captures that are not erased. What the person keyed blind holds, but where they said that
/// they slipped: then it is what stood.
pub async fn looks(database: &Database) -> Result<Vec<SecondLook>, StoreError> {
    sqlx::query(
        "select sample.capture_id::text as capture_id, sample.field, sample.probability, seen.outcome, seen.value
         from qa_sample as sample
         join capture on capture.id = sample.capture_id and capture.erased_at is null
         left join qa_judgement as judgement using (task_id)
         left join lateral (
             select entry.outcome, entry.value from entry
             where entry.task_id = sample.task_id and entry.account = judgement.judged_by
             order by entry.id limit 1
         ) as keyed on true
         left join lateral (
             select decision.outcome, decision.value from field_decision as decision
             where decision.capture_id = sample.capture_id and decision.field = sample.field
             order by decision.id desc limit 1
         ) as decided on true
         left join lateral (
             select capture.record -> 'fields' -> sample.field ->> 'value' as value
         ) as read on true
         left join lateral (
             select case when judgement.outcome <> 'own_slip' then keyed.outcome
                         else coalesce(decided.outcome, case when read.value is null then 'blank' else 'value' end)
                    end as outcome,
                    case when judgement.outcome <> 'own_slip' then keyed.value
                         when decided.outcome is null then read.value
                         else decided.value
                    end as value
             where judgement.outcome is not null
         ) as seen on true
         where not sample.screening order by sample.task_id",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("list second looks"))?
    .iter()
    .map(|row| {
        let broken = corrupt("sample");
        let judged: Option<&str> = row.try_get("outcome").map_err(&broken)?;
        Ok(SecondLook {
            capture: capture_id(row, "capture_id")?.ok_or_else(|| corrupt("sample")("no capture"))?,
            field: row.try_get("field").map_err(&broken)?,
            probability: row.try_get("probability").map_err(&broken)?,
            seen: judged.map(|_| field_decisions::outcome(row)).transpose()?,
        })
    })
    .collect()
}

/// What second looks said of one field and manner.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    pub field: String,
    pub manner: String,
    pub waiting: i64,
    pub judged: i64,
    pub wrong: i64,
    /// Of the population that the samples stand for: the sum of 1 / probability, and that of the wrong ones.
    pub weight: f64,
    pub weight_wrong: f64,
    pub last_error_at: Option<DateTime<Utc>>,
}

pub async fn judged(database: &Database) -> Result<Vec<Judged>, StoreError> {
    sqlx::query(
        "select field, manner, count(*) filter (where outcome is null) as waiting, count(outcome) as judged,
                count(*) filter (where outcome = 'wrong') as wrong,
                coalesce(sum(1 / chance) filter (where outcome is not null), 0) as weight,
                coalesce(sum(1 / chance) filter (where outcome = 'wrong'), 0) as weight_wrong,
                max(judged_at) filter (where outcome = 'wrong') as last_error_at
         from (select qa_sample.*, greatest(qa_sample.probability, lot_sample.probability) as chance
               from qa_sample left join lot_sample using (task_id) where not screening) as sampled
              left join qa_judgement using (task_id) group by field, manner order by field, manner",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("count second looks"))?
    .iter()
    .map(|row| {
        let broken = corrupt("sample");
        Ok(Judged {
            field: row.try_get("field").map_err(&broken)?,
            manner: row.try_get("manner").map_err(&broken)?,
            waiting: row.try_get("waiting").map_err(&broken)?,
            judged: row.try_get("judged").map_err(&broken)?,
            wrong: row.try_get("wrong").map_err(&broken)?,
            weight: row.try_get("weight").map_err(&broken)?,
            weight_wrong: row.try_get("weight_wrong").map_err(&broken)?,
            last_error_at: row.try_get("last_error_at").map_err(&broken)?,
        })
    })
    .collect()
}

/// What second looks found of what one person decided, alone or with another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedPerson {
    pub account: AccountName,
    pub judged: u64,
    pub wrong: u64,
}

/// Of the last 90 days, by name.
pub async fn judged_people(database: &Database) -> Result<Vec<JudgedPerson>, StoreError> {
    sqlx::query(
        "select person, count(*) as judged, count(*) filter (where outcome = 'wrong') as wrong
         from qa_judgement join qa_sample using (task_id) join capture on capture.id = qa_sample.capture_id
         cross join lateral (
             select decided_by from field_decision as decision
             where decision.application_id = capture.application_id and decision.field = qa_sample.field
               and decision.capture_id = capture.id and decision.manner = qa_sample.manner
             order by decision.id desc limit 1
         ) as decided
         cross join lateral unnest(decided_by) as person
         where judged_at > now() - interval '90 days' group by person order by person",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("count second looks by person"))?
    .iter()
    .map(|row| {
        let broken = corrupt("judgement");
        let person: &str = row.try_get("person").map_err(&broken)?;
        Ok(JudgedPerson {
            account: person.parse().map_err(corrupt("judgement"))?,
            judged: row.try_get::<i64, _>("judged").map_err(&broken)?.unsigned_abs(),
            wrong: row.try_get::<i64, _>("wrong").map_err(&broken)?.unsigned_abs(),
        })
    })
    .collect()
}

/// What second looks found on one day, of what the machine accepted or of what people decided.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct JudgedDay {
    /// In Japan.
    pub day: NaiveDate,
    pub by_machine: bool,
    pub judged: i64,
    pub wrong: i64,
}

/// Of the last `days` days, those on which anything was judged, the oldest first.
pub async fn judged_by_day(database: &Database, days: u32) -> Result<Vec<JudgedDay>, StoreError> {
    sqlx::query(
        "select (judged_at at time zone 'Asia/Tokyo')::date as day, manner in ('accepted', 'blank') as by_machine,
                count(*) as judged, count(*) filter (where outcome = 'wrong') as wrong
         from qa_judgement join qa_sample using (task_id)
         where judged_at > now() - make_interval(days => $1) and not screening group by 1, 2 order by 1, 2",
    )
    .bind(i32::try_from(days).unwrap_or(i32::MAX))
    .fetch_all(database.pool())
    .await
    .map_err(query("count second looks by day"))?
    .iter()
    .map(|row| {
        let broken = corrupt("judgement");
        Ok(JudgedDay {
            day: row.try_get("day").map_err(&broken)?,
            by_machine: row.try_get("by_machine").map_err(&broken)?,
            judged: row.try_get("judged").map_err(&broken)?,
            wrong: row.try_get("wrong").map_err(&broken)?,
        })
    })
    .collect()
}
