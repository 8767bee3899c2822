//! Originals of scans with numbers that must not be kept: noted where the scan is published, taken out
//! of the object store when their time is over.

use std::time::Duration;

use serde_json::json;
use sqlx::{PgConnection, Row};
use tokio::sync::watch;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::{ObjectError, ObjectKey, ObjectStore};
use super::scans::{Scan, ScanId};
use super::{Database, StoreError, unmasked_pages};

#[derive(Debug, thiserror::Error)]
pub enum RemovalError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Originals that are taken away together.
const CHUNK: i64 = 100;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(60);

/// Notes that the original of a scan goes after `kept`.
pub(super) async fn note(
    connection: &mut PgConnection,
    scan: &Scan,
    kept: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into sensitive_original (scan_id, object_key, remove_after)
         values ($1, $2, now() + make_interval(secs => $3)) on conflict do nothing",
    )
    .bind(scan.id.0)
    .bind(scan.original.to_string())
    .bind(kept.as_secs_f64())
    .execute(connection)
    .await
    .map(drop)
    .map_err(query("note a sensitive original"))
}

/// Its bytes came again, and with them its object: it goes at once.
pub(super) async fn came_again(connection: &mut PgConnection, scan: ScanId) -> Result<(), StoreError> {
    let statement = "update sensitive_original set removed_at = null, remove_after = now()
                     where scan_id = $1 and removed_at is not null";
    let done = sqlx::query(statement).bind(scan.0).execute(connection).await;
    done.map(drop).map_err(query("note a sensitive original"))
}

/// Takes away every original whose time is over, and every picture of a page that was made of one; returns how
/// many.
pub async fn remove_due(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
) -> Result<u64, RemovalError> {
    let pictures = unmasked_pages::remove_due(database, store, actor, None).await?;
    Ok(pictures + remove_due_of(database, store, actor, None).await?)
}

/// The same of one scan.
pub async fn remove_due_of_scan(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
    scan: ScanId,
) -> Result<(), RemovalError> {
    unmasked_pages::remove_due(database, store, actor, Some(scan)).await?;
    remove_due_of(database, store, actor, Some(scan)).await.map(drop)
}

async fn remove_due_of(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
    of: Option<ScanId>,
) -> Result<u64, RemovalError> {
    let mut removed = 0;
    loop {
        let due = due(database, of).await?;
        let count = due.len() as u64;
        for (scan, key) in due {
            store.remove(&key).await?;
            note_removed(database, scan, actor).await?;
        }
        removed += count;
        if count < CHUNK as u64 {
            return Ok(removed);
        }
    }
}

/// Has the original go now, where nobody needs it any more: no page of the scan is to be masked, and none waits
/// for its ID, since it is read again when it has one.
pub(super) async fn let_go(connection: &mut PgConnection, scan: ScanId) -> Result<(), StoreError> {
    let doing = query("let an original go");
    // Of two who end the last two pages at once, the second must see what the first has ended.
    sqlx::query("select from sensitive_original where scan_id = $1 for update")
        .bind(scan.0)
        .execute(&mut *connection)
        .await
        .map_err(&doing)?;
    sqlx::query(
        "update sensitive_original set remove_after = now()
         where scan_id = $1 and removed_at is null and remove_after > now()
           and not exists (select from task where scan_id = $1 and kind = 'mask' and state = 'open')
           and not exists (select from page where scan_id = $1 and state = 'unassigned' and erased_at is null)",
    )
    .bind(scan.0)
    .execute(connection)
    .await
    .map(drop)
    .map_err(doing)
}

/// Takes away what is due until `stop` turns true.
pub async fn remove_until(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        match remove_due(database, store, actor).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "originals with sensitive numbers are gone"),
            Err(error) => {
                tracing::warn!(%error, "originals with sensitive numbers cannot be removed; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|&stop| stop) => {}
        }
    }
}

async fn due(database: &Database, of: Option<ScanId>) -> Result<Vec<(ScanId, ObjectKey)>, StoreError> {
    sqlx::query(
        "select scan_id, object_key from sensitive_original
         where removed_at is null and remove_after <= now() and ($2::bigint is null or scan_id = $2)
         order by remove_after, scan_id limit $1",
    )
    .bind(CHUNK)
    .bind(of.map(|scan| scan.0))
    .fetch_all(database.pool())
    .await
    .map_err(query("list sensitive originals"))?
    .iter()
    .map(|row| {
        let broken = corrupt("sensitive original");
        let key: String = row.try_get("object_key").map_err(&broken)?;
        let key = key.parse().map_err(corrupt("key of an object"))?;
        Ok((ScanId(row.try_get("scan_id").map_err(&broken)?), key))
    })
    .collect()
}

async fn note_removed(database: &Database, scan: ScanId, actor: &str) -> Result<(), StoreError> {
    let doing = query("note that an original is gone");
    let mut transaction = database.begin().await?;
    // Who verifies the store expects it no more.
    let gone = sqlx::query(
        "with gone as (update sensitive_original set removed_at = now()
                       where scan_id = $1 and removed_at is null returning scan_id)
         update blob set erased_at = coalesce(blob.erased_at, now())
         from gone join scan on scan.id = gone.scan_id where blob.sha256 = scan.sha256",
    )
    .bind(scan.0)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if gone.rows_affected() > 0 {
        let subject = format!("scan {scan}");
        events::append(&mut transaction, actor, EventKind::OriginalRemoved, &subject, json!({})).await?;
    }
    transaction.commit().await.map_err(&doing)
}
