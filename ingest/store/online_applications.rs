//! The municipality's list of applications that came online, or by any other way than the mail: a
//! household that is on it is not paid for its letter as well.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::payment_stops::{self, Placed};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::approve::StopReason;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnlineState {
    Received,
    Paid,
    /// Withdrawn or refused there: the letter counts.
    Void,
}

impl OnlineState {
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "received" => Some(Self::Received),
            "paid" => Some(Self::Paid),
            "void" => Some(Self::Void),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }

    /// The stop that goes with it.
    fn stop(self) -> Option<StopReason> {
        match self {
            Self::Received => Some(StopReason::AppliedOnline),
            Self::Paid => Some(StopReason::PaidElsewhere),
            Self::Void => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlineApplication {
    pub application: ApplicationId,
    pub state: OnlineState,
    pub received_on: NaiveDate,
}

/// What a list did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct OnlineImported {
    pub added: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// Paid twice, or about to be: the bank was asked before the list came.
    pub requested_before: Vec<ApplicationId>,
}

/// Takes over a list, in one transaction; loading it again changes nothing. A row that says the same as
/// before leaves alone what people did since, such as lifting its stop.
pub async fn import(
    database: &Database,
    list: &[OnlineApplication],
    actor: &str,
) -> Result<OnlineImported, StoreError> {
    let doing = query("import a list of online applications");
    let mut transaction = database.begin().await?;
    let mut imported = OnlineImported::default();
    for &OnlineApplication { application, state, received_on } in list {
        let before = known(&mut transaction, application).await?;
        match before {
            Some(before) if before.state == state && before.received_on == received_on => {
                imported.unchanged += 1;
                continue;
            }
            Some(_) => imported.changed += 1,
            None => imported.added += 1,
        }
        sqlx::query(
            "insert into online_application (application_id, state, received_on) values ($1, $2, $3)
             on conflict (application_id) do update
             set state = excluded.state, received_on = excluded.received_on, imported_at = now()",
        )
        .bind(application.to_string())
        .bind(state.name())
        .bind(received_on)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
        let was = before.and_then(|before| before.state.stop());
        if let Some(was) = was.filter(|&was| Some(was) != state.stop()) {
            payment_stops::lift_within(&mut transaction, application, was, actor).await?;
        }
        if let Some(reason) = state.stop().filter(|&reason| Some(reason) != was)
            && payment_stops::place_within(&mut transaction, application, reason, actor).await?
                == Placed::TooLate
        {
            imported.requested_before.push(application);
        }
    }
    let detail = json!({
        "added": imported.added,
        "changed": imported.changed,
        "unchanged": imported.unchanged,
        "requested_before": imported.requested_before.len(),
    });
    events::append(&mut transaction, actor, EventKind::OnlineListImported, "online list", detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(imported)
}

/// What the list said before.
async fn known(
    connection: &mut PgConnection,
    application: ApplicationId,
) -> Result<Option<OnlineApplication>, StoreError> {
    let broken = corrupt("online application");
    let row =
        sqlx::query("select state, received_on from online_application where application_id = $1 for update")
            .bind(application.to_string())
            .fetch_optional(connection)
            .await
            .map_err(query("look at an online application"))?;
    let Some(row) = row else { return Ok(None) };
    let name: &str = row.try_get("state").map_err(&broken)?;
    let state = OnlineState::named(name)
        .ok_or_else(|| corrupt("online application")("its state is none that there is"))?;
    Ok(Some(OnlineApplication {
        application,
        state,
        received_on: row.try_get("received_on").map_err(&broken)?,
    }))
}
