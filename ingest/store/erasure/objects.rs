//! The objects of an erasure: taken away, unless somebody else's row names them, too.

use chrono::Utc;

use super::super::condemned::{self, Condemned};
use super::super::error::{corrupt, query};
use super::super::objects::{ObjectError, ObjectKey, ObjectStore};
use super::super::references::Names;
use super::super::{Database, StoreError};
use super::{CHUNK, ErasureError};

/// Objects that are being taken away at a time: a publication that names one of them waits so long.
const REMOVED_TOGETHER: usize = 50;

/// Takes away what the rows of the erasure named, and what came again of earlier ones.
pub(super) async fn remove_all(
    database: &Database,
    number: i32,
    store: &dyn ObjectStore,
) -> Result<(), ErasureError> {
    take_up_what_came_again(database, number).await?;
    remove_unshared(database, number, store).await?;
    remove_shareable(database, number, store).await
}

async fn take_up_what_came_again(database: &Database, number: i32) -> Result<(), StoreError> {
    let statement = "with again as (delete from erased_came_again returning object_key)
                     insert into erased_item (erasure, name) select $1::int, object_key from again
                     on conflict (erasure, name) do update set gone_at = null";
    let done = sqlx::query(statement).bind(number).execute(database.pool()).await;
    done.map(drop).map_err(query("look for what came again"))
}

/// Originals, records and pictures without what was in doubt: each is one application's, or of a scan of which
/// nothing is left.
async fn remove_unshared(
    database: &Database,
    number: i32,
    store: &dyn ObjectStore,
) -> Result<(), ErasureError> {
    let mut after = String::new();
    loop {
        let keys = pending(database, number, &["original/%", "record/%", "unmasked/%"], &after).await?;
        let Some(last) = keys.last() else { return Ok(()) };
        after = last.to_string();
        for key in &keys {
            remove(store, key).await?;
        }
        note_gone(database.begin().await?, number, &keys).await?;
    }
}

/// Pictures may be the same, byte for byte, as those of another application.
async fn remove_shareable(
    database: &Database,
    number: i32,
    store: &dyn ObjectStore,
) -> Result<(), ErasureError> {
    const PICTURES: [&str; 2] = ["page/%", "crop/%"];
    let mut after = String::new();
    loop {
        let keys = pending(database, number, &PICTURES, &after).await?;
        let Some(last) = keys.last() else { break };
        after = last.to_string();
        let now = Utc::now();
        let objects: Vec<Condemned> =
            keys.into_iter().map(|key| Condemned { key, modified_at: now }).collect();
        condemned::condemn(database, &objects).await?;
    }
    // A publication that began before lifted nothing; what it names is seen when it has ended.
    condemned::outlast_open_transactions(database).await?;
    let mut names = Names::gather(database).await?;
    after.clear();
    loop {
        let keys = pending(database, number, &PICTURES, &after).await?;
        let Some(last) = keys.last() else { return Ok(()) };
        after = last.to_string();
        let unnamed = names.missing(&keys).await?;
        for keys in unnamed.chunks(REMOVED_TOGETHER) {
            let removing = condemned::begin_removal(database, keys).await?;
            for key in &removing {
                remove(store, key).await?;
            }
            let mut transaction = database.begin().await?;
            condemned::note_removed(&mut transaction, &removing).await?;
            note_gone(transaction, number, &removing).await?;
        }
        // What is named by a row, or was named again since it was condemned.
        let shared = pending_among(database, number, &keys).await?;
        condemned::spare(database, &shared).await?;
        sqlx::query("update erased_item set shared = true where erasure = $1 and name = any($2)")
            .bind(number)
            .bind(shared.iter().map(ToString::to_string).collect::<Vec<_>>())
            .execute(database.pool())
            .await
            .map_err(query("note shared objects"))?;
    }
}

/// Takes an object away and makes sure of it.
async fn remove(store: &dyn ObjectStore, key: &ObjectKey) -> Result<(), ErasureError> {
    store.remove(key).await?;
    match store.head(key).await {
        Err(ObjectError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(ErasureError::StillThere(Box::new(key.clone()))),
    }
}

/// The next objects of an erasure that are there still, in the order of their names.
async fn pending(
    database: &Database,
    number: i32,
    patterns: &[&str],
    after: &str,
) -> Result<Vec<ObjectKey>, StoreError> {
    let keys: Vec<String> = sqlx::query_scalar(
        "select name from erased_item
         where erasure = $1 and name > $2 and name like any($3) and gone_at is null and not shared
         order by name limit $4",
    )
    .bind(number)
    .bind(after)
    .bind(patterns)
    .bind(CHUNK)
    .fetch_all(database.pool())
    .await
    .map_err(query("list objects to erase"))?;
    keys.iter().map(|key| key.parse().map_err(corrupt("key of an object"))).collect()
}

async fn pending_among(
    database: &Database,
    number: i32,
    keys: &[ObjectKey],
) -> Result<Vec<ObjectKey>, StoreError> {
    let left: Vec<String> = sqlx::query_scalar(
        "select name from erased_item where erasure = $1 and name = any($2) and gone_at is null",
    )
    .bind(number)
    .bind(keys.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(database.pool())
    .await
    .map_err(query("list objects to erase"))?;
    left.iter().map(|key| key.parse().map_err(corrupt("key of an object"))).collect()
}

async fn note_gone(
    mut transaction: sqlx::PgTransaction<'static>,
    number: i32,
    keys: &[ObjectKey],
) -> Result<(), StoreError> {
    sqlx::query("update erased_item set gone_at = now() where erasure = $1 and name = any($2)")
        .bind(number)
        .bind(keys.iter().map(ToString::to_string).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await
        .map_err(query("note erased objects"))?;
    transaction.commit().await.map_err(query("note erased objects"))
}
