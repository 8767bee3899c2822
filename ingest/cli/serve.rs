//! `uketsuke serve`: the service. Watches the drop folders, works on what came, answers health
//! checks; drains when it is told to stop.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Common;
use super::service::Service;
use crate::fleet::Until;
use crate::intake::{self, Afterwards, ArrivedFile, Reception, Sighting, Waiting, escaped, is_whole};
use crate::settings::Settings;
use crate::store::Database;

/// Run the service: watch the drop folders and work on what comes
///
/// It runs until it gets SIGTERM or SIGINT; what is in hand is finished first. A second signal ends it
/// at once, which loses nothing either.
///
/// Scanner stations drop files into DATA/drop/STATION[/BATCH]/. A file counts as arrived when it
/// was renamed into place, has a NAME.ready beside it, or has not changed for a time; then its
/// bytes go into the object store, and only then it leaves the folder.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What this node does
    #[arg(long, value_delimiter = ',', default_values = ["intake", "work"])]
    roles: Vec<Role>,
    /// Folder of the stations, instead of DATA/drop
    #[arg(long, value_name = "DIR")]
    drop: Option<PathBuf>,
    /// Where /healthz and /readyz answer
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Role {
    /// Takes files in from the drop folders
    Intake,
    /// Reads scans
    Work,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    super::runtime()?.block_on(serve(common, arguments))
}

async fn serve(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    // First of all: a signal that comes while the service starts must end it as cleanly as a later one.
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let settings = Settings::load(common.config.as_deref())?;
    let roles: BTreeSet<Role> = arguments.roles.into_iter().collect();
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!("{}: cannot listen; name another address with --listen", arguments.listen)
    })?;
    let address = listener.local_addr().unwrap_or(arguments.listen);
    let service = Service::start(common, settings).await?;
    let (stop, stopped) = watch::channel(false);

    let mut tasks = tokio::task::JoinSet::new();
    if roles.contains(&Role::Intake) {
        let root = arguments.drop.unwrap_or_else(|| common.data.join("drop"));
        let watching = intake::watch(&root, &service.settings.intake, is_whole)
            .with_context(|| format!("{}: cannot be watched", root.display()))?;
        tracing::info!(folder = %root.display(), "watching");
        let (reception, stopped) = (service.reception.clone(), stopped.clone());
        tasks.spawn(async move { take_in_sightings(watching, reception, stopped).await });
    }
    if roles.contains(&Role::Work) {
        let (worker, stopped) = (service.worker.clone(), stopped.clone());
        tasks.spawn(async move { worker.run(Until::Told, stopped).await });
    }
    let routes = health(service.database.clone());
    let mut stopped_serving = stopped.clone();
    tasks.spawn(async move {
        let told = async move {
            let _ = stopped_serving.wait_for(|&stop| stop).await;
        };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(told).await {
            tracing::error!(%error, "the health checks have ended");
        }
    });
    tracing::info!(%address, ?roles, "ready");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; what is in hand is finished first");
    stop.send_replace(true);
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        _ = terminate.recv() => tracing::warn!("stopped at once"),
        _ = interrupt.recv() => tracing::warn!("stopped at once"),
    }
    tasks.shutdown().await;
    service.stop().await;
    Ok(())
}

/// Takes in what the watcher reports. What fails stays in the folder and is reported again.
async fn take_in_sightings(
    mut watching: intake::Watching,
    reception: Reception,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let sighting = tokio::select! {
            sighting = watching.sightings.recv() => sighting,
            _ = stopped.wait_for(|&stop| stop) => return,
        };
        match sighting {
            None => return,
            Some(Sighting::Arrived(file)) => take_in(&reception, &file, &Afterwards::Remove).await,
            Some(Sighting::Overdue { file, waited, why }) => {
                let (name, minutes) = (escaped(file.path.as_os_str()), waited.as_secs() / 60);
                tracing::warn!(file = name, minutes, ?why, "a file has not arrived; it is waited for");
                // What lies there is quarantined with its reason, so that somebody sees it. Should the
                // rest come after all, it is taken in as another scan.
                if why == Waiting::Incomplete {
                    take_in(&reception, &file, &Afterwards::Leave).await;
                }
            }
            Some(Sighting::Finding(finding)) => tracing::warn!("left where it is: {finding}"),
        }
    }
}

async fn take_in(reception: &Reception, file: &ArrivedFile, afterwards: &Afterwards) {
    if let Err(error) = reception.take_in(file, afterwards).await {
        tracing::warn!(%error, "not taken in; it stays where it is and is tried again");
    }
}

/// `/healthz`: the process answers. `/readyz`: the database does, too.
fn health(database: Database) -> Router {
    let ready = async move || match database.check().await {
        Ok(()) => (StatusCode::OK, Json(json!({ "ready": true }))),
        Err(error) => {
            let body = json!({ "ready": false, "reason": error.to_string() });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    };
    Router::new().route("/healthz", get(async || Json(json!({ "alive": true })))).route("/readyz", get(ready))
}
