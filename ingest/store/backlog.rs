//! How the work of people stands, for the supervisor's page. Nobody is named.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row;

use super::error::{corrupt, query};
use super::{Database, StoreError};

/// Open tasks of one kind, by age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Queue {
    pub kind: String,
    pub open: i64,
    /// In somebody's hands.
    pub held: i64,
    /// Younger than an hour, a day, three days, a week; and older than that.
    pub ages: [i64; 5],
    pub oldest_at: Option<DateTime<Utc>>,
}

/// Tasks of one kind that were done within an hour of the last day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Hour {
    pub hour: DateTime<Utc>,
    pub kind: String,
    pub done: i64,
}

/// How the work stands, and what part of it needed nobody.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Backlog {
    pub queues: Vec<Queue>,
    pub hours: Vec<Hour>,
    /// Accounts that were seen within the last five minutes.
    pub people: i64,
    /// Captures of the last seven days, and those of them of which nobody was asked anything.
    pub captures: i64,
    pub captures_without_people: i64,
    /// Fields that were decided in the last seven days: by two equal keys, and after adjudication.
    pub keyed_alike: i64,
    pub adjudicated: i64,
}

pub async fn backlog(database: &Database) -> Result<Backlog, StoreError> {
    let doing = query("look at the backlog");
    let broken = corrupt("sum");
    let queues = sqlx::query(
        "select kind, count(*) as open, count(*) filter (where leased_until > now()) as held,
                array[count(*) filter (where age < interval '1 hour'),
                      count(*) filter (where age >= interval '1 hour' and age < interval '1 day'),
                      count(*) filter (where age >= interval '1 day' and age < interval '3 days'),
                      count(*) filter (where age >= interval '3 days' and age < interval '7 days'),
                      count(*) filter (where age >= interval '7 days')] as ages,
                min(created_at) as oldest_at
         from (select kind, leased_until, created_at, now() - created_at as age from task
               where state = 'open' and kind <> 'seed') as t
         group by kind order by kind",
    )
    .fetch_all(database.pool())
    .await
    .map_err(&doing)?
    .iter()
    .map(|row| {
        let ages: Vec<i64> = row.try_get("ages").map_err(&broken)?;
        Ok(Queue {
            kind: row.try_get("kind").map_err(&broken)?,
            open: row.try_get("open").map_err(&broken)?,
            held: row.try_get("held").map_err(&broken)?,
            ages: ages.try_into().map_err(|_| corrupt("sum")("other ages than were asked for"))?,
            oldest_at: row.try_get("oldest_at").map_err(&broken)?,
        })
    })
    .collect::<Result<_, StoreError>>()?;
    let hours = sqlx::query(
        "select date_trunc('hour', done_at) as hour, kind, count(*) as done from task
         where state = 'done' and kind <> 'seed' and done_at > now() - interval '24 hours' group by 1, 2 order by 1, 2",
    )
    .fetch_all(database.pool())
    .await
    .map_err(&doing)?
    .iter()
    .map(|row| {
        Ok(Hour {
            hour: row.try_get("hour").map_err(&broken)?,
            kind: row.try_get("kind").map_err(&broken)?,
            done: row.try_get("done").map_err(&broken)?,
        })
    })
    .collect::<Result<_, StoreError>>()?;
    let row = sqlx::query(
        "select (select count(distinct account) from session where seen_at > now() - interval '5 minutes') as people,
                count(*) as captures,
                count(*) filter (where not exists (select from task where capture_id = capture.id))
                    as captures_without_people,
                (select count(*) from field_decision
                 where manner = 'two_keys' and decided_at > now() - interval '7 days') as keyed_alike,
                (select count(*) from field_decision
                 where manner = 'adjudicated' and decided_at > now() - interval '7 days') as adjudicated
         from capture where published_at > now() - interval '7 days'",
    )
    .fetch_one(database.pool())
    .await
    .map_err(&doing)?;
    let count = |column| row.try_get::<i64, _>(column).map_err(corrupt("sum"));
    Ok(Backlog {
        queues,
        hours,
        people: count("people")?,
        captures: count("captures")?,
        captures_without_people: count("captures_without_people")?,
        keyed_alike: count("keyed_alike")?,
        adjudicated: count("adjudicated")?,
    })
}
