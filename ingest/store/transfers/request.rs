//! The checker's part: the files are written and every payment is marked as requested, all of it or
//! nothing.

use serde_json::json;
use sqlx::{PgConnection, Row};

use super::super::applications::application_id;
use super::super::error::{corrupt, query};
use super::super::events::{self, EventKind};
use super::super::objects::KeyRing;
use super::super::{Database, StoreError};
use super::{
    TransferFault, decide, files, lock_proposed, number, payers, revocations_are_kept, stopped, subject,
};
use crate::bank_account::{AccountNumber, AccountType, BankAccount};
use crate::digest::Sha256;
use crate::export::{BankProfile, PartyName, Payment, TransferFile, Yen, verify, write_files};
use crate::kana::ZenginName;
use crate::reference::{BankCode, BankTable, BranchCode};
use crate::review::AccountName;

/// What was asked of the bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requested {
    pub files: Vec<TransferFile>,
}

/// The checker's agreement: writes the files, encrypted where there are `keys`, and marks every payment as
/// requested.
pub async fn approve(
    database: &Database,
    transfer: i64,
    checker: &AccountName,
    profile: &BankProfile,
    banks: Option<&BankTable>,
    keys: Option<&KeyRing>,
) -> Result<Requested, TransferFault> {
    let doing = query("approve a transfer");
    let mut transaction = database.begin().await?;
    let proposal = lock_proposed(&mut transaction, transfer).await?;
    payers::may_pay(&mut transaction, checker).await?;
    revocations_are_kept(&mut transaction).await?;
    if proposal.maker == checker.as_str() {
        return Err(TransferFault::SamePerson(checker.clone()));
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
    for (number, file) in (1..).zip(&files) {
        files::keep(&mut transaction, transfer, number, file, keys).await?;
    }
    decide(&mut transaction, transfer, "requested", checker).await?;
    sqlx::query(
        "insert into event (actor, kind, subject, detail)
         select $2, $3, 'application ' || application_id, jsonb_build_object('transfer', $1)
         from payment where transfer_id = $1 order by place",
    )
    .bind(transfer)
    .bind(checker.as_str())
    .bind(EventKind::PaymentRequested.name())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    let digests: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
    let detail = json!({ "payments": proposal.payments, "total": proposal.total, "files": digests });
    events::append(
        &mut transaction,
        checker.as_str(),
        EventKind::TransferRequested,
        &subject(transfer),
        detail,
    )
    .await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Requested { files })
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
