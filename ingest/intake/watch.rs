//! Watches a drop folder: looks at it again and again, because network file systems tell nothing
//! by themselves, and sooner where the system tells that something came.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{mpsc, watch};

use super::arrival::{Arrivals, Sighting};
use super::folder::{IntakeFinding, Listing, Place};
use crate::settings;

/// Sightings on their way to the taking-in. While it is behind, the watcher waits: the folder is the
/// queue.
const SIGHTINGS_UNDER_WAY: usize = 64;

/// At least this long between two looks, however many events come.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// A drop folder under watch.
pub struct Watching {
    pub sightings: mpsc::Receiver<Sighting>,
    pub state: watch::Receiver<FolderState>,
}

/// How a drop folder stands after the last look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FolderState {
    /// Files that are there and have not arrived.
    pub arriving: usize,
    /// How many of these were reported as overdue.
    pub overdue: usize,
    pub findings: usize,
    /// Why the folder itself could not be read.
    pub unreadable: Option<String>,
}

/// Watches `root` (made where it is missing) in a thread of its own, until the sightings are
/// dropped. `is_whole` is asked as in [`Arrivals::look`].
pub fn watch(
    root: &Path,
    settings: &settings::Intake,
    is_whole: impl FnMut(&Path) -> bool + Send + 'static,
) -> io::Result<Watching> {
    std::fs::create_dir_all(root)?;
    // Events name absolute paths.
    let root = std::path::absolute(root)?;
    let hints = Hints::default();
    // The first look comes after this, so that nothing falls in between.
    let subscription = hints.subscribe(&root);
    let mut watcher = Watcher::new(root, settings, is_whole);
    let poll = settings.poll;
    let (sender, sightings) = mpsc::channel(SIGHTINGS_UNDER_WAY);
    let (state_sender, state) = watch::channel(FolderState::default());
    std::thread::Builder::new().name("drop-folder".to_owned()).spawn(move || {
        let _subscription = subscription;
        while !sender.is_closed() {
            for sighting in watcher.look(Instant::now(), &hints.take()) {
                if sender.blocking_send(sighting).is_err() {
                    return;
                }
            }
            state_sender.send_replace(watcher.state());
            std::thread::sleep(SHORTEST_PAUSE.min(poll));
            hints.wait(poll.saturating_sub(SHORTEST_PAUSE));
        }
    })?;
    Ok(Watching { sightings, state })
}

/// Looks at a drop folder when it is told to.
pub struct Watcher<F> {
    root: PathBuf,
    arrivals: Arrivals,
    /// What lies there that is no scan, and was told.
    told: HashSet<IntakeFinding>,
    unreadable: Option<String>,
    is_whole: F,
}

impl<F: FnMut(&Path) -> bool> Watcher<F> {
    pub fn new(root: PathBuf, settings: &settings::Intake, is_whole: F) -> Self {
        Self { root, arrivals: Arrivals::new(settings), told: HashSet::new(), unreadable: None, is_whole }
    }

    /// What there is to tell now. `renamed` are the files that were renamed into place since the
    /// last look, as far as is known. A folder that cannot be read is waited for; see
    /// [`FolderState`].
    pub fn look(&mut self, now: Instant, renamed: &HashSet<PathBuf>) -> Vec<Sighting> {
        let listing = Listing::of(&self.root, &Place::Stations { own: None });
        let Listing { files, findings } = match listing {
            Ok(listing) => listing,
            Err(error) => {
                let message = format!("{}: {error}", self.root.display());
                if self.unreadable.as_ref() != Some(&message) {
                    tracing::warn!("the drop folder cannot be read, trying again: {message}");
                    self.unreadable = Some(message);
                }
                return Vec::new();
            }
        };
        self.unreadable = None;
        let mut sightings = self.arrivals.look(now, files, renamed, &mut self.is_whole);
        let findings: HashSet<IntakeFinding> = findings.into_iter().collect();
        sightings.extend(findings.difference(&self.told).cloned().map(Sighting::Finding));
        self.told = findings;
        sightings
    }

    pub fn state(&self) -> FolderState {
        let (arriving, overdue) = self.arrivals.arriving();
        FolderState { arriving, overdue, findings: self.told.len(), unreadable: self.unreadable.clone() }
    }
}

/// What the system tells between two looks, folded so that it stays small.
#[derive(Clone, Default)]
struct Hints(Arc<(Mutex<Told>, Condvar)>);

#[derive(Default)]
struct Told {
    renamed: HashSet<PathBuf>,
    look_sooner: bool,
}

impl Hints {
    /// None where the system has no more watches to give: looks alone must do.
    fn subscribe(&self, root: &Path) -> Option<RecommendedWatcher> {
        let hints = self.clone();
        let on_event = move |event: notify::Result<Event>| match event {
            Ok(event) => hints.note(event),
            Err(error) => tracing::debug!("an event of the drop folder was lost: {error}"),
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let subscribed = RecommendedWatcher::new(on_event, config).and_then(|mut watcher| {
            watcher.watch(root, RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        subscribed
            .inspect_err(|error| tracing::warn!("the drop folder is looked at without events: {error}"))
            .ok()
    }

    /// A rename into place is as good as its last word: a file that was made or written under the
    /// same name afterwards is another matter.
    fn note(&self, event: Event) {
        let (told, changed) = &*self.0;
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        match event.kind {
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => told.renamed.extend(event.paths),
            EventKind::Create(_) => event.paths.iter().for_each(|path| {
                told.renamed.remove(path);
            }),
            EventKind::Modify(ModifyKind::Data(_)) => {
                return event.paths.iter().for_each(|path| {
                    told.renamed.remove(path);
                });
            }
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => (),
            _ => return,
        }
        told.look_sooner = true;
        changed.notify_all();
    }

    fn take(&self) -> HashSet<PathBuf> {
        let mut told = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.look_sooner = false;
        std::mem::take(&mut told.renamed)
    }

    /// Until there is something to look at, or `longest` has passed.
    fn wait(&self, longest: Duration) {
        let (told, changed) = &*self.0;
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(told, longest, |told| !told.look_sooner);
        drop(waited);
    }
}
