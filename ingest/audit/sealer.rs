//! Seals events as they come. Any number of sealers may run in a fleet; one works at a time.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::seals::{self, Sealing};
use crate::store::{Database, StoreError};

/// An event waits for its seal about this long: the time in which a change would go unnoticed.
const INTERVAL: Duration = Duration::from_secs(1);

/// The pause when the database did not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Seals until `stop` turns true.
pub async fn seal_until(database: &Database, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let pause = match seal_all(database).await {
            Ok(_) => INTERVAL,
            Err(error) => {
                tracing::warn!(%error, "events cannot be sealed; trying again");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|&stop| stop) => {}
        }
    }
}

/// Seals every event that may be sealed now, and returns their number: all but those of
/// transactions that began after one that is still open. Where another sealer is at work, nothing.
pub async fn seal_all(database: &Database) -> Result<u64, StoreError> {
    let mut events = 0;
    while let Sealing::Sealed(head) = seals::seal_next(database).await? {
        tracing::debug!(seal = head.number, events = head.events, "sealed");
        events += head.events;
    }
    Ok(events)
}
