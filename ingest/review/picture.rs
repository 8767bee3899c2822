//! Pictures of a task, for the person who holds it: a place in the task names them, never a key of the
//! store. Every picture that is sent is an event.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::task_view::record;
use super::{Desk, DeskError};
use crate::store::events::{self, EventKind};
use crate::store::known_answers;
use crate::store::objects::ObjectKey;
use crate::store::page_decisions;
use crate::store::sessions::Visitor;
use crate::store::tasks::{About, Task, TaskId};

/// The picture of the task's field at a place.
pub(super) async fn field(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path((id, place)): Path<(TaskId, usize)>,
) -> Result<Response, DeskError> {
    let About::Capture { capture, fields, .. } = task(&desk, &visitor, id).await?.about else {
        return Err(DeskError::NotFound);
    };
    let name = fields.get(place).ok_or(DeskError::NotFound)?;
    let record = record(&desk.database, capture).await?;
    let key = record.fields.get(name).and_then(|field| field.crop.clone()).ok_or(DeskError::NotFound)?;
    send(&desk, &visitor, id, &key, json!({ "field": name })).await
}

/// The picture of the task's page at a place: those of its capture, then those of the capture that came
/// first; of a page without an ID, those around it.
pub(super) async fn page(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path((id, place)): Path<(TaskId, usize)>,
) -> Result<Response, DeskError> {
    let key = match task(&desk, &visitor, id).await?.about {
        About::Page { scan, index } => {
            let mut around = page_decisions::around(&desk.database, scan, index).await?.into_iter();
            around.nth(place).and_then(|page| page.image).map(|key| key.to_string())
        }
        About::Group | About::Seed => return Err(DeskError::NotFound),
        About::Capture { capture, .. } => {
            let mut images: Vec<String> =
                record(&desk.database, capture).await?.pages.into_iter().map(|page| page.image).collect();
            if place >= images.len()
                && let Some(&first) = page_decisions::captures_before(&desk.database, capture).await?.first()
            {
                images.extend(record(&desk.database, first).await?.pages.into_iter().map(|page| page.image));
            }
            images.into_iter().nth(place)
        }
    };
    let key = key.ok_or(DeskError::NotFound)?;
    send(&desk, &visitor, id, &key, json!({ "page": place })).await
}

async fn task(desk: &Desk, visitor: &Visitor, id: TaskId) -> Result<Task, DeskError> {
    known_answers::held(&desk.database, &visitor.account, id).await?.ok_or(DeskError::NotFound)
}

pub(super) async fn send(
    desk: &Desk,
    visitor: &Visitor,
    id: TaskId,
    key: &str,
    detail: serde_json::Value,
) -> Result<Response, DeskError> {
    let object: ObjectKey =
        key.parse().map_err(|_| DeskError::Inside("a record names a picture by what is no key"))?;
    let bytes = desk.objects.get(&object).await?;
    let subject = format!("task {id}");
    events::note(&desk.database, visitor.account.as_str(), EventKind::ImageViewed, &subject, detail).await?;
    let content_type = if key.ends_with(".png") { "image/png" } else { "image/jpeg" };
    Ok(([(header::CONTENT_TYPE, content_type)], bytes).into_response())
}
