//! Pages that people assigned, to be read as what they said: a job each, beside those of scans.
//!
//! Such a job names no scan in its column, because a scan has one job at most. What fails for good stays
//! among the dead jobs, and the page where it was: assigned, and not read.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{PgConnection, Row};

use super::applications::application_id;
use super::error::{corrupt, query};
use super::jobs::{self, JobKind, Lease};
use super::scans::ScanId;
use super::{Database, StoreError};
use crate::identify::Identity;

/// A page to be read, for as long as the lease is renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedPage {
    pub lease: Lease,
    pub index: u32,
    /// What a person said that it is; none where nothing is left to be done: it was read, or erased.
    pub identity: Option<Identity>,
}

/// What such a job says.
#[derive(Serialize, Deserialize)]
struct Payload {
    scan: ScanId,
    page: u32,
}

/// Queues a page in the transaction that assigns it; it is due at once, since a person has asked for it.
pub(super) async fn enqueue(
    connection: &mut PgConnection,
    scan: ScanId,
    index: u32,
    max_attempts: i32,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into job (kind, dedup, max_attempts, payload, due_at)
         values ($1, int8send($2) || int8send($3), $4, $5, now()) on conflict do nothing",
    )
    .bind(JobKind::ReadPage.name())
    .bind(scan.0)
    .bind(i64::from(index))
    .bind(max_attempts)
    .bind(Json(Payload { scan, page: index }))
    .execute(connection)
    .await
    .map_err(query("queue a page"))
    .map(drop)
}

/// Takes a page that is ready, for `lease`. Those whose attempts are used up are buried on the way.
pub async fn claim(
    database: &Database,
    worker: &str,
    lease: Duration,
) -> Result<Option<AssignedPage>, StoreError> {
    let Some(row) = jobs::claim(database, JobKind::ReadPage, worker, lease, 1).await?.pop() else {
        return Ok(None);
    };
    let lease = jobs::lease_of(&row)?;
    let Json(Payload { page: index, .. }) = row.try_get("payload").map_err(corrupt("job"))?;
    Ok(Some(AssignedPage { identity: identity(database, lease.scan, index).await?, lease, index }))
}

async fn identity(database: &Database, scan: ScanId, index: u32) -> Result<Option<Identity>, StoreError> {
    let row = sqlx::query(
        "select decided.application_id, decided.form, decided.form_version, decided.form_page
         from page_decision as decided join page using (scan_id, page_index)
         left join application on application.application_id = decided.application_id
         where scan_id = $1 and page_index = $2 and decided.form is not null and page.state = 'unassigned'
           and application.erased_at is null",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .fetch_optional(database.pool())
    .await
    .map_err(query("look at what a page is"))?;
    row.map(|row| {
        let broken = corrupt("page");
        let (form, version): (&str, &str) =
            (row.try_get("form").map_err(&broken)?, row.try_get("form_version").map_err(&broken)?);
        let page: i32 = row.try_get("form_page").map_err(&broken)?;
        Ok(Identity::by_hand(application_id(&row, "application_id")?, form, version, page.unsigned_abs()))
    })
    .transpose()
}

/// Ends the job of a page of which nothing is left to be done.
pub async fn drop_job(database: &Database, lease: &Lease) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    jobs::complete(&mut transaction, lease).await?;
    transaction.commit().await.map_err(query("end the job of a page"))
}
