//! Pages without a valid ID, rescans, and duplicates: what a person says of them.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settling::settle_when_decided;
use super::task_view::record;
use super::{Desk, DeskError, plan_fields};
use crate::application_id::ApplicationId;
use crate::approve::Counts;
use crate::store::page_decisions::{self, FormPageName, PageOutcome, Rescan};
use crate::store::page_quality::{self, Incomplete};
use crate::store::sessions::Visitor;
use crate::store::tasks::{self, About, TaskId};

/// What a page is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PageSaid {
    epoch: i32,
    outcome: PageKind,
    /// With `assigned`: the ID as it is printed on the page, typed twice.
    #[serde(default)]
    application_id: String,
    #[serde(default)]
    again: String,
    /// With `assigned`: the page of a form that it is, to be read as such; none for an enclosure.
    form_page: Option<FormPageName>,
}

#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub(super) enum PageKind {
    Assigned,
    Blank,
    Foreign,
    Rescan,
}

pub(super) async fn page(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(said): Json<PageSaid>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let outcome = match said.outcome {
        PageKind::Blank => PageOutcome::Blank,
        PageKind::Foreign => PageOutcome::Foreign,
        PageKind::Rescan => PageOutcome::Rescan,
        PageKind::Assigned => {
            if said.application_id != said.again {
                return Err(DeskError::Refused("the two IDs differ"));
            }
            let application = ApplicationId::parse(&said.application_id)
                .map_err(|_| DeskError::Refused("the ID's check digit is wrong"))?;
            let known = |name: &FormPageName| {
                desk.forms.find(&name.form, &name.version).and_then(|form| form.page(name.page)).is_some()
            };
            if said.form_page.as_ref().is_some_and(|name| !known(name)) {
                return Err(DeskError::Refused("no form that is configured here has such a page"));
            }
            PageOutcome::Assigned { application, form_page: said.form_page }
        }
    };
    let attempts = desk.read_attempts;
    match page_decisions::decide(&desk.database, &visitor.account, id, said.epoch, &outcome, attempts).await?
    {
        true => Ok(Json(serde_json::json!({}))),
        false => Err(DeskError::Stale),
    }
}

/// Which of two captures of an application counts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DuplicateSaid {
    epoch: i32,
    later_counts: bool,
}

pub(super) async fn duplicate(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(DuplicateSaid { epoch, later_counts }): Json<DuplicateSaid>,
) -> Result<Json<serde_json::Value>, DeskError> {
    let held = tasks::held(&desk.database, &visitor.account, id).await?;
    let (application, planned) = match held.map(|task| task.about) {
        Some(About::Capture { application_id, capture, .. }) => {
            let record = record(&desk.database, capture).await?;
            let form = desk.forms.find(&record.form.id, &record.form.version);
            (Some(application_id), plan_fields(&record, form, &desk.settings))
        }
        // Told so by the decision itself.
        Some(About::Page { .. } | About::Group | About::Seed) | None => (None, Vec::new()),
    };
    let database = &desk.database;
    let account = &visitor.account;
    let counts = if later_counts { Counts::Later } else { Counts::Earlier };
    if !page_decisions::decide_duplicate(database, account, id, epoch, counts, &planned).await? {
        return Err(DeskError::Stale);
    }
    if let Some(application) = application {
        settle_when_decided(&desk, application, account).await;
    }
    Ok(Json(serde_json::json!({})))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Rescans {
    rescans: Vec<Rescan>,
}

/// More than a mailroom scans again in a day.
const MOST_RESCANS: u32 = 500;

pub(super) async fn rescans(State(desk): State<Desk>) -> Result<Json<Rescans>, DeskError> {
    Ok(Json(Rescans { rescans: page_decisions::rescans(&desk.database, MOST_RESCANS).await? }))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MissingPages {
    captures: Vec<Incomplete>,
}

/// More than a mailroom looks for in a day.
const MOST_INCOMPLETE: u32 = 500;

pub(super) async fn missing_pages(State(desk): State<Desk>) -> Result<Json<MissingPages>, DeskError> {
    let captures = page_quality::incomplete(&desk.database, MOST_INCOMPLETE).await?;
    Ok(Json(MissingPages { captures }))
}

/// The sheet that was scanned again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    scan: i64,
    page_index: u32,
}

pub(super) async fn settle(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Json(Settled { scan, page_index }): Json<Settled>,
) -> Result<Json<serde_json::Value>, DeskError> {
    match page_decisions::settle_rescan(&desk.database, &visitor.account, scan, page_index).await? {
        true => Ok(Json(serde_json::json!({}))),
        false => Err(DeskError::NotFound),
    }
}
