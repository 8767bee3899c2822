//! A node waits for its engines. While PostgreSQL or the object store is away it lives, is not ready, says
//! why and tries again; only what no waiting mends ends it: a wrong password, a bucket that is not there,
//! tables of a newer version.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::Common;
use crate::settings;
use crate::store::objects::{ObjectError, ObjectStore};
use crate::store::{Database, StoreError};

/// Between two attempts, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The same reason is logged again after so long.
const REMINDER: Duration = Duration::from_secs(60);

/// A node that is starting, and what it waits for.
#[derive(Clone)]
pub(super) struct Starting(Arc<watch::Sender<String>>);

impl Starting {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new("it starts".to_owned())))
    }

    /// The object store, when it answers.
    pub async fn objects(
        &self,
        common: &Common,
        settings: &settings::Objects,
    ) -> Result<Arc<dyn ObjectStore>, ObjectError> {
        let location = common.objects();
        self.wait("the object store", ObjectError::is_passing, async || location.open(settings).await).await
    }

    /// The database, when it answers.
    pub async fn database(&self, common: &Common) -> Result<Database, StoreError> {
        self.wait("the database", StoreError::is_transient, async || common.database().await).await
    }

    async fn wait<T, E: Display>(
        &self,
        engine: &'static str,
        passes: fn(&E) -> bool,
        open: impl AsyncFn() -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told: Option<(String, Instant)> = None;
        loop {
            self.0.send_replace(format!("it starts, and waits for {engine}"));
            let error = match open().await {
                Err(error) if passes(&error) => error.to_string(),
                result => {
                    if told.is_some() && result.is_ok() {
                        tracing::info!(seconds = begun.elapsed().as_secs(), "{engine} is there");
                    }
                    return result;
                }
            };
            let silent = told.as_ref().is_some_and(|(last, at)| *last == error && at.elapsed() < REMINDER);
            if !silent {
                tracing::warn!(%error, "waiting for {engine}; tried again until it is there");
                told = Some((error.clone(), Instant::now()));
            }
            self.0.send_replace(format!("it starts, and waits for {engine}: {error}"));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Answers on the listener's address until it is told that the node has started.
    pub fn answer(&self, listener: &std::net::TcpListener) -> std::io::Result<Answering> {
        let listener = TcpListener::from_std(listener.try_clone()?)?;
        let (started, told) = oneshot::channel::<()>();
        let routes = self.clone().routes();
        let serving = tokio::spawn(async move {
            let told = async move {
                // Dropped or sent: either way it is over.
                let _ = told.await;
            };
            if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(told).await {
                tracing::error!(%error, "the health checks have ended");
            }
        });
        Ok(Answering { started, serving })
    }

    /// `/healthz`: it lives. Everything else: not yet.
    fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(async || Json(json!({ "alive": true }))))
            .fallback(async |State(starting): State<Starting>| {
                let reason = starting.0.borrow().clone();
                (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "ready": false, "reason": reason })))
            })
            .with_state(self)
    }
}

/// The answers of a node that starts.
pub(super) struct Answering {
    started: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Answering {
    /// Ends them. Whoever asks from now on waits for a moment, and is answered by what comes next; who was let in
    /// and had not asked yet is cut off, and asks again.
    pub async fn end(self) {
        drop(self.started);
        // A panic of the task was reported by the panic hook.
        let _ = tokio::time::timeout(LONGEST_PAUSE, self.serving).await;
    }
}
