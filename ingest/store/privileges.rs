//! What the service's role may do where the tables belong to another one: what its statements do, and no more.
//! What was decided, paid or logged it can neither change nor remove.

use std::str::FromStr;

use super::error::query;
use super::{Database, StoreError};

/// The name of a role that needs no quotes: lower-case letters, digits and `_`, at most 63.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a role's name is of lower-case letters, digits and '_', does not begin with a digit, and has at most 63"
)]
pub struct RoleNameError;

impl FromStr for RoleName {
    type Err = RoleNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins_well = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if begins_well && text.len() <= 63 && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RoleNameError)
        }
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the service does to a table beside reading it; all of it where the table is not here. A row that is locked
/// counts as updated.
const NARROWED: [(&str, &[&str]); 4] = [
    // The first three by column, below.
    ("", &["event", "event_epoch", "seal", "_sqlx_migrations", "qa_key"]),
    (
        "insert",
        &[
            "certificate_revocation",
            "certificate_revocation_kept",
            "certificate_suspension",
            "confidence_test",
            "duplicate_decision",
            "finding_waiver",
            "hand",
            "letter",
            "lot_sample",
            "oidc_account",
            "qa_judgement",
            "qa_sample",
        ],
    ),
    (
        "insert, update",
        &[
            "account",
            "api_token",
            "application",
            "approval",
            "arrival",
            "blob",
            "capture",
            "confidence_window",
            "erasure",
            "household",
            "known_answer",
            "lot",
            "online_application",
            "page",
            "page_decision",
            "payment",
            "payment_stop",
            "qa_widening",
            "scan",
            "sensitive_original",
            "task",
            "transfer",
            "transfer_file",
            "unmasked_page",
            "upkeep",
        ],
    ),
    // They go with their application, or their scan.
    (
        "insert, delete",
        &["entry", "erased_came_again", "erased_scan", "escalation_message", "field_decision", "job_dead"],
    ),
];

/// Gives `role` the rights of the service on all tables that are there now, and takes from it those
/// that it must not have. Run by the tables' owner, after every migration.
pub async fn grant_application(database: &Database, role: &RoleName) -> Result<(), StoreError> {
    let doing = query("grant rights");
    let mut transaction = database.begin().await?;
    let too_powerful: Option<bool> = sqlx::query_scalar(
        "select rolsuper or pg_has_role(oid, (select relowner from pg_class where oid = 'event'::regclass), 'member')
         from pg_roles where rolname = $1",
    )
    .bind(&role.0)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    match too_powerful {
        Some(false) => {}
        Some(true) => {
            return Err(StoreError::Refused(
                "the role owns the tables or is a superuser, which nothing can be kept from; name another role",
            ));
        }
        None => {
            return Err(StoreError::Refused(
                "the server has no role of that name; create it first (config/postgresql/roles.sql)",
            ));
        }
    }
    let schema: String = sqlx::query_scalar("select quote_ident(current_schema())")
        .fetch_one(&mut *transaction)
        .await
        .map_err(&doing)?;
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = current_schema() order by 1",
    )
    .fetch_all(&mut *transaction)
    .await
    .map_err(&doing)?;
    let mut statements = vec![
        format!("revoke create on schema {schema} from {role}"),
        format!("grant usage on schema {schema} to {role}"),
        format!("revoke all on all tables in schema {schema} from {role}"),
        format!("grant select on all tables in schema {schema} to {role}"),
        // Not its number, its time or its transaction: those are the server's to say.
        format!("grant insert (actor, kind, subject, detail) on event to {role}"),
        format!("grant insert on seal to {role}"),
        format!("grant insert (number) on event_epoch to {role}"),
    ];
    let narrowed = |table: &str| NARROWED.iter().find(|(_, tables)| tables.contains(&table));
    for table in tables {
        let rights = narrowed(&table).map_or("insert, update, delete", |(rights, _)| rights);
        if !rights.is_empty() {
            statements.push(format!("grant {rights} on {table} to {role}"));
        }
    }
    for statement in statements {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut *transaction).await.map_err(&doing)?;
    }
    transaction.commit().await.map_err(&doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quotes() {
        for good in ["uketsuke", "app_2", "_x"] {
            assert_eq!(good.parse::<RoleName>().map(|role| role.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "2app", "App", "a-b", "a\"; drop table event", &"x".repeat(64)] {
            assert_eq!(bad.parse::<RoleName>(), Err(RoleNameError), "{bad}");
        }
    }
}
