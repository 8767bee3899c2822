//! What holds households back from being paid. Placing and lifting are events; a household may be held
//! for several reasons at once.

use serde_json::json;
use sqlx::{PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::approve::StopReason;

/// What placing a stop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    New,
    /// It was in force already.
    There,
    /// In force from now on, and the bank was asked to pay before.
    TooLate,
}

/// Stops the payment of the application's household.
pub async fn place(
    database: &Database,
    application: ApplicationId,
    reason: StopReason,
    actor: &str,
) -> Result<Placed, StoreError> {
    let mut transaction = database.begin().await?;
    let placed = place_within(&mut transaction, application, reason, actor).await?;
    transaction.commit().await.map_err(query("place a stop"))?;
    Ok(placed)
}

pub(super) async fn place_within(
    connection: &mut PgConnection,
    application: ApplicationId,
    reason: StopReason,
    actor: &str,
) -> Result<Placed, StoreError> {
    let household = household_of(connection, application).await?;
    let placed = sqlx::query(
        "insert into payment_stop (household_id, reason, placed_by) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(&household)
    .bind(reason.name())
    .bind(actor)
    .execute(&mut *connection)
    .await
    .map_err(query("place a stop"))?;
    if placed.rows_affected() == 0 {
        return Ok(Placed::There);
    }
    let requested: bool = sqlx::query_scalar(
        "select exists (select from payment where household_id = $1 and state = 'requested')",
    )
    .bind(&household)
    .fetch_one(&mut *connection)
    .await
    .map_err(query("place a stop"))?;
    let detail = json!({ "reason": reason, "requested_before": requested });
    events::append(connection, actor, EventKind::PaymentStopped, &subject(application), detail).await?;
    Ok(if requested { Placed::TooLate } else { Placed::New })
}

/// Lifts a stop; false where none of that reason was in force.
pub async fn lift(
    database: &Database,
    application: ApplicationId,
    reason: StopReason,
    actor: &str,
) -> Result<bool, StoreError> {
    let mut transaction = database.begin().await?;
    let lifted = lift_within(&mut transaction, application, reason, actor).await?;
    transaction.commit().await.map_err(query("lift a stop"))?;
    Ok(lifted)
}

pub(super) async fn lift_within(
    connection: &mut PgConnection,
    application: ApplicationId,
    reason: StopReason,
    actor: &str,
) -> Result<bool, StoreError> {
    let household = household_of(connection, application).await?;
    let lifted = sqlx::query(
        "update payment_stop set lifted_by = $3, lifted_at = now()
         where household_id = $1 and reason = $2 and lifted_at is null",
    )
    .bind(household)
    .bind(reason.name())
    .bind(actor)
    .execute(&mut *connection)
    .await
    .map_err(query("lift a stop"))?;
    if lifted.rows_affected() == 0 {
        return Ok(false);
    }
    let detail = json!({ "reason": reason });
    events::append(connection, actor, EventKind::PaymentStopLifted, &subject(application), detail).await?;
    Ok(true)
}

/// The reasons in force.
pub async fn in_force(
    database: &Database,
    application: ApplicationId,
) -> Result<Vec<StopReason>, StoreError> {
    sqlx::query(
        "select reason from payment_stop
         where lifted_at is null
           and household_id = coalesce((select household_of(application_id, further) from register
                                        where application_id = $1), $1)
         order by reason",
    )
    .bind(application.to_string())
    .fetch_all(database.pool())
    .await
    .map_err(query("look at stops"))?
    .iter()
    .map(|row| stop_reason(row.try_get("reason").map_err(corrupt("stop"))?))
    .collect()
}

pub(super) fn stop_reason(name: &str) -> Result<StopReason, StoreError> {
    StopReason::named(name).ok_or_else(|| corrupt("stop")("its reason is none of those there are"))
}

/// How events name an application.
pub(super) fn subject(application: ApplicationId) -> String {
    format!("application {application}")
}

/// The household of a capture, in a statement that joins its row of the register, if it has one: what
/// [`household_of`] says of its application.
pub(super) const HOUSEHOLD_OF_CAPTURE: &str =
    "coalesce(household_of(register.application_id, register.further), capture.application_id)";

/// The household of an application, with its row; one that is not in the register is its own.
pub(super) async fn household_of(
    connection: &mut PgConnection,
    application: ApplicationId,
) -> Result<String, StoreError> {
    let household: String = sqlx::query_scalar(
        "select coalesce((select household_of(application_id, further) from register where application_id = $1), $1)",
    )
    .bind(application.to_string())
    .fetch_one(&mut *connection)
    .await
    .map_err(query("look up a household"))?;
    sqlx::query("insert into household (id) values ($1) on conflict do nothing")
        .bind(&household)
        .execute(connection)
        .await
        .map_err(query("add a household"))?;
    Ok(household)
}
