//! What a node answers without a login: whether it lives, whether it can work, and its numbers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::watch;

use super::service::Service;
use crate::fleet::ReaderPool;
use crate::form::Forms;
use crate::intake::FolderState;
use crate::metrics::{self, CertificateInUse, Metrics, Snapshot};
use crate::score::{Basis, Scorer};
use crate::store::standing::{Standing, standing};
use crate::store::{Database, StoreError, drift, revocations};

/// How long the database may take. Prometheus waits 10 s for all numbers, a load balancer less.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the answers are made from; clones share it.
#[derive(Clone)]
pub(super) struct Health {
    database: Database,
    metrics: Metrics,
    /// Where the node reads scans.
    readers: Option<ReaderPool>,
    forms: Arc<Forms>,
    scorer: Arc<Scorer>,
    data: PathBuf,
    /// True from the order to stop on.
    stopping: watch::Receiver<bool>,
    /// On a node that takes files in.
    folder: Option<watch::Receiver<FolderState>>,
}

impl Health {
    pub fn of(
        service: &Service,
        readers: Option<ReaderPool>,
        data: PathBuf,
        stopping: watch::Receiver<bool>,
        folder: Option<watch::Receiver<FolderState>>,
    ) -> Self {
        Self {
            database: service.database.clone(),
            metrics: service.metrics.clone(),
            readers,
            forms: service.forms.clone(),
            scorer: service.scorer.clone(),
            data,
            stopping,
            folder,
        }
    }

    /// `/healthz`: the process answers. `/readyz`: the database does too, and the node takes work.
    /// `/metrics`: for Prometheus.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(async || Json(json!({ "alive": true }))))
            .route("/readyz", get(ready))
            .route("/metrics", get(numbers))
            .with_state(self)
    }

    async fn snapshot(&self) -> Snapshot {
        let standing: Option<Standing> = in_time(standing(&self.database)).await;
        let certificate = match self.scorer.certificate() {
            Some(certificate) => Some(CertificateInUse {
                sha256: certificate.sha256.to_string(),
                basis: match certificate.content.basis {
                    Basis::Proven => "proven",
                    Basis::Provisional => "provisional",
                },
                suspended: match standing {
                    Some(_) => in_time(drift::suspended(&self.database, certificate.sha256))
                        .await
                        .map(|strata| strata.len() as u64),
                    None => None,
                },
                revoked: match standing {
                    Some(_) => in_time(revocations::of(&self.database, certificate.sha256))
                        .await
                        .map(|revocation| revocation.is_some()),
                    None => None,
                },
            }),
            None => None,
        };
        Snapshot {
            standing,
            database_errors: StoreError::failed_queries(),
            reader_ends: self.readers.as_ref().map(ReaderPool::ends).unwrap_or_default(),
            readers: self.readers.as_ref().map_or(0, ReaderPool::size),
            data_free_bytes: super::free_bytes(&self.data).ok(),
            folder: self.folder.as_ref().map(|folder| folder.borrow().clone()),
            certificate,
            acceptance: self.acceptance(),
            draining: *self.stopping.borrow(),
        }
    }

    /// By form, whether the certificate is for it and the models at work. Fields that are suspended
    /// do not count: they are told apart.
    fn acceptance(&self) -> Vec<(String, bool)> {
        let Some(loaded) = self.readers.as_ref().map(ReaderPool::loaded) else { return Vec::new() };
        let none = Default::default();
        let in_force = |form| {
            self.scorer
                .scoring(&loaded.models, loaded.calibration, form, &none)
                .certificate_in_force()
                .is_some()
        };
        self.forms.iter().map(|form| (format!("{}@{}", form.id, form.version), in_force(form))).collect()
    }
}

async fn ready(State(health): State<Health>) -> Response {
    let stopping = *health.stopping.borrow();
    match not_ready(stopping, health.database.check()).await {
        None => Json(json!({ "ready": true })).into_response(),
        Some(reason) => {
            let body = Json(json!({ "ready": false, "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// Why the node should be given nothing to do; none where it may.
async fn not_ready(stopping: bool, database: impl Future<Output = Result<(), StoreError>>) -> Option<String> {
    if stopping {
        return Some("draining: what is in hand is finished, nothing new is taken".to_owned());
    }
    match tokio::time::timeout(PATIENCE, database).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the database did not answer within {} s", PATIENCE.as_secs())),
    }
}

async fn numbers(State(health): State<Health>) -> Response {
    match health.metrics.text(&health.snapshot().await) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The answer, if there is one within [`PATIENCE`].
async fn in_time<T>(question: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(%error, "left out of the metrics");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_drains_says_so_without_asking_the_database() {
        let reason = not_ready(true, std::future::pending()).await;
        assert!(reason.is_some_and(|reason| reason.starts_with("draining")));
        let refused = StoreError::Refused("no answer today");
        assert_eq!(not_ready(false, async { Err(refused) }).await.as_deref(), Some("no answer today"));
        assert_eq!(not_ready(false, async { Ok(()) }).await, None);
    }
}
