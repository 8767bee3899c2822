//! Lots: what the machine accepted in the captures of a batch, accepted or rejected by a sample. The households of a
//! rejected lot are not paid until somebody releases it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::captures::CaptureId;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::payment_stops::HOUSEHOLD_OF_CAPTURE;
use super::qa::{Complete, Drawn, Origin};
use super::sessions::interval;
use super::{Database, StoreError, qa};
use crate::application_id::ApplicationId;
use crate::review::{AccountName, JudgedLot, SamplingPlan, Severity};

/// A batch whose captures are in no lot, and to which nothing has come for a while.
pub struct Quiet {
    pub station: String,
    pub batch: String,
}

/// The batches that may become lots: all their scans are read, and the last capture was published `quiet` ago.
pub async fn quiet(database: &Database, quiet: Duration) -> Result<Vec<Quiet>, StoreError> {
    sqlx::query(
        "select station, batch from capture
         where awaits_lot and batch is not null and erased_at is null
         group by station, batch
         having max(published_at) <= now() - $1
            and not exists (select from arrival join scan using (sha256)
                            where arrival.station = capture.station and arrival.batch = capture.batch
                              and scan.state = 'waiting')
         order by station, batch",
    )
    .bind(interval(quiet)?)
    .fetch_all(database.pool())
    .await
    .map_err(query("look for batches that are in"))?
    .iter()
    .map(|row| {
        let broken = corrupt("capture");
        Ok(Quiet {
            station: row.try_get("station").map_err(&broken)?,
            batch: row.try_get("batch").map_err(&broken)?,
        })
    })
    .collect()
}

/// Up to `limit` captures of the batch that are in no lot, those after `after`.
pub async fn captures(
    database: &Database,
    batch: &Quiet,
    after: Option<CaptureId>,
    limit: u32,
) -> Result<Vec<Complete>, StoreError> {
    sqlx::query(
        "select application_id, id::text as capture_id, station, record::text from capture
         where awaits_lot and batch is not null and erased_at is null and station = $1 and batch = $2
           and ($4::uuid is null or id > $4::uuid)
         order by id limit $3",
    )
    .bind(&batch.station)
    .bind(&batch.batch)
    .bind(i64::from(limit))
    .bind(after.map(|capture| capture.to_string()))
    .fetch_all(database.pool())
    .await
    .map_err(query("list the captures of a batch"))?
    .iter()
    .map(Complete::of)
    .collect()
}

/// What becomes a lot.
pub struct Forming<'a> {
    pub batch: &'a Quiet,
    pub captures: &'a [CaptureId],
    /// Fields that the machine accepted in them.
    pub size: u64,
    pub aql_percent: f64,
    pub severity: Severity,
    pub plan: SamplingPlan,
    /// The part of the fields that is looked at: `sample`.
    pub share: f64,
    pub sample: &'a [Sampled],
}

/// A field that is looked at.
pub struct Sampled {
    pub application: ApplicationId,
    pub capture: CaptureId,
    pub drawn: Drawn,
}

/// Makes a lot of captures and adds a task for each field of its sample that has none. A lot of nothing is none:
/// its captures wait for none any more. Does nothing where another node was faster.
pub async fn form(database: &Database, forming: &Forming<'_>) -> Result<(), StoreError> {
    let doing = query("form a lot");
    let Forming { batch, captures, size, aql_percent, severity, plan, share, sample } = forming;
    let mut transaction = database.begin().await?;
    let ids: Vec<String> = captures.iter().map(ToString::to_string).collect();
    let taken = sqlx::query(
        "update capture set awaits_lot = false
         where id = any($1::uuid[]) and awaits_lot and erased_at is null",
    )
    .bind(&ids)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if taken.rows_affected() != ids.len() as u64 {
        return Ok(());
    }
    if *size == 0 {
        return transaction.commit().await.map_err(&doing);
    }
    let lot: i64 = sqlx::query_scalar(
        "insert into lot (station, batch, size, aql, letter, sample, acceptance, severity)
         values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
    )
    .bind(&batch.station)
    .bind(&batch.batch)
    .bind(*size as i64)
    .bind(aql_percent)
    .bind(plan.letter.to_string())
    .bind(plan.sample as i64)
    .bind(plan.acceptance as i64)
    .bind(severity.name())
    .fetch_one(&mut *transaction)
    .await
    .map_err(&doing)?;
    sqlx::query("update capture set lot_id = $2 where id = any($1::uuid[])")
        .bind(&ids)
        .bind(lot)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    for Sampled { application, capture, drawn } in *sample {
        let origin = Origin { application: *application, capture: *capture, station: &batch.station };
        qa::add(&mut transaction, origin, drawn).await?;
        sqlx::query(
            "insert into lot_sample (task_id, lot_id, probability)
             select task_id, $3, $4 from qa_sample where capture_id = $1::uuid and field = $2",
        )
        .bind(capture.to_string())
        .bind(&drawn.field)
        .bind(lot)
        .bind(share)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    }
    transaction.commit().await.map_err(&doing)
}

/// Lots that nobody has released, and those that were judged last.
#[derive(Debug, Clone, PartialEq, serde::Serialize, schemars::JsonSchema)]
pub struct Lot {
    pub id: i64,
    pub station: String,
    pub batch: String,
    /// Fields that the machine accepted.
    pub size: i64,
    /// In percent.
    pub aql: f64,
    pub severity: Severity,
    /// The standard's code letter of the plan.
    pub letter: String,
    pub sample: i64,
    /// Of the sample.
    pub judged: i64,
    pub wrong: i64,
    /// So many may be wrong.
    pub acceptance: i64,
    /// `accepted` or `rejected`; none while it is open.
    pub verdict: Option<String>,
    pub formed_at: DateTime<Utc>,
    pub released_by: Option<String>,
    pub released_at: Option<DateTime<Utc>>,
    /// Of a lot that is rejected.
    pub screening: Option<Screening>,
}

/// How much of a rejected lot was looked at again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Screening {
    /// All that the machine accepted, but what people have decided since.
    pub fields: i64,
    pub looked_at: i64,
    pub is_done: bool,
}

/// What a second look need not say any more: the application was erased.
const COUNTED: &str = "count(*) filter (where outcome is not null or task.state = 'withdrawn') as judged,
     count(*) filter (where outcome = 'wrong') as wrong";

/// Those that are rejected first, then those that are open; of each the newest, up to `limit` of all. What of a
/// rejected one is to be looked at is known when tasks were made for all its captures; until then it is its size.
pub async fn list(database: &Database, limit: u32) -> Result<Vec<Lot>, StoreError> {
    let statement = format!(
        "with listed as (
             select * from lot
             order by verdict is not distinct from 'rejected' and released_at is null desc, verdict is null desc,
                      id desc
             limit $1)
         select listed.*, counted.judged, counted.wrong,
                case when planned then to_screen else size end as to_screen, screening.judged as screened,
                planned and screening.judged = to_screen as is_screened
         from listed cross join lateral (
             select {COUNTED} from lot_sample join task on task.id = task_id left join qa_judgement using (task_id)
             where lot_id = listed.id) as counted
         cross join lateral (
             select count(task.id) as to_screen, {COUNTED},
                    coalesce(bool_and(screening_planned or erased_at is not null), false) as planned
             from capture
             left join qa_sample on qa_sample.capture_id = capture.id and manner in ('accepted', 'blank')
             left join task on task.id = task_id left join qa_judgement using (task_id)
             where lot_id = listed.id and verdict = 'rejected') as screening
         order by verdict is not distinct from 'rejected' and released_at is null desc, verdict is null desc, id desc"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(i64::from(limit))
        .fetch_all(database.pool())
        .await
        .map_err(query("list lots"))?
        .iter()
        .map(|row| {
            let broken = corrupt("lot");
            let verdict: Option<String> = row.try_get("verdict").map_err(&broken)?;
            let screening = Screening {
                fields: row.try_get("to_screen").map_err(&broken)?,
                looked_at: row.try_get("screened").map_err(&broken)?,
                is_done: row.try_get("is_screened").map_err(&broken)?,
            };
            Ok(Lot {
                id: row.try_get("id").map_err(&broken)?,
                station: row.try_get("station").map_err(&broken)?,
                batch: row.try_get("batch").map_err(&broken)?,
                size: row.try_get("size").map_err(&broken)?,
                aql: row.try_get("aql").map_err(&broken)?,
                severity: severity(row)?,
                letter: row.try_get("letter").map_err(&broken)?,
                sample: row.try_get("sample").map_err(&broken)?,
                judged: row.try_get("judged").map_err(&broken)?,
                wrong: row.try_get("wrong").map_err(&broken)?,
                acceptance: row.try_get("acceptance").map_err(&broken)?,
                formed_at: row.try_get("formed_at").map_err(&broken)?,
                released_by: row.try_get("released_by").map_err(&broken)?,
                released_at: row.try_get("released_at").map_err(&broken)?,
                screening: (verdict.as_deref() == Some("rejected")).then_some(screening),
                verdict,
            })
        })
        .collect()
}

fn severity(row: &PgRow) -> Result<Severity, StoreError> {
    let name: &str = row.try_get("severity").map_err(corrupt("lot"))?;
    Severity::ALL
        .into_iter()
        .find(|severity| severity.name() == name)
        .ok_or_else(|| corrupt("lot")("its severity is none of those there are"))
}

/// What came of the lots of each station, in the order of their verdicts.
pub async fn histories(database: &Database) -> Result<BTreeMap<String, Vec<JudgedLot>>, StoreError> {
    let rows = sqlx::query(
        "select station, severity, verdict = 'accepted' as accepted from lot
         where verdict is not null order by judged_at, id",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("look at the verdicts on lots"))?;
    let mut histories: BTreeMap<String, Vec<JudgedLot>> = BTreeMap::new();
    for row in &rows {
        let broken = corrupt("lot");
        let lot = JudgedLot { severity: severity(row)?, accepted: row.try_get("accepted").map_err(&broken)? };
        histories.entry(row.try_get("station").map_err(&broken)?).or_default().push(lot);
    }
    Ok(histories)
}

/// Judges the lots that are open: rejected as soon as one more than may be is wrong, accepted when the whole sample
/// was looked at. What is rejected is stopped in the same transaction.
pub async fn judge(database: &Database, actor: &str) -> Result<(), StoreError> {
    let doing = query("judge lots");
    let mut transaction = database.begin().await?;
    let statement = format!(
        "with counted as (
             select lot_id, {COUNTED}
             from lot_sample join task on task.id = task_id left join qa_judgement using (task_id)
             where lot_id in (select id from lot where verdict is null) group by lot_id)
         update lot set verdict = case when wrong > acceptance then 'rejected' else 'accepted' end, judged_at = now()
         from counted
         where lot.id = lot_id and verdict is null and (wrong > acceptance or judged >= sample)
         returning lot.id, station, batch, severity, sample, judged, wrong, acceptance, verdict"
    );
    let judged =
        sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&mut *transaction).await.map_err(&doing)?;
    for row in &judged {
        let broken = corrupt("lot");
        let id: i64 = row.try_get("id").map_err(&broken)?;
        let verdict: &str = row.try_get("verdict").map_err(&broken)?;
        let count = |column| row.try_get::<i64, _>(column).map_err(corrupt("lot"));
        let stopped = match verdict {
            "rejected" => stop(&mut transaction, id, actor).await?,
            _ => 0,
        };
        let detail = json!({
            "station": row.try_get::<&str, _>("station").map_err(&broken)?,
            "batch": row.try_get::<&str, _>("batch").map_err(&broken)?,
            "severity": severity(row)?, "sample": count("sample")?, "judged": count("judged")?, "wrong": count("wrong")?,
            "acceptance": count("acceptance")?, "verdict": verdict, "stopped": stopped,
        });
        events::append(&mut transaction, actor, EventKind::LotJudged, &format!("lot {id}"), detail).await?;
    }
    transaction.commit().await.map_err(&doing)
}

/// The households of the lot `$1`, each with one of its applications.
fn households() -> String {
    format!(
        "select distinct on (household) household, application_id from (
             select {HOUSEHOLD_OF_CAPTURE} as household, capture.application_id
             from capture left join register using (application_id)
             where lot_id = $1 and erased_at is null) as each
         order by household, application_id"
    )
}

/// Stops every household of the lot; how many were not stopped so before.
async fn stop(connection: &mut PgConnection, lot: i64, actor: &str) -> Result<u64, StoreError> {
    let doing = query("stop the households of a lot");
    let households = households();
    let known = format!(
        "insert into household (id) select household from ({households}) as mine on conflict do nothing"
    );
    sqlx::query(sqlx::AssertSqlSafe(known)).bind(lot).execute(&mut *connection).await.map_err(&doing)?;
    // The events are those of a stop that is placed by itself (payment_stops).
    let statement = format!(
        "with mine as ({households}), placed as (
             insert into payment_stop (household_id, reason, placed_by)
             select household, 'lot', $2 from mine on conflict do nothing returning household_id)
         insert into event (actor, kind, subject, detail)
         select $2, $3, 'application ' || application_id,
                jsonb_build_object('reason', 'lot', 'lot', $1, 'requested_before',
                    exists (select from payment
                            where payment.household_id = placed.household_id and state = 'requested'))
         from placed join mine on household = household_id order by household"
    );
    let stopped = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(lot)
        .bind(actor)
        .bind(EventKind::PaymentStopped.name())
        .execute(connection)
        .await
        .map_err(&doing)?;
    Ok(stopped.rows_affected())
}

/// Lets a rejected lot go: its households are stopped by it no more, unless another one of theirs is rejected,
/// too. False where it is not rejected, or was released before.
pub async fn release(database: &Database, lot: i64, account: &AccountName) -> Result<bool, StoreError> {
    let doing = query("release a lot");
    let mut transaction = database.begin().await?;
    let released = sqlx::query(
        "update lot set released_by = $2, released_at = now()
         where id = $1 and verdict = 'rejected' and released_at is null",
    )
    .bind(lot)
    .bind(account.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if released.rows_affected() == 0 {
        return Ok(false);
    }
    let households = households();
    let statement = format!(
        "with mine as ({households}), rejected as (
             select {HOUSEHOLD_OF_CAPTURE} as household
             from lot join capture on lot_id = lot.id left join register using (application_id)
             where verdict = 'rejected' and released_at is null),
         lifted as (
             update payment_stop set lifted_by = $2, lifted_at = now()
             where reason = 'lot' and lifted_at is null and household_id in (select household from mine)
               and household_id not in (select household from rejected) returning household_id)
         insert into event (actor, kind, subject, detail)
         select $2, $3, 'application ' || application_id, jsonb_build_object('reason', 'lot', 'lot', $1)
         from lifted join mine on household = household_id order by household"
    );
    let lifted = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(lot)
        .bind(account.as_str())
        .bind(EventKind::PaymentStopLifted.name())
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    let detail = json!({ "lifted": lifted.rows_affected() });
    let subject = format!("lot {lot}");
    events::append(&mut transaction, account.as_str(), EventKind::LotReleased, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}
