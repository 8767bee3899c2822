//! Logins by another system: attempts that are under way, and whose account a subject of an issuer is.

use serde_json::json;
use sqlx::{PgConnection, Row};

use super::accounts::role as role_of;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::digest::Sha256;
use crate::review::{AccountName, Role};

/// An attempt ends by itself after so long.
pub const LONGEST_SECONDS: u32 = 600;

/// Nobody needs a login to begin an attempt: more than these are not kept at a time.
const MOST: i64 = 10_000;

/// Names the provider's word in events.
const ACTOR: &str = "oidc";

/// Keeps what an attempt is finished by; false where too many are under way.
pub async fn begin(
    database: &Database,
    state: Sha256,
    browser: Sha256,
    nonce: &str,
    verifier: &str,
) -> Result<bool, StoreError> {
    let doing = query("begin a login");
    sqlx::query("delete from oidc_attempt where begun_at < now() - make_interval(secs => $1)")
        .bind(f64::from(LONGEST_SECONDS))
        .execute(database.pool())
        .await
        .map_err(&doing)?;
    let begun = sqlx::query(
        "insert into oidc_attempt (state_sha256, browser_sha256, nonce, verifier)
         select $1, $2, $3, $4 where (select count(*) from oidc_attempt) < $5",
    )
    .bind(&state.as_bytes()[..])
    .bind(&browser.as_bytes()[..])
    .bind(nonce)
    .bind(verifier)
    .bind(MOST)
    .execute(database.pool())
    .await
    .map_err(&doing)?;
    Ok(begun.rows_affected() == 1)
}

/// Nonce and verifier of the browser's attempt, once.
pub async fn take(
    database: &Database,
    state: Sha256,
    browser: Sha256,
) -> Result<Option<(String, String)>, StoreError> {
    sqlx::query_as(
        "delete from oidc_attempt
         where state_sha256 = $1 and browser_sha256 = $2 and begun_at > now() - make_interval(secs => $3)
         returning nonce, verifier",
    )
    .bind(&state.as_bytes()[..])
    .bind(&browser.as_bytes()[..])
    .bind(f64::from(LONGEST_SECONDS))
    .fetch_optional(database.pool())
    .await
    .map_err(query("finish a login"))
}

/// Notes that a login failed, and by what kind of failure.
pub async fn fail(database: &Database, code: &'static str) -> Result<(), StoreError> {
    events::note(database, ACTOR, EventKind::LoginFailed, "no account", json!({ "why": code })).await
}

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    Account(AccountName),
    Disabled,
}

/// The account of a subject, made at its first login, with the role that it has now. A name that the provider
/// prefers is taken where it is one of ours and nobody has it; it never leads to an account that is there.
pub async fn enter(
    database: &Database,
    issuer: &str,
    subject: &str,
    preferred: Option<&str>,
    role: Role,
) -> Result<Entered, StoreError> {
    let doing = query("find the account of a login");
    let broken = corrupt("account");
    let mut transaction = database.begin().await?;
    // Two first logins of one person at once make one account.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("oidc {issuer} {subject}"))
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    let known = sqlx::query(
        "select name, role, active from oidc_account join account on name = account
         where issuer = $1 and subject = $2 for update of account",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    let name = match known {
        Some(row) => {
            if !row.try_get::<bool, _>("active").map_err(&broken)? {
                return Ok(Entered::Disabled);
            }
            let name: &str = row.try_get("name").map_err(&broken)?;
            let name = name.parse().map_err(corrupt("account"))?;
            if role_of(&row)? != role {
                change(&mut transaction, &name, role).await?;
            }
            name
        }
        None => make(&mut transaction, issuer, subject, preferred, role).await?,
    };
    transaction.commit().await.map_err(&doing)?;
    Ok(Entered::Account(name))
}

/// Whether people come to that account by the issuer's word.
pub async fn knows(database: &Database, issuer: &str, account: &AccountName) -> Result<bool, StoreError> {
    sqlx::query_scalar("select exists (select from oidc_account where issuer = $1 and account = $2)")
        .bind(issuer)
        .bind(account.as_str())
        .fetch_one(database.pool())
        .await
        .map_err(query("look up the account of a login"))
}

/// Ends every session of a subject's account; nothing where there is none.
pub async fn end(database: &Database, issuer: &str, subject: &str) -> Result<(), StoreError> {
    let doing = query("end the sessions of a login");
    let mut transaction = database.begin().await?;
    let ended: Vec<String> = sqlx::query_scalar(
        "delete from session using oidc_account
         where session.account = oidc_account.account and issuer = $1 and subject = $2
         returning session.account",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_all(&mut *transaction)
    .await
    .map_err(&doing)?;
    if let Some(account) = ended.first() {
        let (about, detail) = (format!("account {account}"), json!({ "sessions": ended.len() }));
        events::append(&mut transaction, ACTOR, EventKind::LoggedOut, &about, detail).await?;
    }
    transaction.commit().await.map_err(&doing)
}

/// The provider's word is another one now: what the old role began is over.
async fn change(connection: &mut PgConnection, name: &AccountName, role: Role) -> Result<(), StoreError> {
    let doing = query("change an account");
    sqlx::query("update account set role = $2 where name = $1")
        .bind(name.as_str())
        .bind(role.name())
        .execute(&mut *connection)
        .await
        .map_err(&doing)?;
    sqlx::query("delete from session where account = $1")
        .bind(name.as_str())
        .execute(&mut *connection)
        .await
        .map_err(&doing)?;
    let detail = json!({ "role": role.name() });
    let subject = format!("account {name}");
    events::append(connection, ACTOR, EventKind::AccountChanged, &subject, detail).await
}

async fn make(
    connection: &mut PgConnection,
    issuer: &str,
    subject: &str,
    preferred: Option<&str>,
    role: Role,
) -> Result<AccountName, StoreError> {
    let doing = query("add an account");
    let digest = Sha256::of(format!("{issuer} {subject}").as_bytes()).to_string();
    let preferred = preferred.map(str::to_lowercase);
    for candidate in preferred.into_iter().chain([format!("oidc-{}", &digest[..16])]) {
        let Ok(name) = candidate.parse::<AccountName>() else { continue };
        let added = sqlx::query("insert into account (name, role) values ($1, $2) on conflict do nothing")
            .bind(name.as_str())
            .bind(role.name())
            .execute(&mut *connection)
            .await
            .map_err(&doing)?;
        if added.rows_affected() == 0 {
            continue;
        }
        sqlx::query("insert into oidc_account (issuer, subject, account) values ($1, $2, $3)")
            .bind(issuer)
            .bind(subject)
            .bind(name.as_str())
            .execute(&mut *connection)
            .await
            .map_err(&doing)?;
        let detail = json!({ "role": role.name() });
        let about = format!("account {name}");
        events::append(connection, ACTOR, EventKind::AccountAdded, &about, detail).await?;
        return Ok(name);
    }
    Err(StoreError::Refused("every name for the account is taken"))
}
