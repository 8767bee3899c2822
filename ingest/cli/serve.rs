//! `uketsuke serve`: the service. Watches the drop folders, works on what came, answers health
//! checks; drains when it is told to stop.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use futures_util::stream::{self, StreamExt};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::Common;
use super::health::Health;
use super::service::{Equipment, Service};
use super::start::Starting;
use crate::audit;
use crate::fleet::Until;
use crate::intake::{
    self, Afterwards, ArrivedFile, FILES_AT_ONCE, Full, Reception, Sighting, TakeInError, Waiting, escaped,
    is_whole,
};
use crate::metrics::{FileEnd, Metrics, ObjectUser};
use crate::public_page::PublicPage;
use crate::review;
use crate::settings::{self, Settings};
use crate::store::jobs;
use crate::store::scans::Accepted;
use crate::store::sensitive_originals::remove_until;

/// Run the service: watch the drop folders and work on what comes
///
/// It runs until it gets SIGTERM or SIGINT; what is in hand is finished first. A second signal ends it
/// at once, which loses nothing either. While the database or the object store is away it waits for them:
/// /healthz answers, /readyz says what it waits for.
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
    /// Where /healthz, /readyz and /metrics answer; and, with the role web, the review desk
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Role {
    /// Takes files in from the drop folders
    Intake,
    /// Reads scans
    Work,
    /// The review desk, for people with an account (`uketsuke accounts add`); put a proxy with TLS before it
    Web,
    /// Answers the public's question how an application stands; by itself only
    Status,
}

/// How long the last answers may take; each waits 2 s for the database at most.
const LAST_ANSWER: Duration = Duration::from_secs(5);

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    super::runtime()?.block_on(serve(common, arguments))
}

async fn serve(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    // First of all: a signal that comes while the service starts must end it as cleanly as a later one.
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let settings = Settings::load(common.config.as_deref())?;
    let roles: BTreeSet<Role> = arguments.roles.into_iter().collect();
    let listener = listen(arguments.listen)?;
    let address = listener.local_addr().unwrap_or(arguments.listen);
    let starting = Starting::new();
    let answering = starting.answer(&listener).context("the health checks")?;
    tracing::info!(%address, "answers; starting");
    if roles.contains(&Role::Status) {
        // A process that strangers talk to holds no readers, no objects and no other pages.
        anyhow::ensure!(
            roles.len() == 1,
            "the role 'status' runs in a process of its own; start another one"
        );
        let database = tokio::select! {
            database = starting.database(common) => database?,
            () = told_to_stop(&mut terminate, &mut interrupt) => return Ok(()),
        };
        answering.end().await;
        let listener = TcpListener::from_std(listener).context("the listening socket")?;
        let page = PublicPage::new(database.clone(), settings.public_page);
        tracing::info!(%address, "the public page is ready");
        let told = async move { told_to_stop(&mut terminate, &mut interrupt).await };
        page.serve(listener, told).await.context("the public page has ended")?;
        database.close().await;
        return Ok(());
    }
    if roles.contains(&Role::Web)
        && let Some(oidc) = &settings.oidc
    {
        oidc.secret().context("nobody could log in by [oidc]")?;
    }
    let equipment = Equipment::load(common, settings)?;
    let engines = async {
        let objects = starting.objects(common, &equipment.settings.objects).await?;
        anyhow::Ok((objects, starting.database(common).await?))
    };
    let (objects, database) = tokio::select! {
        engines = engines => engines?,
        () = told_to_stop(&mut terminate, &mut interrupt) => return Ok(()),
    };
    let service = Service::new(equipment, objects, database);
    let worker = match roles.contains(&Role::Work) {
        true => Some(service.worker(common).await?),
        false => None,
    };
    let (stop, stopped) = watch::channel(false);

    let mut tasks = tokio::task::JoinSet::new();
    let mut folder = None;
    if roles.contains(&Role::Intake) {
        let root = arguments.drop.unwrap_or_else(|| common.data.join("drop"));
        let watching = intake::watch(&root, &service.settings.intake, is_whole)
            .with_context(|| format!("{}: cannot be watched", root.display()))?;
        tracing::info!(folder = %root.display(), "watching");
        folder = Some(watching.state.clone());
        let taking_in = TakingIn {
            reception: service.reception.clone(),
            metrics: service.metrics.clone(),
            settings: service.settings.clone(),
            data: common.data.clone(),
            under_way: AtomicU64::new(0),
        };
        let stopped = stopped.clone();
        tasks.spawn(async move { taking_in.run(watching, stopped).await });
    }
    if let Some(worker) = worker.clone() {
        let stopped = stopped.clone();
        let (remover, told) = (worker.clone(), stopped.clone());
        tasks.spawn(async move { worker.run(Until::Told, stopped).await });
        tasks.spawn(async move {
            remove_until(&remover.database, &*remover.objects, &remover.name, told).await;
        });
    }
    let (database, sealing) = (service.database.clone(), stopped.clone());
    tasks.spawn(async move { audit::seal_until(&database, sealing).await });
    let upkeep = service.upkeep();
    if upkeep.settings.is_on() {
        let stopped = stopped.clone();
        tasks.spawn(async move { upkeep.run(stopped).await });
    }
    // Answers until the last task is done: a node that drains says so.
    let readers = worker.as_ref().map(|worker| worker.readers.clone());
    let mut routes = Health::of(&service, readers, common.data.clone(), stopped.clone(), folder).routes();
    if roles.contains(&Role::Web) {
        let desk = service.desk();
        routes = routes.merge(desk.clone().router());
        tasks.spawn(async move { review::backfill_until(&desk, stopped).await });
    }
    // Who asks is counted where logins fail.
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    let (end, mut ended) = watch::channel(false);
    answering.end().await;
    let listener = TcpListener::from_std(listener).context("the listening socket")?;
    let answering = tokio::spawn(async move {
        let told = async move {
            let _ = ended.wait_for(|&end| end).await;
        };
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(told).await {
            tracing::error!(%error, "the health checks have ended");
        }
    });
    tracing::info!(%address, ?roles, "ready");

    told_to_stop(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping; what is in hand is finished first");
    stop.send_replace(true);
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        _ = terminate.recv() => tracing::warn!("stopped at once"),
        _ = interrupt.recv() => tracing::warn!("stopped at once"),
    }
    tasks.shutdown().await;
    end.send_replace(true);
    // Whoever asked last gets their answer; one that says nothing is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWER, answering).await;
    // What the last scans in hand have written.
    if let Err(error) = audit::seal_all(&service.database).await {
        tracing::warn!(%error, "the last events are not sealed yet; the next service does it");
    }
    if let Some(worker) = worker {
        worker.readers.shut_down().await;
    }
    service.stop().await;
    Ok(())
}

/// A socket that is served twice: while the node starts, and then.
fn listen(address: SocketAddr) -> anyhow::Result<std::net::TcpListener> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.with_context(|| format!("{address}: cannot listen; name another address with --listen"))
}

async fn told_to_stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Takes in what the watcher reports. What fails stays in the folder and is reported again.
struct TakingIn {
    reception: Reception,
    metrics: Metrics,
    settings: Arc<Settings>,
    data: PathBuf,
    /// Files that are being taken in: soon they are jobs.
    under_way: AtomicU64,
}

/// How often a node without room looks for it again; and one with room, at the latest.
const ROOM: Duration = Duration::from_secs(1);

/// Room that was seen a moment ago: counting all jobs for every file would cost more than the file.
struct Room {
    seen: Instant,
    /// So many files may come before it is looked for again.
    files: u64,
}

impl TakingIn {
    /// Waits until there is room for another file. Meanwhile the watcher waits, too: the folder is the
    /// queue.
    async fn wait_for_room(&self, room: &mut Room) {
        if room.files > 0 && room.seen.elapsed() < ROOM {
            return;
        }
        let mut told = None;
        loop {
            let found = self.room().await;
            self.metrics.intake_full(found.is_err());
            match found {
                Ok(found) => {
                    *room = found;
                    if told.is_some() {
                        tracing::info!("files are taken in again");
                    }
                    return;
                }
                Err(full) => {
                    // Once a reason: its numbers change every second.
                    if told.replace(std::mem::discriminant(&full)) != Some(std::mem::discriminant(&full)) {
                        tracing::warn!("files stay in the drop folder: {full}");
                    }
                }
            }
            tokio::time::sleep(ROOM).await;
        }
    }

    /// What cannot be found out holds nothing back: taking in meets the same fault, and says so.
    async fn room(&self) -> Result<Room, Full> {
        let settings: &settings::Intake = &self.settings.intake;
        let under_way = self.under_way.load(Ordering::Relaxed);
        let waiting = jobs::ready(&self.reception.database, settings.max_ready_jobs).await.unwrap_or(0);
        let ready = waiting + under_way;
        match Full::is(settings, ready, super::free_bytes(&self.data).unwrap_or(u64::MAX)) {
            Some(full) => Err(full),
            // Other nodes take in, too: a tenth of it, so that nobody goes far beyond the mark.
            None => Ok(Room {
                seen: Instant::now(),
                files: settings.max_ready_jobs.saturating_sub(ready).div_ceil(10),
            }),
        }
    }

    /// Until it is told to stop; what was begun is ended then.
    async fn run(&self, watching: intake::Watching, stopped: watch::Receiver<bool>) {
        let room = Room { seen: Instant::now(), files: 0 };
        let next = |(mut watching, mut stopped, mut room): (
            intake::Watching,
            watch::Receiver<bool>,
            Room,
        )| async move {
            let sighting = tokio::select! {
                sighting = async {
                    self.wait_for_room(&mut room).await;
                    watching.sightings.recv().await
                } => sighting?,
                _ = stopped.wait_for(|&stop| stop) => return None,
            };
            room.files = room.files.saturating_sub(1);
            self.under_way.fetch_add(1, Ordering::Relaxed);
            Some((sighting, (watching, stopped, room)))
        };
        let sightings = stream::unfold((watching, stopped, room), next);
        let meet = |sighting| async move {
            self.meet(sighting).await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
        };
        sightings.for_each_concurrent(FILES_AT_ONCE, meet).await;
    }

    async fn meet(&self, sighting: Sighting) {
        match sighting {
            Sighting::Arrived(file) => self.take_in(&file, &Afterwards::Remove).await,
            Sighting::Overdue { file, waited, why } => {
                let (name, minutes) = (escaped(file.path.as_os_str()), waited.as_secs() / 60);
                tracing::warn!(file = name, minutes, ?why, "a file has not arrived; it is waited for");
                // What lies there is quarantined with its reason, so that somebody sees it. Should
                // the rest come after all, it is taken in as another scan.
                if why == Waiting::Incomplete {
                    self.take_in(&file, &Afterwards::Leave).await;
                }
            }
            Sighting::Finding(finding) => tracing::warn!("left where it is: {finding}"),
        }
    }

    async fn take_in(&self, file: &ArrivedFile, afterwards: &Afterwards) {
        match self.reception.take_in(file, afterwards).await {
            Ok(Some(Accepted::New(_))) => self.metrics.file(FileEnd::New),
            Ok(Some(Accepted::Repeated(_))) => self.metrics.file(FileEnd::Repeated),
            // Another watcher has it, or it is looked at again.
            Ok(Some(Accepted::Registered(_)) | None) => {}
            Err(error) => {
                self.metrics.file(FileEnd::Failed);
                if matches!(error, TakeInError::Object { .. }) {
                    self.metrics.object_error(ObjectUser::Intake);
                }
                tracing::warn!(%error, "not taken in; it stays where it is and is tried again");
            }
        }
    }
}
