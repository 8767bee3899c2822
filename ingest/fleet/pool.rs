//! A worker's readers: as many as there are cores, started when they are needed, replaced when they
//! end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::confine::missing_confinement;
use super::ends::{Ends, ReaderEnd};
use super::nursery::{Launch, Nursery};
use super::process::{Process, ReaderError, StartError};
use super::protocol::{Loaded, Request, Response};
use crate::digest::Sha256;
use crate::identify::Identity;
use crate::pipeline::{KnownApplication, PageLook, PageRead};
use crate::settings;

/// The pause after a reader that could not be started, doubled with each further one. Loading the
/// models takes half a second of a core: without a pause a missing file would cost all of them.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Reader processes and who may use them. Cheap to clone; all clones are the same pool.
#[derive(Clone)]
pub struct ReaderPool(Arc<Inner>);

struct Inner {
    settings: settings::Readers,
    launch: Launch,
    nursery: Nursery,
    /// One a reader that may live at the same time.
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Process>>,
    /// One task a process, which sees to its end.
    keepers: Mutex<JoinSet<()>>,
    starts: Mutex<Starts>,
    ends: Ends,
    closing: watch::Sender<bool>,
}

/// A reader in use by one job. Dropped, it goes back to the pool; dropped in the midst of a
/// request, its process is ended.
pub struct Reader {
    process: Option<Process>,
    /// A request is on its way: the process cannot be used by anybody else.
    busy: bool,
    pool: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl ReaderPool {
    /// Starts the first reader with `program` and `arguments` and learns from it what all of them
    /// work with. An error here means that none will ever start. Must be called inside a tokio
    /// runtime.
    pub async fn start(
        settings: &settings::Readers,
        program: PathBuf,
        arguments: Vec<OsString>,
    ) -> Result<Self, StartError> {
        let launch = Launch { program, arguments };
        let nursery = Nursery::open(launch.clone()).map_err(|source| spawn_error(&launch, source))?;
        if let Some(missing) = missing_confinement() {
            tracing::warn!("readers are not wholly confined: {missing}");
        }
        let pool = Self(Arc::new(Inner {
            permits: Arc::new(Semaphore::new(reader_count(settings))),
            settings: settings.clone(),
            launch,
            nursery,
            idle: Mutex::default(),
            keepers: Mutex::default(),
            starts: Mutex::default(),
            ends: Ends::default(),
            closing: watch::Sender::new(false),
        }));
        let first = pool.0.launch().await?;
        lock(&pool.0.idle).push(first);
        Ok(pool)
    }

    /// How many readers there may be at a time.
    pub fn size(&self) -> usize {
        reader_count(&self.0.settings)
    }

    /// How readers have ended so far, and how often.
    pub fn ends(&self) -> Vec<(ReaderEnd, u64)> {
        self.0.ends.counts()
    }

    /// What the readers work with: the provenance of their records.
    pub fn loaded(&self) -> Loaded {
        lock(&self.0.starts).loaded.clone().unwrap_or_default()
    }

    /// Waits for a reader to be free, or for a new one to be ready. An error is never the fault of
    /// the scan that it is wanted for.
    pub async fn acquire(&self) -> Result<Reader, StartError> {
        let permit = self.0.permits.clone().acquire_owned().await.map_err(|_| StartError::ShuttingDown)?;
        let process = match self.0.take_idle() {
            Some(process) => process,
            None => self.0.launch().await?,
        };
        Ok(Reader { process: Some(process), busy: false, pool: self.0.clone(), _permit: permit })
    }

    /// Ends all readers, those in use included (whose requests fail as
    /// [`ReaderError::ShuttingDown`]), and waits until they are reaped.
    pub async fn shut_down(&self) {
        self.0.closing.send_replace(true);
        self.0.permits.close();
        lock(&self.0.idle).clear();
        // Taken out, so that the lock is not held while waiting. A reader that is started meanwhile
        // sees `closing` and is ended by its keeper.
        let mut keepers = std::mem::take(&mut *lock(&self.0.keepers));
        while keepers.join_next().await.is_some() {}
    }
}

impl Inner {
    fn take_idle(&self) -> Option<Process> {
        let mut idle = lock(&self.idle);
        std::iter::from_fn(|| idle.pop()).find(Process::is_alive)
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// A new process, greeted, no sooner than the pause after failed ones allows.
    async fn launch(&self) -> Result<Process, StartError> {
        let not_before = lock(&self.starts).not_before;
        if let Some(not_before) = not_before {
            let mut closing = self.closing.subscribe();
            tokio::select! {
                () = tokio::time::sleep_until(not_before.into()) => (),
                _ = closing.wait_for(|&closing| closing) => return Err(StartError::ShuttingDown),
            }
        }
        let started = self.launch_now().await;
        if self.is_closing() {
            return Err(StartError::ShuttingDown);
        }
        let mut starts = lock(&self.starts);
        let process = started.and_then(|(process, loaded)| starts.succeeded(loaded).map(|()| process));
        let process = process.inspect_err(|_| {
            starts.failed(Instant::now());
            self.ends.count(ReaderEnd::NotStarted);
        })?;
        tracing::info!(reader = process.pid(), "ready");
        Ok(process)
    }

    async fn launch_now(&self) -> Result<(Process, Loaded), StartError> {
        let spawn_failed = |source| spawn_error(&self.launch, source);
        let newborn = self.nursery.start().await.map_err(spawn_failed)?;
        let (mut process, keeper) =
            Process::adopt(newborn, self.closing.subscribe()).map_err(spawn_failed)?;
        {
            let mut keepers = lock(&self.keepers);
            while keepers.try_join_next().is_some() {}
            keepers.spawn(keeper);
        }
        let loaded = process.greet(self.settings.start_limit).await?;
        Ok((process, loaded))
    }
}

impl Reader {
    /// Opens a scan, in place of the one before, and says how many pages it has. The reader gets the
    /// file as it is open here (and with it its place in it); it could not open it by a name.
    /// `file_name` is its name at the station, for messages.
    pub async fn open(&mut self, scan: &File, file_name: &str) -> Result<u32, ReaderError> {
        let request = Request::Open { file_name: file_name.to_owned() };
        match self.ask(request, Some(scan)).await? {
            Response::Opened { pages } => Ok(pages),
            other => Err(self.out_of_turn(&other).await),
        }
    }

    /// What is seen of a page of the open scan, from 0.
    pub async fn look(&mut self, index: u32) -> Result<PageLook, ReaderError> {
        self.look_as(index, None).await
    }

    /// The same of a page that a person said something of.
    pub async fn look_as(&mut self, index: u32, given: Option<Identity>) -> Result<PageLook, ReaderError> {
        if let Some(process) = &mut self.process {
            process.pages += 1;
        }
        match self.ask(Request::Look { index, given }, None).await? {
            Response::Looked(look) if look.index == index => Ok(*look),
            other => Err(self.out_of_turn(&other).await),
        }
    }

    /// Reads the page last looked at.
    pub async fn read(
        &mut self,
        index: u32,
        known: Option<KnownApplication>,
    ) -> Result<PageRead, ReaderError> {
        match self.ask(Request::Read { index, known }, None).await? {
            Response::Read(read) => Ok(*read),
            other => Err(self.out_of_turn(&other).await),
        }
    }

    /// Lets go of the open scan. A reader that is dropped without keeps it until its next one.
    pub async fn close(&mut self) -> Result<(), ReaderError> {
        match self.ask(Request::Close, None).await? {
            Response::Closed => Ok(()),
            other => Err(self.out_of_turn(&other).await),
        }
    }

    async fn ask(&mut self, request: Request, scan: Option<&File>) -> Result<Response, ReaderError> {
        let process = self.process.as_mut().ok_or(ReaderError::Gone)?;
        self.busy = true;
        let answer = process.ask(&request, scan, self.pool.settings.page_limit).await;
        self.busy = false;
        match answer {
            Ok(_) | Err(ReaderError::Refused(_)) => answer,
            Err(error) => {
                self.process = None;
                if let (false, Some(end)) = (self.pool.is_closing(), ReaderEnd::of(&error)) {
                    self.pool.ends.count(end);
                }
                Err(if self.pool.is_closing() { ReaderError::ShuttingDown } else { error })
            }
        }
    }

    /// Ends a reader that answered something else than it was asked.
    async fn out_of_turn(&mut self, response: &Response) -> ReaderError {
        let name = match response {
            Response::Opened { .. } => "Opened",
            Response::Looked(_) => "Looked",
            Response::Read(_) => "Read",
            Response::Closed => "Closed",
            Response::Failed(_) => "Failed",
        };
        match self.process.take() {
            Some(mut process) => {
                self.pool.ends.count(ReaderEnd::Protocol);
                process.misunderstood(format!("an answer out of turn: {name}")).await
            }
            None => ReaderError::Gone,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        let worn_out = process.pages >= self.pool.settings.recycle_pages;
        let mut idle = lock(&self.pool.idle);
        // `closing` is asked under the lock: shutting down sets it first and empties the list then.
        match (self.pool.is_closing(), self.busy, worn_out) {
            (true, ..) => {}
            (false, true, _) => self.pool.ends.count(ReaderEnd::Interrupted),
            (false, false, true) => self.pool.ends.count(ReaderEnd::WornOut),
            (false, false, false) => idle.push(process),
        }
    }
}

/// What is known from the readers that were started so far.
#[derive(Default)]
struct Starts {
    failures: u32,
    not_before: Option<Instant>,
    loaded: Option<Loaded>,
}

impl Starts {
    fn failed(&mut self, now: Instant) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.not_before = Some(now + pause);
    }

    /// Takes note of what a reader has loaded, which must be what all before it had.
    fn succeeded(&mut self, loaded: Loaded) -> Result<(), StartError> {
        let what = match &self.loaded {
            None => None,
            Some(first) if first.software != loaded.software => Some("software".to_owned()),
            Some(first) => differing("the model", &first.models, &loaded.models)
                .or_else(|| differing("the form", &first.forms, &loaded.forms)),
        };
        if let Some(what) = what {
            return Err(StartError::Mismatch { what });
        }
        *self = Self { failures: 0, not_before: None, loaded: Some(loaded) };
        Ok(())
    }
}

/// The first name under which two sets of files differ.
fn differing(
    kind: &str,
    first: &BTreeMap<String, Sha256>,
    second: &BTreeMap<String, Sha256>,
) -> Option<String> {
    let names = first.keys().chain(second.keys());
    names.into_iter().find(|&name| first.get(name) != second.get(name)).map(|name| format!("{kind} {name}"))
}

/// One more than there are cores, where nothing is said: what one has read is being stored while the others read.
fn reader_count(settings: &settings::Readers) -> usize {
    match settings.count {
        0 => std::thread::available_parallelism().map_or(1, usize::from) + 1,
        count => count,
    }
}

fn spawn_error(launch: &Launch, source: std::io::Error) -> StartError {
    StartError::Spawn { program: launch.program.clone(), source }
}

/// No lock here is held across a call that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(model: &[u8]) -> Loaded {
        Loaded {
            software: "1".to_owned(),
            models: BTreeMap::from([("digits".to_owned(), Sha256::of(model))]),
            forms: BTreeMap::new(),
            calibration: None,
        }
    }

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_ends_with_a_success() {
        let (mut starts, now) = (Starts::default(), Instant::now());
        let pauses: Vec<Duration> = (0..100)
            .map(|_| {
                starts.failed(now);
                starts.not_before.expect("set") - now
            })
            .collect();
        assert_eq!(pauses[..3], [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]);
        assert_eq!(pauses[99], LONGEST_PAUSE);
        starts.succeeded(loaded(b"a")).expect("the first");
        assert_eq!(starts.not_before, None);
    }

    #[test]
    fn a_model_that_was_exchanged_under_the_service_is_named() {
        let mut starts = Starts::default();
        starts.succeeded(loaded(b"a")).expect("the first");
        starts.succeeded(loaded(b"a")).expect("the same");
        let error = starts.succeeded(loaded(b"b")).expect_err("another model");
        assert!(error.to_string().contains("the model digits"), "{error}");
    }
}
