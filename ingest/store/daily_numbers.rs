//! What happened on each day, by district: counted over the rows themselves, so that a number can
//! always be traced.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sqlx::Row;

use super::applications::application_id;
use super::captures::Place;
use super::error::{corrupt, query};
use super::{Database, StoreError};
use crate::export::{DayAndDistrict, Measure};

/// By day in Japan, then by what the register has in the column `district`; none there is an empty
/// text.
pub type DailyNumbers = BTreeMap<DayAndDistrict, BTreeMap<Measure, u64>>;

pub async fn daily_numbers(database: &Database, district: &str) -> Result<DailyNumbers, StoreError> {
    let rows = sqlx::query(
        "select (at at time zone 'Asia/Tokyo')::date as day, coalesce(further->>$1, '') as district, measure,
                sum(number)::bigint as number
         from (
             select captured_at as at, application_id, case seq when 1 then 'received' else 'repeated' end as measure,
                    1 as number
             from capture
             union all
             select published_at, application_id, 'read', 1 from capture
             union all
             select decided_at, application_id, case outcome when 'escalated' then 'escalated' else 'decided' end, 1
             from field_decision
             union all
             select approved_at, application_id,
                    case when last_decision is null then 'approved_by_machine' else 'approved_with_people' end, 1
             from approval where revoked_at is null
             union all
             select written_at, application_id, 'letters', 1 from letter
             union all
             select state_at, application_id, state, 1 from payment where state in ('requested', 'returned')
             union all
             select state_at, application_id, 'requested_yen', amount from payment where state = 'requested'
         ) as happened left join register using (application_id)
         group by 1, 2, 3",
    )
    .bind(district)
    .fetch_all(database.pool())
    .await
    .map_err(query("count what happened"))?;
    let mut numbers = DailyNumbers::new();
    for row in rows {
        let broken = corrupt("number");
        let measure: &str = row.try_get("measure").map_err(&broken)?;
        let measure =
            Measure::named(measure).ok_or_else(|| corrupt("number")("it measures nothing that is known"))?;
        let key = (row.try_get("day").map_err(&broken)?, row.try_get("district").map_err(&broken)?);
        let number: i64 = row.try_get("number").map_err(&broken)?;
        numbers.entry(key).or_default().insert(measure, number.unsigned_abs());
    }
    Ok(numbers)
}

/// A record, with the day in Japan on which it was published and the district of its application.
pub struct DatedRecord {
    pub place: Place,
    pub day: NaiveDate,
    pub district: String,
    pub json: String,
}

/// Up to `limit` records, those after `after`, in the order of their applications.
pub async fn dated_records(
    database: &Database,
    district: &str,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<DatedRecord>, StoreError> {
    let (after_id, after_seq) =
        after.map_or((String::new(), 0), |place| (place.application_id.to_string(), place.seq));
    sqlx::query(
        "select application_id, seq, (published_at at time zone 'Asia/Tokyo')::date as day,
                coalesce(further->>$1, '') as district, record::text as record
         from capture left join register using (application_id)
         where (application_id, seq) > ($2, $3) and erased_at is null
         order by application_id, seq limit $4",
    )
    .bind(district)
    .bind(after_id)
    .bind(after_seq)
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("list records by day"))?
    .iter()
    .map(|row| {
        let broken = corrupt("capture");
        Ok(DatedRecord {
            place: Place {
                application_id: application_id(row, "application_id")?,
                seq: row.try_get("seq").map_err(&broken)?,
            },
            day: row.try_get("day").map_err(&broken)?,
            district: row.try_get("district").map_err(&broken)?,
            json: row.try_get("record").map_err(&broken)?,
        })
    })
    .collect()
}
