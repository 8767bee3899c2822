//! Scans and their arrivals: a file of a station, once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::jobs::{self, Terms};
use super::objects::ObjectKey;
use super::{Database, StoreError, announcements};
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
    let mut transaction = database.begin().await?;
    let doing = query("register an arrival");
    let sha256 = &arrival.sha256.as_bytes()[..];
    // Watchers with the same bytes wait here for one another, and see each other's rows below.
    sqlx::query("insert into blob (sha256, bytes, object_key) values ($1, $2, $3) on conflict do nothing")
        .bind(sha256)
        .bind(i64::try_from(arrival.bytes).unwrap_or(i64::MAX))
        .bind(arrival.original.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    sqlx::query("select from blob where sha256 = $1 for update")
        .bind(sha256)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    let known: Option<i64> = sqlx::query_scalar("select id from scan where sha256 = $1")
        .bind(sha256)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(&doing)?;
    let logged = sqlx::query(
        "insert into arrival (station, batch, path, occasion, sha256, modified_at, repeated)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(&arrival.station)
    .bind(&arrival.batch)
    .bind(&arrival.path)
    .bind(&arrival.occasion)
    .bind(sha256)
    .bind(arrival.modified_at)
    .bind(known.is_some())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    let accepted = match known {
        Some(id) if logged.rows_affected() == 0 => return Ok(Accepted::Registered(ScanId(id))),
        Some(id) => {
            let statement = "insert into erased_came_again (object_key)
                             select object_key from blob where sha256 = $1 and erased_at is not null
                             on conflict do nothing";
            sqlx::query(statement).bind(sha256).execute(&mut *transaction).await.map_err(&doing)?;
            Accepted::Repeated(ScanId(id))
        }
        None => {
            let id: i64 = sqlx::query_scalar(
                "insert into scan (sha256, station, batch, file) values ($1, $2, $3, $4) returning id",
            )
            .bind(sha256)
            .bind(&arrival.station)
            .bind(&arrival.batch)
            .bind(&arrival.path)
            .fetch_one(&mut *transaction)
            .await
            .map_err(&doing)?;
            jobs::enqueue_scan(&mut transaction, ScanId(id), terms).await?;
            Accepted::New(ScanId(id))
        }
    };
    let (kind, id) = match accepted {
        Accepted::New(id) => (EventKind::ScanArrived, id),
        Accepted::Repeated(id) | Accepted::Registered(id) => (EventKind::ScanRepeated, id),
    };
    let detail = json!({ "station": arrival.station, "batch": arrival.batch, "sha256": arrival.sha256 });
    events::append(&mut transaction, actor, kind, &format!("scan {id}"), detail).await?;
    transaction.commit().await.map_err(&doing)?;
    if matches!(accepted, Accepted::New(_)) {
        announcements::announce(database).await;
    }
    Ok(accepted)
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

/// Up to `limit` quarantined scans in the order of their IDs, those after `after`.
pub async fn quarantined(
    database: &Database,
    after: Option<ScanId>,
    limit: u32,
) -> Result<Vec<Scan>, StoreError> {
    let statement =
        format!("select {COLUMNS} where state = 'quarantined' and scan.id > $1 order by scan.id limit $2");
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
