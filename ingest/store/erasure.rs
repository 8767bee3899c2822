//! Takes away what is known of applications, and keeps that they were there: IDs, states and dates
//! stay, so that every sheet is accounted for as before.
//!
//! Rows first, in one transaction for some applications at a time; each notes the objects that nobody
//! names any more. Then the objects. An erasure that was interrupted in between is finished by the next.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Row};

use super::applications::{self, application_id, texts};
use super::condemned::{self, Condemned, Names};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::{ObjectError, ObjectKey, ObjectStore};
use super::{Database, StoreError};
use crate::application_id::ApplicationId;
use crate::digest::{Digester, Sha256};

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

/// What there was of the applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Erased {
    pub applications: u64,
    pub captures: u64,
    pub pages: u64,
    pub households: u64,
    pub decisions: u64,
}

/// What is known of an erasure when its objects are gone: counts, and the digest of the manifest, which
/// names every application and every object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    pub schema: &'static str,
    pub erasure: i32,
    pub rule: Value,
    pub actor: String,
    pub begun_at: DateTime<Utc>,
    pub software: &'static str,
    #[serde(flatten)]
    pub erased: Erased,
    /// Gone from the store, by kind.
    pub objects: BTreeMap<&'static str, u64>,
    /// The same bytes as an object of another application, which keeps them: an empty box, say.
    pub objects_shared: u64,
    /// Files of stations that hold pages of others, too, or such that nobody could assign.
    pub originals_kept: u64,
    /// Lines of the manifest.
    pub manifest_lines: u64,
    pub manifest_sha256: Sha256,
}

const SCHEMA: &str = "uketsuke/erasure/1";

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
/// Objects that are being taken away at a time: a publication that names one of them waits so long.
const REMOVED_TOGETHER: usize = 50;

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

    /// Takes the rows away; the objects go with [`Self::finish`]. Returns the number of the erasure, and
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
            erase_together(&self.database, number, actor, &chosen).await?;
            progress(chosen.len() as u64);
        }
    }

    /// Takes the objects away. It may be called again after it was interrupted.
    pub async fn remove_objects(&self, number: i32, store: &dyn ObjectStore) -> Result<(), ErasureError> {
        take_up_what_came_again(&self.database, number).await?;
        remove_unshared(&self.database, number, store).await?;
        remove_shareable(&self.database, number, store).await
    }

    /// Writes the manifest: names, one a line, in the order of their bytes.
    pub async fn certify(
        &self,
        number: i32,
        manifest: &mut impl std::io::Write,
    ) -> Result<Certificate, ErasureError> {
        let contents = write_manifest(&self.database, number, manifest).await?;
        Ok(certificate(&self.database, number, contents).await?)
    }

    /// The certificate stays; what it was made of is forgotten, so keep the manifest before.
    pub async fn close(&self, certificate: &Certificate, actor: &str) -> Result<(), ErasureError> {
        Ok(close(&self.database, certificate, actor).await?)
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

async fn erase_together(
    database: &Database,
    number: i32,
    actor: &str,
    ids: &[ApplicationId],
) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    // A publication that is on its way finds the versions moved on, and looks again.
    applications::lock(&mut transaction, ids).await?;
    applications::advance(&mut transaction, ids).await?;
    for statement in STATEMENTS {
        sqlx::query(statement)
            .bind(number)
            .bind(texts(ids))
            .execute(&mut *transaction)
            .await
            .map_err(query("erase applications"))?;
    }
    for id in ids {
        let detail = json!({ "erasure": number });
        let subject = format!("application {id}");
        events::append(&mut transaction, actor, EventKind::ApplicationErased, &subject, detail).await?;
    }
    transaction.commit().await.map_err(query("commit an erasure"))
}

/// In this order, each with the erasure as $1 and the applications as $2: what is to go is noted before
/// its name is taken away.
const STATEMENTS: [&str; 8] = [
    "insert into erased_item (erasure, name)
     select $1::int, 'application/' || id from unnest($2::text[]) as id",
    // Pictures of pages and fields.
    "insert into erased_item (erasure, name)
     select $1::int, key from (
         select image_key as key from page join capture on capture.id = capture_id
         where capture.application_id = any($2) and page.erased_at is null
         union
         select reading ->> 'crop' from page join capture on capture.id = capture_id,
                json_array_elements(captured -> 'readings') as reading
         where capture.application_id = any($2) and page.erased_at is null
     ) as named where key is not null on conflict do nothing",
    // Every version of every record, as the events tell.
    "insert into erased_item (erasure, name)
     select distinct $1::int, format('record/%s/%s/%s.json', substr(sha256, 1, 2), substr(sha256, 3, 2), sha256)
     from (select detail ->> 'record_sha256' as sha256 from capture join event on subject = 'capture ' || capture.id
           where application_id = any($2) and erased_at is null) as told
     where sha256 is not null on conflict do nothing",
    "with gone as (
         update page set erased_at = now(), image_key = null, captured = null
         where erased_at is null
           and capture_id in (select id from capture where application_id = any($2) and erased_at is null)
         returning scan_id
     ), noted as (
         insert into erased_scan (erasure, scan_id) select distinct $1::int, scan_id from gone on conflict do nothing
     )
     update erasure set pages = pages + (select count(*) from gone) where number = $1",
    // Files of stations of which nothing is left that anybody needs, with their blank pages.
    "with whole as materialized (
         select scan.id, sha256 from erased_scan join scan on scan.id = scan_id
         where erasure = $1
           and exists (select from page join capture on capture.id = capture_id
                       where page.scan_id = scan.id and capture.application_id = any($2))
           and not exists (select from page where page.scan_id = scan.id and page.erased_at is null
                                              and page.state <> 'blank')
     ), blanks as materialized (
         select page.scan_id, page_index, image_key from page join whole on whole.id = page.scan_id
         where page.erased_at is null
     ), noted as (
         insert into erased_item (erasure, name)
         select $1::int, object_key from blob join whole using (sha256)
         union select $1::int, image_key from blanks where image_key is not null
         on conflict do nothing
     ), gone as (
         update blob set erased_at = now() from whole where blob.sha256 = whole.sha256
     ), nameless as (
         update scan set file = 'erased' from whole where scan.id = whole.id
     ), unknown as (
         update arrival set path = 'erased ' || arrival.id from whole where arrival.sha256 = whole.sha256
     )
     update page set erased_at = now(), image_key = null, look = null from blanks
     where page.scan_id = blanks.scan_id and page.page_index = blanks.page_index",
    "with gone as (
         update capture set erased_at = now(), record = null, record_key = null, record_sha256 = null
         where application_id = any($2) and erased_at is null returning id
     ), told as (
         update application set erased_at = now() where application_id = any($2)
     )
     update erasure set captures = captures + (select count(*) from gone),
                        applications = applications + cardinality($2)
     where number = $1",
    "with gone as (delete from field_decision where application_id = any($2) returning id)
     update erasure set decisions = decisions + (select count(*) from gone) where number = $1",
    "with gone as (delete from register where application_id = any($2) returning application_id)
     update erasure set households = households + (select count(*) from gone) where number = $1",
];

async fn take_up_what_came_again(database: &Database, number: i32) -> Result<(), StoreError> {
    let statement = "with again as (delete from erased_came_again returning object_key)
                     insert into erased_item (erasure, name) select $1::int, object_key from again
                     on conflict (erasure, name) do update set gone_at = null";
    let done = sqlx::query(statement).bind(number).execute(database.pool()).await;
    done.map(drop).map_err(query("look for what came again"))
}

/// Originals and records: each is one application's, or of a scan of which nothing is left.
async fn remove_unshared(
    database: &Database,
    number: i32,
    store: &dyn ObjectStore,
) -> Result<(), ErasureError> {
    let mut after = String::new();
    loop {
        let keys = pending(database, number, &["original/%", "record/%"], &after).await?;
        let Some(last) = keys.last() else { return Ok(()) };
        after = last.to_string();
        for key in &keys {
            remove(store, key).await?;
        }
        note_gone(database.begin().await?, number, &keys).await?;
    }
}

/// Pictures may be the same, byte for byte, as those of another application.
async fn remove_shareable(
    database: &Database,
    number: i32,
    store: &dyn ObjectStore,
) -> Result<(), ErasureError> {
    const PICTURES: [&str; 2] = ["page/%", "crop/%"];
    let mut after = String::new();
    loop {
        let keys = pending(database, number, &PICTURES, &after).await?;
        let Some(last) = keys.last() else { break };
        after = last.to_string();
        let now = Utc::now();
        let objects: Vec<Condemned> =
            keys.into_iter().map(|key| Condemned { key, modified_at: now }).collect();
        condemned::condemn(database, &objects).await?;
    }
    // A publication that began before lifted nothing; what it names is seen when it has ended.
    condemned::outlast_open_transactions(database).await?;
    let mut names = Names::gather(database).await?;
    after.clear();
    loop {
        let keys = pending(database, number, &PICTURES, &after).await?;
        let Some(last) = keys.last() else { return Ok(()) };
        after = last.to_string();
        let unnamed = names.missing(&keys).await?;
        for keys in unnamed.chunks(REMOVED_TOGETHER) {
            let removing = condemned::begin_removal(database, keys).await?;
            for key in &removing {
                remove(store, key).await?;
            }
            let mut transaction = database.begin().await?;
            condemned::note_removed(&mut transaction, &removing).await?;
            note_gone(transaction, number, &removing).await?;
        }
        // What is named by a row, or was named again since it was condemned.
        let shared = pending_among(database, number, &keys).await?;
        condemned::spare(database, &shared).await?;
        sqlx::query("update erased_item set shared = true where erasure = $1 and name = any($2)")
            .bind(number)
            .bind(shared.iter().map(ToString::to_string).collect::<Vec<_>>())
            .execute(database.pool())
            .await
            .map_err(query("note shared objects"))?;
    }
}

/// Takes an object away and makes sure of it.
async fn remove(store: &dyn ObjectStore, key: &ObjectKey) -> Result<(), ErasureError> {
    store.remove(key).await?;
    match store.head(key).await {
        Err(ObjectError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(ErasureError::StillThere(Box::new(key.clone()))),
    }
}

/// The next objects of an erasure that are there still, in the order of their names.
async fn pending(
    database: &Database,
    number: i32,
    patterns: &[&str],
    after: &str,
) -> Result<Vec<ObjectKey>, StoreError> {
    let keys: Vec<String> = sqlx::query_scalar(
        "select name from erased_item
         where erasure = $1 and name > $2 and name like any($3) and gone_at is null and not shared
         order by name limit $4",
    )
    .bind(number)
    .bind(after)
    .bind(patterns)
    .bind(CHUNK)
    .fetch_all(database.pool())
    .await
    .map_err(query("list objects to erase"))?;
    keys.iter().map(|key| key.parse().map_err(corrupt("key of an object"))).collect()
}

async fn pending_among(
    database: &Database,
    number: i32,
    keys: &[ObjectKey],
) -> Result<Vec<ObjectKey>, StoreError> {
    let left: Vec<String> = sqlx::query_scalar(
        "select name from erased_item where erasure = $1 and name = any($2) and gone_at is null",
    )
    .bind(number)
    .bind(keys.iter().map(ToString::to_string).collect::<Vec<_>>())
    .fetch_all(database.pool())
    .await
    .map_err(query("list objects to erase"))?;
    left.iter().map(|key| key.parse().map_err(corrupt("key of an object"))).collect()
}

async fn note_gone(
    mut transaction: sqlx::PgTransaction<'static>,
    number: i32,
    keys: &[ObjectKey],
) -> Result<(), StoreError> {
    sqlx::query("update erased_item set gone_at = now() where erasure = $1 and name = any($2)")
        .bind(number)
        .bind(keys.iter().map(ToString::to_string).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await
        .map_err(query("note erased objects"))?;
    transaction.commit().await.map_err(query("note erased objects"))
}

/// What the manifest holds.
struct Contents {
    lines: u64,
    sha256: Sha256,
    objects: BTreeMap<&'static str, u64>,
    /// Left out of it.
    shared: u64,
}

async fn write_manifest(
    database: &Database,
    number: i32,
    manifest: &mut impl std::io::Write,
) -> Result<Contents, ErasureError> {
    let mut digester = Digester::default();
    let (mut lines, mut shared, mut after) = (0, 0, String::new());
    let mut objects: BTreeMap<&'static str, u64> = BTreeMap::new();
    loop {
        let items: Vec<(String, bool)> = sqlx::query_as(
            "select name, shared from erased_item where erasure = $1 and name > $2 order by name limit $3",
        )
        .bind(number)
        .bind(&after)
        .bind(CHUNK)
        .fetch_all(database.pool())
        .await
        .map_err(query("list what was erased"))?;
        let Some((last, _)) = items.last() else { break };
        after = last.clone();
        shared += items.iter().filter(|(_, shared)| *shared).count() as u64;
        for (name, _) in items.into_iter().filter(|(_, shared)| !shared) {
            if let Ok(key) = name.parse::<ObjectKey>() {
                *objects.entry(key.kind().name()).or_default() += 1;
            }
            let line = format!("{name}\n");
            digester.update(line.as_bytes());
            manifest.write_all(line.as_bytes())?;
            lines += 1;
        }
    }
    manifest.flush()?;
    Ok(Contents { lines, sha256: digester.finish(), objects, shared })
}

async fn certificate(
    database: &Database,
    number: i32,
    contents: Contents,
) -> Result<Certificate, StoreError> {
    let row = sqlx::query(
        "select rule, actor, begun_at, applications, captures, pages, households, decisions,
                (select count(*) from erased_scan join scan on scan.id = scan_id join blob using (sha256)
                 where erasure = number and erased_at is null) as originals_kept
         from erasure where number = $1",
    )
    .bind(number)
    .fetch_one(database.pool())
    .await
    .map_err(query("count what was erased"))?;
    let broken = corrupt("erasure");
    let count = |column| -> Result<u64, StoreError> {
        Ok(row.try_get::<i64, _>(column).map_err(corrupt("erasure"))?.unsigned_abs())
    };
    Ok(Certificate {
        schema: SCHEMA,
        erasure: number,
        rule: row.try_get("rule").map_err(&broken)?,
        actor: row.try_get("actor").map_err(&broken)?,
        begun_at: row.try_get("begun_at").map_err(&broken)?,
        software: env!("CARGO_PKG_VERSION"),
        erased: Erased {
            applications: count("applications")?,
            captures: count("captures")?,
            pages: count("pages")?,
            households: count("households")?,
            decisions: count("decisions")?,
        },
        objects: contents.objects,
        objects_shared: contents.shared,
        originals_kept: count("originals_kept")?,
        manifest_lines: contents.lines,
        manifest_sha256: contents.sha256,
    })
}

async fn close(database: &Database, certificate: &Certificate, actor: &str) -> Result<(), StoreError> {
    let doing = query("close an erasure");
    let mut transaction = database.begin().await?;
    let content = serde_json::to_value(certificate).map_err(corrupt("certificate of erasure"))?;
    sqlx::query("update erasure set finished_at = now(), certificate = $2 where number = $1")
        .bind(certificate.erasure)
        .bind(&content)
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    for statement in
        ["delete from erased_item where erasure = $1", "delete from erased_scan where erasure = $1"]
    {
        sqlx::query(statement).bind(certificate.erasure).execute(&mut *transaction).await.map_err(&doing)?;
    }
    let detail = json!({
        "applications": certificate.erased.applications,
        "manifest_lines": certificate.manifest_lines,
        "manifest_sha256": certificate.manifest_sha256,
    });
    let subject = format!("erasure {}", certificate.erasure);
    events::append(&mut transaction, actor, EventKind::ErasureFinished, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)
}
