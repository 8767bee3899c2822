//! Certificates whose promise QA found broken: nothing is accepted under one any more, and whoever would be paid by
//! what it accepted is stopped.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::applications::application_id;
use super::captures::{CaptureId, capture_id};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::payment_stops::{self, HOUSEHOLD_OF_CAPTURE};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::approve::StopReason;
use crate::digest::Sha256;
use crate::score::{Stratum, StratumKey};

/// What second looks found of the readings of one stratum that a certificate accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub key: StratumKey,
    pub judged: u64,
    pub wrong: u64,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    pub found: Found,
    /// The least rate of errors that is not ruled out, above the promised one.
    pub low: f64,
    pub target: f64,
}

/// When a certificate was revoked, and over what.
#[derive(Debug, Clone, PartialEq)]
pub struct Revocation {
    pub breach: Breach,
    pub revoked_at: DateTime<Utc>,
}

/// What was found of each stratum of a certificate of which anything was judged; a screening names none.
pub async fn found(database: &Database, certificate: Sha256) -> Result<Vec<Found>, StoreError> {
    sqlx::query(
        "select field, manner, count(*) as judged, count(*) filter (where outcome = 'wrong') as wrong
         from qa_sample join qa_judgement using (task_id)
         where certificate = $1 and manner in ('accepted', 'blank') group by field, manner order by field, manner",
    )
    .bind(&certificate.as_bytes()[..])
    .fetch_all(database.pool())
    .await
    .map_err(query("count second looks of a certificate"))?
    .iter()
    .map(|row| {
        let broken = corrupt("sample");
        let field: &str = row.try_get("field").map_err(&broken)?;
        let stratum = match row.try_get("manner").map_err(&broken)? {
            "blank" => Stratum::Blank,
            _ => Stratum::Written,
        };
        Ok(Found {
            key: StratumKey::new(field, stratum),
            judged: row.try_get::<i64, _>("judged").map_err(&broken)?.unsigned_abs(),
            wrong: row.try_get::<i64, _>("wrong").map_err(&broken)?.unsigned_abs(),
        })
    })
    .collect()
}

/// Revokes a certificate; false where it was revoked before.
pub async fn revoke(
    database: &Database,
    certificate: Sha256,
    breach: &Breach,
    actor: &str,
) -> Result<bool, StoreError> {
    let doing = query("revoke a certificate");
    let Breach { found: Found { key, judged, wrong }, low, target } = breach;
    let mut transaction = database.begin().await?;
    let revoked = sqlx::query(
        "insert into certificate_revocation (certificate, field, stratum, judged, wrong, low, target)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing",
    )
    .bind(&certificate.as_bytes()[..])
    .bind(&key.field)
    .bind(key.stratum.name())
    .bind(i64::try_from(*judged).unwrap_or(i64::MAX))
    .bind(i64::try_from(*wrong).unwrap_or(i64::MAX))
    .bind(low)
    .bind(target)
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if revoked.rows_affected() == 0 {
        return Ok(false);
    }
    let subject = format!("certificate {certificate}");
    let detail = json!({
        "field": key.field, "stratum": key.stratum, "judged": judged, "wrong": wrong, "low": low, "target": target,
    });
    events::append(&mut transaction, actor, EventKind::CertificateRevoked, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}

/// Whether and over what a certificate was revoked.
pub async fn of(database: &Database, certificate: Sha256) -> Result<Option<Revocation>, StoreError> {
    let row = sqlx::query(
        "select field, stratum, judged, wrong, low, target, revoked_at from certificate_revocation
         where certificate = $1",
    )
    .bind(&certificate.as_bytes()[..])
    .fetch_optional(database.pool())
    .await
    .map_err(query("look at a revocation"))?;
    row.map(|row| {
        let broken = corrupt("revocation");
        let (field, stratum): (&str, &str) =
            (row.try_get("field").map_err(&broken)?, row.try_get("stratum").map_err(&broken)?);
        let key = StratumKey::new(field, stratum.parse().map_err(corrupt("stratum"))?);
        let found = Found {
            key,
            judged: row.try_get::<i64, _>("judged").map_err(&broken)?.unsigned_abs(),
            wrong: row.try_get::<i64, _>("wrong").map_err(&broken)?.unsigned_abs(),
        };
        let (low, target) = (row.try_get("low").map_err(&broken)?, row.try_get("target").map_err(&broken)?);
        let revoked_at = row.try_get("revoked_at").map_err(&broken)?;
        Ok(Revocation { breach: Breach { found, low, target }, revoked_at })
    })
    .transpose()
}

/// The same in the transaction that publishes what a certificate has accepted.
pub(super) async fn is_revoked(
    connection: &mut PgConnection,
    certificate: Sha256,
) -> Result<bool, StoreError> {
    sqlx::query_scalar("select exists (select from certificate_revocation where certificate = $1)")
        .bind(&certificate.as_bytes()[..])
        .fetch_one(connection)
        .await
        .map_err(query("look for a revocation"))
}

/// Longer than a publication takes that looked for a revocation before there was one.
const PUBLISHING: &str = "interval '2 minutes'";

/// Revoked certificates of which not every household is stopped, and whether what was published under one is all in
/// by now.
pub async fn to_keep(database: &Database) -> Result<Vec<(Sha256, bool)>, StoreError> {
    let statement = format!(
        "select encode(certificate, 'hex') as certificate, revoked_at < now() - {PUBLISHING} as all_in
         from certificate_revocation left join certificate_revocation_kept using (certificate)
         where kept_at is null order by revoked_at"
    );
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .fetch_all(database.pool())
        .await
        .map_err(query("look for revocations"))?
        .iter()
        .map(|row| {
            let broken = corrupt("revocation");
            let certificate: &str = row.try_get("certificate").map_err(&broken)?;
            let certificate = certificate.parse().map_err(corrupt("revocation"))?;
            Ok((certificate, row.try_get("all_in").map_err(&broken)?))
        })
        .collect()
}

/// Stops the households of the captures, up to `limit` of those after `after`, in which the certificate accepted a
/// field that nobody has decided since. The last one that was looked at; none where there are no more.
pub async fn stop_households(
    database: &Database,
    certificate: Sha256,
    after: Option<CaptureId>,
    limit: u32,
    actor: &str,
) -> Result<Option<CaptureId>, StoreError> {
    let doing = query("stop the households of a revoked certificate");
    let mut transaction = database.begin().await?;
    let looked_at = sqlx::query(
        "select id::text as capture_id, application_id,
                record -> 'provenance' ->> 'certificate' = $1 and exists (
                    select from json_each(record -> 'fields') as field (name, reading)
                    where reading ->> 'disposition' in ('accepted', 'blank')
                      and not exists (select from field_decision as decision
                                      where decision.application_id = capture.application_id
                                        and decision.field = name and decision.capture_id = capture.id)) as rests
         from capture where erased_at is null and ($2::uuid is null or id > $2::uuid) order by id limit $3",
    )
    .bind(certificate.to_string())
    .bind(after.map(|capture| capture.to_string()))
    .bind(i64::from(limit))
    .fetch_all(&mut *transaction)
    .await
    .map_err(&doing)?;
    for row in &looked_at {
        if row.try_get::<Option<bool>, _>("rests").map_err(corrupt("capture"))?.unwrap_or(false) {
            let application = application_id(row, "application_id")?;
            payment_stops::place_within(&mut transaction, application, StopReason::Certificate, actor)
                .await?;
        }
    }
    transaction.commit().await.map_err(&doing)?;
    looked_at.last().map_or(Ok(None), |row| capture_id(row, "capture_id"))
}

/// Notes that all households are stopped that a revoked certificate would have paid.
pub async fn kept(database: &Database, certificate: Sha256) -> Result<(), StoreError> {
    sqlx::query("insert into certificate_revocation_kept (certificate) values ($1) on conflict do nothing")
        .bind(&certificate.as_bytes()[..])
        .execute(database.pool())
        .await
        .map_err(query("note that a revocation is kept"))
        .map(drop)
}

/// Whether no household may still be paid by what a revoked certificate accepted, unless somebody answered for it.
pub(super) async fn are_kept(connection: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select not exists (select from certificate_revocation
                            where certificate not in (select certificate from certificate_revocation_kept))",
    )
    .fetch_one(connection)
    .await
    .map_err(query("look for revocations"))
}

/// Lifts the stops of revoked certificates: somebody has found what the errors have in common, and answers for
/// the others. Returns whose were lifted, one application a household.
pub async fn release_households(database: &Database, actor: &str) -> Result<Vec<ApplicationId>, StoreError> {
    let doing = query("release the households of a revoked certificate");
    let mut transaction = database.begin().await?;
    let statement = format!(
        "select distinct on (household_id) application_id
         from (select {HOUSEHOLD_OF_CAPTURE} as household_id, capture.application_id
               from capture left join register using (application_id)) as captured
         join payment_stop using (household_id)
         where reason = 'certificate' and lifted_at is null order by household_id, application_id"
    );
    let stopped =
        sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&mut *transaction).await.map_err(&doing)?;
    let applications: Vec<ApplicationId> =
        stopped.iter().map(|row| application_id(row, "application_id")).collect::<Result<_, _>>()?;
    for &application in &applications {
        payment_stops::lift_within(&mut transaction, application, StopReason::Certificate, actor).await?;
    }
    transaction.commit().await.map_err(&doing)?;
    Ok(applications)
}
