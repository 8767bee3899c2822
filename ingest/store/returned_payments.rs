//! Payments that the bank could not carry out: their applications are reopened.

use chrono::NaiveDate;
use serde_json::json;

use super::approvals::{self, Revoked};
use super::error::query;
use super::events::{self, EventKind};
use super::payment_stops::subject;
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::approve::ReturnReason;

/// What the bank says of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnedPayment {
    pub application: ApplicationId,
    /// The date of the transfer: a household that was paid again later is not meant.
    pub pay_on: NaiveDate,
    pub reason: ReturnReason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenBack {
    Reopened,
    /// It was told before.
    Known,
    /// No payment of that date was requested.
    NoSuchPayment,
}

/// Marks a payment as returned, and ends its approval: people must look at the account again before
/// the household is paid.
pub async fn take_back(
    database: &Database,
    returned: ReturnedPayment,
    actor: &str,
) -> Result<TakenBack, StoreError> {
    let doing = query("take a payment back");
    let ReturnedPayment { application, pay_on, reason } = returned;
    let mut transaction = database.begin().await?;
    let transfer: Option<i64> = sqlx::query_scalar(
        "update payment set state = 'returned', state_at = now(), return_reason = $3
         from transfer
         where transfer.id = transfer_id and application_id = $1 and pay_on = $2 and payment.state = 'requested'
         returning transfer_id",
    )
    .bind(application.to_string())
    .bind(pay_on)
    .bind(reason.name())
    .fetch_optional(&mut *transaction)
    .await
    .map_err(&doing)?;
    let Some(transfer) = transfer else {
        let known: bool = sqlx::query_scalar(
            "select exists (select from payment join transfer on transfer.id = transfer_id
                            where application_id = $1 and pay_on = $2 and payment.state = 'returned')",
        )
        .bind(application.to_string())
        .bind(pay_on)
        .fetch_one(&mut *transaction)
        .await
        .map_err(&doing)?;
        return Ok(if known { TakenBack::Known } else { TakenBack::NoSuchPayment });
    };
    approvals::revoke(&mut transaction, application, Revoked::Returned, actor).await?;
    let detail = json!({ "transfer": transfer, "reason": reason });
    events::append(&mut transaction, actor, EventKind::PaymentReturned, &subject(application), detail)
        .await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(TakenBack::Reopened)
}
