//! Transfers: a maker proposes whom to pay, a checker agrees, and only then the bytes for the bank come
//! to be, in the transaction that marks the payments as requested. Both are accounts that may pay, and two
//! people. Proposing or agreeing twice pays nobody twice: a household's payment is unique in the database.

mod files;
mod payers;
mod propose;
mod request;

pub use files::{files, reencrypt};
pub use propose::{Proposed, propose};
pub use request::{Requested, approve};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::SealFailure;
use super::{Database, StoreError, revocations};
use crate::application_id::ApplicationId;
use crate::export::{self, NameError, TransferError};
use crate::review::AccountName;

#[derive(Debug, thiserror::Error)]
pub enum TransferFault {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] TransferError),
    #[error("there is no transfer {0}; `uketsuke export transfer list` shows those there are")]
    Unknown(i64),
    #[error("transfer {id} is {state}; only one that is proposed can be approved or withdrawn")]
    NotProposed { id: i64, state: String },
    #[error("{0} has made this transfer; somebody else must check it")]
    SamePerson(AccountName),
    #[error(
        "{0} is no account that may pay: it is not there, disabled, or has another role; `uketsuke accounts add {0} --role payment` makes one"
    )]
    MayNotPay(AccountName),
    #[error("transfer {id} was made for the profile {expected}; name that one")]
    OtherProfile { id: i64, expected: String },
    /// The profile has changed since.
    #[error("the payee of application {application}: {source}; withdraw the transfer and propose another")]
    Payee { application: ApplicationId, source: NameError },
    #[error(
        "a certificate was revoked, and those who would be paid by what it accepted are still being stopped by the review desk; try again in some minutes"
    )]
    RevocationPending,
    #[error("{reason}; withdraw the transfer and propose another")]
    Stopped { reason: String },
    #[error(
        "the file that was written is not legal ({0}); nothing was requested, and this is a fault of the program"
    )]
    Illegal(export::Fault),
    #[error("file {number} of transfer {transfer} cannot be encrypted: {source}")]
    NotSealed { transfer: i64, number: i32, source: std::io::Error },
    #[error("file {number} of transfer {transfer} does not open: {source}")]
    NotOpened { transfer: i64, number: i32, source: SealFailure },
}

/// Nobody is paid before those are stopped whom a revoked certificate would pay.
async fn revocations_are_kept(connection: &mut PgConnection) -> Result<(), TransferFault> {
    match revocations::are_kept(connection).await? {
        true => Ok(()),
        false => Err(TransferFault::RevocationPending),
    }
}

/// Lets a proposed transfer go: its households can be proposed again. Maker or checker may do so.
pub async fn withdraw(database: &Database, transfer: i64, actor: &AccountName) -> Result<(), TransferFault> {
    let doing = query("withdraw a transfer");
    let mut transaction = database.begin().await?;
    lock_proposed(&mut transaction, transfer).await?;
    payers::may_pay(&mut transaction, actor).await?;
    sqlx::query("update payment set state = 'dropped', state_at = now() where transfer_id = $1")
        .bind(transfer)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    decide(&mut transaction, transfer, "withdrawn", actor).await?;
    events::append(
        &mut transaction,
        actor.as_str(),
        EventKind::TransferWithdrawn,
        &subject(transfer),
        json!({}),
    )
    .await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(())
}

/// A transfer as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transfer {
    pub id: i64,
    pub profile: String,
    pub pay_on: NaiveDate,
    /// `proposed`, `requested` or `withdrawn`.
    pub state: String,
    pub payments: u64,
    /// Yen.
    pub total: u64,
    pub maker: String,
    pub proposed_at: DateTime<Utc>,
    pub checker: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// The newest first.
pub async fn list(database: &Database) -> Result<Vec<Transfer>, StoreError> {
    sqlx::query(AssertSqlSafe(format!("{TRANSFER} order by id desc")))
        .fetch_all(database.pool())
        .await
        .map_err(query("list transfers"))?
        .iter()
        .map(transfer)
        .collect()
}

const TRANSFER: &str =
    "select id, profile, pay_on, state, payments, total, maker, proposed_at, checker, decided_at
                        from transfer";

fn transfer(row: &sqlx::postgres::PgRow) -> Result<Transfer, StoreError> {
    let broken = corrupt("transfer");
    Ok(Transfer {
        id: row.try_get("id").map_err(&broken)?,
        profile: row.try_get("profile").map_err(&broken)?,
        pay_on: row.try_get("pay_on").map_err(&broken)?,
        state: row.try_get("state").map_err(&broken)?,
        payments: number(row, "payments")?,
        total: number(row, "total")?,
        maker: row.try_get("maker").map_err(&broken)?,
        proposed_at: row.try_get("proposed_at").map_err(&broken)?,
        checker: row.try_get("checker").map_err(&broken)?,
        decided_at: row.try_get("decided_at").map_err(&broken)?,
    })
}

async fn lock_proposed(connection: &mut PgConnection, id: i64) -> Result<Transfer, TransferFault> {
    let row = sqlx::query(AssertSqlSafe(format!("{TRANSFER} where id = $1 for update")))
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(query("lock a transfer"))?
        .ok_or(TransferFault::Unknown(id))?;
    let transfer = transfer(&row)?;
    match transfer.state.as_str() {
        "proposed" => Ok(transfer),
        _ => Err(TransferFault::NotProposed { id, state: transfer.state }),
    }
}

async fn decide(
    connection: &mut PgConnection,
    id: i64,
    state: &str,
    actor: &AccountName,
) -> Result<(), StoreError> {
    sqlx::query("update transfer set state = $2, checker = $3, decided_at = now() where id = $1")
        .bind(id)
        .bind(state)
        .bind(actor.as_str())
        .execute(connection)
        .await
        .map_err(query("decide a transfer"))
        .map(drop)
}

fn number(row: &sqlx::postgres::PgRow, column: &str) -> Result<u64, StoreError> {
    Ok(row.try_get::<i64, _>(column).map_err(corrupt("transfer"))?.unsigned_abs())
}

fn subject(transfer: i64) -> String {
    format!("transfer {transfer}")
}

/// The database's own refusal to pay somebody is told as such; it names applications only.
fn stopped(doing: &'static str) -> impl Fn(sqlx::Error) -> TransferFault {
    move |error| match &error {
        sqlx::Error::Database(source) if source.constraint() == Some("payment_is_payable") => {
            TransferFault::Stopped { reason: source.message().to_owned() }
        }
        _ => TransferFault::Store(query(doing)(error)),
    }
}
