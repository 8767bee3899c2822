//! Transfers: a maker proposes whom to pay, a checker agrees, and only then the bytes for the bank come
//! to be, in the transaction that marks the payments as requested. Proposing or agreeing twice pays
//! nobody twice: a household's payment is unique in the database.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::applications::application_id;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::bank_account::{AccountNumber, AccountType, BankAccount};
use crate::digest::Sha256;
use crate::export::{
    self, BankProfile, NameError, PartyName, Payment, TransferError, TransferFile, Yen, is_business_day,
    verify, write_files,
};
use crate::kana::ZenginName;
use crate::reference::{BankCode, BankTable, BranchCode};

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
    SamePerson(String),
    #[error("transfer {id} was made for the profile {expected}; name that one")]
    OtherProfile { id: i64, expected: String },
    /// The profile has changed since.
    #[error("the payee of application {application}: {source}; withdraw the transfer and propose another")]
    Payee { application: ApplicationId, source: NameError },
    #[error("{reason}; withdraw the transfer and propose another")]
    Stopped { reason: String },
    #[error(
        "the file that was written is not legal ({0}); nothing was requested, and this is a fault of the program"
    )]
    Illegal(export::Fault),
}

/// What a maker has put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// None where nobody is to be paid.
    pub transfer: Option<i64>,
    pub payments: u64,
    /// Yen.
    pub total: u64,
    /// Approved, and not payable through this bank.
    pub refused: Vec<(ApplicationId, NameError)>,
}

/// Proposals are made one after another: a second one sees what the first has taken.
const PROPOSING: i64 = 0x7472_616e_7366_6572;

/// Puts every household that is approved, unpaid and not stopped into a new transfer.
pub async fn propose(
    database: &Database,
    profile: &BankProfile,
    pay_on: NaiveDate,
    maker: &str,
) -> Result<Proposed, TransferFault> {
    let doing = query("propose a transfer");
    if !is_business_day(pay_on) {
        return Err(TransferError::NoBusinessDay(pay_on).into());
    }
    let mut transaction = database.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(PROPOSING)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    let payable = payable(&mut transaction).await?;
    let mut refused = Vec::new();
    let (mut ids, mut total) = (Vec::with_capacity(payable.len()), 0);
    for approved in payable {
        match PartyName::payee(&approved.payee, profile) {
            Ok(_) => {
                ids.push(approved.approval);
                total += approved.amount.get();
            }
            Err(error) => refused.push((approved.application, error)),
        }
    }
    let payments = ids.len() as u64;
    if ids.is_empty() {
        return Ok(Proposed { transfer: None, payments, total, refused });
    }
    let transfer: i64 = sqlx::query_scalar(
        "insert into transfer (profile, pay_on, payments, total, maker) values ($1, $2, $3, $4, $5) returning id",
    )
    .bind(&profile.name)
    .bind(pay_on)
    .bind(payments as i64)
    .bind(total as i64)
    .bind(maker)
    .fetch_one(&mut *transaction)
    .await
    .map_err(&doing)?;
    sqlx::query(
        "insert into payment (transfer_id, place, application_id, household_id, approval_id, amount)
         select $1, place, application_id, household_id, approval.id, amount
         from unnest($2::bigint[]) with ordinality as chosen (id, place) join approval on approval.id = chosen.id
         order by household_id",
    )
    .bind(transfer)
    .bind(&ids)
    .execute(&mut *transaction)
    .await
    .map_err(stopped("propose a transfer"))?;
    let detail = json!({ "profile": profile.name, "pay_on": pay_on, "payments": payments, "total": total });
    events::append(&mut transaction, maker, EventKind::TransferProposed, &subject(transfer), detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Proposed { transfer: Some(transfer), payments, total, refused })
}

/// What was asked of the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    pub files: Vec<TransferFile>,
}

/// The checker's agreement: writes the files and marks every payment as requested, all of it or
/// nothing.
pub async fn approve(
    database: &Database,
    transfer: i64,
    checker: &str,
    profile: &BankProfile,
    banks: Option<&BankTable>,
) -> Result<Requested, TransferFault> {
    let doing = query("approve a transfer");
    let mut transaction = database.begin().await?;
    let proposal = lock_proposed(&mut transaction, transfer).await?;
    if proposal.maker == checker {
        return Err(TransferFault::SamePerson(checker.to_owned()));
    }
    if proposal.profile != profile.name {
        return Err(TransferFault::OtherProfile { id: transfer, expected: proposal.profile });
    }
    let payments = payments(&mut transaction, transfer, profile).await?;
    let files = write_files(profile, proposal.pay_on, &payments, banks)?;
    let sum = |number: fn(&TransferFile) -> u64| files.iter().map(number).sum::<u64>();
    if (sum(|file| file.payments as u64), sum(|file| file.total)) != (proposal.payments, proposal.total) {
        return Err(StoreError::Refused("a transfer's payments are not those that were proposed").into());
    }
    // The other description of the format looks before anything is asked of the bank.
    if let Some(fault) = files.iter().find_map(|file| verify(&file.bytes, None).faults.into_iter().next()) {
        return Err(TransferFault::Illegal(fault));
    }
    sqlx::query("update payment set state = 'requested', state_at = now() where transfer_id = $1")
        .bind(transfer)
        .execute(&mut *transaction)
        .await
        .map_err(stopped("approve a transfer"))?;
    for (place, file) in files.iter().enumerate() {
        sqlx::query(
            "insert into transfer_file (transfer_id, number, payments, total, sha256, content)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(transfer)
        .bind(place as i32 + 1)
        .bind(file.payments as i64)
        .bind(file.total as i64)
        .bind(&file.sha256.as_bytes()[..])
        .bind(&file.bytes)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    }
    decide(&mut transaction, transfer, "requested", checker).await?;
    sqlx::query(
        "insert into event (actor, kind, subject, detail)
         select $2, $3, 'application ' || application_id, jsonb_build_object('transfer', $1)
         from payment where transfer_id = $1 order by place",
    )
    .bind(transfer)
    .bind(checker)
    .bind(EventKind::PaymentRequested.name())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    let digests: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
    let detail = json!({ "payments": proposal.payments, "total": proposal.total, "files": digests });
    events::append(&mut transaction, checker, EventKind::TransferRequested, &subject(transfer), detail)
        .await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Requested { files })
}

/// Lets a proposed transfer go: its households can be proposed again. Maker or checker may do so.
pub async fn withdraw(database: &Database, transfer: i64, actor: &str) -> Result<(), TransferFault> {
    let doing = query("withdraw a transfer");
    let mut transaction = database.begin().await?;
    lock_proposed(&mut transaction, transfer).await?;
    sqlx::query("update payment set state = 'dropped', state_at = now() where transfer_id = $1")
        .bind(transfer)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    decide(&mut transaction, transfer, "withdrawn", actor).await?;
    events::append(&mut transaction, actor, EventKind::TransferWithdrawn, &subject(transfer), json!({}))
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

/// The files of a transfer that was requested, as they were written then; with what its sheet says.
pub async fn files(database: &Database, id: i64) -> Result<(Transfer, Vec<TransferFile>), TransferFault> {
    let doing = query("fetch a transfer's files");
    let row = sqlx::query(AssertSqlSafe(format!("{TRANSFER} where id = $1")))
        .bind(id)
        .fetch_optional(database.pool())
        .await
        .map_err(&doing)?
        .ok_or(TransferFault::Unknown(id))?;
    let files = sqlx::query(
        "select payments, total, content from transfer_file where transfer_id = $1 order by number",
    )
    .bind(id)
    .fetch_all(database.pool())
    .await
    .map_err(&doing)?
    .iter()
    .map(|row| {
        let broken = corrupt("transfer");
        let bytes: Vec<u8> = row.try_get("content").map_err(&broken)?;
        Ok(TransferFile {
            payments: number(row, "payments")? as usize,
            total: number(row, "total")?,
            sha256: Sha256::of(&bytes),
            bytes,
        })
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    Ok((transfer(&row)?, files))
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

async fn decide(connection: &mut PgConnection, id: i64, state: &str, actor: &str) -> Result<(), StoreError> {
    sqlx::query("update transfer set state = $2, checker = $3, decided_at = now() where id = $1")
        .bind(id)
        .bind(state)
        .bind(actor)
        .execute(connection)
        .await
        .map_err(query("decide a transfer"))
        .map(drop)
}

struct Payable {
    approval: i64,
    application: ApplicationId,
    payee: ZenginName,
    amount: Yen,
}

/// In the order of the files: by bank and branch, so that the bank can do them together.
async fn payable(connection: &mut PgConnection) -> Result<Vec<Payable>, StoreError> {
    sqlx::query(
        "select id, application_id, payee, amount from approval
         where revoked_at is null
           and not exists (select from payment_stop stop
                           where stop.household_id = approval.household_id and stop.lifted_at is null)
           and not exists (select from payment
                           where payment.household_id = approval.household_id
                             and payment.state in ('proposed', 'requested'))
         order by bank, branch, application_id",
    )
    .fetch_all(connection)
    .await
    .map_err(query("look for whom to pay"))?
    .iter()
    .map(|row| {
        let payee: &str = row.try_get("payee").map_err(corrupt("approval"))?;
        Ok(Payable {
            approval: row.try_get("id").map_err(corrupt("approval"))?,
            application: application_id(row, "application_id")?,
            payee: ZenginName::of(payee).map_err(corrupt("approval"))?,
            amount: Yen::new(number(row, "amount")?).ok_or_else(|| corrupt("approval")("its amount"))?,
        })
    })
    .collect()
}

async fn payments(
    connection: &mut PgConnection,
    transfer: i64,
    profile: &BankProfile,
) -> Result<Vec<Payment>, TransferFault> {
    let rows = sqlx::query(
        "select payment.application_id, bank, branch, account_type, account_number, payee, payment.amount
         from payment join approval on approval.id = payment.approval_id
         where transfer_id = $1 order by place",
    )
    .bind(transfer)
    .fetch_all(connection)
    .await
    .map_err(query("look at a transfer's payments"))?;
    rows.iter().map(|row| payment(row, profile)).collect()
}

fn payment(row: &sqlx::postgres::PgRow, profile: &BankProfile) -> Result<Payment, TransferFault> {
    let text = |column| row.try_get::<&str, _>(column).map_err(corrupt("approval"));
    let broken = |reason: &str| corrupt("approval")(reason);
    let kind = text("account_type")?.chars().next().and_then(AccountType::of_code);
    let account = BankAccount {
        bank: BankCode::parse(text("bank")?).ok_or_else(|| broken("its bank"))?,
        branch: BranchCode::parse(text("branch")?).ok_or_else(|| broken("its branch"))?,
        kind: kind.ok_or_else(|| broken("its account's type"))?,
        number: AccountNumber::parse(text("account_number")?).ok_or_else(|| broken("its account"))?,
    };
    let payee = ZenginName::of(text("payee")?).map_err(corrupt("approval"))?;
    let application = application_id(row, "application_id")?;
    Ok(Payment {
        application_id: application,
        account,
        payee: PartyName::payee(&payee, profile)
            .map_err(|source| TransferFault::Payee { application, source })?,
        amount: Yen::new(number(row, "amount")?).ok_or_else(|| broken("its amount"))?,
    })
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
