//! Pages: every page of every scan that was read, each in exactly one state.

use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::StoreError;
use super::applications::texts;
use super::captures::{CaptureId, capture_id};
use super::error::{corrupt, query};
use super::objects::ObjectKey;
use super::scans::ScanId;
use crate::application_id::ApplicationId;
use crate::identify::UnassignedReason;
use crate::pipeline::PageLook;
use crate::publish::CapturedPage;

/// What became of one page of a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct PageOutcome {
    /// `look.index` is the page's place in the scan.
    pub look: PageLook,
    pub state: PageState,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PageState {
    /// Part of a capture of the page's own application.
    Captured { capture: CaptureId, page: Box<CapturedPage> },
    /// `image` where its picture was published all the same.
    Blank { image: Option<ObjectKey> },
    /// It waits for a person.
    Unassigned {
        image: ObjectKey,
        reason: UnassignedReason,
        /// The applications of the pages before and behind it: for that person, nothing else.
        neighbours: Vec<ApplicationId>,
    },
}

/// Rows a statement; a page's documents are some 10 to 50 kB.
const CHUNK: usize = 100;

/// Adds the pages of a scan that was made done in the same transaction, and a task for each that is unassigned.
pub(super) async fn insert(
    connection: &mut PgConnection,
    scan: ScanId,
    pages: &[PageOutcome],
) -> Result<(), StoreError> {
    for chunk in pages.chunks(CHUNK) {
        let rows = chunk.iter().map(PageRow::of).collect::<Result<Vec<_>, _>>()?;
        let text = |value: fn(&PageRow<'_>) -> Option<String>| rows.iter().map(value).collect::<Vec<_>>();
        let number = |value: fn(&PageRow<'_>) -> Option<i32>| rows.iter().map(value).collect::<Vec<_>>();
        sqlx::query(
            "with added as (
                 insert into page (scan_id, page_index, state, capture_id, application_id, form, form_version,
                                   form_page, unassigned_reason, image_key, look, captured, neighbours, skew_deg,
                                   residual_px, symbols)
                 select $1, index, state, capture::uuid, application, form, version, form_page, reason, image,
                        look::json, captured::json, string_to_array(neighbours, ','), skew, residual, symbols
                 from unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
                             $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::real[],
                             $15::real[], $16::int[])
                   as p (index, state, capture, application, form, version, form_page, reason, image, look,
                         captured, neighbours, skew, residual, symbols)
                 returning scan_id, page_index, state
             )
             insert into task (kind, scan_id, page_index)
             select 'page', scan_id, page_index from added where state = 'unassigned' order by page_index",
        )
        .bind(scan.0)
        .bind(number(|row| Some(row.index)))
        .bind(text(|row| Some(row.state.to_owned())))
        .bind(text(|row| row.capture.map(|(id, _)| id.to_string())))
        .bind(text(|row| row.capture.map(|(_, page)| page.identity.application_id.to_string())))
        .bind(text(|row| row.capture.map(|(_, page)| page.identity.form.clone())))
        .bind(text(|row| row.capture.map(|(_, page)| page.identity.version.clone())))
        .bind(number(|row| row.form_page))
        .bind(text(|row| row.reason.clone()))
        .bind(text(|row| row.image.clone()))
        .bind(text(|row| row.look.clone()))
        .bind(text(|row| row.captured.clone()))
        .bind(text(|row| Some(row.neighbours.clone())))
        .bind(rows.iter().map(|row| Some(row.skew_deg)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.residual_px).collect::<Vec<_>>())
        .bind(number(|row| row.symbols))
        .execute(&mut *connection)
        .await
        .map_err(query("add pages"))?;
    }
    Ok(())
}

/// Makes pages that people assigned part of their captures: nobody but a person has said whose they are, and
/// that is kept beside them.
pub(super) async fn capture_assigned(
    connection: &mut PgConnection,
    scan: ScanId,
    pages: &[PageOutcome],
) -> Result<(), StoreError> {
    for page in pages {
        let row = PageRow::of(page)?;
        let Some((capture, captured)) = row.capture else {
            return Err(StoreError::Refused("an assigned page became no part of a capture"));
        };
        let identity = &captured.identity;
        let changed = sqlx::query(
            "update page set state = 'captured', capture_id = $3::uuid, application_id = $4, form = $5,
                             form_version = $6, form_page = $7, image_key = $8, captured = $9::json,
                             skew_deg = $10, residual_px = $11, symbols = $12,
                             unassigned_reason = null, look = null, neighbours = '{}'
             where scan_id = $1 and page_index = $2 and state = 'unassigned'
               and exists (select from page_decision as decided
                           where decided.scan_id = $1 and decided.page_index = $2 and decided.application_id = $4
                             and decided.form = $5 and decided.form_version = $6 and decided.form_page = $7)
               and not exists (select from application where application_id = $4 and erased_at is not null)",
        )
        .bind(scan.0)
        .bind(row.index)
        .bind(capture.to_string())
        .bind(identity.application_id.to_string())
        .bind(&identity.form)
        .bind(&identity.version)
        .bind(row.form_page)
        .bind(&row.image)
        .bind(&row.captured)
        .bind(row.skew_deg)
        .bind(row.residual_px)
        .bind(row.symbols)
        .execute(&mut *connection)
        .await
        .map_err(query("capture an assigned page"))?;
        if changed.rows_affected() != 1 {
            return Err(StoreError::Refused("nobody has assigned that page so, or it was erased"));
        }
    }
    Ok(())
}

/// A page in the types of its columns.
struct PageRow<'a> {
    index: i32,
    state: &'static str,
    capture: Option<(CaptureId, &'a CapturedPage)>,
    form_page: Option<i32>,
    reason: Option<String>,
    image: Option<String>,
    look: Option<String>,
    captured: Option<String>,
    /// Parted by commas: an array of arrays must be rectangular.
    neighbours: String,
    skew_deg: f32,
    residual_px: Option<f32>,
    /// Of a captured page.
    symbols: Option<i32>,
}

impl<'a> PageRow<'a> {
    fn of(page: &'a PageOutcome) -> Result<Self, StoreError> {
        let mut row = Self {
            index: number(page.look.index)?,
            state: "blank",
            capture: None,
            form_page: None,
            reason: None,
            image: None,
            look: None,
            captured: None,
            neighbours: String::new(),
            skew_deg: page.look.skew_deg as f32,
            residual_px: page.look.registration.as_ref().map(|found| found.residual_px as f32),
            symbols: None,
        };
        match &page.state {
            PageState::Blank { image } => {
                row.look = Some(json(&page.look)?);
                row.image = image.as_ref().map(ToString::to_string);
            }
            PageState::Unassigned { image, reason, neighbours } => {
                row.state = "unassigned";
                row.look = Some(json(&page.look)?);
                row.image = Some(image.to_string());
                row.reason = Some(reason_name(*reason)?);
                row.neighbours = texts(neighbours).join(",");
            }
            PageState::Captured { capture, page } => {
                row.state = "captured";
                row.capture = Some((*capture, page));
                row.form_page = Some(number(page.identity.page)?);
                row.image = Some(page.image.to_string());
                row.captured = Some(json(page)?);
                row.symbols = i32::try_from(page.identity.carried_by.len()).ok();
            }
        }
        Ok(row)
    }
}

fn number(value: u32) -> Result<i32, StoreError> {
    i32::try_from(value).map_err(|_| StoreError::Refused("a page number is beyond 2 thousand million"))
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|_| StoreError::Refused("what was seen of a page cannot be written as JSON"))
}

fn reason_name(reason: UnassignedReason) -> Result<String, StoreError> {
    Ok(json(&reason)?.trim_matches('"').to_owned())
}

/// What was read of a page, of its column `captured` as text.
pub(super) fn captured(row: &PgRow) -> Result<CapturedPage, StoreError> {
    let captured: String = row.try_get("captured").map_err(corrupt("page"))?;
    // The parser's own message may repeat a piece of the document; where it stopped is enough.
    serde_json::from_str(&captured)
        .map_err(|error| corrupt("page")(format!("what was read, at character {}", error.column())))
}

/// The captured pages of the applications, by capture and form page.
pub(super) async fn of_applications(
    connection: &mut PgConnection,
    applications: &[ApplicationId],
) -> Result<Vec<(CaptureId, CapturedPage)>, StoreError> {
    sqlx::query(
        "select capture_id::text, captured::text
         from page where capture_id in (select id from capture where application_id = any($1))
           and erased_at is null
         order by capture_id, form_page",
    )
    .bind(texts(applications))
    .fetch_all(connection)
    .await
    .map_err(query("look at pages"))?
    .iter()
    .map(|row| {
        let page = captured(row)?;
        let capture = capture_id(row, "capture_id")?.ok_or_else(|| corrupt("page")("no capture"))?;
        Ok((capture, page))
    })
    .collect()
}
