//! Applications and the versions that publishing is guarded by.
//!
//! A record must be built, and its object written, before its row commits. So publishing is
//! optimistic: [`states`] tells what is there and its version, the caller builds, and
//! [`super::publish::publish`] refuses with a conflict when any version has moved on.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::captures::{self, CaptureState};
use super::error::{corrupt, query};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;

/// Counts what was published of an application; 0 before anything was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ApplicationVersion(pub(super) i64);

/// What is there of an application.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApplicationState {
    pub version: ApplicationVersion,
    /// In the order in which they came; the first is the one that others are duplicates of.
    pub captures: Vec<CaptureState>,
}

/// The state of each application; all of one moment.
pub async fn states(
    database: &Database,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, ApplicationState>, StoreError> {
    // One snapshot: the versions must be those of the captures that are fetched with them.
    let begin = "begin isolation level repeatable read, read only";
    let mut transaction = database.pool().begin_with(begin).await.map_err(query("look at applications"))?;
    let mut states: BTreeMap<ApplicationId, ApplicationState> =
        applications.iter().map(|&id| (id, ApplicationState::default())).collect();
    for (id, version) in versions(&mut transaction, applications, false).await? {
        states.entry(id).or_default().version = version;
    }
    for capture in captures::of_applications(&mut transaction, applications).await? {
        states.entry(capture.application_id).or_default().captures.push(capture);
    }
    transaction.commit().await.map_err(query("look at applications"))?;
    Ok(states)
}

/// Makes sure that the rows are there and locks them until the transaction ends, always in the
/// order of their IDs so that two publications cannot wait for each other.
pub(super) async fn lock(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, ApplicationVersion>, StoreError> {
    sqlx::query(
        "insert into application (application_id)
         select id from unnest($1::text[]) as id order by id on conflict do nothing",
    )
    .bind(texts(applications))
    .execute(&mut *connection)
    .await
    .map_err(query("lock applications"))?;
    Ok(versions(connection, applications, true).await?.into_iter().collect())
}

/// Does what [`lock`] does and counts every application on; returns the versions before.
pub(super) async fn advance(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<BTreeMap<ApplicationId, ApplicationVersion>, StoreError> {
    if applications.is_empty() {
        return Ok(BTreeMap::new());
    }
    sqlx::query(
        "insert into application (application_id, version)
         select id, 1 from unnest($1::text[]) as id order by id
         on conflict (application_id) do update set version = application.version + 1
         returning application_id, version - 1 as version",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("advance applications"))?
    .iter()
    .map(version)
    .collect()
}

async fn versions(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
    lock: bool,
) -> Result<Vec<(ApplicationId, ApplicationVersion)>, StoreError> {
    let statement = if lock {
        "select application_id, version from application where application_id = any($1)
         order by application_id for update"
    } else {
        "select application_id, version from application where application_id = any($1)"
    };
    sqlx::query(statement)
        .bind(texts(applications))
        .fetch_all(connection)
        .await
        .map_err(query("look at applications"))?
        .iter()
        .map(version)
        .collect()
}

fn version(row: &PgRow) -> Result<(ApplicationId, ApplicationVersion), StoreError> {
    let version = row.try_get("version").map_err(corrupt("application"))?;
    Ok((application_id(row, "application_id")?, ApplicationVersion(version)))
}

pub(super) fn texts(applications: &[ApplicationId]) -> Vec<String> {
    applications.iter().map(ToString::to_string).collect()
}

pub(super) fn application_id(row: &PgRow, column: &str) -> Result<ApplicationId, StoreError> {
    let text: String = row.try_get(column).map_err(corrupt("application ID"))?;
    text.parse().map_err(corrupt("application ID"))
}
