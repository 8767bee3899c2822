//! How many published fields no person needs to see, and under which certificate.

use serde::Serialize;
use sqlx::Row;

use super::accounting::Filter;
use super::error::{corrupt, query};
use super::{Database, StoreError};
use crate::digest::Sha256;

/// Fields of the current records that name the same certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Acceptance {
    /// None where none was in force.
    pub certificate: Option<Sha256>,
    pub fields: u64,
    /// Values, and fields that were accepted as left empty.
    pub accepted: u64,
    pub blank: u64,
}

/// Of the captures that have a page in the scans that the filter lets through.
pub async fn by_certificate(database: &Database, filter: &Filter) -> Result<Vec<Acceptance>, StoreError> {
    sqlx::query(
        "with chosen as (
             select distinct page.capture_id as id
             from arrival join scan using (sha256) join page on page.scan_id = scan.id
             where not repeated and page.capture_id is not null
               and ($1::text is null or arrival.station = $1) and ($2::text is null or arrival.batch = $2)
               and ($3::text is null or occasion = $3)
         )
         select record->'provenance'->>'certificate' as certificate, count(*) as fields,
                count(*) filter (where field.value->>'disposition' = 'accepted') as accepted,
                count(*) filter (where field.value->>'disposition' = 'blank') as blank
         from chosen join capture using (id) cross join lateral json_each(record->'fields') as field
         group by 1 order by 1 nulls first",
    )
    .bind(&filter.station)
    .bind(&filter.batch)
    .bind(&filter.occasion)
    .fetch_all(database.pool())
    .await
    .map_err(query("count accepted fields"))?
    .iter()
    .map(|row| {
        let broken = corrupt("record");
        let count = |column| -> Result<u64, StoreError> {
            Ok(row.try_get::<i64, _>(column).map_err(corrupt("record"))?.unsigned_abs())
        };
        let certificate: Option<String> = row.try_get("certificate").map_err(&broken)?;
        Ok(Acceptance {
            certificate: certificate.map(|text| text.parse().map_err(corrupt("record"))).transpose()?,
            fields: count("fields")?,
            accepted: count("accepted")?,
            blank: count("blank")?,
        })
    })
    .collect()
}
