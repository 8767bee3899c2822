//! Group verification: one picture of all cells of a group, and what a person says of them.

use std::collections::BTreeMap;
use std::io::Cursor;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use image::imageops::{self, FilterType};
use image::{GrayImage, ImageFormat, Luma};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::settling::settle_when_decided;
use super::work::Ended;
use super::{Desk, DeskError};
use crate::store::events::{self, EventKind};
use crate::store::groups::{self, Said, ShownCell};
use crate::store::objects::ObjectKey;
use crate::store::sessions::Visitor;
use crate::store::tasks::{self, About, TaskId};

/// The side of a cell on the picture, in pixels: a comb's cell is 5 to 8 mm wide, at 200 dpi.
const TILE: u32 = 72;

/// A group as a person sees it: nothing of the forms but the cells.
#[derive(Serialize, JsonSchema)]
pub(super) struct GroupView {
    /// What the machine read all of them as; empty for empty cells.
    character: String,
    cells: usize,
    /// Where the picture of all cells is: squares one below another, in the order of their places from 0.
    picture: String,
}

pub(super) async fn view(desk: &Desk, id: TaskId) -> Result<GroupView, DeskError> {
    let cells = groups::cells(&desk.database, id).await?;
    Ok(GroupView {
        character: cells.first().map(|cell| cell.character.clone()).unwrap_or_default(),
        cells: cells.len(),
        picture: format!("/api/v1/tasks/{id}/cells"),
    })
}

/// All cells of a group on one picture, for the person who holds it.
pub(super) async fn picture(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
) -> Result<Response, DeskError> {
    let task = tasks::held(&desk.database, &visitor.account, id).await?.ok_or(DeskError::NotFound)?;
    if task.about != About::Group {
        return Err(DeskError::NotFound);
    }
    let cells = groups::cells(&desk.database, id).await?;
    let mut crops: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for cell in &cells {
        if !crops.contains_key(&cell.crop) {
            let key: ObjectKey =
                cell.crop.parse().map_err(|_| DeskError::Inside("a cell's picture is no key"))?;
            crops.insert(cell.crop.clone(), desk.objects.get(&key).await?.to_vec());
        }
    }
    let (subject, detail) = (format!("task {id}"), json!({ "cells": cells.len() }));
    let sheet = tokio::task::spawn_blocking(move || sheet(&cells, &crops));
    let sheet = sheet.await.map_err(|_| DeskError::Inside("a group's picture was not made"))??;
    events::note(&desk.database, visitor.account.as_str(), EventKind::ImageViewed, &subject, detail).await?;
    Ok(([(header::CONTENT_TYPE, "image/png")], sheet).into_response())
}

fn sheet(cells: &[ShownCell], crops: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, DeskError> {
    let mut decoded: BTreeMap<&str, GrayImage> = BTreeMap::new();
    let mut sheet = GrayImage::from_pixel(TILE, TILE * cells.len() as u32, Luma([255]));
    for (place, cell) in cells.iter().enumerate() {
        if !decoded.contains_key(cell.crop.as_str()) {
            let bytes = crops.get(&cell.crop).map(Vec::as_slice).unwrap_or_default();
            let crop = image::load_from_memory(bytes)
                .map_err(|_| DeskError::Inside("a field's picture cannot be read"))?;
            decoded.insert(&cell.crop, crop.into_luma8());
        }
        if let Some(crop) = decoded.get(cell.crop.as_str()) {
            let tile = tile(crop, cell.area);
            let (x, y) = ((TILE - tile.width()) / 2, (TILE - tile.height()) / 2);
            imageops::replace(&mut sheet, &tile, i64::from(x), i64::from(y + TILE * place as u32));
        }
    }
    let mut bytes = Cursor::new(Vec::new());
    sheet
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|_| DeskError::Inside("a group's picture cannot be written"))?;
    Ok(bytes.into_inner())
}

/// The cell, as large as fits.
fn tile(crop: &GrayImage, [left, top, width, height]: [f32; 4]) -> GrayImage {
    let pixels = |share: f32, size: u32| (share.clamp(0.0, 1.0) * size as f32).round() as u32;
    let (x, y) = (pixels(left, crop.width()), pixels(top, crop.height()));
    let wide = pixels(width, crop.width()).min(crop.width() - x).max(1);
    let high = pixels(height, crop.height()).min(crop.height() - y).max(1);
    let cell = imageops::crop_imm(crop, x, y, wide, high).to_image();
    let scale = f64::from(TILE) / f64::from(wide.max(high));
    let size = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).clamp(1, TILE);
    imageops::resize(&cell, size(wide), size(high), FilterType::Triangle)
}

/// Which cells are something else than they were read as.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OddOnes {
    epoch: i32,
    /// Their places on the picture, from 0; all others are confirmed.
    odd: Vec<u16>,
}

pub(super) async fn submit(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<TaskId>,
    Json(OddOnes { epoch, odd }): Json<OddOnes>,
) -> Result<Json<Ended>, DeskError> {
    let (account, blind) = (&visitor.account, &desk.settings.blind_fields);
    match groups::submit(&desk.database, account, id, epoch, &odd, blind).await? {
        Said::Done(applications) => {
            for application in applications {
                settle_when_decided(&desk, application, account).await;
            }
            Ok(Json(Ended { first: true }))
        }
        Said::Already => Ok(Json(Ended { first: false })),
        Said::Stale => Err(DeskError::Stale),
    }
}
