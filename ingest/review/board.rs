//! The supervisor's page: how the work stands, and what came of each batch.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::promise::{Promise, promise};
use super::switching::{Inspection, JudgedLot, Severity};
use super::{Desk, DeskError};
use crate::store::accounting::{self, Filter};
use crate::store::backlog::{self, Backlog};
use crate::store::lots::{self, Lot};
use crate::store::page_quality::{self, StationQuality};

#[derive(Serialize, JsonSchema)]
pub(super) struct Board {
    backlog: Backlog,
    /// The certificate in use, and whether it still accepts anything.
    promise: Option<Promise>,
    /// How pages come from each station.
    stations: Vec<StationQuality>,
    /// Those that do not balance first, then by name.
    batches: Vec<Batch>,
    /// Of all batches, those that are not listed.
    batches_left_out: usize,
    /// Batches that were sampled: those that are stopped first, then those that are open.
    lots: Vec<Lot>,
    /// Stations whose next batch is inspected more strictly.
    tightened: Vec<TightenedStation>,
}

#[derive(Serialize, JsonSchema)]
struct TightenedStation {
    station: String,
    /// So much was rejected all the same that nothing more should be taken from it until it is seen to.
    is_discontinued: bool,
}

/// Sheets in = pages accounted for.
#[derive(Serialize, JsonSchema)]
struct Batch {
    station: String,
    batch: Option<String>,
    files: u64,
    repeated: u64,
    waiting: u64,
    quarantined: u64,
    pages: u64,
    captured: u64,
    blank: u64,
    unassigned: u64,
    duplicates: u64,
    balances: bool,
}

/// What a page can show.
const MOST_BATCHES: usize = 200;
const MOST_LOTS: u32 = 100;

pub(super) async fn board(State(desk): State<Desk>) -> Result<Json<Board>, DeskError> {
    let backlog = backlog::backlog(&desk.database).await?;
    let stations = page_quality::by_station(&desk.database).await?;
    let mut batches: Vec<Batch> = accounting::by_batch(&desk.database, &Filter::default())
        .await?
        .into_iter()
        .map(|(name, sum)| Batch {
            station: name.station,
            batch: name.batch,
            files: sum.arrivals,
            repeated: sum.repeated,
            waiting: sum.scans_waiting + sum.scans_working,
            quarantined: sum.scans_quarantined,
            pages: sum.pages,
            captured: sum.captured,
            blank: sum.blank,
            unassigned: sum.unassigned,
            duplicates: sum.duplicates,
            balances: sum.balances(),
        })
        .collect();
    batches.sort_by_key(|batch| batch.balances);
    let batches_left_out = batches.len().saturating_sub(MOST_BATCHES);
    batches.truncate(MOST_BATCHES);
    Ok(Json(Board {
        backlog,
        promise: promise(&desk).await?,
        stations,
        batches,
        batches_left_out,
        lots: lots::list(&desk.database, MOST_LOTS).await?,
        tightened: tightened(lots::histories(&desk.database).await?),
    }))
}

fn tightened(histories: BTreeMap<String, Vec<JudgedLot>>) -> Vec<TightenedStation> {
    let inspections = histories.into_iter().map(|(station, history)| (station, Inspection::after(&history)));
    inspections
        .filter(|(_, inspection)| inspection.severity == Severity::Tightened)
        .map(|(station, Inspection { is_discontinued, .. })| TightenedStation { station, is_discontinued })
        .collect()
}
