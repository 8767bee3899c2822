//! How pages come from each station, and the pages that do not come.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;

use super::applications::application_id;
use super::error::{corrupt, query};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;

/// What the scans of a station look like.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct StationQuality {
    pub station: String,
    pub pages: i64,
    /// Pages of forms: the numbers below are theirs.
    pub captured: i64,
    /// Mean of how far pages are turned, either way, in degrees.
    pub skew_deg: Option<f64>,
    /// Of 95 of 100 pages the form fits better than this, in pixels at 300 dpi.
    pub residual_px: Option<f64>,
    /// Pages of which fewer than two symbols were legible.
    pub symbols_unread: i64,
    pub unassigned: i64,
    pub blank: i64,
}

/// Of the newest scans, so many.
const SCANS: i64 = 5000;

pub async fn by_station(database: &Database) -> Result<Vec<StationQuality>, StoreError> {
    sqlx::query(
        "with recent as (select id, station from scan where state = 'done' order by id desc limit $1)
         select station, count(*) as pages, count(*) filter (where state = 'captured') as captured,
                avg(abs(skew_deg)) filter (where state = 'captured') as skew_deg,
                percentile_cont(0.95) within group (order by residual_px)
                    filter (where state = 'captured') as residual_px,
                count(*) filter (where state = 'captured' and symbols < 2) as symbols_unread,
                count(*) filter (where state = 'unassigned') as unassigned,
                count(*) filter (where state = 'blank') as blank
         from recent join page on scan_id = recent.id group by station order by station",
    )
    .bind(SCANS)
    .fetch_all(database.pool())
    .await
    .map_err(query("measure stations"))?
    .iter()
    .map(|row| {
        let broken = corrupt("station");
        Ok(StationQuality {
            station: row.try_get("station").map_err(&broken)?,
            pages: row.try_get("pages").map_err(&broken)?,
            captured: row.try_get("captured").map_err(&broken)?,
            skew_deg: row.try_get("skew_deg").map_err(&broken)?,
            residual_px: row.try_get("residual_px").map_err(&broken)?,
            symbols_unread: row.try_get("symbols_unread").map_err(&broken)?,
            unassigned: row.try_get("unassigned").map_err(&broken)?,
            blank: row.try_get("blank").map_err(&broken)?,
        })
    })
    .collect()
}

/// A capture that lacks pages which no other capture of its application has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Incomplete {
    pub application_id: ApplicationId,
    pub station: String,
    pub batch: Option<String>,
    pub captured_at: DateTime<Utc>,
    /// Pages of the form, from 1.
    pub missing: Vec<i32>,
}

/// Up to `limit` of them, by station and batch: where the mailroom looks for the sheets.
pub async fn incomplete(database: &Database, limit: u32) -> Result<Vec<Incomplete>, StoreError> {
    sqlx::query(
        "select application_id, station, batch, captured_at, lacking.pages as missing
         from capture as c, lateral (
             select array_agg(number order by number) as pages from unnest(c.missing) as number
             where not exists (select from capture as other join page on page.capture_id = other.id
                               where other.application_id = c.application_id and page.form_page = number)
         ) as lacking
         where c.missing <> '{}' and c.erased_at is null and lacking.pages is not null
         order by station, batch nulls first, captured_at, application_id limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("list missing pages"))?
    .iter()
    .map(|row| {
        let broken = corrupt("capture");
        Ok(Incomplete {
            application_id: application_id(row, "application_id")?,
            station: row.try_get("station").map_err(&broken)?,
            batch: row.try_get("batch").map_err(&broken)?,
            captured_at: row.try_get("captured_at").map_err(&broken)?,
            missing: row.try_get("missing").map_err(&broken)?,
        })
    })
    .collect()
}
