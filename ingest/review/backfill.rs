//! Tasks for what was published by a version without them, and samples for QA.

use std::time::Duration;

use tokio::sync::watch;

use super::settling::DESK;
use super::{Desk, DeskError, lots, plan, promise, qa};
use crate::publish::Record;
use crate::store::tasks;

/// Nodes of the version before may go on publishing while the fleet is brought up to date.
const EVERY: Duration = Duration::from_secs(60);

/// Captures a statement: a record is some 50 kB.
const CHUNK: u32 = 100;

/// Makes tasks of what has none, and draws samples of what is complete and of batches that are in, every minute
/// until it is told to stop.
pub async fn backfill_until(desk: &Desk, mut stopped: watch::Receiver<bool>) {
    loop {
        if let Err(error) = backfill(desk).await {
            tracing::warn!(%error, "no tasks are made of what an earlier version published; it is tried again");
        }
        if let Err(error) = qa::draw_all(desk).await {
            tracing::warn!(%error, "no samples are drawn for QA; it is tried again");
        }
        if let Err(error) = lots::form_and_judge(desk).await {
            tracing::warn!(%error, "batches are not accepted or rejected by their samples; it is tried again");
        }
        if let Err(error) = promise::hold_to_it(desk, DESK).await {
            tracing::warn!(%error, "whether the certificate's promise holds was not looked at; it is tried again");
        }
        if let Err(error) = promise::stop_households(desk, DESK).await {
            tracing::warn!(%error, "not everybody is stopped whom a revoked certificate would pay; nobody is paid \
                                    until they are, and it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopped.wait_for(|&stop| stop) => return,
        }
    }
}

async fn backfill(desk: &Desk) -> Result<(), DeskError> {
    tasks::plan_late_pages(&desk.database).await?;
    loop {
        let captures = tasks::unplanned(&desk.database, CHUNK).await?;
        if captures.is_empty() {
            return Ok(());
        }
        for capture in captures {
            let record: Record = serde_json::from_str(&capture.record)
                .map_err(|_| DeskError::Inside("a record of an earlier version cannot be read"))?;
            let form = desk.forms.find(&record.form.id, &record.form.version);
            let planned = plan(&record, form, capture.duplicate, &desk.settings);
            tasks::plan_late(&desk.database, &capture, &planned).await?;
        }
    }
}
