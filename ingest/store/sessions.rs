//! Sessions of the review desk: kept by the digest of a token that only the browser has.

use std::time::Duration;

use serde_json::json;
use sqlx::Row;
use sqlx::postgres::types::PgInterval;

use super::accounts::role;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::digest::Sha256;
use crate::review::{AccountName, Role};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    pub account: AccountName,
    pub role: Role,
}

/// For how long a session holds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Without a sign of life.
    pub idle: Duration,
    pub longest: Duration,
}

/// A session that was seen within so long is not written again.
const SEEN_EVERY: &str = "20 seconds";

/// Begins a session under a new token, and ends the one that the browser came with.
pub async fn begin(
    database: &Database,
    account: &AccountName,
    token: Sha256,
    before: Option<Sha256>,
    limits: Limits,
) -> Result<(), StoreError> {
    let doing = query("begin a session");
    let mut transaction = database.begin().await?;
    sqlx::query(
        "delete from session where token_sha256 = $1 or seen_at < now() - $2 or created_at < now() - $3",
    )
    .bind(before.map(|token| token.as_bytes().to_vec()))
    .bind(interval(limits.idle)?)
    .bind(interval(limits.longest)?)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    sqlx::query("insert into session (token_sha256, account) values ($1, $2)")
        .bind(&token.as_bytes()[..])
        .bind(account.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    let subject = format!("account {account}");
    events::append(&mut transaction, account.as_str(), EventKind::LoggedIn, &subject, json!({})).await?;
    transaction.commit().await.map_err(&doing)
}

/// Whose session it is, if it holds. `attended`: a person is at it, so that it holds on.
pub async fn visitor(
    database: &Database,
    token: Sha256,
    limits: Limits,
    attended: bool,
) -> Result<Option<Visitor>, StoreError> {
    let row = sqlx::query(
        "select name, role, seen_at < now() - $4::text::interval as stale
         from session join account on name = account
         where token_sha256 = $1 and active and seen_at > now() - $2 and session.created_at > now() - $3",
    )
    .bind(&token.as_bytes()[..])
    .bind(interval(limits.idle)?)
    .bind(interval(limits.longest)?)
    .bind(SEEN_EVERY)
    .fetch_optional(database.pool())
    .await
    .map_err(query("look up a session"))?;
    let Some(row) = row else { return Ok(None) };
    if attended && row.try_get("stale").map_err(corrupt("session"))? {
        sqlx::query("update session set seen_at = now() where token_sha256 = $1")
            .bind(&token.as_bytes()[..])
            .execute(database.pool())
            .await
            .map_err(query("keep a session"))?;
    }
    let name: &str = row.try_get("name").map_err(corrupt("session"))?;
    Ok(Some(Visitor { account: name.parse().map_err(corrupt("session"))?, role: role(&row)? }))
}

pub async fn end(database: &Database, visitor: &Visitor, token: Sha256) -> Result<(), StoreError> {
    let doing = query("end a session");
    let mut transaction = database.begin().await?;
    sqlx::query("delete from session where token_sha256 = $1")
        .bind(&token.as_bytes()[..])
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    let (actor, subject) = (visitor.account.as_str(), format!("account {}", visitor.account));
    events::append(&mut transaction, actor, EventKind::LoggedOut, &subject, json!({})).await?;
    transaction.commit().await.map_err(&doing)
}

pub(super) fn interval(duration: Duration) -> Result<PgInterval, StoreError> {
    let microseconds = i64::try_from(duration.as_micros())
        .map_err(|_| StoreError::Refused("a time in the settings is longer than 290,000 years"))?;
    Ok(PgInterval { months: 0, days: 0, microseconds })
}
