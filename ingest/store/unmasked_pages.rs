//! Pictures of pages without what was blacked out for doubt: noted before they are stored, kept encrypted for
//! a short life, and taken out of the object store when it is over or a person has said what must be black.

use std::time::Duration;

use serde_json::json;
use sqlx::Row;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::{ObjectKey, ObjectStore};
use super::scans::ScanId;
use super::sensitive_originals::RemovalError;
use super::{Database, StoreError};

/// Pictures that are taken away together.
const CHUNK: i64 = 100;

/// Notes a picture that is about to be stored: it goes after `kept`, whatever becomes of the reading.
pub async fn note(
    database: &Database,
    scan: ScanId,
    index: u32,
    key: &ObjectKey,
    kept: Duration,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into unmasked_page (object_key, scan_id, page_index, remove_after)
         values ($1, $2, $3, now() + make_interval(secs => $4))
         on conflict (object_key, scan_id, page_index)
             do update set remove_after = excluded.remove_after, removed_at = null",
    )
    .bind(key.to_string())
    .bind(scan.0)
    .bind(i64::from(index))
    .bind(kept.as_secs_f64())
    .execute(database.pool())
    .await
    .map(drop)
    .map_err(query("note a picture"))
}

/// Takes away every picture whose time is over, of one scan or of all, and returns how many.
pub async fn remove_due(
    database: &Database,
    store: &dyn ObjectStore,
    actor: &str,
    of: Option<ScanId>,
) -> Result<u64, RemovalError> {
    let mut removed = 0;
    loop {
        let due = due(database, of).await?;
        let count = due.len() as u64;
        for (key, scan, index) in due {
            // Two scans of the same page have the same picture: it stays until both are done with it.
            if !is_kept_for_another(database, &key, scan, index).await? {
                store.remove(&key).await?;
            }
            note_removed(database, &key, scan, index, actor).await?;
        }
        removed += count;
        if count < CHUNK as u64 {
            return Ok(removed);
        }
    }
}

async fn due(database: &Database, of: Option<ScanId>) -> Result<Vec<(ObjectKey, ScanId, u32)>, StoreError> {
    sqlx::query(
        "select object_key, scan_id, page_index from unmasked_page
         where removed_at is null and remove_after <= now() and ($2::bigint is null or scan_id = $2)
         order by remove_after, object_key limit $1",
    )
    .bind(CHUNK)
    .bind(of.map(|scan| scan.0))
    .fetch_all(database.pool())
    .await
    .map_err(query("list pictures that go"))?
    .iter()
    .map(|row| {
        let broken = corrupt("picture");
        let key: String = row.try_get("object_key").map_err(&broken)?;
        let index: i32 = row.try_get("page_index").map_err(&broken)?;
        let scan = ScanId(row.try_get("scan_id").map_err(&broken)?);
        Ok((key.parse().map_err(corrupt("key of an object"))?, scan, index.unsigned_abs()))
    })
    .collect()
}

async fn is_kept_for_another(
    database: &Database,
    key: &ObjectKey,
    scan: ScanId,
    index: u32,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (select from unmasked_page
                        where object_key = $1 and (scan_id, page_index) <> ($2, $3) and removed_at is null)",
    )
    .bind(key.to_string())
    .bind(scan.0)
    .bind(i64::from(index))
    .fetch_one(database.pool())
    .await
    .map_err(query("look who needs a picture"))
}

/// Nobody is asked about it any more.
async fn note_removed(
    database: &Database,
    key: &ObjectKey,
    scan: ScanId,
    index: u32,
    actor: &str,
) -> Result<(), StoreError> {
    let doing = query("note that a picture is gone");
    let mut transaction = database.begin().await?;
    let gone = sqlx::query(
        "update unmasked_page set removed_at = now()
         where object_key = $1 and scan_id = $2 and page_index = $3 and removed_at is null",
    )
    .bind(key.to_string())
    .bind(scan.0)
    .bind(i64::from(index))
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if gone.rows_affected() > 0 {
        // One that was read again has another picture.
        sqlx::query(
            "update task set state = 'withdrawn', holder = null, leased_until = null
             where scan_id = $1 and page_index = $2 and kind = 'mask' and state = 'open'
               and not exists (select from page_mask as m join unmasked_page as u
                                   on (u.scan_id, u.page_index, u.object_key) = (m.scan_id, m.page_index, m.unmasked_key)
                               where (m.scan_id, m.page_index) = ($1, $2) and u.removed_at is null)",
        )
        .bind(scan.0)
        .bind(i64::from(index))
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
        let (subject, detail) = (format!("scan {scan}"), json!({ "page": index }));
        events::append(&mut transaction, actor, EventKind::UnmaskedRemoved, &subject, detail).await?;
    }
    transaction.commit().await.map_err(&doing)
}
