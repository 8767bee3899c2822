//! Takes away what is known of applications, and of scans that are nobody's, and keeps that they were there: IDs,
//! states and dates stay, so that every sheet is accounted for as before.
//!
//! Rows first, in one transaction for some applications at a time; each notes the objects that nobody
//! names any more. Then the objects. An erasure that was interrupted in between is finished by the next.

mod certificate;
mod objects;
mod rows;

pub use certificate::{Certificate, Erased, finished};

use std::str::FromStr;

use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::advisory_lock::AdvisoryLock;
use super::applications::texts;
use super::error::{corrupt, query};
use super::objects::{ObjectError, ObjectKey, ObjectStore};
use super::scans::ScanId;
use super::{Database, StoreError};
use crate::application_id::ApplicationId;

/// What is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// These applications, whether anything was captured of them or they are in the register only.
    Applications(Vec<ApplicationId>),
    /// The applications whose last capture is of before this day (UTC).
    LastCapturedBefore(NaiveDate),
    /// Of these scans, what is no application's: those in quarantine, and pages that nobody could assign.
    Scans(Vec<ScanId>),
    /// The same, of all scans that came before this day (UTC) but those with a page that a person has assigned to an
    /// application that stays.
    ScansArrivedBefore(NaiveDate),
}

impl Rule {
    fn json(&self) -> Value {
        match self {
            Self::Applications(ids) => json!({ "applications_named": ids.len() }),
            Self::LastCapturedBefore(day) => json!({ "last_captured_before": day }),
            Self::Scans(ids) => json!({ "scans_named": ids.len() }),
            Self::ScansArrivedBefore(day) => json!({ "scans_arrived_before": day }),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("object {0} was taken away and is there still; does another program write to the store?")]
    StillThere(Box<ObjectKey>),
    #[error("the manifest cannot be written: {0}")]
    Manifest(#[from] std::io::Error),
    #[error("another erasure is at work; wait for its end")]
    Busy,
}

/// Applications or scans of one transaction.
const TOGETHER: usize = 50;
/// That one statement looks at.
const STRETCH: i64 = 5_000;
/// Items that are looked at together.
const CHUNK: i64 = 500;

/// Names the advisory lock of erasures ("eras" in ASCII).
const ERASURES: i64 = 0x6572_6173;

/// The right to erase, one at a time; it ends with the connection.
pub struct Eraser {
    database: Database,
    lock: AdvisoryLock,
}

impl Eraser {
    pub async fn begin(database: &Database) -> Result<Self, ErasureError> {
        let lock = AdvisoryLock::try_take(database, ERASURES).await.map_err(query("begin an erasure"))?;
        let lock = lock.ok_or(ErasureError::Busy)?;
        Ok(Self { database: database.clone(), lock })
    }

    /// Lets others erase. Without it the lock ends with its connection, a moment later.
    pub async fn end(self) -> Result<(), ErasureError> {
        Ok(self.lock.release().await.map_err(query("end an erasure"))?)
    }

    /// Erasures whose objects are not all gone, the oldest first.
    pub async fn unfinished(&self) -> Result<Vec<i32>, ErasureError> {
        let statement = "select number from erasure where finished_at is null order by number";
        let numbers = sqlx::query_scalar(statement).fetch_all(self.database.pool()).await;
        Ok(numbers.map_err(query("list erasures"))?)
    }

    /// Takes the rows away; the objects go with [`Self::remove_objects`]. Returns the number of the erasure, and
    /// calls `progress` with the number of applications or scans now and then.
    pub async fn erase_rows(
        &self,
        rule: &Rule,
        actor: &str,
        progress: impl Fn(u64),
    ) -> Result<i32, ErasureError> {
        let number: i32 =
            sqlx::query_scalar("insert into erasure (actor, rule) values ($1, $2) returning number")
                .bind(actor)
                .bind(rule.json())
                .fetch_one(self.database.pool())
                .await
                .map_err(query("begin an erasure"))?;
        let mut after = String::new();
        while let Some(Window { found, last }) = next(&self.database, rule, &after).await? {
            match found {
                Found::Applications(ids) => {
                    for ids in ids.chunks(TOGETHER) {
                        rows::erase_applications(&self.database, number, actor, ids).await?;
                        progress(ids.len() as u64);
                    }
                }
                Found::Scans(ids) => {
                    for ids in ids.chunks(TOGETHER) {
                        rows::erase_scans(&self.database, number, actor, ids).await?;
                        progress(ids.len() as u64);
                    }
                }
            }
            after = last;
        }
        Ok(number)
    }

    /// Takes the objects away. It may be called again after it was interrupted.
    pub async fn remove_objects(&self, number: i32, store: &dyn ObjectStore) -> Result<(), ErasureError> {
        objects::remove_all(&self.database, number, store).await
    }

    /// Writes the manifest: names, one a line, in the order of their bytes.
    pub async fn certify(
        &self,
        number: i32,
        manifest: &mut impl std::io::Write,
    ) -> Result<Certificate, ErasureError> {
        let contents = certificate::write_manifest(&self.database, number, manifest).await?;
        Ok(certificate::fetch(&self.database, number, contents).await?)
    }

    /// The certificate stays; what it was made of is forgotten, so keep the manifest before.
    pub async fn close(&self, certificate: &Certificate, actor: &str) -> Result<(), ErasureError> {
        Ok(certificate::close(&self.database, certificate, actor).await?)
    }
}

/// How many applications or scans the rule finds.
pub async fn count(database: &Database, rule: &Rule) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, String::new());
    while let Some(Window { found, last }) = next(database, rule, &after).await? {
        count += found.count();
        after = last;
    }
    Ok(count)
}

/// Whether the rule finds anything.
pub async fn finds(database: &Database, rule: &Rule) -> Result<bool, StoreError> {
    let mut after = String::new();
    while let Some(Window { found, last }) = next(database, rule, &after).await? {
        if found.count() > 0 {
            return Ok(true);
        }
        after = last;
    }
    Ok(false)
}

/// What a rule finds in a stretch of applications or scans.
struct Window {
    found: Found,
    /// The ID that the next stretch begins behind.
    last: String,
}

enum Found {
    Applications(Vec<ApplicationId>),
    Scans(Vec<ScanId>),
}

impl Found {
    fn count(&self) -> u64 {
        match self {
            Self::Applications(ids) => ids.len() as u64,
            Self::Scans(ids) => ids.len() as u64,
        }
    }
}

/// The next stretch, in the order of IDs, and what of it the rule finds and is not erased yet; none behind the last. A
/// statement looks at so many only: of millions, few may be found.
async fn next(database: &Database, rule: &Rule, after: &str) -> Result<Option<Window>, StoreError> {
    let pool = database.pool();
    let rows = match rule {
        Rule::Applications(ids) => {
            sqlx::query(
                "select id, exists (select from capture where application_id = next.id and erased_at is null)
                            or exists (select from register where application_id = next.id) as found
                 from (select distinct id from unnest($1::text[]) as id where id > $2 order by id limit $3) as next
                 order by id",
            )
            .bind(texts(ids))
            .bind(after)
            .bind(STRETCH)
            .fetch_all(pool)
            .await
        }
        Rule::LastCapturedBefore(day) => {
            sqlx::query(
                "select id, coalesce((select bool_and(captured_at < $1::date at time zone 'UTC') from capture
                                      where application_id = next.id and erased_at is null), false) as found
                 from (select application_id as id from application
                       where application_id > $2 order by application_id limit $3) as next
                 order by id",
            )
            .bind(day)
            .bind(after)
            .bind(STRETCH)
            .fetch_all(pool)
            .await
        }
        Rule::Scans(ids) => {
            let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
            sqlx::query(
                "select scan.id::text, scan.erased_at is null
                            and (state = 'quarantined'
                                 or exists (select from page where scan_id = scan.id and page.state = 'unassigned'
                                                                   and page.erased_at is null)) as found
                 from scan where id > $2 and id = any($1) order by scan.id limit $3",
            )
            .bind(ids)
            .bind(after.parse::<i64>().unwrap_or(0))
            .bind(STRETCH)
            .fetch_all(pool)
            .await
        }
        Rule::ScansArrivedBefore(day) => {
            sqlx::query(
                "select scan.id::text, scan.erased_at is null and arrived_at < $1::date at time zone 'UTC'
                            and (state = 'quarantined'
                                 or exists (select from page where scan_id = scan.id and page.state = 'unassigned'
                                                                   and page.erased_at is null))
                            and not exists (select from page_decision left join application using (application_id)
                                            where scan_id = scan.id and outcome = 'assigned'
                                              and application.erased_at is null) as found
                 from scan where id > $2 order by scan.id limit $3",
            )
            .bind(day)
            .bind(after.parse::<i64>().unwrap_or(0))
            .bind(STRETCH)
            .fetch_all(pool)
            .await
        }
    };
    let rows = rows.map_err(query("choose what is erased"))?;
    let Some(last) = rows.last() else { return Ok(None) };
    let last: String = last.try_get("id").map_err(corrupt("ID"))?;
    let found = match rule {
        Rule::Applications(_) | Rule::LastCapturedBefore(_) => Found::Applications(found_of(&rows)?),
        Rule::Scans(_) | Rule::ScansArrivedBefore(_) => Found::Scans(found_of(&rows)?),
    };
    Ok(Some(Window { found, last }))
}

fn found_of<T>(rows: &[PgRow]) -> Result<Vec<T>, StoreError>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let mut ids = Vec::new();
    for row in rows {
        if row.try_get("found").map_err(corrupt("choice"))? {
            let id: &str = row.try_get("id").map_err(corrupt("ID"))?;
            ids.push(id.parse().map_err(corrupt("ID"))?);
        }
    }
    Ok(ids)
}
