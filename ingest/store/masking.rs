//! What must be black on pages of which the machine could not tell: what it blacked out, and what a person
//! said who looked at the picture without it.

use serde_json::json;
use sqlx::{PgConnection, Row};

use super::applications::{self, application_id};
use super::captures::{CaptureId, RecordObject, capture_id};
use super::entries::{Ended, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::ObjectKey;
use super::scans::ScanId;
use super::tasks::{About, TaskId, TaskKind};
use super::{Database, StoreError, condemned, pages, sensitive_originals};
use crate::application_id::ApplicationId;
use crate::geometry::PointPx;
use crate::publish::{CapturedPage, Record};
use crate::read::Covered;
use crate::review::AccountName;

/// What the machine blacked out on a page of which it could not tell everything.
#[derive(Debug, Clone, PartialEq)]
pub struct PageMask {
    /// The page's place in its scan.
    pub index: u32,
    /// All that is black on the published picture, in its pixels.
    pub areas: Vec<Covered>,
    /// The picture on which only numbers that were found are black; noted ([`super::unmasked_pages`]) and stored.
    pub unmasked: ObjectKey,
}

/// Adds what was blacked out on pages of a scan, and asks people about it. A page that was read again is asked
/// about again.
pub(super) async fn add(
    connection: &mut PgConnection,
    scan: ScanId,
    masks: &[PageMask],
) -> Result<(), StoreError> {
    let doing = query("add what was blacked out");
    for PageMask { index, areas, unmasked } in masks {
        sqlx::query(
            "insert into page_mask (scan_id, page_index, areas, unmasked_key) values ($1, $2, $3::json, $4)
             on conflict (scan_id, page_index) do update
             set areas = excluded.areas, unmasked_key = excluded.unmasked_key, chosen = null, decided_by = null,
                 decided_at = null",
        )
        .bind(scan.0)
        .bind(i64::from(*index))
        .bind(pages::json(areas)?)
        .bind(unmasked.to_string())
        .execute(&mut *connection)
        .await
        .map_err(&doing)?;
        sqlx::query(
            "insert into task (kind, scan_id, page_index) values ('mask', $1, $2)
             on conflict (scan_id, page_index, kind) where scan_id is not null do update
             set state = 'open', epoch = task.epoch + 1, holder = null, leased_until = null, done_at = null,
                 done_by = null",
        )
        .bind(scan.0)
        .bind(i64::from(*index))
        .execute(&mut *connection)
        .await
        .map_err(&doing)?;
    }
    Ok(())
}

/// Forgets what was blacked out on a page that is read again: its picture is another one now.
pub(super) async fn forget(
    connection: &mut PgConnection,
    scan: ScanId,
    index: u32,
) -> Result<(), StoreError> {
    for statement in [
        "delete from page_mask where scan_id = $1 and page_index = $2",
        "update task set state = 'withdrawn', holder = null, leased_until = null
         where scan_id = $1 and page_index = $2 and kind = 'mask' and state = 'open'",
    ] {
        sqlx::query(statement)
            .bind(scan.0)
            .bind(i64::from(index))
            .execute(&mut *connection)
            .await
            .map_err(query("forget what was blacked out"))?;
    }
    Ok(())
}

/// What was blacked out on a page, while the picture without it is kept.
pub async fn of(database: &Database, scan: ScanId, index: u32) -> Result<Option<PageMask>, StoreError> {
    let row = sqlx::query(
        "select areas::text, unmasked_key from page_mask as m
         where scan_id = $1 and page_index = $2
           and exists (select from unmasked_page as u
                       where u.scan_id = $1 and u.page_index = $2 and u.object_key = m.unmasked_key
                         and u.removed_at is null)",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .fetch_optional(database.pool())
    .await
    .map_err(query("look what was blacked out"))?;
    row.map(|row| {
        let broken = corrupt("mask of a page");
        let areas: String = row.try_get("areas").map_err(&broken)?;
        let key: String = row.try_get("unmasked_key").map_err(&broken)?;
        Ok(PageMask {
            index,
            areas: serde_json::from_str(&areas).map_err(corrupt("mask of a page"))?,
            unmasked: key.parse().map_err(corrupt("key of an object"))?,
        })
    })
    .transpose()
}

/// A page as it is published now.
#[derive(Clone)]
pub struct PublishedPage {
    pub scan: ScanId,
    pub index: u32,
    pub image: ObjectKey,
    /// None where it waits for its ID.
    pub capture: Option<PublishedCapture>,
}

/// The capture that a page is part of.
#[derive(Clone)]
pub struct PublishedCapture {
    pub id: CaptureId,
    pub application_id: ApplicationId,
    pub version: u32,
    pub record: Record,
    pub page: CapturedPage,
}

/// The page of a scan; none where it was erased.
pub async fn published(
    database: &Database,
    scan: ScanId,
    index: u32,
) -> Result<Option<PublishedPage>, StoreError> {
    let row = sqlx::query(
        "select image_key, captured::text, capture.id::text as capture_id, capture.application_id,
                capture.version, record::text
         from page left join capture on capture.id = page.capture_id
         where scan_id = $1 and page_index = $2 and page.erased_at is null and image_key is not null",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .fetch_optional(database.pool())
    .await
    .map_err(query("look at a page"))?;
    let Some(row) = row else { return Ok(None) };
    let broken = corrupt("page");
    let image: String = row.try_get("image_key").map_err(&broken)?;
    let capture = match capture_id(&row, "capture_id")? {
        None => None,
        Some(id) => {
            let record: String = row.try_get("record").map_err(&broken)?;
            // The parser's own message may repeat a piece of the document.
            Some(PublishedCapture {
                id,
                application_id: application_id(&row, "application_id")?,
                version: row.try_get::<i32, _>("version").map_err(&broken)?.unsigned_abs(),
                record: serde_json::from_str(&record).map_err(|_| corrupt("capture")("its record"))?,
                page: pages::captured(&row)?,
            })
        }
    };
    Ok(Some(PublishedPage {
        scan,
        index,
        image: image.parse().map_err(corrupt("key of an object"))?,
        capture,
    }))
}

/// What a person said must be black on a page. The objects that it names are stored.
#[derive(Debug)]
pub struct Masking<'a> {
    /// The new picture.
    pub image: &'a ObjectKey,
    /// All that is black on it.
    pub chosen: &'a [[PointPx; 4]],
    /// How many of the machine's places are seen again, and how many are new.
    pub shown: usize,
    pub added: usize,
    pub whole: bool,
    /// Of a captured page: its row and its capture's record, with the new picture.
    pub capture: Option<(&'a CapturedPage, &'a RecordObject)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masked {
    Done,
    /// By the same person, with the same claim.
    Before,
    /// Somebody else has the task now, or nobody.
    Stale,
    /// The page or its record was published anew meanwhile; nothing was changed. Look again.
    Moved,
}

/// Whether that person has ended the task under that claim.
pub async fn was_decided(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (select from task
                        where id = $1 and kind = 'mask' and epoch = $2 and done_by = $3 and state = 'done')",
    )
    .bind(id.0)
    .bind(epoch)
    .bind(account.as_str())
    .fetch_one(database.pool())
    .await
    .map_err(query("look at a task"))
}

/// Ends a task with what must be black: the page and its record name the new picture, and what was kept for the
/// task goes. [`StoreError::ObjectsRemoved`] means that the objects must be stored again; nothing was changed.
pub async fn decide(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    before: &PublishedPage,
    masking: &Masking<'_>,
) -> Result<Masked, StoreError> {
    let doing = query("decide what must be black");
    let PublishedPage { scan, index, .. } = *before;
    let mut transaction = database.begin().await?;
    // A publication that is on its way builds on the page as it will be.
    let application = before.capture.as_ref().map(|capture| capture.application_id);
    applications::advance(&mut transaction, application.as_slice()).await?;
    // Then the page, what is kept of it, and the task: in this order everywhere, so that nobody waits in a circle.
    for statement in [
        "select page_index from page where scan_id = $1 and page_index = $2 for update",
        "update unmasked_page set remove_after = now()
         where scan_id = $1 and page_index = $2 and removed_at is null",
    ] {
        sqlx::query(statement)
            .bind(scan.0)
            .bind(i64::from(index))
            .execute(&mut *transaction)
            .await
            .map_err(&doing)?;
    }
    let task = match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(task) => task,
        Ended::Before => return Ok(Masked::Before),
        Ended::Not => return Ok(Masked::Stale),
    };
    if task.kind != TaskKind::Mask || task.about != (About::Page { scan, index }) {
        return Err(StoreError::Refused("that task is about something else"));
    }
    let captured = masking.capture.map(|(page, _)| pages::json(page)).transpose()?;
    let page = sqlx::query(
        "update page set image_key = $4, captured = coalesce($5::json, captured)
         where scan_id = $1 and page_index = $2 and image_key = $3 and erased_at is null
           and capture_id is not distinct from $6::uuid",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .bind(before.image.to_string())
    .bind(masking.image.to_string())
    .bind(captured)
    .bind(before.capture.as_ref().map(|capture| capture.id.to_string()))
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if page.rows_affected() != 1 {
        return Ok(Masked::Moved);
    }
    let mut objects = vec![masking.image.to_string()];
    let mut detail = json!({
        "scan": scan,
        "page": index,
        "boxes": masking.chosen.len(),
        "shown": masking.shown,
        "added": masking.added,
        "whole": masking.whole,
    });
    let subject = match (&before.capture, masking.capture) {
        (Some(capture), Some((_, record))) => {
            let changed = sqlx::query(
                "update capture set version = version + 1, record = $3::json, record_key = $4, record_sha256 = $5
                 where id = $1::uuid and version = $2 and erased_at is null",
            )
            .bind(capture.id.to_string())
            .bind(i64::from(capture.version))
            .bind(record.json())
            .bind(record.key().to_string())
            .bind(&record.sha256().as_bytes()[..])
            .execute(&mut *transaction)
            .await
            .map_err(&doing)?;
            if changed.rows_affected() != 1 {
                return Ok(Masked::Moved);
            }
            objects.push(record.key().to_string());
            // It names the record's new version for those who look for objects without a name.
            detail["application_id"] = json!(capture.application_id);
            detail["version"] = json!(capture.version + 1);
            detail["record_sha256"] = json!(record.sha256());
            format!("capture {}", capture.id)
        }
        (None, None) => format!("scan {scan}"),
        _ => return Err(StoreError::Refused("a captured page has a record")),
    };
    if !condemned::lift(&mut transaction, &objects).await? {
        transaction.rollback().await.map_err(&doing)?;
        condemned::readmit(database, &objects).await?;
        return Err(StoreError::ObjectsRemoved);
    }
    sqlx::query(
        "update page_mask set chosen = $3::json, decided_by = $4, decided_at = now()
         where scan_id = $1 and page_index = $2",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .bind(pages::json(&masking.chosen)?)
    .bind(account.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    sensitive_originals::let_go(&mut transaction, scan).await?;
    events::append(&mut transaction, account.as_str(), EventKind::PageMasked, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(Masked::Done)
}
