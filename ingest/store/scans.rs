//! Scans and their arrivals: a file of a station, once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::jobs::{JobKind, Terms};
use super::objects::ObjectKey;
use super::{Database, StoreError, announcements, sensitive_originals};
use crate::digest::Sha256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScanId(pub(super) i64);

impl std::fmt::Display for ScanId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::str::FromStr for ScanId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A file whose bytes are in the object store, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub station: String,
    pub batch: Option<String>,
    /// The file's name as the station gave it, below the station's (or batch's) folder.
    pub path: String,
    /// Tells two arrivals of the same bytes under the same path apart. It must be the same for all
    /// that see the same arrival (watchers racing, or one that died after its commit), and another
    /// when the file is dropped again: inode and change time of a dropped file, or the run's own ID
    /// for `ingest`.
    pub occasion: String,
    pub sha256: Sha256,
    pub bytes: u64,
    pub original: ObjectKey,
    pub modified_at: DateTime<Utc>,
}

impl Arrival {
    /// What its event says.
    fn told(&self) -> Value {
        json!({ "station": self.station, "batch": self.batch, "sha256": self.sha256 })
    }
}

/// What an arrival meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// New content: a scan waits to be read.
    New(ScanId),
    /// Content that was here before: logged, nothing else.
    Repeated(ScanId),
    /// This very arrival was registered already (by another watcher, or before a crash).
    Registered(ScanId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScanState {
    /// To be read, or being read.
    Waiting,
    Done,
    Quarantined,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scan {
    pub id: ScanId,
    pub sha256: Sha256,
    pub bytes: u64,
    pub original: ObjectKey,
    pub station: String,
    pub batch: Option<String>,
    pub file: String,
    pub state: ScanState,
    pub page_count: Option<u32>,
    /// Why it is quarantined.
    pub reason: Option<String>,
    /// The same however often the scan is read: the time to stand in its records.
    pub arrived_at: DateTime<Utc>,
}

/// Registers an arrival and, for new content, its scan and the job of reading it, in one
/// transaction. Calling it again, or from several watchers at once, changes nothing more.
pub async fn accept(
    database: &Database,
    arrival: &Arrival,
    actor: &str,
    terms: Terms,
) -> Result<Accepted, StoreError> {
    if let Some(scan) = accept_new(database, arrival, actor, terms).await? {
        announcements::announce(database).await;
        return Ok(Accepted::New(scan));
    }
    let mut transaction = database.begin().await?;
    let doing = query("register an arrival");
    let sha256 = &arrival.sha256.as_bytes()[..];
    // Watchers with the same bytes wait here for one another, and see each other's rows below.
    let known: i64 = sqlx::query_scalar(
        "select scan.id from blob join scan using (sha256) where sha256 = $1 for update of blob",
    )
    .bind(sha256)
    .fetch_one(&mut *transaction)
    .await
    .map_err(&doing)?;
    let logged = sqlx::query(
        "insert into arrival (station, batch, path, occasion, sha256, modified_at, repeated)
         values ($1, $2, $3, $4, $5, $6, true) on conflict do nothing",
    )
    .bind(&arrival.station)
    .bind(&arrival.batch)
    .bind(&arrival.path)
    .bind(&arrival.occasion)
    .bind(sha256)
    .bind(arrival.modified_at)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if logged.rows_affected() == 0 {
        return Ok(Accepted::Registered(ScanId(known)));
    }
    sqlx::query(
        "insert into erased_came_again (object_key)
         select object_key from blob where sha256 = $1 and erased_at is not null
         on conflict do nothing",
    )
    .bind(sha256)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    sensitive_originals::came_again(&mut transaction, ScanId(known)).await?;
    let subject = format!("scan {known}");
    events::append(&mut transaction, actor, EventKind::ScanRepeated, &subject, arrival.told()).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Accepted::Repeated(ScanId(known)))
}

/// Registers content that nobody has registered; none where somebody has. A blob comes with its scan, so one
/// statement is all: whoever meets it half way waits for its end.
async fn accept_new(
    database: &Database,
    arrival: &Arrival,
    actor: &str,
    terms: Terms,
) -> Result<Option<ScanId>, StoreError> {
    sqlx::query_scalar(
        "with content as (
             insert into blob (sha256, bytes, object_key) values ($1, $2, $3) on conflict do nothing returning sha256
         ), logged as (
             insert into arrival (station, batch, path, occasion, sha256, modified_at, repeated)
             select $4, $5, $6, $7, sha256, $8, false from content
         ), scanned as (
             insert into scan (sha256, station, batch, file) select sha256, $4, $5, $6 from content returning id
         ), queued as (
             insert into job (kind, dedup, max_attempts, scan_id, due_at)
             select $9, int8send(id), $10, id, now() + make_interval(secs => $11) from scanned
         ), told as (
             insert into event (actor, kind, subject, detail) select $12, $13, 'scan ' || id, $14 from scanned
         )
         select id from scanned",
    )
    .bind(&arrival.sha256.as_bytes()[..])
    .bind(i64::try_from(arrival.bytes).unwrap_or(i64::MAX))
    .bind(arrival.original.to_string())
    .bind(&arrival.station)
    .bind(&arrival.batch)
    .bind(&arrival.path)
    .bind(&arrival.occasion)
    .bind(arrival.modified_at)
    .bind(JobKind::ReadScan.name())
    .bind(terms.max_attempts)
    .bind(terms.due_in.as_secs_f64())
    .bind(actor)
    .bind(EventKind::ScanArrived.name())
    .bind(arrival.told())
    .fetch_optional(database.pool())
    .await
    .map_err(query("register an arrival"))
    .map(|id: Option<i64>| id.map(ScanId))
}

const COLUMNS: &str =
    "scan.id, scan.sha256, bytes, object_key, station, batch, file, state, page_count, reason,
    arrived_at from scan join blob using (sha256)";

/// The scan of that ID, if there is one.
pub async fn find(database: &Database, id: ScanId) -> Result<Option<Scan>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("select {COLUMNS} where scan.id = $1")))
        .bind(id.0)
        .fetch_optional(database.pool())
        .await
        .map_err(query("find a scan"))?
        .map(|row| scan_of(&row))
        .transpose()
}

/// The scan of those bytes, if there is one.
pub async fn find_content(database: &Database, sha256: Sha256) -> Result<Option<Scan>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("select {COLUMNS} where scan.sha256 = $1")))
        .bind(&sha256.as_bytes()[..])
        .fetch_optional(database.pool())
        .await
        .map_err(query("find a scan"))?
        .map(|row| scan_of(&row))
        .transpose()
}

/// Up to `limit` quarantined scans in the order of their IDs, those after `after`, but for what was erased.
pub async fn quarantined(
    database: &Database,
    after: Option<ScanId>,
    limit: u32,
) -> Result<Vec<Scan>, StoreError> {
    let statement = format!(
        "select {COLUMNS} where state = 'quarantined' and scan.erased_at is null and scan.id > $1 order by scan.id limit $2"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(after.map_or(i64::MIN, |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(database.pool())
        .await
        .map_err(query("list the quarantine"))?
        .iter()
        .map(scan_of)
        .collect()
}

fn scan_of(row: &PgRow) -> Result<Scan, StoreError> {
    let broken = corrupt("scan");
    let key: String = row.try_get("object_key").map_err(&broken)?;
    let state: String = row.try_get("state").map_err(&broken)?;
    Ok(Scan {
        id: ScanId(row.try_get("id").map_err(&broken)?),
        sha256: digest(row, "sha256")?,
        bytes: row.try_get::<i64, _>("bytes").map_err(&broken)?.unsigned_abs(),
        original: key.parse().map_err(corrupt("scan"))?,
        station: row.try_get("station").map_err(&broken)?,
        batch: row.try_get("batch").map_err(&broken)?,
        file: row.try_get("file").map_err(&broken)?,
        state: match state.as_str() {
            "waiting" => ScanState::Waiting,
            "done" => ScanState::Done,
            "quarantined" => ScanState::Quarantined,
            _ => return Err(corrupt("scan")("an unknown state")),
        },
        page_count: row.try_get::<Option<i32>, _>("page_count").map_err(&broken)?.map(i32::unsigned_abs),
        reason: row.try_get("reason").map_err(&broken)?,
        arrived_at: row.try_get("arrived_at").map_err(&broken)?,
    })
}

/// A digest out of a column of 32 bytes.
pub(super) fn digest(row: &PgRow, column: &str) -> Result<Sha256, StoreError> {
    let bytes: Vec<u8> = row.try_get(column).map_err(corrupt("digest"))?;
    let bytes = bytes.try_into().map_err(|_| corrupt("digest")("not 32 bytes"))?;
    Ok(Sha256::from_bytes(bytes))
}
