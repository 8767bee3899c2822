//! Confidences counted window by window, and what a certificate does not accept any more.
//!
//! Counting is part of the transaction that publishes the scan, so that a scan counts once however
//! often it is tried.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::{Database, StoreError};
use crate::digest::Sha256;
use crate::score::{Certificate, DriftRule, DriftTest, Identified, StratumKey, Tally};

/// What a publication counts, and against what.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    pub certificate: &'a Identified<Certificate>,
    pub rule: DriftRule,
    pub tally: &'a Tally,
    /// The readings were scored as under a certificate that accepts nothing any more.
    pub known_revoked: bool,
}

/// Where a stratum stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    pub key: StratumKey,
    /// Readings in the running window.
    pub readings: u64,
    /// Windows that were tested.
    pub windows: u64,
    pub suspended_at: Option<DateTime<Utc>>,
}

/// The strata of a certificate that nothing is accepted in any more.
pub async fn suspended(database: &Database, certificate: Sha256) -> Result<BTreeSet<StratumKey>, StoreError> {
    sqlx::query("select field, stratum from certificate_suspension where certificate = $1")
        .bind(&certificate.as_bytes()[..])
        .fetch_all(database.pool())
        .await
        .map_err(query("look at suspensions"))?
        .iter()
        .map(stratum_key)
        .collect()
}

/// Every stratum of a certificate of which anything was counted.
pub async fn standings(database: &Database, certificate: Sha256) -> Result<Vec<Standing>, StoreError> {
    sqlx::query(
        "select field, stratum, confidence_window.number, (select sum(n) from unnest(counts) as n)::bigint as readings,
                suspended_at
         from confidence_window left join certificate_suspension using (certificate, field, stratum)
         where certificate = $1 order by field, stratum",
    )
    .bind(&certificate.as_bytes()[..])
    .fetch_all(database.pool())
    .await
    .map_err(query("look at confidences"))?
    .iter()
    .map(|row| {
        let broken = corrupt("window of confidences");
        Ok(Standing {
            key: stratum_key(row)?,
            readings: row.try_get::<i64, _>("readings").map_err(&broken)?.unsigned_abs(),
            windows: row.try_get::<i64, _>("number").map_err(&broken)?.unsigned_abs().saturating_sub(1),
            suspended_at: row.try_get("suspended_at").map_err(&broken)?,
        })
    })
    .collect()
}

fn stratum_key(row: &PgRow) -> Result<StratumKey, StoreError> {
    let broken = corrupt("stratum");
    let stratum: String = row.try_get("stratum").map_err(&broken)?;
    Ok(StratumKey {
        field: row.try_get("field").map_err(&broken)?,
        stratum: stratum.parse().map_err(corrupt("stratum"))?,
    })
}

/// Adds what was scored, and tests each window that is full by it. Returns the strata that are
/// suspended from now on. The tally's own order keeps two publications from waiting for each
/// other.
pub(super) async fn count(
    connection: &mut PgConnection,
    actor: &str,
    watch: &Watch<'_>,
) -> Result<Vec<StratumKey>, StoreError> {
    let mut suspended = Vec::new();
    for (key, counts) in watch.tally.iter() {
        let Some(reference) = watch.certificate.content.field(&key.field, key.stratum) else { continue };
        let window = add(connection, watch.certificate.sha256, key, counts).await?;
        if window.counts.iter().sum::<u64>() < watch.rule.window {
            continue;
        }
        let test = watch.rule.test(&reference.reference.counts, &window.counts, window.number);
        close(connection, watch.certificate.sha256, key, &window, &test).await?;
        if test.shifted() && suspend(connection, watch.certificate.sha256, key, &window).await? {
            let subject = format!("certificate {}", watch.certificate.sha256);
            let detail = json!({
                "field": key.field,
                "stratum": key.stratum,
                "window": window.number,
                "readings": window.counts.iter().sum::<u64>(),
                "statistic": test.statistic,
                "freedom": test.freedom,
                "p_value": test.p_value,
                "level": test.level,
            });
            events::append(connection, actor, EventKind::CertificateSuspended, &subject, detail).await?;
            suspended.push(key.clone());
        }
    }
    Ok(suspended)
}

struct Window {
    number: u64,
    counts: Vec<u64>,
}

/// Adds to the running window; its row is locked from here on.
async fn add(
    connection: &mut PgConnection,
    certificate: Sha256,
    key: &StratumKey,
    counts: &[u64],
) -> Result<Window, StoreError> {
    let row = sqlx::query(
        "insert into confidence_window as running (certificate, field, stratum, counts) values ($1, $2, $3, $4)
         on conflict (certificate, field, stratum) do update set counts = (
             select array_agg(coalesce(before, 0) + coalesce(more, 0) order by bin)
             from unnest(running.counts, excluded.counts) with ordinality as t (before, more, bin))
         returning number, counts",
    )
    .bind(&certificate.as_bytes()[..])
    .bind(&key.field)
    .bind(key.stratum.name())
    .bind(signed(counts)?)
    .fetch_one(connection)
    .await
    .map_err(query("count confidences"))?;
    let broken = corrupt("window of confidences");
    let counts: Vec<i64> = row.try_get("counts").map_err(&broken)?;
    Ok(Window {
        number: row.try_get::<i64, _>("number").map_err(&broken)?.unsigned_abs(),
        counts: counts.into_iter().map(i64::unsigned_abs).collect(),
    })
}

/// Notes the test of a full window and begins the next one.
async fn close(
    connection: &mut PgConnection,
    certificate: Sha256,
    key: &StratumKey,
    window: &Window,
    test: &DriftTest,
) -> Result<(), StoreError> {
    sqlx::query(
        "with next as (
             update confidence_window set number = number + 1,
                                          counts = array_fill(0::bigint, array[cardinality(counts)])
             where certificate = $1 and field = $2 and stratum = $3
         )
         insert into confidence_test (certificate, field, stratum, number, counts, statistic, freedom,
                                      p_value, level)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&certificate.as_bytes()[..])
    .bind(&key.field)
    .bind(key.stratum.name())
    .bind(window.number as i64)
    .bind(signed(&window.counts)?)
    .bind(test.statistic)
    .bind(test.freedom as i32)
    .bind(test.p_value)
    .bind(test.level)
    .execute(connection)
    .await
    .map_err(query("test confidences"))
    .map(drop)
}

/// False where the stratum was suspended before.
async fn suspend(
    connection: &mut PgConnection,
    certificate: Sha256,
    key: &StratumKey,
    window: &Window,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "insert into certificate_suspension (certificate, field, stratum, number) values ($1, $2, $3, $4)
         on conflict (certificate, field, stratum) do nothing",
    )
    .bind(&certificate.as_bytes()[..])
    .bind(&key.field)
    .bind(key.stratum.name())
    .bind(window.number as i64)
    .execute(connection)
    .await
    .map_err(query("suspend a certificate"))?;
    Ok(inserted.rows_affected() == 1)
}

fn signed(counts: &[u64]) -> Result<Vec<i64>, StoreError> {
    counts
        .iter()
        .map(|count| i64::try_from(*count))
        .collect::<Result<_, _>>()
        .map_err(|_| StoreError::Refused("a window counts beyond what a column holds"))
}
