//! Seals over events, and the events that they hold.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::scans::digest;
use super::{Database, StoreError};
use crate::audit::{Entry, Event, Place, Seal, SealHead};

/// Names the advisory lock of sealers ("seal" in ASCII); no other lock of ours has a number.
const SEALERS: i64 = 0x7365_616c;

/// Events of one seal: some 1.5 MB in memory.
const EVENTS: i64 = 5_000;

/// What an attempt to make the next seal came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealing {
    Sealed(SealHead),
    /// Every event that may be sealed is.
    Nothing,
    /// Another sealer is at work.
    Busy,
}

/// How far events are sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub newest: Option<SealHead>,
    /// Counted up to [`COUNTED`]: it is asked every few seconds.
    pub unsealed: u64,
    /// Seconds since the oldest event that is not sealed.
    pub oldest_unsealed_s: Option<f64>,
}

/// Unsealed events that a [`Standing`] counts at most. A database that has just got its seals may have
/// any number of them.
const COUNTED: i64 = 100_000;

const HEAD: &str = "number, previous, digest, sealed_at, last_epoch, last_xid, last_id, events";
const EVENT: &str = "epoch, xid, id, at, actor, kind, subject, detail::text as detail";

/// Makes the next seal, over as many events as one holds.
pub async fn seal_next(database: &Database) -> Result<Sealing, StoreError> {
    let doing = query("seal events");
    let mut transaction = database.begin().await?;
    let locked: bool = sqlx::query_scalar("select pg_try_advisory_xact_lock($1)")
        .bind(SEALERS)
        .fetch_one(&mut *transaction)
        .await
        .map_err(&doing)?;
    if !locked {
        return Ok(Sealing::Busy);
    }
    // After the lock, so that the seal of whoever had it before is seen.
    let statement = format!("select {HEAD} from seal order by number desc limit 1");
    let previous = sqlx::query(sqlx::AssertSqlSafe(statement))
        .fetch_optional(&mut *transaction)
        .await
        .map_err(&doing)?
        .map(|row| head_of(&row))
        .transpose()?;
    let start = previous.as_ref().map_or(Place::START, |head| head.through);
    // Below the oldest open transaction nothing can come in any more. Transactions of an epoch that
    // has ended were ended with it.
    let statement = format!(
        "select {EVENT} from event
         where (epoch, xid, id) > ($1, $2, $3)
           and (epoch < current_event_epoch() or xid < pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
         order by epoch, xid, id limit $4"
    );
    let events = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(start.epoch)
        .bind(start.xid)
        .bind(start.id)
        .bind(EVENTS)
        .fetch_all(&mut *transaction)
        .await
        .map_err(&doing)?
        .iter()
        .map(event_of)
        .collect::<Result<Vec<_>, _>>()?;
    let now: DateTime<Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *transaction).await.map_err(&doing)?;
    let Some(Seal { head, entries }) = Seal::over(previous.as_ref(), &events, now) else {
        return Ok(Sealing::Nothing);
    };
    sqlx::query(
        "insert into seal (number, previous, digest, sealed_at, last_epoch, last_xid, last_id, events, entries)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(head.number)
    .bind(&head.previous.as_bytes()[..])
    .bind(&head.digest.as_bytes()[..])
    .bind(head.sealed_at)
    .bind(head.through.epoch)
    .bind(head.through.xid)
    .bind(head.through.id)
    .bind(events.len() as i64)
    .bind(entries.iter().flat_map(|entry| entry.to_bytes()).collect::<Vec<u8>>())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Sealing::Sealed(head))
}

/// Up to `limit` seals in their order, those behind number `after`.
pub async fn after(database: &Database, after: i64, limit: u32) -> Result<Vec<Seal>, StoreError> {
    let statement = format!("select {HEAD}, entries from seal where number > $1 order by number limit $2");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(database.pool())
        .await
        .map_err(query("look at seals"))?
        .iter()
        .map(|row| {
            let entries: Vec<u8> = row.try_get("entries").map_err(corrupt("seal"))?;
            Ok(Seal { head: head_of(row)?, entries: Entry::all_of(&entries) })
        })
        .collect()
}

/// The last `limit` seals, newest first.
pub async fn newest(database: &Database, limit: u32) -> Result<Vec<SealHead>, StoreError> {
    let statement = format!("select {HEAD} from seal order by number desc limit $1");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(i64::from(limit))
        .fetch_all(database.pool())
        .await
        .map_err(query("look at seals"))?
        .iter()
        .map(head_of)
        .collect()
}

/// The events behind `after`, up to and with `through`, in their order.
pub async fn events(database: &Database, after: Place, through: Place) -> Result<Vec<Event>, StoreError> {
    let statement = format!(
        "select {EVENT} from event
         where (epoch, xid, id) > ($1, $2, $3) and (epoch, xid, id) <= ($4, $5, $6) order by epoch, xid, id"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(after.epoch)
        .bind(after.xid)
        .bind(after.id)
        .bind(through.epoch)
        .bind(through.xid)
        .bind(through.id)
        .fetch_all(database.pool())
        .await
        .map_err(query("look at sealed events"))?
        .iter()
        .map(event_of)
        .collect()
}

/// The number of events behind `place`.
pub async fn unsealed(database: &Database, place: Place) -> Result<u64, StoreError> {
    Ok(behind(database, place, None).await?.0)
}

pub async fn standing(database: &Database) -> Result<Standing, StoreError> {
    let newest = newest(database, 1).await?.pop();
    let place = newest.as_ref().map_or(Place::START, |head| head.through);
    let (unsealed, oldest_unsealed_s) = behind(database, place, Some(COUNTED)).await?;
    Ok(Standing { newest, unsealed, oldest_unsealed_s })
}

/// The events behind `place`, counted up to `limit`, and the age of the oldest in seconds.
async fn behind(
    database: &Database,
    place: Place,
    limit: Option<i64>,
) -> Result<(u64, Option<f64>), StoreError> {
    let (count, age): (i64, Option<f64>) = sqlx::query_as(
        "select count(*), extract(epoch from clock_timestamp() - min(at))::float8
         from (select at from event where (epoch, xid, id) > ($1, $2, $3)
               order by epoch, xid, id limit $4) as behind",
    )
    .bind(place.epoch)
    .bind(place.xid)
    .bind(place.id)
    .bind(limit)
    .fetch_one(database.pool())
    .await
    .map_err(query("count unsealed events"))?;
    Ok((count.unsigned_abs(), age))
}

/// Begins a new epoch where the newest events come from transactions that this server has yet to
/// reach: a dump was restored into it. Must come before any event is written.
pub(super) async fn begin_epoch_if_restored(database: &Database) -> Result<(), StoreError> {
    let doing = query("compare events with the server's transactions");
    let mut transaction = database.begin().await?;
    let begun: Option<i32> = sqlx::query_scalar(
        "with now as (
             select current_event_epoch() as epoch, pg_snapshot_xmax(pg_current_snapshot())::text::bigint as next
         )
         insert into event_epoch (number)
         select epoch + 1 from now
         where exists (select from event where event.epoch = now.epoch and xid >= now.next)
            or exists (select from (select * from seal order by number desc limit 1) as newest
                       where last_epoch = now.epoch and last_xid >= now.next)
         on conflict do nothing returning number",
    )
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    let Some(epoch) = begun else { return Ok(()) };
    let subject = format!("epoch {epoch}");
    let detail = serde_json::json!({});
    events::append(&mut transaction, "database", EventKind::DatabaseRestored, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    tracing::warn!(epoch, "the database was restored into another server; events go on in a new epoch");
    Ok(())
}

fn head_of(row: &PgRow) -> Result<SealHead, StoreError> {
    let broken = corrupt("seal");
    Ok(SealHead {
        number: row.try_get("number").map_err(&broken)?,
        previous: digest(row, "previous")?,
        digest: digest(row, "digest")?,
        sealed_at: row.try_get("sealed_at").map_err(&broken)?,
        through: Place {
            epoch: row.try_get("last_epoch").map_err(&broken)?,
            xid: row.try_get("last_xid").map_err(&broken)?,
            id: row.try_get("last_id").map_err(&broken)?,
        },
        events: row.try_get::<i32, _>("events").map_err(&broken)?.unsigned_abs().into(),
    })
}

fn event_of(row: &PgRow) -> Result<Event, StoreError> {
    let broken = corrupt("event");
    Ok(Event {
        place: Place {
            epoch: row.try_get("epoch").map_err(&broken)?,
            xid: row.try_get("xid").map_err(&broken)?,
            id: row.try_get("id").map_err(&broken)?,
        },
        at: row.try_get("at").map_err(&broken)?,
        actor: row.try_get("actor").map_err(&broken)?,
        kind: row.try_get("kind").map_err(&broken)?,
        subject: row.try_get("subject").map_err(&broken)?,
        detail: row.try_get("detail").map_err(&broken)?,
    })
}
