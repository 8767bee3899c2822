//! What stands in fields after people have looked: append-only, the newest of a field holds.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use super::applications::{application_id, texts};
use super::captures::CaptureId;
use super::error::{corrupt, query};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::approve::Decided;

/// What a field holds, as people decided.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As a record writes it; not empty.
    Value(String),
    Blank,
    Illegible,
    StruckOut,
    /// The municipality is asked.
    Escalated,
}

impl Outcome {
    /// As tables write it: its name, and the value where it is one.
    pub fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Value(value) => ("value", Some(value)),
            Self::Blank => ("blank", None),
            Self::Illegible => ("illegible", None),
            Self::StruckOut => ("struck_out", None),
            Self::Escalated => ("escalated", None),
        }
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.parts().0)
    }
}

/// How it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// One person, who saw the machine's value.
    Verified,
    /// Two people, blind to the machine's value and to each other's.
    TwoKeys,
    /// A third person, who saw two entries that differed.
    Adjudicated,
    /// As one of many characters that looked alike.
    Group,
    /// The municipality, asked by escalation.
    Municipality,
    /// QA found another value than had been decided.
    Qa,
}

impl Manner {
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::TwoKeys => "two_keys",
            Self::Adjudicated => "adjudicated",
            Self::Group => "group",
            Self::Municipality => "municipality",
            Self::Qa => "qa",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Verified, Self::TwoKeys, Self::Adjudicated, Self::Group, Self::Municipality, Self::Qa]
            .into_iter()
            .find(|manner| manner.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDecision {
    pub application_id: ApplicationId,
    /// The capture whose picture was looked at.
    pub capture: CaptureId,
    pub field: String,
    pub outcome: Outcome,
    pub manner: Manner,
    /// Names of accounts; two different ones for [`Manner::TwoKeys`].
    pub decided_by: Vec<String>,
}

/// Adds a decision to the transaction of the entry that made it.
pub async fn add(connection: &mut PgConnection, decision: &FieldDecision) -> Result<(), StoreError> {
    let (outcome, value) = decision.outcome.parts();
    sqlx::query(
        "insert into field_decision (application_id, capture_id, field, outcome, value, manner, decided_by)
         values ($1, $2::uuid, $3, $4, $5, $6, $7)",
    )
    .bind(decision.application_id.to_string())
    .bind(decision.capture.to_string())
    .bind(&decision.field)
    .bind(outcome)
    .bind(value)
    .bind(decision.manner.name())
    .bind(&decision.decided_by)
    .execute(connection)
    .await
    .map_err(query("add a decision"))
    .map(drop)
}

/// What holds for the fields of an application that people decided, by field, and since when.
pub async fn current(
    database: &Database,
    application: ApplicationId,
) -> Result<BTreeMap<String, (FieldDecision, DateTime<Utc>)>, StoreError> {
    sqlx::query(
        "select distinct on (field) application_id, capture_id::text, field, outcome, value, manner, decided_by,
                decided_at
         from field_decision where application_id = $1 order by field, id desc",
    )
    .bind(application.to_string())
    .fetch_all(database.pool())
    .await
    .map_err(query("look at decisions"))?
    .iter()
    .map(|row| {
        let decision = decision(row)?;
        let decided_at = row.try_get("decided_at").map_err(corrupt("decision"))?;
        Ok((decision.field.clone(), (decision, decided_at)))
    })
    .collect()
}

/// The newest decisions by field, and the number of the newest of all.
pub(super) type Decisions = (Option<i64>, BTreeMap<String, Decided>);

/// The same for several applications, in the transaction that acts on it.
pub(super) async fn newest(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, Decisions>, StoreError> {
    let rows = sqlx::query(
        "select distinct on (application_id, field) id, application_id, capture_id::text, field, outcome, value,
                manner, decided_by, decided_at
         from field_decision where application_id = any($1) order by application_id, field, id desc",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at decisions"))?;
    let mut newest: BTreeMap<ApplicationId, Decisions> = BTreeMap::new();
    for row in &rows {
        let decision = decision(row)?;
        let id: i64 = row.try_get("id").map_err(corrupt("decision"))?;
        let at = row.try_get("decided_at").map_err(corrupt("decision"))?;
        let (last, by_field) = newest.entry(decision.application_id).or_default();
        *last = (*last).max(Some(id));
        by_field.insert(decision.field.clone(), Decided { decision, at });
    }
    Ok(newest)
}

fn decision(row: &sqlx::postgres::PgRow) -> Result<FieldDecision, StoreError> {
    const WHAT: &str = "decision";
    let capture: &str = row.try_get("capture_id").map_err(corrupt(WHAT))?;
    Ok(FieldDecision {
        application_id: application_id(row, "application_id")?,
        capture: capture.parse().map_err(corrupt(WHAT))?,
        field: row.try_get("field").map_err(corrupt(WHAT))?,
        outcome: outcome(row)?,
        manner: Manner::named(row.try_get("manner").map_err(corrupt(WHAT))?)
            .ok_or_else(|| corrupt(WHAT)("its manner is none of those there are"))?,
        decided_by: row.try_get("decided_by").map_err(corrupt(WHAT))?,
    })
}

/// Of a row with the columns `outcome` and `value`.
pub(super) fn outcome(row: &sqlx::postgres::PgRow) -> Result<Outcome, StoreError> {
    const WHAT: &str = "outcome";
    let value: Option<String> = row.try_get("value").map_err(corrupt(WHAT))?;
    match (row.try_get("outcome").map_err(corrupt(WHAT))?, value) {
        ("value", Some(value)) => Ok(Outcome::Value(value)),
        ("blank", None) => Ok(Outcome::Blank),
        ("illegible", None) => Ok(Outcome::Illegible),
        ("struck_out", None) => Ok(Outcome::StruckOut),
        ("escalated", None) => Ok(Outcome::Escalated),
        _ => Err(corrupt(WHAT)("it is none of those there are")),
    }
}
