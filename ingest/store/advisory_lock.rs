//! What one process of the fleet does at a time: an advisory lock of the database, held by a connection of its
//! own, so that it ends with the process, however that ends.

use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::Database;

pub(super) struct AdvisoryLock {
    connection: PoolConnection<Postgres>,
    key: i64,
}

impl AdvisoryLock {
    /// None where somebody else holds it.
    pub async fn try_take(database: &Database, key: i64) -> Result<Option<Self>, sqlx::Error> {
        let mut connection = database.pool().acquire().await?;
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(key)
            .fetch_one(&mut *connection)
            .await?;
        // The lock is the session's: it must not go back into the pool with it.
        connection.close_on_drop();
        Ok(locked.then_some(Self { connection, key }))
    }

    /// Lets others take it. Without it the lock ends with its connection, a moment later.
    pub async fn release(mut self) -> Result<(), sqlx::Error> {
        let unlocked =
            sqlx::query("select pg_advisory_unlock($1)").bind(self.key).execute(&mut *self.connection);
        unlocked.await.map(drop)
    }
}
