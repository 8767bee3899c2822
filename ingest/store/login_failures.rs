//! Logins that failed: after a number of them a name, or an address, waits.

use std::time::Duration;

use serde_json::json;

use super::error::query;
use super::events::{self, EventKind};
use super::sessions::interval;
use super::{Database, StoreError};
use crate::digest::Sha256;
use crate::review::AccountName;

/// What failures are counted by; a digest, so that nothing that was typed is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureKey(Sha256);

impl FailureKey {
    /// A name as it was typed, of an account or not.
    pub fn name(typed: &str) -> Self {
        Self(Sha256::of(format!("name {typed}").as_bytes()))
    }

    pub fn address(address: std::net::IpAddr) -> Self {
        Self(Sha256::of(format!("address {address}").as_bytes()))
    }
}

/// Whether the key has failed so often within the pause that it must wait.
pub async fn locked(
    database: &Database,
    key: FailureKey,
    limit: u32,
    pause: Duration,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (select from login_failure where key = $1 and failures >= $2 and last_at > now() - $3)",
    )
    .bind(&key.0.as_bytes()[..])
    .bind(i64::from(limit))
    .bind(interval(pause)?)
    .fetch_one(database.pool())
    .await
    .map_err(query("look at failed logins"))
}

/// Counts a failure by each key; those before the pause are forgotten. `account` is named where
/// there is one.
pub async fn count(
    database: &Database,
    account: Option<&AccountName>,
    keys: &[FailureKey],
    pause: Duration,
) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    for key in keys {
        sqlx::query(
            "insert into login_failure as old (key, failures) values ($1, 1)
             on conflict (key) do update
             set failures = case when old.last_at > now() - $2 then old.failures + 1 else 1 end, last_at = now()",
        )
        .bind(&key.0.as_bytes()[..])
        .bind(interval(pause)?)
        .execute(&mut *transaction)
        .await
        .map_err(query("count a failed login"))?;
    }
    let subject = account.map_or("no account".to_owned(), |name| format!("account {name}"));
    events::append(&mut transaction, "login", EventKind::LoginFailed, &subject, json!({})).await?;
    transaction.commit().await.map_err(query("count a failed login"))
}

/// Who has logged in begins anew; what long ago failed is forgotten altogether.
pub async fn forget(database: &Database, key: FailureKey, pause: Duration) -> Result<(), StoreError> {
    sqlx::query("delete from login_failure where key = $1 or last_at < now() - $2")
        .bind(&key.0.as_bytes()[..])
        .bind(interval(pause)?)
        .execute(database.pool())
        .await
        .map_err(query("forget failed logins"))
        .map(drop)
}
