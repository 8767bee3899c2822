//! A word to idle workers that scans wait. A hint only: whoever misses it finds the job when it looks
//! again.
//!
//! The server takes one lock for all `notify` of all transactions, from the first of them until its
//! commit is on the disk: in every commit, it halves what a server can commit. So it comes behind the
//! transaction that it tells of, and not more often than [`GATE`] from one process.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgListener;

use super::error::query;
use super::{Database, StoreError};

const CHANNEL: &str = "uketsuke_job";

/// Measured with 8 producers: at this distance announcements cost nothing.
const GATE: Duration = Duration::from_millis(50);

/// When a process last announced anything.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Option<Instant>>);

impl Gate {
    fn opens(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let opens = last.is_none_or(|last| now.duration_since(last) >= GATE);
        if opens {
            *last = Some(now);
        }
        opens
    }
}

/// Tells idle workers that a job was committed. What fails here costs them a moment, nothing else.
pub(super) async fn announce(database: &Database) {
    if !database.gate().opens(Instant::now()) {
        return;
    }
    let told = sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(database.pool()).await;
    if let Err(error) = told.map_err(query("announce a job")) {
        tracing::debug!(%error, "idle workers find the job when they look");
    }
}

/// Hears announcements of the whole fleet, over a connection of its own.
pub struct Announcements(PgListener);

impl Announcements {
    pub async fn listen(database: &Database) -> Result<Self, StoreError> {
        let doing = query("listen to announcements");
        let mut listener = PgListener::connect_with(database.pool()).await.map_err(&doing)?;
        listener.listen(CHANNEL).await.map_err(&doing)?;
        Ok(Self(listener))
    }

    /// Waits for the next. Those that come while the connection is away are lost.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        self.0.recv().await.map(drop).map_err(query("hear announcements"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_once_in_its_time() {
        let (gate, start) = (Gate::default(), Instant::now());
        let opened = (0..100).filter(|&number| gate.opens(start + Duration::from_millis(number))).count();
        assert_eq!(opened, 2, "at 0 and at 50 ms");
    }
}
