//! Certificates whose promise QA found broken: nothing is accepted under one any more.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
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

/// What was found of each stratum of a certificate of which anything was judged.
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
