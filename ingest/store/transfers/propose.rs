//! The maker's part: who is to be paid with the next transfer.

use chrono::NaiveDate;
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::super::applications::application_id;
use super::super::error::{corrupt, query};
use super::super::events::{self, EventKind};
use super::super::{Database, StoreError};
use super::{TransferFault, number, payers, revocations_are_kept, stopped, subject};
use crate::application_id::ApplicationId;
use crate::export::{BankProfile, NameError, PartyName, TransferError, Yen, is_business_day};
use crate::kana::ZenginName;
use crate::review::AccountName;

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
    maker: &AccountName,
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
    payers::may_pay(&mut transaction, maker).await?;
    revocations_are_kept(&mut transaction).await?;
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
    .bind(maker.as_str())
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
    events::append(&mut transaction, maker.as_str(), EventKind::TransferProposed, &subject(transfer), detail)
        .await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Proposed { transfer: Some(transfer), payments, total, refused })
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
