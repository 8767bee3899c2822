//! What must be black on a page of which the machine could not tell: the masker sees it without what was
//! blacked out for doubt, and says what stays. A number that was found is on no picture that they get.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::settling::settle_when_decided;
use super::work::Ended;
use super::{Desk, DeskError, picture};
use crate::digest::Sha256;
use crate::geometry::PointPx;
use crate::publish::{Black, CapturedPage, EncodedImage, mask_record, remask};
use crate::read::{Cover, Covered, MaskedByHand};
use crate::store::captures::RecordObject;
use crate::store::masking::{self, Masked, Masking, PageMask, PublishedPage};
use crate::store::objects::{ObjectKey, ObjectKind};
use crate::store::scans::ScanId;
use crate::store::sensitive_originals::remove_due_of_scan;
use crate::store::sessions::Visitor;
use crate::store::tasks::{self, About, Task, TaskId, TaskKind};
use crate::store::{Database, StoreError};

/// A page whose black places somebody looks at.
#[derive(Serialize, JsonSchema)]
pub(super) struct MaskingView {
    /// Where the picture is on which only numbers that were found are black.
    pub picture: String,
    /// What the machine blacked out.
    pub areas: Vec<AreaView>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AreaView {
    /// Those with a number stay.
    pub cover: Cover,
    /// Of a quadrangle, in pixels of the picture.
    pub corners: [[f64; 2]; 4],
}

pub(super) async fn view(
    desk: &Desk,
    id: TaskId,
    scan: ScanId,
    index: u32,
) -> Result<MaskingView, DeskError> {
    // Its time may be over at this moment: then the page says that there is no picture.
    let mask = masking::of(&desk.database, scan, index).await?;
    let area = |&Covered { cover, corners }: &Covered| AreaView {
        cover,
        corners: corners.map(|PointPx { x, y }| [x, y]),
    };
    Ok(MaskingView {
        picture: format!("/api/v1/tasks/{id}/unmasked"),
        areas: mask.iter().flat_map(|mask| &mask.areas).map(area).collect(),
    })
}

/// The picture of the task's page without what was blacked out for doubt.
pub(super) async fn unmasked(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
) -> Result<Response, DeskError> {
    let (_, scan, index) = held(&desk.database, &visitor, id).await?.ok_or(DeskError::NotFound)?;
    let mask = masking::of(&desk.database, scan, index).await?.ok_or(DeskError::NotFound)?;
    let detail = json!({ "page": index, "unmasked": true });
    picture::send(&desk, &visitor, id, &mask.unmasked.to_string(), detail).await
}

async fn held(
    database: &Database,
    visitor: &Visitor,
    id: TaskId,
) -> Result<Option<(Task, ScanId, u32)>, StoreError> {
    let task = tasks::held(database, &visitor.account, id).await?;
    Ok(task.filter(|task| task.kind == TaskKind::Mask).and_then(|task| match task.about {
        About::Page { scan, index } => Some((task, scan, index)),
        About::Capture { .. } | About::Group | About::Seed => None,
    }))
}

/// What must be black.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MaskSaid {
    epoch: i32,
    /// Of the machine's places, by their place in the task, those that may be seen.
    #[serde(default)]
    shown: Vec<usize>,
    /// Further ones: left, top, width and height in pixels of the picture.
    #[serde(default)]
    added: Vec<[f64; 4]>,
    /// The whole page.
    #[serde(default)]
    whole: bool,
}

/// More than anybody draws on a page.
const MOST_ADDED: usize = 200;
/// No picture has a longer side.
const LONGEST_SIDE: f64 = 200_000.0;
/// The page may be published anew while it is decided about; more than once is a fault of ours.
const ATTEMPTS: usize = 5;

impl MaskSaid {
    /// All that is black then.
    fn chosen(&self, areas: &[Covered]) -> Result<Vec<[PointPx; 4]>, DeskError> {
        if self.shown.iter().any(|&place| areas.get(place).is_none()) {
            return Err(DeskError::Refused("the page has no such place"));
        }
        if self.shown.iter().any(|&place| areas[place].cover == Cover::Number) {
            return Err(DeskError::Refused("a number was found there: it stays black"));
        }
        let fits = |value: &f64| value.is_finite() && value.abs() <= LONGEST_SIDE;
        let is_box = |[x, y, w, h]: &[f64; 4]| [x, y, w, h].into_iter().all(fits) && *w > 0.0 && *h > 0.0;
        if self.added.len() > MOST_ADDED || !self.added.iter().all(is_box) {
            return Err(DeskError::Refused("a new place is no box on a page, or there are too many"));
        }
        let left = areas.iter().enumerate().filter(|(place, _)| !self.shown.contains(place));
        let added = self.added.iter().map(|&[x, y, w, h]| {
            [(x, y), (x + w, y), (x + w, y + h), (x, y + h)].map(|(x, y)| PointPx { x, y })
        });
        Ok(left.map(|(_, area)| area.corners).chain(added).collect())
    }
}

pub(super) async fn save(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(mut said): Json<MaskSaid>,
) -> Result<Json<Ended>, DeskError> {
    said.shown.sort_unstable();
    said.shown.dedup();
    let held = held(&desk.database, &visitor, id).await?;
    let Some((_, scan, index)) = held.filter(|(task, ..)| task.epoch == said.epoch) else {
        return match masking::was_decided(&desk.database, &visitor.account, id, said.epoch).await? {
            true => Ok(Json(Ended { first: false })),
            false => Err(DeskError::Stale),
        };
    };
    let PageMask { areas, unmasked, .. } =
        masking::of(&desk.database, scan, index).await?.ok_or(DeskError::Stale)?;
    let chosen = said.chosen(&areas)?;
    let black = if said.whole { Black::Whole } else { Black::Places(chosen.clone()) };
    let picture = masked_picture(&desk, &unmasked, black).await?;
    let image = ObjectKey::of(ObjectKind::Page, Sha256::of(&picture.bytes), Some(picture.format.extension()));
    let by_hand = match said.whole {
        true => MaskedByHand { places: 1, whole: true },
        false => MaskedByHand { places: chosen.len() as u32, whole: false },
    };
    for _ in 0..ATTEMPTS {
        let before = masking::published(&desk.database, scan, index).await?.ok_or(DeskError::Stale)?;
        desk.objects.put(&image, &picture.bytes).await?;
        let capture = masked_capture(&before, &image, by_hand)?;
        if let Some((_, record)) = &capture {
            desk.objects.put(record.key(), record.bytes()).await?;
        }
        let masking = Masking {
            image: &image,
            chosen: &chosen,
            shown: said.shown.len(),
            added: said.added.len(),
            whole: said.whole,
            capture: capture.as_ref().map(|(page, record)| (page, record)),
        };
        match masking::decide(&desk.database, &visitor.account, id, said.epoch, &before, &masking).await {
            Ok(Masked::Done) => {
                afterwards(&desk, &visitor, &before).await;
                return Ok(Json(Ended { first: true }));
            }
            Ok(Masked::Before) => return Ok(Json(Ended { first: false })),
            Ok(Masked::Stale) => return Err(DeskError::Stale),
            Ok(Masked::Moved) | Err(StoreError::ObjectsRemoved) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(DeskError::Inside("a page was published anew again and again"))
}

/// The picture with exactly that black, made beside the server's own work.
async fn masked_picture(desk: &Desk, unmasked: &ObjectKey, black: Black) -> Result<EncodedImage, DeskError> {
    let _one_of_few =
        desk.masking.acquire().await.map_err(|_| DeskError::Inside("pictures are made no more"))?;
    let bytes = desk.objects.get(unmasked).await?;
    let (bilevel, settings) = (unmasked.to_string().ends_with(".png"), desk.publish.clone());
    let made = tokio::task::spawn_blocking(move || remask(&bytes, bilevel, &black, &settings)).await;
    made.map_err(|_| DeskError::Inside("a picture was not made"))?
        .map_err(|_| DeskError::Inside("a picture of ours cannot be masked"))
}

/// The page's row and its capture's record, with the new picture; none where the page waits for its ID.
fn masked_capture(
    before: &PublishedPage,
    image: &ObjectKey,
    by_hand: MaskedByHand,
) -> Result<Option<(CapturedPage, RecordObject)>, DeskError> {
    let Some(capture) = &before.capture else { return Ok(None) };
    let mut page = capture.page.clone();
    let seen = page.copies.clone();
    page.image = image.clone();
    if let Some(copies) = &mut page.copies {
        copies.by_hand = Some(by_hand);
    }
    let mut record = capture.record.clone();
    mask_record(&mut record, &page, seen.as_ref());
    let record =
        RecordObject::of(&record).map_err(|_| DeskError::Inside("a record cannot be written as JSON"))?;
    Ok(Some((page, record)))
}

/// What was said is committed by now and stands: what fails here is made up for later.
async fn afterwards(desk: &Desk, visitor: &Visitor, before: &PublishedPage) {
    let (objects, account) = (&*desk.objects, visitor.account.as_str());
    if let Err(error) = remove_due_of_scan(&desk.database, objects, account, before.scan).await {
        tracing::warn!(scan = %before.scan, %error, "a picture cannot be removed yet; a worker tries again");
    }
    if let Some(capture) = &before.capture {
        settle_when_decided(desk, capture.application_id, &visitor.account).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(cover: Cover) -> Covered {
        Covered {
            cover,
            corners: [(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)].map(|(x, y)| PointPx { x, y }),
        }
    }

    fn said(shown: &[usize], added: &[[f64; 4]]) -> MaskSaid {
        MaskSaid { epoch: 1, shown: shown.to_vec(), added: added.to_vec(), whole: false }
    }

    #[test]
    fn a_number_that_was_found_stays_black() {
        let areas = [area(Cover::Number), area(Cover::Doubt), area(Cover::Untold)];
        let count = |said: MaskSaid| said.chosen(&areas).ok().map(|chosen| chosen.len());
        assert_eq!(count(said(&[], &[])), Some(3));
        assert_eq!(count(said(&[1, 2], &[])), Some(1));
        assert_eq!(count(said(&[1, 1], &[[1.0, 2.0, 3.0, 4.0]])), Some(3));
        assert_eq!(count(said(&[0], &[])), None);
        assert_eq!(count(said(&[3], &[])), None);
        for none in
            [[0.0, 0.0, 0.0, 5.0], [0.0, 0.0, 5.0, -5.0], [f64::NAN, 0.0, 5.0, 5.0], [1e9, 0.0, 5.0, 5.0]]
        {
            assert_eq!(count(said(&[], &[none])), None, "{none:?}");
        }
        assert_eq!(count(said(&[], &[[0.0, 0.0, 1.0, 1.0]; MOST_ADDED + 1])), None);
    }
}
