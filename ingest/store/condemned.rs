//! Objects that no row names: condemned first, taken away at least a day later.
//!
//! The race is with a worker that has put an object which was there already, and names it in a
//! transaction that commits later. A publication lifts the condemnation of all that it names
//! ([`lift`]), in its own transaction; the sweep looks for names once more, and then marks what is
//! still condemned as being taken away. They meet at the row: whoever comes second waits for the
//! first. A publication that finds an object being taken away, or gone, is refused; its job is done
//! again, and stores the object anew.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::ObjectKey;
use super::{Database, StoreError};
use crate::digest::Sha256;

/// An object that nobody named when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condemned {
    pub key: ObjectKey,
    /// As the store said then.
    pub modified_at: DateTime<Utc>,
}

/// Condemns objects; one that is condemned already stays so since then.
pub async fn condemn(database: &Database, objects: &[Condemned]) -> Result<u64, StoreError> {
    let keys: Vec<String> = objects.iter().map(|object| object.key.to_string()).collect();
    let times: Vec<DateTime<Utc>> = objects.iter().map(|object| object.modified_at).collect();
    sqlx::query(
        "insert into condemned (key, modified_at) select * from unnest($1::text[], $2::timestamptz[])
         on conflict do nothing",
    )
    .bind(keys)
    .bind(times)
    .execute(database.pool())
    .await
    .map_err(query("condemn objects"))
    .map(|done| done.rows_affected())
}

/// What has been condemned for so long and is not taken away yet, in the order of keys behind
/// `after`.
pub async fn due(
    database: &Database,
    condemned_for: Duration,
    after: Option<&ObjectKey>,
    limit: u32,
) -> Result<Vec<Condemned>, StoreError> {
    sqlx::query(
        "select key, modified_at from condemned
         where removed_at is null and condemned_at <= now() - make_interval(secs => $1) and key > $2
         order by key limit $3",
    )
    .bind(condemned_for.as_secs_f64())
    .bind(after.map(ToString::to_string).unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("look at condemned objects"))?
    .iter()
    .map(|row| {
        let key: String = row.try_get("key").map_err(corrupt("condemned object"))?;
        let modified_at = row.try_get("modified_at").map_err(corrupt("condemned object"))?;
        Ok(Condemned { key: parse(key)?, modified_at })
    })
    .collect()
}

/// Marks objects as being taken away; returns those that are condemned still. From here on no
/// publication may name them, so take them away at once.
pub async fn begin_removal(database: &Database, keys: &[ObjectKey]) -> Result<Vec<ObjectKey>, StoreError> {
    sqlx::query_scalar(
        "update condemned set removing_at = now()
         where key in (select key from condemned where key = any($1) and removed_at is null
                       order by key for update)
         returning key",
    )
    .bind(texts(keys))
    .fetch_all(database.pool())
    .await
    .map_err(query("mark condemned objects"))?
    .into_iter()
    .map(parse)
    .collect()
}

/// How many wait to be taken away after that time.
pub async fn count_due(database: &Database, condemned_for: Duration) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from condemned
         where removed_at is null and condemned_at <= now() - make_interval(secs => $1)",
    )
    .bind(condemned_for.as_secs_f64())
    .fetch_one(database.pool())
    .await
    .map_err(query("count condemned objects"))?;
    Ok(count.unsigned_abs())
}

/// These are not to be taken away after all.
pub async fn spare(database: &Database, keys: &[ObjectKey]) -> Result<(), StoreError> {
    sqlx::query("delete from condemned where key = any($1) and removed_at is null")
        .bind(texts(keys))
        .execute(database.pool())
        .await
        .map_err(query("spare condemned objects"))
        .map(drop)
}

/// These are gone from the store; an event says how many, and the digest of the list of their keys.
pub async fn removed(database: &Database, actor: &str, keys: &[ObjectKey]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut transaction = database.begin().await?;
    note_removed(&mut transaction, keys).await?;
    let manifest: String = keys.iter().map(|key| format!("{key}\n")).collect();
    let detail = json!({ "objects": keys.len(), "manifest_sha256": Sha256::of(manifest.as_bytes()) });
    events::append(&mut transaction, actor, EventKind::ObjectsSwept, "objects", detail).await?;
    transaction.commit().await.map_err(query("note removed objects"))
}

/// Keeps for a while that these are gone from the store.
pub(super) async fn note_removed(
    connection: &mut PgConnection,
    keys: &[ObjectKey],
) -> Result<(), StoreError> {
    sqlx::query("update condemned set removed_at = now() where key = any($1)")
        .bind(texts(keys))
        .execute(connection)
        .await
        .map_err(query("note removed objects"))
        .map(drop)
}

/// How often the server is asked whether transactions have ended.
const OUTLASTING: Duration = Duration::from_millis(50);

/// Returns when every transaction has ended that has written anything by now. What they name is seen
/// then, and those that come lift what is condemned: instead of the day between the steps of a sweep.
pub(super) async fn outlast_open_transactions(database: &Database) -> Result<(), StoreError> {
    let doing = query("wait for open transactions");
    let horizon: i64 = sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        .fetch_one(database.pool())
        .await
        .map_err(&doing)?;
    let ended = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint >= $1";
    loop {
        let ended: Result<bool, _> = sqlx::query_scalar(ended).bind(horizon).fetch_one(database.pool()).await;
        if ended.map_err(&doing)? {
            return Ok(());
        }
        tokio::time::sleep(OUTLASTING).await;
    }
}

/// Forgets what was taken away so long ago that no worker can still be publishing it.
pub async fn forget(database: &Database, removed_for: Duration) -> Result<(), StoreError> {
    sqlx::query("delete from condemned where removed_at <= now() - make_interval(secs => $1)")
        .bind(removed_for.as_secs_f64())
        .execute(database.pool())
        .await
        .map_err(query("forget removed objects"))
        .map(drop)
}

/// Lifts the condemnation of what a publication names, in its transaction. False where one of the
/// objects is being taken away, or is gone.
pub(super) async fn lift(connection: &mut PgConnection, keys: &[String]) -> Result<bool, StoreError> {
    let doing = query("look for condemned objects");
    let condemned = async |connection: &mut PgConnection| -> Result<bool, StoreError> {
        sqlx::query_scalar("select exists (select from condemned where key = any($1))")
            .bind(keys)
            .fetch_one(connection)
            .await
            .map_err(&doing)
    };
    // As nearly always: then there is nothing to lift.
    if !condemned(connection).await? {
        return Ok(true);
    }
    // In the order of the keys, so that two publications cannot wait for each other.
    sqlx::query(
        "delete from condemned where key in (select key from condemned
                                             where key = any($1) and removing_at is null
                                             order by key for update)
         and removing_at is null",
    )
    .bind(keys)
    .execute(&mut *connection)
    .await
    .map_err(&doing)?;
    Ok(!condemned(connection).await?)
}

/// After a publication was refused: what is gone may be stored and named again. So may what a sweep
/// began to take away an hour ago: it takes seconds, that one has died.
pub(super) async fn readmit(database: &Database, keys: &[String]) -> Result<(), StoreError> {
    sqlx::query(
        "delete from condemned
         where key = any($1) and (removed_at is not null or removing_at < now() - interval '1 hour')",
    )
    .bind(keys)
    .execute(database.pool())
    .await
    .map_err(query("readmit removed objects"))
    .map(drop)
}

fn texts(keys: &[ObjectKey]) -> Vec<String> {
    keys.iter().map(ToString::to_string).collect()
}

fn parse(key: String) -> Result<ObjectKey, StoreError> {
    key.parse().map_err(corrupt("key of an object"))
}
