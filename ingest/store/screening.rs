//! Screening: all that the machine accepted in a rejected lot is looked at, not its sample alone. The looks are those
//! of QA ([`super::qa`]), and what they find wrong is seen to in the same way.

use super::error::query;
use super::qa::{self, Complete, Drawn, Origin};
use super::{Database, StoreError};

/// Up to `limit` captures of rejected lots that nobody has released, for which no tasks were made. Their samples were
/// drawn: what chance picks out of a rejected lot must stay a sample, or the rates would be too good.
pub async fn captures(database: &Database, limit: u32) -> Result<Vec<Complete>, StoreError> {
    sqlx::query(
        "select application_id, capture.id::text as capture_id, capture.station, record::text
         from lot join capture on lot_id = lot.id
         where verdict = 'rejected' and released_at is null
           and qa_drawn and not screening_planned and erased_at is null
         order by capture.id limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("list the captures of rejected lots"))?
    .iter()
    .map(Complete::of)
    .collect()
}

/// Adds a task for each of the fields that has none, and notes that it was done. Does nothing where another node was
/// faster.
pub async fn plan(database: &Database, complete: &Complete, fields: &[Drawn]) -> Result<(), StoreError> {
    let doing = query("screen a rejected lot");
    let mut transaction = database.begin().await?;
    let first = sqlx::query(
        "update capture set screening_planned = true
         where id = $1::uuid and not screening_planned and erased_at is null",
    )
    .bind(complete.capture.to_string())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if first.rows_affected() == 0 {
        return Ok(());
    }
    let Complete { application_id: application, capture, station, .. } = complete;
    let origin = Origin { application: *application, capture: *capture, station };
    for field in fields {
        qa::add(&mut transaction, origin, field).await?;
    }
    transaction.commit().await.map_err(&doing)
}
