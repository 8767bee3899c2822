//! The one transaction that makes a scan's reading true: the job ends, the pages, captures, records
//! and events appear, all of it or nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;

use super::applications::{self, ApplicationVersion};
use super::captures::{CaptureId, RecordObject};
use super::condemned;
use super::drift::{self, Watch};
use super::error::query;
use super::events::{self, EventKind};
use super::jobs::{self, Lease};
use super::masking::{self, PageMask};
use super::pages::{self, PageOutcome, PageState};
use super::scans::Scan;
use super::tasks::{self, PlannedTask};
use super::{Database, StoreError, revocations, sensitive_originals};
use crate::application_id::ApplicationId;

/// What a worker found in a scan. Every object that it names must be in the store by now.
#[derive(Debug)]
pub struct Publication<'a> {
    pub lease: &'a Lease,
    /// Who publishes: the worker's name.
    pub actor: &'a str,
    /// The scan of the lease; its captures take over its station and batch.
    pub scan: &'a Scan,
    /// All pages of the scan.
    pub pages: &'a [PageOutcome],
    pub captures: &'a [CaptureWrite],
    /// The versions of [`applications::states`] that the records were built from: those of every
    /// application that `captures` names.
    pub expected: &'a BTreeMap<ApplicationId, ApplicationVersion>,
    /// For how long the original is kept, where the scan holds, or may hold, numbers that must not be.
    pub sensitive: Option<Duration>,
    /// How many of these, beside others that could not be told, were blacked out.
    pub blacked_out: u32,
    /// What people are asked about of these others, while the pictures without them are kept.
    pub masks: &'a [PageMask],
    /// The confidences of this scan, to be compared with the certificate's; none where there is no
    /// certificate.
    pub watch: Option<Watch<'a>>,
}

/// A capture that a scan makes or completes.
#[derive(Debug)]
pub struct CaptureWrite {
    pub id: CaptureId,
    pub application_id: ApplicationId,
    pub change: CaptureChange,
    pub record: RecordObject,
    /// Pages of its form that it lacks.
    pub missing: Vec<u32>,
    /// The work for people that follows from the record.
    pub tasks: Vec<PlannedTask>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureChange {
    /// A further capture: the first of its application, or a duplicate of the first.
    New { captured_at: DateTime<Utc> },
    /// A page that it lacked has come in the same station's same batch; `version` is the one that
    /// was there before.
    Completed { version: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    Committed,
    /// An application has moved on since its state was fetched, or the certificate was revoked. Nothing was
    /// changed: fetch the states again, build again, publish again.
    Conflict,
}

/// Publishes a scan in one transaction, fenced by the lease.
///
/// [`StoreError::LeaseLost`] means that another worker has the scan now, [`StoreError::ObjectsRemoved`]
/// that objects must be stored again; nothing was changed.
pub async fn publish(database: &Database, publication: &Publication<'_>) -> Result<Published, StoreError> {
    commit(database, publication, Extent::Scan).await
}

/// What a publication is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A scan that waits, with all its pages.
    Scan,
    /// One page of a scan that is done: a person assigned it, and it was read as what they said.
    AssignedPage,
}

/// Publishes what was read, in one transaction fenced by the lease: as [`publish`], or one page of a scan
/// that was published before.
pub async fn commit(
    database: &Database,
    publication: &Publication<'_>,
    extent: Extent,
) -> Result<Published, StoreError> {
    let Publication { lease, actor, pages, captures, expected, .. } = *publication;
    let mut transaction = database.begin().await?;
    match extent {
        Extent::Scan => finish_scan(&mut transaction, publication).await?,
        Extent::AssignedPage => finish_page(&mut transaction, publication).await?,
    }
    let touched: Vec<ApplicationId> = expected.keys().copied().collect();
    if &applications::advance(&mut transaction, &touched).await? != expected {
        // Dropping the transaction rolls it back, the end of the job included.
        return Ok(Published::Conflict);
    }
    // Somebody at QA was faster: what was accepted must be scored again.
    if let Some(watch) = &publication.watch
        && !watch.known_revoked
        && revocations::is_revoked(&mut transaction, watch.certificate.sha256).await?
    {
        return Ok(Published::Conflict);
    }
    let objects = objects(publication);
    if !condemned::lift(&mut transaction, &objects).await? {
        transaction.rollback().await.map_err(query("end a publication"))?;
        condemned::readmit(database, &objects).await?;
        return Err(StoreError::ObjectsRemoved);
    }
    if let Some(kept) = publication.sensitive {
        sensitive_originals::note(&mut transaction, publication.scan, kept).await?;
    }
    for capture in captures {
        if !expected.contains_key(&capture.application_id) {
            return Err(StoreError::Refused("a capture's application has no expected version"));
        }
        write_capture(&mut transaction, publication, capture).await?;
    }
    match extent {
        Extent::Scan => pages::insert(&mut transaction, lease.scan, pages).await?,
        Extent::AssignedPage => {
            pages::capture_assigned(&mut transaction, lease.scan, pages).await?;
            for page in pages {
                masking::forget(&mut transaction, lease.scan, page.look.index).await?;
            }
        }
    }
    masking::add(&mut transaction, lease.scan, publication.masks).await?;
    // Last, because all publications count in the same few rows: they are locked until the commit.
    let suspended = match &publication.watch {
        Some(watch) => drift::count(&mut transaction, actor, watch).await?,
        None => Vec::new(),
    };
    transaction.commit().await.map_err(query("commit a publication"))?;
    for key in suspended {
        tracing::warn!(
            field = key.field,
            stratum = key.stratum.name(),
            "confidences have shifted against the certificate: nothing more is accepted; \
             see `uketsuke calibrate status`"
        );
    }
    Ok(Published::Committed)
}

/// The keys of all objects that the publication names, but for the original.
fn objects(publication: &Publication<'_>) -> Vec<String> {
    let mut keys: Vec<String> =
        publication.captures.iter().map(|capture| capture.record.key().to_string()).collect();
    for page in publication.pages {
        match &page.state {
            PageState::Captured { page, .. } => {
                keys.push(page.image.to_string());
                keys.extend(page.readings.iter().map(|stored| stored.crop.to_string()));
            }
            PageState::Blank { image } => keys.extend(image.iter().map(ToString::to_string)),
            PageState::Unassigned { image, .. } => keys.push(image.to_string()),
        }
    }
    keys
}

/// Ends the job, fenced by the lease, makes the scan done and says so.
async fn finish_scan(connection: &mut PgConnection, publication: &Publication<'_>) -> Result<(), StoreError> {
    let Publication { lease, actor, scan, pages, .. } = publication;
    let (ended, finished): (i64, i64) = sqlx::query_as(
        "with ended as (
             delete from job where id = $1 and attempts = $2 returning scan_id
         ), finished as (
             update scan set state = 'done', page_count = $4, state_at = now()
             from ended where scan.id = ended.scan_id and scan.id = $3
               and state = 'waiting' and station = $5 and batch is not distinct from $6
             returning scan.id
         ), told as (
             insert into event (actor, kind, subject, detail) select $7, $8, 'scan ' || id, $9 from finished
         )
         select (select count(*) from ended), (select count(*) from finished)",
    )
    .bind(lease.job.0)
    .bind(lease.attempt)
    .bind(lease.scan.0)
    .bind(pages.len() as i64)
    .bind(&scan.station)
    .bind(&scan.batch)
    .bind(actor)
    .bind(EventKind::ScanPublished.name())
    .bind(attempt(publication))
    .fetch_one(connection)
    .await
    .map_err(query("finish a scan"))?;
    jobs::fence(lease, ended.unsigned_abs())?;
    match finished {
        1 => Ok(()),
        _ => Err(StoreError::Refused("the scan of that station and batch does not wait to be read")),
    }
}

/// Ends the job of a page that a person assigned, fenced by the lease, and says so.
async fn finish_page(connection: &mut PgConnection, publication: &Publication<'_>) -> Result<(), StoreError> {
    let Publication { lease, actor, .. } = publication;
    jobs::complete(connection, lease).await?;
    let subject = format!("scan {}", lease.scan);
    events::append(connection, actor, EventKind::PageRead, &subject, attempt(publication)).await
}

/// What an event says of an attempt that came to its end.
fn attempt(Publication { lease, pages, blacked_out, .. }: &Publication<'_>) -> serde_json::Value {
    let count = |wanted: fn(&PageState) -> bool| pages.iter().filter(|page| wanted(&page.state)).count();
    json!({
        "attempt": lease.attempt,
        "pages": pages.len(),
        "captured": count(|state| matches!(state, PageState::Captured { .. })),
        "blank": count(|state| matches!(state, PageState::Blank { .. })),
        "unassigned": count(|state| matches!(state, PageState::Unassigned { .. })),
        "blacked_out": blacked_out,
    })
}

async fn write_capture(
    connection: &mut PgConnection,
    publication: &Publication<'_>,
    capture: &CaptureWrite,
) -> Result<(), StoreError> {
    let CaptureWrite { id, application_id, change, record, tasks, .. } = capture;
    let (kind, seq, version) = match *change {
        CaptureChange::New { captured_at } => {
            let seq = insert_capture(connection, publication, capture, captured_at).await?;
            tasks::add(connection, *application_id, *id, tasks).await?;
            let kind = if seq == 1 { EventKind::CaptureCreated } else { EventKind::CaptureDuplicate };
            (kind, seq, 1)
        }
        CaptureChange::Completed { version } => {
            let seq = complete_capture(connection, publication, capture, version).await?;
            tasks::add_further(connection, *application_id, *id, tasks).await?;
            (EventKind::CaptureCompleted, seq, version + 1)
        }
    };
    let detail = json!({
        "application_id": application_id,
        "seq": seq,
        "version": version,
        "record_sha256": record.sha256(),
        "scan": publication.lease.scan,
    });
    events::append(connection, publication.actor, kind, &format!("capture {id}"), detail).await
}

/// Adds a capture behind those that are there; returns its place among them, from 1.
async fn insert_capture(
    connection: &mut PgConnection,
    publication: &Publication<'_>,
    capture: &CaptureWrite,
    captured_at: DateTime<Utc>,
) -> Result<i32, StoreError> {
    // The application's row is locked: nobody else counts at the same time.
    sqlx::query_scalar(
        "insert into capture (id, application_id, station, batch, seq, duplicate_of, record, record_key,
                              record_sha256, captured_at, tasks_planned, missing)
         select $1::uuid, $2, $3, $4, count(*) + 1, (array_agg(id order by seq))[1], $5::json, $6, $7, $8, true,
                $9
         from capture where application_id = $2
         returning seq",
    )
    .bind(capture.id.to_string())
    .bind(capture.application_id.to_string())
    .bind(&publication.scan.station)
    .bind(&publication.scan.batch)
    .bind(capture.record.json())
    .bind(capture.record.key().to_string())
    .bind(&capture.record.sha256().as_bytes()[..])
    .bind(captured_at)
    .bind(missing(capture))
    .fetch_one(connection)
    .await
    .map_err(query("add a capture"))
}

async fn complete_capture(
    connection: &mut PgConnection,
    publication: &Publication<'_>,
    capture: &CaptureWrite,
    version: u32,
) -> Result<i32, StoreError> {
    sqlx::query_scalar(
        "update capture set version = version + 1, record = $2::json, record_key = $3, record_sha256 = $4,
                            missing = $9, published_at = now(), tasks_planned = true, qa_drawn = false
         where id = $1::uuid and version = $5 and application_id = $6 and station = $7
           and batch is not distinct from $8
         returning seq",
    )
    .bind(capture.id.to_string())
    .bind(capture.record.json())
    .bind(capture.record.key().to_string())
    .bind(&capture.record.sha256().as_bytes()[..])
    .bind(i64::from(version))
    .bind(capture.application_id.to_string())
    .bind(&publication.scan.station)
    .bind(&publication.scan.batch)
    .bind(missing(capture))
    .fetch_optional(connection)
    .await
    .map_err(query("complete a capture"))?
    .ok_or(StoreError::Refused("only a capture of the same application, station and batch is completed"))
}

fn missing(capture: &CaptureWrite) -> Vec<i32> {
    capture.missing.iter().filter_map(|&page| i32::try_from(page).ok()).collect()
}
