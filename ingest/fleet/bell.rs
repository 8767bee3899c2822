//! Wakes the idle slots of a worker when there may be work: at every announcement, and now and then
//! without one, which is what they can rely on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::store::announcements::Announcements;
use crate::store::{Database, StoreError};

/// Clones ring the same bell.
#[derive(Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Wakes one of those that wait; if none does, the next one does not wait. Whoever finds work rings
    /// again, so that a pile wakes all of them and a single scan only two.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    pub async fn rung(&self) {
        self.0.notified().await;
    }

    /// Rings at every announcement, and after about `pause` without one: a lease that ends is not
    /// announced, a pause that ends is not, and announcements may be lost.
    pub async fn keep_ringing(&self, database: &Database, pause: Duration) -> Infallible {
        let mut announcements = None;
        loop {
            // Nodes that were started together must not ask together for ever.
            let pause = pause.mul_f64(rand::random_range(0.75..1.25));
            if let Ok(Err(error)) = tokio::time::timeout(pause, hear(database, &mut announcements)).await {
                tracing::debug!(%error, "announcements are not heard; looking without them");
                announcements = None;
                tokio::time::sleep(pause).await;
            }
            self.ring();
        }
    }
}

async fn hear(database: &Database, announcements: &mut Option<Announcements>) -> Result<(), StoreError> {
    match announcements {
        Some(announcements) => announcements.next().await,
        // What was announced before is found by the look that comes next.
        None => {
            *announcements = Some(Announcements::listen(database).await?);
            Ok(())
        }
    }
}
