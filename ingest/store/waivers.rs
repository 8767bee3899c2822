//! Findings of a capture that somebody answers for: append-only, one a capture and code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::{PgConnection, Row};

use super::applications::texts;
use super::captures::CaptureId;
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::payment_stops::subject;
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::check::FindingCode;

/// Notes that `actor` answers for a finding of the captures that the application has; false where somebody
/// does already.
pub async fn waive(
    database: &Database,
    application: ApplicationId,
    code: FindingCode,
    actor: &str,
) -> Result<bool, StoreError> {
    let mut transaction = database.begin().await?;
    let added = sqlx::query(
        "insert into finding_waiver (application_id, capture_id, code, decided_by)
         select application_id, id, $2, $3 from capture where application_id = $1
         on conflict do nothing",
    )
    .bind(application.to_string())
    .bind(name(code)?)
    .bind(actor)
    .execute(&mut *transaction)
    .await
    .map_err(query("waive a finding"))?;
    let is_new = added.rows_affected() > 0;
    if is_new {
        let detail = json!({ "code": code });
        events::append(&mut transaction, actor, EventKind::FindingWaived, &subject(application), detail)
            .await?;
    }
    transaction.commit().await.map_err(query("waive a finding"))?;
    Ok(is_new)
}

/// By capture. Codes that this version no longer has are left out.
pub(super) async fn of_applications(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<CaptureId, BTreeSet<FindingCode>>, StoreError> {
    let rows =
        sqlx::query("select capture_id::text, code from finding_waiver where application_id = any($1)")
            .bind(texts(applications))
            .fetch_all(connection)
            .await
            .map_err(query("look at waivers"))?;
    let mut waivers: BTreeMap<CaptureId, BTreeSet<FindingCode>> = BTreeMap::new();
    for row in rows {
        let capture: &str = row.try_get("capture_id").map_err(corrupt("waiver"))?;
        let code: String = row.try_get("code").map_err(corrupt("waiver"))?;
        let capture: CaptureId = capture.parse().map_err(corrupt("waiver"))?;
        let code: Option<FindingCode> = serde_json::from_value(serde_json::Value::String(code)).ok();
        waivers.entry(capture).or_default().extend(code);
    }
    Ok(waivers)
}

/// As records write it.
fn name(code: FindingCode) -> Result<String, StoreError> {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(StoreError::Refused("a finding's code has no name")),
    }
}
