//! Batches as lots: what the machine accepted in a batch is accepted or rejected by a sample (ISO 2859-1), and who is
//! rejected is looked at in full and not paid. A stop rule for what goes wrong all at once; the claim about errors is
//! the certificate's.

use axum::extract::State;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;

use super::iso2859::{Aql, SamplingPlan};
use super::settling::DESK;
use super::switching::{Inspection, Severity};
use super::{Desk, DeskError, qa};
use crate::application_id::ApplicationId;
use crate::publish::Record;
use crate::store::captures::CaptureId;
use crate::store::field_decisions;
use crate::store::lots::{self, Forming, Quiet, Sampled};
use crate::store::qa::{self as samples, Complete, Drawn};
use crate::store::screening;
use crate::store::sessions::Visitor;

/// Captures a statement.
const CHUNK: u32 = 100;

/// Makes lots of the batches that are in, judges those whose samples were looked at, and has all of those looked at
/// that are rejected.
pub(super) async fn form_and_judge(desk: &Desk) -> Result<(), DeskError> {
    if let Some(aql) = desk.settings.lot_aql {
        let batches = lots::quiet(&desk.database, desk.settings.lot_quiet).await?;
        if !batches.is_empty() {
            let histories = lots::histories(&desk.database).await?;
            for batch in &batches {
                let history = histories.get(&batch.station).map_or(&[][..], Vec::as_slice);
                form(desk, batch, aql, Inspection::after(history).severity).await?;
            }
        }
    }
    lots::judge(&desk.database, DESK).await?;
    screen(desk).await
}

/// A field that the machine accepted, and its place in the draw.
struct Ticket {
    number: u64,
    application: ApplicationId,
    capture: CaptureId,
    drawn: Drawn,
}

async fn form(desk: &Desk, batch: &Quiet, aql: Aql, severity: Severity) -> Result<(), DeskError> {
    let secret = samples::secret(&desk.database).await?;
    let rates = qa::DrawRates::now(desk).await?;
    let (mut ids, mut tickets) = (Vec::new(), Vec::new());
    loop {
        let captures = lots::captures(&desk.database, batch, ids.last().copied(), CHUNK).await?;
        if captures.is_empty() {
            break;
        }
        for complete in captures {
            let (application, capture) = (complete.application_id, complete.capture);
            ids.push(capture);
            tickets.extend(accepted(desk, &complete, &rates).await?.into_iter().map(|drawn| {
                let number = qa::number(&secret, capture, &drawn.field);
                Ticket { number, application, capture, drawn }
            }));
        }
    }
    let size = tickets.len() as u64;
    let plan = SamplingPlan::of_lot(size, aql, severity);
    // The smallest numbers: those that the usual rate draws are among them.
    tickets.sort_unstable_by_key(|ticket| ticket.number);
    let share = plan.sample as f64 / size.max(1) as f64;
    let sample: Vec<Sampled> = tickets
        .into_iter()
        .take(usize::try_from(plan.sample).unwrap_or(usize::MAX))
        .map(|Ticket { application, capture, mut drawn, .. }| {
            drawn.probability = drawn.probability.max(share);
            Sampled { application, capture, drawn }
        })
        .collect();
    let aql_percent = aql.percent();
    let forming =
        Forming { batch, captures: &ids, size, aql_percent, severity, plan, share, sample: &sample };
    Ok(lots::form(&desk.database, &forming).await?)
}

/// What the machine accepted in a capture, as a value or as empty, and nobody has decided since.
async fn accepted(
    desk: &Desk,
    complete: &Complete,
    rates: &qa::DrawRates<'_>,
) -> Result<Vec<Drawn>, DeskError> {
    let record: Record = serde_json::from_str(&complete.record)
        .map_err(|_| DeskError::Inside("a record of an earlier version cannot be read"))?;
    let decisions = field_decisions::current(&desk.database, complete.application_id).await?;
    let fields = qa::samplable(&record, complete.capture, &decisions, rates);
    Ok(fields.filter(|drawn| qa::is_of_machine(&drawn.manner)).collect())
}

/// Makes tasks for all that nobody looks at in rejected lots.
async fn screen(desk: &Desk) -> Result<(), DeskError> {
    let mut captures = screening::captures(&desk.database, CHUNK).await?;
    if captures.is_empty() {
        return Ok(());
    }
    let rates = qa::DrawRates::now(desk).await?;
    while !captures.is_empty() {
        for complete in &captures {
            let fields = accepted(desk, complete, &rates).await?.into_iter().map(Drawn::screened);
            screening::plan(&desk.database, complete, &fields.collect::<Vec<_>>()).await?;
        }
        captures = screening::captures(&desk.database, CHUNK).await?;
    }
    Ok(())
}

/// A lot that was rejected, by its number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Released {
    lot: i64,
}

/// Somebody answers for a rejected lot: its households may be paid.
pub(super) async fn release(
    State(desk): State<Desk>,
    Extension(visitor): Extension<Visitor>,
    Json(Released { lot }): Json<Released>,
) -> Result<Json<serde_json::Value>, DeskError> {
    match lots::release(&desk.database, lot, &visitor.account).await? {
        true => Ok(Json(serde_json::json!({}))),
        false => Err(DeskError::Refused("only a lot that is rejected is released, once")),
    }
}
