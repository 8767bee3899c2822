//! Pages: every page of every scan that was read, each in exactly one state.

use serde::Serialize;
use sqlx::{PgConnection, Row};

use super::StoreError;
use super::applications::texts;
use super::captures::{CaptureId, capture_id};
use super::error::{corrupt, query};
use super::objects::ObjectKey;
use super::scans::{ScanId, digest};
use crate::application_id::ApplicationId;
use crate::check::Finding;
use crate::identify::{Identification, UnassignedReason};
use crate::pipeline::PageLook;
use crate::publish::{CapturedPage, StoredReading};

/// What became of one page of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct PageOutcome {
    /// `look.index` is the page's place in the scan.
    pub look: PageLook,
    /// Of the published page image; only a blank page may go without.
    pub image: Option<ObjectKey>,
    pub findings: Vec<Finding>,
    pub state: PageState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PageState {
    /// Part of a capture. The readings are empty where the page could not be registered.
    Captured {
        capture: CaptureId,
        application_id: ApplicationId,
        form: String,
        form_version: String,
        /// From 1.
        form_page: u32,
        readings: Vec<StoredReading>,
    },
    Blank,
    Unassigned(UnassignedReason),
}

/// Rows a statement; a page's documents are some 10 to 50 kB.
const CHUNK: usize = 100;

/// Adds the pages of a scan that was made done in the same transaction.
pub(super) async fn insert(
    connection: &mut PgConnection,
    scan: ScanId,
    pages: &[PageOutcome],
) -> Result<(), StoreError> {
    for chunk in pages.chunks(CHUNK) {
        let rows = chunk.iter().map(PageRow::of).collect::<Result<Vec<_>, _>>()?;
        let column = |value: fn(&PageRow) -> Option<String>| rows.iter().map(value).collect::<Vec<_>>();
        sqlx::query(
            "insert into page (scan_id, page_index, state, capture_id, application_id, form, form_version,
                               form_page, unassigned_reason, image_key, look, readings, findings)
             select $1, index, state, capture::uuid, application, form, version, form_page, reason, image,
                    look::json, readings::json, findings::json
             from unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
                         $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
               as p (index, state, capture, application, form, version, form_page, reason, image, look,
                     readings, findings)",
        )
        .bind(scan.0)
        .bind(rows.iter().map(|row| row.index).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.state).collect::<Vec<_>>())
        .bind(column(|row| row.capture.map(|id| id.to_string())))
        .bind(column(|row| row.application_id.map(|id| id.to_string())))
        .bind(column(|row| row.form.clone()))
        .bind(column(|row| row.form_version.clone()))
        .bind(rows.iter().map(|row| row.form_page).collect::<Vec<_>>())
        .bind(column(|row| row.reason.clone()))
        .bind(column(|row| row.image.clone()))
        .bind(column(|row| Some(row.look.clone())))
        .bind(column(|row| row.readings.clone()))
        .bind(column(|row| Some(row.findings.clone())))
        .execute(&mut *connection)
        .await
        .map_err(query("add pages"))?;
    }
    Ok(())
}

/// A page in the types of its columns.
struct PageRow {
    index: i32,
    state: &'static str,
    capture: Option<CaptureId>,
    application_id: Option<ApplicationId>,
    form: Option<String>,
    form_version: Option<String>,
    form_page: Option<i32>,
    reason: Option<String>,
    image: Option<String>,
    look: String,
    readings: Option<String>,
    findings: String,
}

impl PageRow {
    fn of(page: &PageOutcome) -> Result<Self, StoreError> {
        let number = |value: u32| i32::try_from(value).map_err(|_| StoreError::Refused("a page number is too large"));
        let empty = Self {
            index: number(page.look.index)?,
            state: "blank",
            capture: None,
            application_id: None,
            form: None,
            form_version: None,
            form_page: None,
            reason: None,
            image: page.image.as_ref().map(ToString::to_string),
            look: json(&page.look)?,
            readings: None,
            findings: json(&page.findings)?,
        };
        Ok(match &page.state {
            PageState::Blank => empty,
            PageState::Unassigned(reason) => Self {
                state: "unassigned",
                reason: serde_json::to_value(reason)
                    .ok()
                    .and_then(|reason| reason.as_str().map(str::to_owned)),
                ..empty
            },
            PageState::Captured { capture, application_id, form, form_version, form_page, readings } => Self {
                state: "captured",
                capture: Some(*capture),
                application_id: Some(*application_id),
                form: Some(form.clone()),
                form_version: Some(form_version.clone()),
                form_page: Some(number(*form_page)?),
                readings: Some(json(readings)?),
                ..empty
            },
        })
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Refused("a page holds a number that JSON cannot hold"))
}

/// The captured pages of the applications, by capture and form page.
pub(super) async fn of_applications(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<(CaptureId, CapturedPage)>, StoreError> {
    sqlx::query(
        "select capture_id::text, sha256, file, image_key, look::text, readings::text, findings::text
         from page join scan on scan.id = scan_id
         where capture_id in (select id from capture where application_id = any($1))
         order by capture_id, form_page",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at pages"))?
    .iter()
    .map(|row| {
        let broken = corrupt("page");
        let image: String = row.try_get("image_key").map_err(&broken)?;
        let look: PageLook = document(row, "look")?;
        let Identification::Identified(identity) = look.identification.clone() else {
            return Err(corrupt("page")("a captured page without an application ID"));
        };
        let page = CapturedPage {
            sha256: digest(row, "sha256")?,
            file: row.try_get("file").map_err(&broken)?,
            identity,
            image: image.parse().map_err(corrupt("page"))?,
            look,
            readings: document(row, "readings")?,
            findings: document(row, "findings")?,
        };
        let capture = capture_id(row, "capture_id")?.ok_or_else(|| corrupt("page")("no capture"))?;
        Ok((capture, page))
    })
    .collect()
}

fn document<T: serde::de::DeserializeOwned>(
    row: &sqlx::postgres::PgRow,
    column: &str,
) -> Result<T, StoreError> {
    let text: String = row.try_get(column).map_err(corrupt("page"))?;
    // The parser's message may repeat a piece of the document; its place is enough.
    serde_json::from_str(&text).map_err(|error| corrupt("page")(format!("{column}, column {}", error.column())))
}
