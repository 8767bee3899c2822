//! What has happened to the applications of the register, as far as their states follow from it.

use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt, stream};
use sqlx::{AssertSqlSafe, Row};

use super::applications::application_id;
use super::error::{corrupt, query};
use super::payment_stops::stop_reason;
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::approve::{Facts, PaymentState};

/// The facts of one application of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationFacts {
    pub application: ApplicationId,
    pub facts: Facts,
    /// When something of it happened last; none where nothing has.
    pub changed_at: Option<DateTime<Utc>>,
}

/// One row an application; DAYS after the day of payment what was requested counts as paid, never where
/// they are 0. A household's stops and payments are those of all its applications; what
/// happened last is the newest of everything that a state can follow from.
const FACTS: &str = "
    select register.application_id,
           captures.first_at is not null as captured,
           decisions.first_at is not null as reviewed,
           approval.id is not null as approved,
           coalesce(letters.last_at > captures.last_at, false) as letter_sent,
           stops.reasons,
           case when payments.paid_at is null then payments.state else 'paid' end as payment,
           greatest(captures.last_at, decisions.last_at, approvals.last_at, stops.last_at, payments.state_at,
                    payments.paid_at, letters.last_at)
               as changed_at
    from register
    left join (select application_id, min(published_at) as first_at, max(published_at) as last_at
               from capture CAPTURES group by application_id) as captures using (application_id)
    left join (select application_id, min(decided_at) as first_at, max(decided_at) as last_at
               from field_decision CAPTURES group by application_id) as decisions using (application_id)
    left join (select application_id, max(greatest(approved_at, revoked_at)) as last_at
               from approval CAPTURES group by application_id) as approvals using (application_id)
    left join (select application_id, max(written_at) as last_at
               from letter CAPTURES group by application_id) as letters using (application_id)
    left join (select application_id, id from approval CAPTURES and revoked_at is null) as approval
        using (application_id)
    left join (select household_id, array_agg(reason order by reason) filter (where lifted_at is null) as reasons,
                      max(greatest(placed_at, lifted_at)) as last_at
               from payment_stop HOUSEHOLDS group by household_id) as stops
        on stops.household_id = household_of(register.application_id, further)
    left join (select distinct on (household_id) household_id, payment.state, state_at,
                      case when payment.state = 'requested' and DAYS > 0
                                and pay_on + DAYS <= (now() at time zone 'Asia/Tokyo')::date
                           then (pay_on + DAYS)::timestamp at time zone 'Asia/Tokyo' end as paid_at
               from payment join transfer on transfer.id = transfer_id HOUSEHOLDS
               order by household_id, payment.id desc) as payments
        on payments.household_id = household_of(register.application_id, further)";

/// Applications of one statement: each uses indexes only, and none holds a snapshot for long.
const TOGETHER: i64 = 5_000;

/// Every application of the register, in the order of their IDs; or those that something has happened
/// to since a time. Some thousand of them are of one moment, those that follow of a later one. So many days
/// after the day of payment what the bank was asked for counts as paid; 0: never.
pub fn all(
    database: &Database,
    since: Option<DateTime<Utc>>,
    paid_after_days: u32,
) -> impl Stream<Item = Result<ApplicationFacts, StoreError>> + '_ {
    stream::try_unfold(String::new(), move |after| async move {
        let Some(last) = last_of_next(database, &after).await? else { return Ok::<_, StoreError>(None) };
        let rows = between(database, since, paid_after_days, &after, &last).await?;
        Ok(Some((stream::iter(rows.into_iter().map(Ok)), last)))
    })
    .try_flatten()
}

/// The ID that the next statement goes up to; none where there are no more applications.
async fn last_of_next(database: &Database, after: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar(
        "select max(application_id)
         from (select application_id from register where application_id > $1 order by application_id limit $2) as next",
    )
    .bind(after)
    .bind(TOGETHER)
    .fetch_one(database.pool())
    .await
    .map_err(query("look at all applications"))
}

async fn between(
    database: &Database,
    since: Option<DateTime<Utc>>,
    paid_after_days: u32,
    after: &str,
    last: &str,
) -> Result<Vec<ApplicationFacts>, StoreError> {
    let range = "application_id > $2 and application_id <= $3";
    let facts = facts(paid_after_days).replace("CAPTURES", &format!("where {range}")).replace(
        "HOUSEHOLDS",
        &format!(
            "where household_id in (select household_of(application_id, further) from register where {range})"
        ),
    );
    let statement = format!(
        "select * from ({facts} where register.application_id > $2 and register.application_id <= $3) as facts
         where $1::timestamptz is null or changed_at >= $1 order by application_id"
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(since)
        .bind(after)
        .bind(last)
        .fetch_all(database.pool())
        .await
        .map_err(query("look at all applications"))?
        .iter()
        .map(application_facts)
        .collect()
}

/// None where the application is not in the register.
pub async fn of_application(
    database: &Database,
    application: ApplicationId,
    paid_after_days: u32,
) -> Result<Option<ApplicationFacts>, StoreError> {
    let facts = facts(paid_after_days).replace("CAPTURES", "where application_id = $1").replace(
        "HOUSEHOLDS",
        "where household_id = (select household_of(application_id, further) from register where application_id = $1)",
    );
    sqlx::query(AssertSqlSafe(format!("{facts} where register.application_id = $1")))
        .bind(application.to_string())
        .fetch_optional(database.pool())
        .await
        .map_err(query("look at an application"))?
        .map(|row| application_facts(&row))
        .transpose()
}

fn facts(paid_after_days: u32) -> String {
    FACTS.replace("DAYS", &paid_after_days.min(LONGEST_DAYS).to_string())
}

/// Some thousand years: dates end.
const LONGEST_DAYS: u32 = 400_000;

fn application_facts(row: &sqlx::postgres::PgRow) -> Result<ApplicationFacts, StoreError> {
    let broken = corrupt("application");
    let reasons: Option<Vec<String>> = row.try_get("reasons").map_err(&broken)?;
    let stops = reasons.into_iter().flatten().map(|reason| stop_reason(&reason)).collect::<Result<_, _>>()?;
    let payment: Option<&str> = row.try_get("payment").map_err(&broken)?;
    let payment = payment
        .map(|name| {
            PaymentState::named(name).ok_or_else(|| corrupt("payment")("its state is none that there is"))
        })
        .transpose()?;
    let facts = Facts {
        captured: row.try_get("captured").map_err(&broken)?,
        reviewed: row.try_get("reviewed").map_err(&broken)?,
        approved: row.try_get("approved").map_err(&broken)?,
        letter_sent: row.try_get("letter_sent").map_err(&broken)?,
        stops,
        payment,
    };
    Ok(ApplicationFacts {
        application: application_id(row, "application_id")?,
        facts,
        changed_at: row.try_get("changed_at").map_err(&broken)?,
    })
}
