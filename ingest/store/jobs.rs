//! The job queue: one table, claimed with `skip locked`.
//!
//! A claim counts the attempt and sets the lease in the same statement, so a worker that dies has
//! used up its attempt. The pair of ID and attempt is the fence: whoever comes back after their
//! lease has gone to another worker changes nothing. Only the server's clock counts.
//!
//! What is due first is claimed first. A scan is due so long after it came as its station may wait: so
//! urgent ones overtake, and whatever waits long enough is overtaken by nothing new.

use std::time::Duration;

use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::scans::ScanId;
use super::{Database, StoreError, announcements};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub(super) i64);

impl std::fmt::Display for JobId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Decode a scan, read its pages and publish what they say.
    ReadScan,
    /// Read a page that a person assigned ([`super::rereading`]).
    ReadPage,
}

impl JobKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReadScan => "read_scan",
            Self::ReadPage => "read_page",
        }
    }
}

/// How a job is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub max_attempts: i32,
    /// From now on it is due after this.
    pub due_in: Duration,
}

/// A scan to be read, for as long as [`heartbeat`] renews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub job: JobId,
    /// From 1. With `job`, the fence.
    pub attempt: i32,
    pub max_attempts: i32,
    pub scan: ScanId,
}

/// What became of a failed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It is claimed again after the pause.
    Retries { after: Duration },
    /// It had no attempts left, or none was of use.
    Quarantined,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounts {
    /// Nobody has them; those pausing before their next attempt included.
    pub waiting: u64,
    /// A worker holds a lease.
    pub working: u64,
    pub quarantined: u64,
}

/// Queues the reading of a scan that is registered.
async fn enqueue_scan(
    connection: &mut PgConnection,
    scan: ScanId,
    terms: Terms,
) -> Result<JobId, StoreError> {
    sqlx::query_scalar(
        "insert into job (kind, dedup, max_attempts, scan_id, due_at)
         values ($1, int8send($2), $3, $2, now() + make_interval(secs => $4)) returning id",
    )
    .bind(JobKind::ReadScan.name())
    .bind(scan.0)
    .bind(terms.max_attempts)
    .bind(terms.due_in.as_secs_f64())
    .fetch_one(connection)
    .await
    .map_err(query("queue a scan"))
    .map(JobId)
}

/// Takes up to `limit` scans that are ready, what is due first before all, for `lease`. Scans whose attempts are
/// used up are quarantined where the queue comes to them.
pub async fn claim_scans(
    database: &Database,
    worker: &str,
    lease: Duration,
    limit: u32,
) -> Result<Vec<Lease>, StoreError> {
    claim(database, JobKind::ReadScan, worker, lease, limit).await?.iter().map(lease_of).collect()
}

/// Takes up to `limit` jobs of a kind that are ready: rows of `job` for [`lease_of`], with the `payload`.
pub(super) async fn claim(
    database: &Database,
    kind: JobKind,
    worker: &str,
    lease: Duration,
    limit: u32,
) -> Result<Vec<PgRow>, StoreError> {
    loop {
        let Front { leased, exhausted } = claim_front(database, kind, worker, lease, limit).await?;
        if exhausted.is_empty() {
            return Ok(leased);
        }
        bury(database, worker, &exhausted).await?;
        if !leased.is_empty() {
            return Ok(leased);
        }
    }
}

/// What stood first in the queue.
struct Front {
    leased: Vec<PgRow>,
    /// Have no attempts left.
    exhausted: Vec<i64>,
}

async fn claim_front(
    database: &Database,
    kind: JobKind,
    worker: &str,
    lease: Duration,
    limit: u32,
) -> Result<Front, StoreError> {
    // `skip locked` keeps claiming workers out of each other's way. Nothing that is changed here is in an
    // index, so that the row moves within its page.
    let rows = sqlx::query(
        "with ready as materialized (
             select id, attempts < max_attempts as alive from job
             where kind = $1 and visible_at <= now()
             order by due_at, id limit $2 for update skip locked
         ), leased as (
             update job set attempts = job.attempts + 1, visible_at = now() + make_interval(secs => $4), worker = $3
             from ready where job.id = ready.id and alive
             returning job.id, job.attempts, job.max_attempts, job.payload,
                       coalesce(job.scan_id, (job.payload ->> 'scan')::bigint) as scan
         )
         select id, alive, leased.attempts, leased.max_attempts, leased.payload, leased.scan
         from ready left join leased using (id)",
    )
    .bind(kind.name())
    .bind(i64::from(limit))
    .bind(worker)
    .bind(lease.as_secs_f64())
    .fetch_all(database.pool())
    .await
    .map_err(query("claim jobs"))?;
    let mut front = Front { leased: Vec::new(), exhausted: Vec::new() };
    for row in rows {
        match row.try_get("alive").map_err(corrupt("job"))? {
            true => front.leased.push(row),
            false => front.exhausted.push(row.try_get("id").map_err(corrupt("job"))?),
        }
    }
    Ok(front)
}

/// Quarantines scans of which every attempt has ended without a word, unless somebody else is at it. A page that
/// people assigned stays where it was; its job lies among the dead.
async fn bury(database: &Database, worker: &str, jobs: &[i64]) -> Result<(), StoreError> {
    sqlx::query(
        "with exhausted as materialized (
             select id from job
             where id = any($1) and visible_at <= now() and attempts >= max_attempts
             for update skip locked
         ), dead as (
             delete from job using exhausted where job.id = exhausted.id returning job.*
         ), buried as (
             insert into job_dead (id, kind, dedup, priority, attempts, max_attempts, worker, scan_id, payload,
                                   created_at, reason)
             select id, kind, dedup, priority, attempts, max_attempts, worker, scan_id, payload, created_at,
                    format('given up after %s attempts: %s', attempts,
                           coalesce(last_error, 'each ended without a word (crashed, killed or hung)'))
             from dead returning scan_id, attempts, reason
         ), quarantined as (
             update scan set state = 'quarantined', reason = buried.reason, state_at = now()
             from buried where scan.id = buried.scan_id returning scan.id, buried.attempts
         )
         insert into event (actor, kind, subject, detail)
         select $2, $3, 'scan ' || id, jsonb_build_object('attempts', attempts) from quarantined",
    )
    .bind(jobs)
    .bind(worker)
    .bind(EventKind::ScanQuarantined.name())
    .execute(database.pool())
    .await
    .map_err(query("quarantine exhausted jobs"))
    .map(drop)
}

pub(super) fn lease_of(row: &PgRow) -> Result<Lease, StoreError> {
    let broken = corrupt("job");
    Ok(Lease {
        job: JobId(row.try_get("id").map_err(&broken)?),
        attempt: row.try_get("attempts").map_err(&broken)?,
        max_attempts: row.try_get("max_attempts").map_err(&broken)?,
        scan: ScanId(row.try_get("scan").map_err(&broken)?),
    })
}

/// Renews the lease from now on; every third of its length is often enough. After
/// [`StoreError::LeaseLost`] stop working on it.
pub async fn heartbeat(database: &Database, lease: &Lease, length: Duration) -> Result<(), StoreError> {
    let renewed = sqlx::query(
        "update job set visible_at = now() + make_interval(secs => $3) where id = $1 and attempts = $2",
    )
    .bind(lease.job.0)
    .bind(lease.attempt)
    .bind(length.as_secs_f64())
    .execute(database.pool())
    .await
    .map_err(query("renew a lease"))?;
    fence(lease, renewed.rows_affected())
}

/// Ends a job in the transaction that commits its result.
pub(super) async fn complete(connection: &mut PgConnection, lease: &Lease) -> Result<(), StoreError> {
    let removed = sqlx::query("delete from job where id = $1 and attempts = $2")
        .bind(lease.job.0)
        .bind(lease.attempt)
        .execute(connection)
        .await
        .map_err(query("complete a job"))?;
    fence(lease, removed.rows_affected())
}

/// Whether the lease was still its holder's: then it was about one row.
pub(super) fn fence(lease: &Lease, rows: u64) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::LeaseLost(lease.job)) }
}

/// Ends an attempt at a scan that may go better next time ([`retry`]); the last attempt quarantines the scan.
/// `reason` names file and page, and holds no personal data.
pub async fn fail(
    database: &Database,
    lease: &Lease,
    worker: &str,
    reason: &str,
    pause: Duration,
) -> Result<Failed, StoreError> {
    if lease.attempt >= lease.max_attempts {
        let reason = format!("given up after {} attempts: {reason}", lease.attempt);
        quarantine(database, lease, worker, &reason, None).await?;
        return Ok(Failed::Quarantined);
    }
    Ok(Failed::Retries { after: retry(database, lease, reason, pause).await? })
}

/// Puts a job back after an attempt that may go better next time. The pause, which is returned, doubles with every
/// attempt; what has none left is buried where the queue comes to it.
pub async fn retry(
    database: &Database,
    lease: &Lease,
    reason: &str,
    pause: Duration,
) -> Result<Duration, StoreError> {
    let after = backoff(lease, pause);
    let released = sqlx::query(
        "update job set visible_at = now() + make_interval(secs => $3), last_error = $4, worker = null
         where id = $1 and attempts = $2",
    )
    .bind(lease.job.0)
    .bind(lease.attempt)
    .bind(after.as_secs_f64())
    .bind(reason)
    .execute(database.pool())
    .await
    .map_err(query("put a job back"))?;
    fence(lease, released.rows_affected())?;
    Ok(after)
}

/// Doublings of a pause: with the default of 5 s, at most 5 minutes and 20 s.
const MOST_DOUBLINGS: u32 = 6;

/// The pause before the next attempt: what is put back again and again, and is due before all, must not
/// keep the workers from the rest.
fn backoff(lease: &Lease, pause: Duration) -> Duration {
    let doublings = lease.attempt.unsigned_abs().saturating_sub(1).min(MOST_DOUBLINGS);
    pause.saturating_mul(1 << doublings)
}

/// Puts a job back whose failure the scan cannot be blamed for: its attempt is not charged. The count
/// of attempts only ever grows, since it is the fence; so the limit grows with it. The pause doubles with
/// every attempt.
pub async fn give_back(
    database: &Database,
    lease: &Lease,
    reason: &str,
    pause: Duration,
) -> Result<(), StoreError> {
    let released = sqlx::query(
        "update job set visible_at = now() + make_interval(secs => $3), last_error = $4, worker = null,
                        max_attempts = max_attempts + 1
         where id = $1 and attempts = $2",
    )
    .bind(lease.job.0)
    .bind(lease.attempt)
    .bind(backoff(lease, pause).as_secs_f64())
    .bind(reason)
    .execute(database.pool())
    .await
    .map_err(query("give a job back"))?;
    fence(lease, released.rows_affected())
}

/// Quarantines a scan at once, because another attempt would end the same (a broken file).
/// `page_count` where the file's pages could be counted.
pub async fn quarantine(
    database: &Database,
    lease: &Lease,
    worker: &str,
    reason: &str,
    page_count: Option<u32>,
) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    let buried = sqlx::query(
        "with dead as (delete from job where id = $1 and attempts = $2 returning *)
         insert into job_dead (id, kind, dedup, priority, attempts, max_attempts, worker, scan_id, payload,
                               created_at, reason)
         select id, kind, dedup, priority, attempts, max_attempts, worker, scan_id, payload, created_at, $3
         from dead",
    )
    .bind(lease.job.0)
    .bind(lease.attempt)
    .bind(reason)
    .execute(&mut *transaction)
    .await
    .map_err(query("quarantine a job"))?;
    fence(lease, buried.rows_affected())?;
    sqlx::query(
        "update scan set state = 'quarantined', reason = $2, page_count = $3, state_at = now() where id = $1",
    )
    .bind(lease.scan.0)
    .bind(reason)
    .bind(page_count.map(i64::from))
    .execute(&mut *transaction)
    .await
    .map_err(query("quarantine a scan"))?;
    let subject = format!("scan {}", lease.scan);
    events::append(
        &mut transaction,
        worker,
        EventKind::ScanQuarantined,
        &subject,
        json!({ "attempts": lease.attempt }),
    )
    .await?;
    transaction.commit().await.map_err(query("commit a quarantine"))
}

/// Puts a quarantined scan back into the queue with all its attempts; it is due at once, since a person
/// has asked for it. False if it is not in quarantine, or was erased.
pub async fn requeue(
    database: &Database,
    scan: ScanId,
    actor: &str,
    max_attempts: i32,
) -> Result<bool, StoreError> {
    let mut transaction = database.begin().await?;
    let released = sqlx::query(
        "update scan set state = 'waiting', reason = null, page_count = null, state_at = now()
         where id = $1 and state = 'quarantined' and erased_at is null",
    )
    .bind(scan.0)
    .execute(&mut *transaction)
    .await
    .map_err(query("take a scan out of quarantine"))?;
    if released.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("delete from job_dead where scan_id = $1")
        .bind(scan.0)
        .execute(&mut *transaction)
        .await
        .map_err(query("take a job out of quarantine"))?;
    // A new ID: the fence of a worker that still has the old one must not fit again.
    enqueue_scan(&mut transaction, scan, Terms { max_attempts, due_in: Duration::ZERO }).await?;
    events::append(&mut transaction, actor, EventKind::ScanRequeued, &format!("scan {scan}"), json!({}))
        .await?;
    transaction.commit().await.map_err(query("commit the return of a scan"))?;
    announcements::announce(database).await;
    Ok(true)
}

/// How many jobs any worker may take, counted no further than `limit`.
pub async fn ready(database: &Database, limit: u64) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from (select from job where visible_at <= now() limit $1) as ready",
    )
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_one(database.pool())
    .await
    .map_err(query("count jobs"))?;
    Ok(count.unsigned_abs())
}

pub async fn counts(database: &Database) -> Result<JobCounts, StoreError> {
    let (working, all, quarantined): (i64, i64, i64) = sqlx::query_as(
        "select count(*) filter (where worker is not null and visible_at > now()), count(*),
                (select count(*) from job_dead)
         from job",
    )
    .fetch_one(database.pool())
    .await
    .map_err(query("count jobs"))?;
    Ok(JobCounts {
        waiting: (all - working).unsigned_abs(),
        working: working.unsigned_abs(),
        quarantined: quarantined.unsigned_abs(),
    })
}
