//! How the fleet stands: what waits, since when, how fast it goes. Every question is answered from an
//! index or a small table, so that it may be asked every few seconds of a database of any size.

use serde::Serialize;
use sqlx::Row;

use super::error::{corrupt, query};
use super::{Database, StoreError, seals};

/// The jobs of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Queue {
    pub kind: String,
    /// Any worker may take them.
    pub ready: u64,
    /// They pause before their next attempt.
    pub pausing: u64,
    /// A worker has them.
    pub working: u64,
    /// They should have been done by now, and are not given up.
    pub overdue: u64,
    /// Given up.
    pub dead: u64,
    /// Seconds since the oldest that is not given up was queued; none where there is none.
    pub oldest_s: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// By kind, in the order of their names.
    pub queues: Vec<Queue>,
    /// Scans that are to be read or being read.
    pub scans_waiting: u64,
    pub scans_quarantined: u64,
    /// Pages that wait for a person to say whose they are.
    pub pages_unassigned: u64,
    pub seals: u64,
    pub events_unsealed: u64,
    /// Seconds since the oldest event without a seal.
    pub oldest_unsealed_s: Option<f64>,
    /// Rows of the job table that vacuum has yet to take away; claims slow down with them.
    pub job_rows_dead: u64,
    /// Seconds since the oldest open transaction on the server began, as far as the role may see.
    pub oldest_transaction_s: Option<f64>,
}

/// Scans and pages that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rate {
    pub scans: u64,
    pub pages: u64,
}

pub async fn standing(database: &Database) -> Result<Standing, StoreError> {
    let seals = seals::standing(database).await?;
    let row = sqlx::query(
        "select (select count(*) from scan where state = 'waiting') as waiting,
                (select count(*) from scan where state = 'quarantined' and erased_at is null) as quarantined,
                (select count(*) from page where state = 'unassigned' and erased_at is null) as unassigned,
                (select n_dead_tup from pg_stat_user_tables where relid = 'job'::regclass) as dead,
                (select extract(epoch from clock_timestamp() - min(xact_start))::float8 from pg_stat_activity
                 where pid <> pg_backend_pid() and backend_type = 'client backend') as transaction",
    )
    .fetch_one(database.pool())
    .await
    .map_err(query("tell how things stand"))?;
    let broken = corrupt("sum");
    let count = |column| -> Result<u64, StoreError> {
        let count: Option<i64> = row.try_get(column).map_err(corrupt("sum"))?;
        Ok(count.unwrap_or_default().unsigned_abs())
    };
    Ok(Standing {
        queues: queues(database).await?,
        scans_waiting: count("waiting")?,
        scans_quarantined: count("quarantined")?,
        pages_unassigned: count("unassigned")?,
        seals: seals.newest.map_or(0, |head| head.number.unsigned_abs()),
        events_unsealed: seals.unsealed,
        oldest_unsealed_s: seals.oldest_unsealed_s,
        job_rows_dead: count("dead")?,
        oldest_transaction_s: row.try_get("transaction").map_err(&broken)?,
    })
}

/// The jobs by kind, outstanding and given up.
pub async fn queues(database: &Database) -> Result<Vec<Queue>, StoreError> {
    sqlx::query(
        "with live as (
             select kind, count(*) filter (where visible_at <= now()) as ready,
                    count(*) filter (where visible_at > now() and worker is null) as pausing,
                    count(*) filter (where visible_at > now() and worker is not null) as working,
                    count(*) filter (where due_at < now()) as overdue,
                    extract(epoch from clock_timestamp() - min(created_at))::float8 as oldest
             from job group by kind
         ), dead as (
             select kind, count(*) as dead from job_dead group by kind
         )
         select kind, ready, pausing, working, overdue, oldest, dead
         from live full join dead using (kind) order by kind",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("count jobs by kind"))?
    .iter()
    .map(|row| {
        let broken = corrupt("sum");
        let count = |column| -> Result<u64, StoreError> {
            let count: Option<i64> = row.try_get(column).map_err(corrupt("sum"))?;
            Ok(count.unwrap_or_default().unsigned_abs())
        };
        Ok(Queue {
            kind: row.try_get("kind").map_err(&broken)?,
            ready: count("ready")?,
            pausing: count("pausing")?,
            working: count("working")?,
            overdue: count("overdue")?,
            dead: count("dead")?,
            oldest_s: row.try_get("oldest").map_err(&broken)?,
        })
    })
    .collect()
}

/// What was read in the last `seconds`.
pub async fn rate(database: &Database, seconds: f64) -> Result<Rate, StoreError> {
    let (scans, pages): (i64, Option<i64>) = sqlx::query_as(
        "select count(*), sum(page_count) from scan
         where state = 'done' and state_at > now() - make_interval(secs => $1)",
    )
    .bind(seconds)
    .fetch_one(database.pool())
    .await
    .map_err(query("count what was read"))?;
    Ok(Rate { scans: scans.unsigned_abs(), pages: pages.unwrap_or_default().unsigned_abs() })
}
