//! What happened on each day, by district: counted over the rows themselves, so that a number can
//! always be traced.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sqlx::Row;

use super::error::{corrupt, query};
use super::{Database, StoreError};
use crate::export::Measure;

/// By day in Japan, then by what the register has in the column `district`; none there is an empty
/// text.
pub type DailyNumbers = BTreeMap<(NaiveDate, String), BTreeMap<Measure, u64>>;

pub async fn daily_numbers(database: &Database, district: &str) -> Result<DailyNumbers, StoreError> {
    let rows = sqlx::query(
        "select (at at time zone 'Asia/Tokyo')::date as day, coalesce(further->>$1, '') as district, measure,
                sum(number)::bigint as number
         from (
             select published_at as at, application_id, case seq when 1 then 'received' else 'repeated' end as measure,
                    1 as number
             from capture
             union all
             select decided_at, application_id, case outcome when 'escalated' then 'escalated' else 'decided' end, 1
             from field_decision
             union all
             select approved_at, application_id,
                    case when last_decision is null then 'approved_by_machine' else 'approved_with_people' end, 1
             from approval where revoked_at is null
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
