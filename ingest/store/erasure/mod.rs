//! Takes away what is known of applications, and keeps that they were there: IDs, states and dates
//! stay, so that every sheet is accounted for as before.
//!
//! Rows first, in one transaction for some applications at a time; each notes the objects that nobody
//! names any more. Then the objects. An erasure that was interrupted in between is finished by the next.

mod certificate;
mod objects;
mod rows;

pub use certificate::{Certificate, Erased};

use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::applications::{application_id, texts};
use super::error::query;
use super::objects::{ObjectError, ObjectKey, ObjectStore};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;

/// Which applications are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// These, whether anything was captured of them or they are in the register only.
    Applications(Vec<ApplicationId>),
    /// Those whose last capture is of before this day (UTC).
    LastCapturedBefore(NaiveDate),
}

impl Rule {
    fn json(&self) -> Value {
        match self {
            Self::Applications(ids) => json!({ "applications_named": ids.len() }),
            Self::LastCapturedBefore(day) => json!({ "last_captured_before": day }),
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

/// Applications of one transaction.
const TOGETHER: i64 = 50;
/// Items that are looked at together.
const CHUNK: i64 = 500;

/// Names the advisory lock of erasures ("eras" in ASCII).
const ERASURES: i64 = 0x6572_6173;

/// The right to erase, one at a time; it ends with the connection.
pub struct Eraser {
    database: Database,
    lock: PoolConnection<Postgres>,
}

impl Eraser {
    pub async fn begin(database: &Database) -> Result<Self, ErasureError> {
        let doing = query("begin an erasure");
        let mut lock = database.pool().acquire().await.map_err(&doing)?;
        let locked: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(ERASURES)
            .fetch_one(&mut *lock)
            .await
            .map_err(&doing)?;
        // The lock is the session's: it must not go back into the pool with it.
        lock.close_on_drop();
        if locked { Ok(Self { database: database.clone(), lock }) } else { Err(ErasureError::Busy) }
    }

    /// Lets others erase. Without it the lock ends with its connection, a moment later.
    pub async fn end(mut self) -> Result<(), ErasureError> {
        let unlocked = sqlx::query("select pg_advisory_unlock($1)").bind(ERASURES).execute(&mut *self.lock);
        unlocked.await.map_err(query("end an erasure"))?;
        Ok(())
    }

    /// Erasures whose objects are not all gone, the oldest first.
    pub async fn unfinished(&self) -> Result<Vec<i32>, ErasureError> {
        let statement = "select number from erasure where finished_at is null order by number";
        let numbers = sqlx::query_scalar(statement).fetch_all(self.database.pool()).await;
        Ok(numbers.map_err(query("list erasures"))?)
    }

    /// Takes the rows away; the objects go with [`Self::remove_objects`]. Returns the number of the erasure, and
    /// calls `progress` with the number of applications now and then.
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
        let mut after = None;
        loop {
            let chosen = choose(&self.database, rule, after).await?;
            let Some(&last) = chosen.last() else { return Ok(number) };
            after = Some(last);
            rows::erase(&self.database, number, actor, &chosen).await?;
            progress(chosen.len() as u64);
        }
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

/// How many applications the rule finds.
pub async fn count(database: &Database, rule: &Rule) -> Result<u64, StoreError> {
    let (mut count, mut after) = (0, None);
    loop {
        let chosen = choose(database, rule, after).await?;
        let Some(&last) = chosen.last() else { return Ok(count) };
        after = Some(last);
        count += chosen.len() as u64;
    }
}

/// The next applications of the rule of which there is anything to erase, in the order of their IDs.
async fn choose(
    database: &Database,
    rule: &Rule,
    after: Option<ApplicationId>,
) -> Result<Vec<ApplicationId>, StoreError> {
    let doing = query("choose applications");
    let after = after.map_or(String::new(), |id| id.to_string());
    let rows = match rule {
        Rule::Applications(ids) => {
            sqlx::query(
                "select distinct asked as application_id from unnest($1::text[]) as asked
                 where asked > $2
                   and (exists (select from capture where application_id = asked and erased_at is null)
                        or exists (select from register where application_id = asked))
                 order by asked limit $3",
            )
            .bind(texts(ids))
            .bind(after)
            .bind(TOGETHER)
            .fetch_all(database.pool())
            .await
        }
        Rule::LastCapturedBefore(day) => {
            sqlx::query(
                "select application_id from application
                 where application_id > $2
                   and exists (select from capture
                               where application_id = application.application_id and erased_at is null)
                   and not exists (select from capture
                                   where application_id = application.application_id and erased_at is null
                                     and captured_at >= $1::date at time zone 'UTC')
                 order by application_id limit $3",
            )
            .bind(day)
            .bind(after)
            .bind(TOGETHER)
            .fetch_all(database.pool())
            .await
        }
    };
    rows.map_err(doing)?.iter().map(|row| application_id(row, "application_id")).collect()
}
