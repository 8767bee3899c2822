//! What people decide of pages that carry no valid ID, the rescans that they ask for, and of two
//! captures of one application which one counts.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Row;

use super::applications::application_id;
use super::captures::CaptureId;
use super::entries::{Ended, end};
use super::error::{corrupt, query};
use super::events::{self, EventKind};
use super::objects::ObjectKey;
use super::scans::ScanId;
use super::tasks::{self, About, PlannedTask, TaskId, TaskKind};
use super::{Database, StoreError, announcements, rereading};
use crate::application_id::ApplicationId;
use crate::approve::Counts;
use crate::review::AccountName;

/// What a page without a valid ID is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageOutcome {
    /// The printed ID was typed twice, and is in the register.
    Assigned {
        application: ApplicationId,
        /// To be read as this; none for an enclosure.
        form_page: Option<FormPageName>,
    },
    Blank,
    /// Not of these forms.
    Foreign,
    /// The mailroom is to scan the sheet again.
    Rescan,
}

/// A page of a form, by name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormPageName {
    pub form: String,
    pub version: String,
    /// From 1.
    pub page: u32,
}

impl PageOutcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Assigned { .. } => "assigned",
            Self::Blank => "blank",
            Self::Foreign => "foreign",
            Self::Rescan => "rescan",
        }
    }
}

/// Decides what the page of a task is; false where somebody else has the task now. A page of a form is
/// queued to be read, `read_attempts` times at most.
pub async fn decide(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    outcome: &PageOutcome,
    read_attempts: i32,
) -> Result<bool, StoreError> {
    let doing = query("decide what a page is");
    let mut transaction = database.begin().await?;
    let task = match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(task) => task,
        Ended::Before => return Ok(true),
        Ended::Not => return Ok(false),
    };
    let (TaskKind::Page, About::Page { scan, index }) = (task.kind, task.about) else {
        return Err(StoreError::Refused("only a task about a page says what a page is"));
    };
    let name = outcome.name();
    let (application, form_page) = match outcome {
        PageOutcome::Assigned { application, form_page } => (Some(*application), form_page.as_ref()),
        PageOutcome::Blank | PageOutcome::Foreign | PageOutcome::Rescan => (None, None),
    };
    let decided = sqlx::query(
        "insert into page_decision (scan_id, page_index, outcome, application_id, decided_by, form, form_version,
                                    form_page)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .bind(name)
    .bind(application.map(|id| id.to_string()))
    .bind(account.as_str())
    .bind(form_page.map(|page| &page.form))
    .bind(form_page.map(|page| &page.version))
    .bind(form_page.map(|page| i64::from(page.page)))
    .execute(&mut *transaction)
    .await;
    match decided {
        Ok(_) => {}
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
            return Err(StoreError::Refused("the register has no such application"));
        }
        Err(error) => return Err(doing(error)),
    }
    if form_page.is_some() {
        rereading::enqueue(&mut transaction, scan, index, read_attempts).await?;
    }
    let detail =
        json!({ "outcome": name, "application_id": application, "page": index, "form_page": form_page });
    let subject = format!("scan {scan}");
    events::append(&mut transaction, account.as_str(), EventKind::PageDecided, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    if form_page.is_some() {
        announcements::announce(database).await;
    }
    Ok(true)
}

/// A page among those of its scan, for the person who says what it is.
#[derive(Debug, Clone)]
pub struct Neighbour {
    pub index: u32,
    pub image: Option<ObjectKey>,
    /// Of a page that carries its ID.
    pub application_id: Option<ApplicationId>,
}

/// The page and those right before and behind it, in the order of the scan.
pub async fn around(database: &Database, scan: ScanId, index: u32) -> Result<Vec<Neighbour>, StoreError> {
    sqlx::query(
        "select page_index, image_key, application_id from page
         where scan_id = $1 and page_index between $2 - 1 and $2 + 1 order by page_index",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .fetch_all(database.pool())
    .await
    .map_err(query("look at neighbours"))?
    .iter()
    .map(|row| {
        let broken = corrupt("page");
        let image: Option<String> = row.try_get("image_key").map_err(&broken)?;
        let application: Option<String> = row.try_get("application_id").map_err(&broken)?;
        Ok(Neighbour {
            index: row.try_get::<i32, _>("page_index").map_err(&broken)?.unsigned_abs(),
            image: image.map(|key| key.parse()).transpose().map_err(corrupt("page"))?,
            application_id: application.map(|_| self::application_id(row, "application_id")).transpose()?,
        })
    })
    .collect()
}

/// Where an unassigned page came from, and why it is unassigned.
#[derive(Debug, Clone)]
pub struct Origin {
    pub station: String,
    pub batch: Option<String>,
    pub file: String,
    pub reason: String,
}

pub async fn origin(database: &Database, scan: ScanId, index: u32) -> Result<Origin, StoreError> {
    let row = sqlx::query(
        "select station, batch, file, unassigned_reason from page join scan on scan.id = scan_id
         where scan_id = $1 and page_index = $2 and page.state = 'unassigned'",
    )
    .bind(scan.0)
    .bind(i64::from(index))
    .fetch_one(database.pool())
    .await
    .map_err(query("look at an unassigned page"))?;
    let broken = corrupt("page");
    Ok(Origin {
        station: row.try_get("station").map_err(&broken)?,
        batch: row.try_get("batch").map_err(&broken)?,
        file: row.try_get("file").map_err(&broken)?,
        reason: row.try_get("unassigned_reason").map_err(&broken)?,
    })
}

/// A sheet that the mailroom is asked to scan again.
#[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
pub struct Rescan {
    pub scan: i64,
    /// From 0.
    pub page_index: u32,
    pub station: String,
    pub batch: Option<String>,
    pub file: String,
    pub asked_at: DateTime<Utc>,
}

/// The sheets that wait to be scanned again, by station and batch.
pub async fn rescans(database: &Database, limit: u32) -> Result<Vec<Rescan>, StoreError> {
    sqlx::query(
        "select scan_id, page_index, station, batch, file, decided_at
         from page_decision join scan on scan.id = scan_id
         where outcome = 'rescan' and settled_at is null
         order by station, batch nulls first, file, page_index limit $1",
    )
    .bind(i64::from(limit))
    .fetch_all(database.pool())
    .await
    .map_err(query("list rescans"))?
    .iter()
    .map(|row| {
        let broken = corrupt("rescan");
        Ok(Rescan {
            scan: row.try_get("scan_id").map_err(&broken)?,
            page_index: row.try_get::<i32, _>("page_index").map_err(&broken)?.unsigned_abs(),
            station: row.try_get("station").map_err(&broken)?,
            batch: row.try_get("batch").map_err(&broken)?,
            file: row.try_get("file").map_err(&broken)?,
            asked_at: row.try_get("decided_at").map_err(&broken)?,
        })
    })
    .collect()
}

/// The mailroom has scanned a sheet again; false where nobody asked for it, or it is settled.
pub async fn settle_rescan(
    database: &Database,
    account: &AccountName,
    scan: i64,
    page_index: u32,
) -> Result<bool, StoreError> {
    let doing = query("settle a rescan");
    let mut transaction = database.begin().await?;
    let settled = sqlx::query(
        "update page_decision set settled_at = now(), settled_by = $3
         where scan_id = $1 and page_index = $2 and outcome = 'rescan' and settled_at is null",
    )
    .bind(scan)
    .bind(i64::from(page_index))
    .bind(account.as_str())
    .execute(&mut *transaction)
    .await
    .map_err(&doing)?;
    if settled.rows_affected() == 0 {
        return Ok(false);
    }
    let (actor, subject) = (account.as_str(), format!("scan {scan}"));
    let detail = json!({ "page": page_index });
    events::append(&mut transaction, actor, EventKind::RescanSettled, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}

/// Says of a task about a duplicate whether the later capture counts. Where it does, `planned` is the
/// work that follows from it. False where somebody else has the task now.
pub async fn decide_duplicate(
    database: &Database,
    account: &AccountName,
    id: TaskId,
    epoch: i32,
    counts: Counts,
    planned: &[PlannedTask],
) -> Result<bool, StoreError> {
    let doing = query("decide a duplicate");
    let mut transaction = database.begin().await?;
    let task = match end(&mut transaction, account, id, epoch).await? {
        Ended::Now(task) => task,
        Ended::Before => return Ok(true),
        Ended::Not => return Ok(false),
    };
    let About::Capture { application_id, capture, .. } = task.about else {
        return Err(StoreError::Refused("only a capture can be a duplicate"));
    };
    sqlx::query("insert into duplicate_decision (capture_id, outcome, decided_by) values ($1::uuid, $2, $3)")
        .bind(capture.to_string())
        .bind(counts.name())
        .bind(account.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(&doing)?;
    match counts {
        Counts::Later => tasks::plan(&mut transaction, application_id, capture, planned).await?,
        // Nothing of it holds, so nothing of it is looked at a second time.
        Counts::Earlier => {
            sqlx::query("update capture set qa_drawn = true where id = $1::uuid")
                .bind(capture.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(&doing)?;
        }
    }
    let detail = json!({ "outcome": counts.name() });
    let subject = format!("capture {capture}");
    events::append(&mut transaction, account.as_str(), EventKind::DuplicateDecided, &subject, detail).await?;
    transaction.commit().await.map_err(&doing)?;
    Ok(true)
}

/// The application's captures before this one, the first first.
pub async fn captures_before(database: &Database, capture: CaptureId) -> Result<Vec<CaptureId>, StoreError> {
    sqlx::query(
        "select earlier.id::text from capture join capture as earlier using (application_id)
         where capture.id = $1::uuid and earlier.seq < capture.seq order by earlier.seq",
    )
    .bind(capture.to_string())
    .fetch_all(database.pool())
    .await
    .map_err(query("look at earlier captures"))?
    .iter()
    .map(|row| super::captures::capture_id(row, "id")?.ok_or_else(|| corrupt("capture")("no ID")))
    .collect()
}
