//! Accounts of the people who work at the review desk.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::review::{AccountName, PasswordHash, Role};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: AccountName,
    pub role: Role,
    pub active: bool,
}

/// Adds an account; false where the name is taken.
pub async fn add(
    database: &Database,
    actor: &str,
    name: &AccountName,
    role: Role,
    password: &PasswordHash,
) -> Result<bool, StoreError> {
    let mut transaction = database.begin().await?;
    let added = sqlx::query(
        "insert into account (name, role, password_hash) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(name.as_str())
    .bind(role.name())
    .bind(password.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(query("add an account"))?
    .rows_affected()
        == 1;
    if added {
        let detail = serde_json::json!({ "role": role.name() });
        events::append(&mut transaction, actor, EventKind::AccountAdded, &subject(name), detail).await?;
        transaction.commit().await.map_err(query("add an account"))?;
    }
    Ok(added)
}

/// What is to be different about an account.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub role: Option<Role>,
    pub active: Option<bool>,
    pub password: Option<PasswordHash>,
}

/// Changes an account and ends its sessions; false where there is none of that name.
pub async fn change(
    database: &Database,
    actor: &str,
    name: &AccountName,
    change: &Change,
) -> Result<bool, StoreError> {
    let doing = query("change an account");
    let mut transaction = database.begin().await?;
    let changed = sqlx::query(
        "update account set role = coalesce($2, role), active = coalesce($3, active),
                            password_hash = coalesce($4, password_hash)
         where name = $1",
    )
    .bind(name.as_str())
    .bind(change.role.map(Role::name))
    .bind(change.active)
    .bind(change.password.as_ref().map(PasswordHash::as_str))
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?
    .rows_affected()
        == 1;
    if changed {
        // Whoever is logged in may be what the change is about.
        sqlx::query("delete from session where account = $1")
            .bind(name.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(&doing)?;
        let detail = serde_json::json!({
            "role": change.role.map(Role::name),
            "active": change.active,
            "password": change.password.is_some(),
        });
        events::append(&mut transaction, actor, EventKind::AccountChanged, &subject(name), detail).await?;
        transaction.commit().await.map_err(&doing)?;
    }
    Ok(changed)
}

/// All accounts, by name.
pub async fn list(database: &Database) -> Result<Vec<Account>, StoreError> {
    sqlx::query("select name, role, active from account order by name")
        .fetch_all(database.pool())
        .await
        .map_err(query("list accounts"))?
        .iter()
        .map(account)
        .collect()
}

/// Of an account that may log in by a password: its role and the password's hash.
pub async fn credentials(
    database: &Database,
    name: &AccountName,
) -> Result<Option<(Role, PasswordHash)>, StoreError> {
    let row = sqlx::query(
        "select name, role, active, password_hash from account
         where name = $1 and active and password_hash is not null",
    )
    .bind(name.as_str())
    .fetch_optional(database.pool())
    .await
    .map_err(query("look up an account"))?;
    let Some(row) = row else { return Ok(None) };
    let hash: String = row.try_get("password_hash").map_err(corrupt("account"))?;
    Ok(Some((account(&row)?.role, PasswordHash::stored(hash))))
}

fn subject(name: &AccountName) -> String {
    format!("account {name}")
}

fn account(row: &PgRow) -> Result<Account, StoreError> {
    let broken = corrupt("account");
    let name: &str = row.try_get("name").map_err(&broken)?;
    Ok(Account {
        name: name.parse().map_err(corrupt("account"))?,
        role: role(row)?,
        active: row.try_get("active").map_err(&broken)?,
    })
}

pub(super) fn role(row: &PgRow) -> Result<Role, StoreError> {
    let name: &str = row.try_get("role").map_err(corrupt("account"))?;
    name.parse().map_err(corrupt("account"))
}
