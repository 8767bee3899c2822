//! What one node does for the whole fleet, once a day: who does it, and when it was done. The database's clock
//! counts.

use chrono::NaiveDate;

use super::advisory_lock::AdvisoryLock;
use super::error::query;
use super::{Database, StoreError};

/// Names the advisory lock of upkeep ("upke" in ASCII).
const UPKEEP: i64 = 0x7570_6b65;

/// The right to do upkeep, one node at a time; it ends with the connection, however the node ends.
pub struct Upkeeper {
    database: Database,
    lock: AdvisoryLock,
}

impl Upkeeper {
    /// None where another node is at it.
    pub async fn begin(database: &Database) -> Result<Option<Self>, StoreError> {
        let lock = AdvisoryLock::try_take(database, UPKEEP).await.map_err(query("begin upkeep"))?;
        Ok(lock.map(|lock| Self { database: database.clone(), lock }))
    }

    /// Lets others do it.
    pub async fn end(self) -> Result<(), StoreError> {
        self.lock.release().await.map_err(query("end upkeep"))
    }

    /// Whether the task has not been finished since that hour (UTC) came last.
    pub async fn is_due(&self, task: &str, hour: u32) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "select not exists (
                 select from upkeep
                 where task = $1
                   and finished_at >= (date_trunc('day', (now() - make_interval(hours => $2)) at time zone 'UTC')
                                       + make_interval(hours => $2)) at time zone 'UTC')",
        )
        .bind(task)
        .bind(i32::try_from(hour).unwrap_or(i32::MAX))
        .fetch_one(self.database.pool())
        .await
        .map_err(query("look at upkeep"))
    }

    pub async fn begun(&self, task: &str) -> Result<(), StoreError> {
        sqlx::query(
            "insert into upkeep (task, begun_at) values ($1, now())
             on conflict (task) do update set begun_at = now(), finished_at = null",
        )
        .bind(task)
        .execute(self.database.pool())
        .await
        .map(drop)
        .map_err(query("note upkeep"))
    }

    pub async fn finished(&self, task: &str) -> Result<(), StoreError> {
        sqlx::query("update upkeep set finished_at = now() where task = $1")
            .bind(task)
            .execute(self.database.pool())
            .await
            .map(drop)
            .map_err(query("note upkeep"))
    }

    /// The day (UTC) that was so many days ago.
    pub async fn days_ago(&self, days: u32) -> Result<NaiveDate, StoreError> {
        sqlx::query_scalar("select (now() at time zone 'UTC')::date - $1::int")
            .bind(i32::try_from(days).unwrap_or(i32::MAX))
            .fetch_one(self.database.pool())
            .await
            .map_err(query("look at the calendar"))
    }
}
