//! Tokens of machines that use the API, by the digest of what only the machine has.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::sessions::interval;
use super::{Database, StoreError};
use crate::digest::Sha256;
use crate::review::{AccountName, Scope};

/// A token as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: AccountName,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub used_at: Option<DateTime<Utc>>,
}

/// Adds a token; false where the name is taken, for good.
pub async fn add(
    database: &Database,
    actor: &str,
    name: &AccountName,
    token: Sha256,
    scopes: &[Scope],
    valid: Duration,
) -> Result<bool, StoreError> {
    let doing = query("add a token");
    let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    let mut transaction = database.begin().await?;
    let added = sqlx::query(
        "insert into api_token (name, token_sha256, scopes, expires_at) values ($1, $2, $3, now() + $4)
         on conflict (name) do nothing",
    )
    .bind(name.as_str())
    .bind(&token.as_bytes()[..])
    .bind(&scopes)
    .bind(interval(valid)?)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    let subject = format!("token {name}");
    events::append(&mut transaction, actor, EventKind::TokenAdded, &subject, json!({ "scopes": scopes }))
        .await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}

/// Ends a token at once; false where there is none of that name, or it has ended.
pub async fn revoke(database: &Database, actor: &str, name: &AccountName) -> Result<bool, StoreError> {
    let doing = query("revoke a token");
    let mut transaction = database.begin().await?;
    let revoked =
        sqlx::query("update api_token set revoked_at = now() where name = $1 and revoked_at is null")
            .bind(name.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(&doing)?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    let subject = format!("token {name}");
    events::append(&mut transaction, actor, EventKind::TokenRevoked, &subject, json!({})).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}

/// Whose token it is and for what, if it holds. When it was used is noted once a minute.
pub async fn holder(
    database: &Database,
    token: Sha256,
) -> Result<Option<(AccountName, Vec<Scope>)>, StoreError> {
    let row = sqlx::query(
        "select name, scopes, coalesce(used_at < now() - interval '1 minute', true) as stale from api_token
         where token_sha256 = $1 and revoked_at is null and expires_at > now()",
    )
    .bind(&token.as_bytes()[..])
    .fetch_optional(database.pool())
    .await
    .map_err(query("look up a token"))?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get("stale").map_err(corrupt("token"))? {
        sqlx::query("update api_token set used_at = now() where token_sha256 = $1")
            .bind(&token.as_bytes()[..])
            .execute(database.pool())
            .await
            .map_err(query("note the use of a token"))?;
    }
    Ok(Some((name(&row)?, scopes(&row)?)))
}

/// All of them, by name.
pub async fn list(database: &Database) -> Result<Vec<Listed>, StoreError> {
    sqlx::query(
        "select name, scopes, created_at, expires_at, revoked_at, used_at from api_token order by name",
    )
    .fetch_all(database.pool())
    .await
    .map_err(query("list tokens"))?
    .iter()
    .map(|row| {
        let broken = corrupt("token");
        Ok(Listed {
            name: name(row)?,
            scopes: scopes(row)?,
            created_at: row.try_get("created_at").map_err(&broken)?,
            expires_at: row.try_get("expires_at").map_err(&broken)?,
            revoked_at: row.try_get("revoked_at").map_err(&broken)?,
            used_at: row.try_get("used_at").map_err(&broken)?,
        })
    })
    .collect()
}

fn name(row: &PgRow) -> Result<AccountName, StoreError> {
    let name: &str = row.try_get("name").map_err(corrupt("token"))?;
    name.parse().map_err(corrupt("token"))
}

fn scopes(row: &PgRow) -> Result<Vec<Scope>, StoreError> {
    let names: Vec<String> = row.try_get("scopes").map_err(corrupt("token"))?;
    names.iter().map(|name| name.parse().map_err(corrupt("token"))).collect()
}
