//! What a worker does with a scan: a job, its pages through a reader, their objects, their rows.
//!
//! Whatever ends here early has changed nothing: objects are written before rows, under keys that
//! a retry writes again with the same bytes, and the rows come in one transaction that the lease
//! fences.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::process::{ReaderError, StartError};
use super::{Reader, ReaderPool};
use crate::application_id::ApplicationId;
use crate::check::{self, Circumstances};
use crate::digest::Sha256;
use crate::form::{Form, Forms};
use crate::identify::{Identification, Identity, UnassignedReason};
use crate::pipeline::{KnownApplication, PageLook, PageRead};
use crate::publish::{
    CaptureFacts, CapturedPage, Group, Provenance, StoredReading, build_record, facing_application,
    group_pages,
};
use crate::settings::Settings;
use crate::store::applications::{self, ApplicationState, ApplicationVersion};
use crate::store::captures::{CaptureId, CaptureState, RecordObject};
use crate::store::jobs::{self, Failed, Lease};
use crate::store::objects::{ObjectError, ObjectKey, ObjectKind, ObjectStore};
use crate::store::pages::{PageOutcome, PageState};
use crate::store::publish::{CaptureChange, CaptureWrite, Publication, Published, publish};
use crate::store::scans::{self, Scan};
use crate::store::{Database, StoreError, register};

/// What a worker works with; clones share it.
#[derive(Clone)]
pub struct Worker {
    pub database: Database,
    pub objects: Arc<dyn ObjectStore>,
    pub readers: ReaderPool,
    pub forms: Arc<Forms>,
    pub settings: Arc<Settings>,
    /// Names the worker in leases and events.
    pub name: String,
}

/// When a worker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Nothing is left to be read.
    Empty,
    /// It is told to.
    Told,
}

/// Why a scan was not published.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    /// The scan is bad and will be the next time.
    #[error("{reason}")]
    Bad { reason: String, pages: Option<u32> },
    /// A reader came to its end over the scan; its attempt is used up.
    #[error("{file}, page {page}: {source}")]
    Reader { file: String, page: u32, source: ReaderError },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error("the original cannot be copied to a temporary folder: {0}; is the disk full?")]
    Spool(std::io::Error),
    #[error("a record cannot be written as JSON: {0}")]
    Record(#[from] serde_json::Error),
}

impl WorkError {
    /// Nothing that the scan can be blamed for: the database, the store or the machine.
    fn is_ours(&self) -> bool {
        match self {
            Self::Bad { .. } | Self::Record(_) => false,
            Self::Reader { source, .. } => matches!(source, ReaderError::ShuttingDown),
            Self::Start(_) | Self::Store(_) | Self::Object(_) | Self::Spool(_) => true,
        }
    }
}

/// How long an idle worker waits before it looks for jobs again.
const IDLE: Duration = Duration::from_millis(250);

impl Worker {
    /// Works on as many scans at a time as there are readers. Returns when `stop` turns true and
    /// the scans in hand are done, or as `until` says.
    pub async fn run(&self, until: Until, stop: watch::Receiver<bool>) {
        let mut slots = tokio::task::JoinSet::new();
        for _ in 0..self.readers.size() {
            let (worker, stop) = (self.clone(), stop.clone());
            slots.spawn(async move { worker.run_slot(until, stop).await });
        }
        while slots.join_next().await.is_some() {}
    }

    async fn run_slot(&self, until: Until, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.work_once().await {
                Ok(true) => continue,
                Ok(false) if until == Until::Empty => match jobs::counts(&self.database).await {
                    Ok(counts) if counts.waiting + counts.working == 0 => return,
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "jobs cannot be counted; trying again"),
                },
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "work pauses; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(IDLE) => {}
                _ = stop.wait_for(|&stop| stop) => {}
            }
        }
    }

    /// Claims one scan and works on it to its end. False where none was ready.
    async fn work_once(&self) -> Result<bool, StoreError> {
        let jobs = &self.settings.jobs;
        let Some(lease) = jobs::claim_scans(&self.database, &self.name, jobs.lease, 1).await?.pop() else {
            return Ok(false);
        };
        let result = tokio::select! {
            result = self.work(&lease) => result,
            lost = self.keep(&lease) => Err(lost.into()),
        };
        match result {
            Ok(()) => {}
            Err(WorkError::Store(StoreError::LeaseLost(_))) => {
                tracing::warn!(scan = %lease.scan, attempt = lease.attempt, "the lease was lost; another worker has the scan");
            }
            Err(WorkError::Bad { reason, pages }) => {
                tracing::warn!(scan = %lease.scan, %reason, "quarantined");
                jobs::quarantine(&self.database, &lease, &self.name, &reason, pages).await?;
            }
            Err(error) if error.is_ours() => {
                tracing::warn!(scan = %lease.scan, %error, "put back; not the scan's fault");
                jobs::give_back(&self.database, &lease, &error.to_string(), jobs.retry).await?;
            }
            Err(error) => {
                let reason = error.to_string();
                match jobs::fail(&self.database, &lease, &self.name, &reason, jobs.retry).await? {
                    Failed::Retries { after } => {
                        tracing::warn!(scan = %lease.scan, attempt = lease.attempt, ?after, %reason, "tried again later");
                    }
                    Failed::Quarantined => {
                        tracing::warn!(scan = %lease.scan, attempt = lease.attempt, %reason, "quarantined");
                    }
                }
            }
        }
        Ok(true)
    }

    /// Renews the lease for ever; ends when it is lost.
    async fn keep(&self, lease: &Lease) -> StoreError {
        let length = self.settings.jobs.lease;
        loop {
            tokio::time::sleep(length / 3).await;
            match jobs::heartbeat(&self.database, lease, length).await {
                Err(lost @ StoreError::LeaseLost(_)) => return lost,
                Err(error) => {
                    tracing::warn!(scan = %lease.scan, %error, "the lease cannot be renewed; trying again")
                }
                Ok(()) => {}
            }
        }
    }

    async fn work(&self, lease: &Lease) -> Result<(), WorkError> {
        let scan = scans::find(&self.database, lease.scan)
            .await?
            .ok_or(StoreError::Refused("the scan of a job is not there"))?;
        let pages = self.read_pages(&scan).await?;
        let groups =
            group_pages(pages.iter().filter_map(|page| Some((page.look.index, identity(&page.look)?))));
        // An application moves on under us only when another scan of it is published meanwhile.
        while self.publish(lease, &scan, &pages, &groups).await? == Published::Conflict {
            tracing::info!(scan = %scan.id, "another scan of the same application was faster; building again");
        }
        Ok(())
    }

    /// Takes every page of the scan through a reader and puts its objects into the store.
    async fn read_pages(&self, scan: &Scan) -> Result<Vec<StoredPage>, WorkError> {
        let original = self.fetch(scan).await?;
        let mut reader = self.readers.acquire().await?;
        let blame = |page: u32| {
            let file = scan.file.clone();
            move |source| match source {
                ReaderError::Refused(refusal) => WorkError::Bad { reason: refusal.to_string(), pages: None },
                source => WorkError::Reader { file: file.clone(), page: page + 1, source },
            }
        };
        let count = reader.open(&original.path, &scan.file).await.map_err(blame(0))?;
        let mut pages = Vec::new();
        for index in 0..count {
            let page = self.read_page(&mut reader, index).await;
            pages.push(page.map_err(|error| match error {
                PageError::Reader(source) => match blame(index)(source) {
                    WorkError::Bad { reason, .. } => WorkError::Bad { reason, pages: Some(count) },
                    other => other,
                },
                PageError::Work(error) => error,
            })?);
        }
        reader.close().await.map_err(blame(count))?;
        Ok(pages)
    }

    /// The two turns of the talk, and the page's objects.
    async fn read_page(&self, reader: &mut Reader, index: u32) -> Result<StoredPage, PageError> {
        let look = reader.look(index).await.map_err(PageError::Reader)?;
        let known = match identity(&look) {
            Some(identity) => self.known(identity.application_id).await.map_err(WorkError::from)?,
            None => None,
        };
        let PageRead { image, readings } = reader.read(index, known).await.map_err(PageError::Reader)?;
        let image = self
            .put(ObjectKind::Page, &image.bytes, image.format.extension())
            .await
            .map_err(WorkError::from)?;
        // Side by side: each put waits for the disk, and a page has a dozen crops.
        let readings = try_join_all(readings.into_iter().map(async |cropped| {
            let crop = self.put(ObjectKind::Crop, &cropped.crop_png, "png").await?;
            Ok::<_, ObjectError>(StoredReading { reading: cropped.reading, crop })
        }))
        .await
        .map_err(WorkError::from)?;
        Ok(StoredPage { look, image, readings })
    }

    async fn known(&self, id: ApplicationId) -> Result<Option<KnownApplication>, StoreError> {
        let household = register::households(&self.database, &[id]).await?.remove(&id);
        Ok(household.map(|household| KnownApplication {
            head_name: household.head_name,
            head_kana: household.head_kana,
        }))
    }

    async fn put(
        &self,
        kind: ObjectKind,
        bytes: &[u8],
        ending: &'static str,
    ) -> Result<ObjectKey, ObjectError> {
        let key = ObjectKey::of(kind, Sha256::of(bytes), Some(ending));
        self.objects.put(&key, bytes).await?;
        Ok(key)
    }
}

/// A page whose objects are in the store.
#[derive(Debug)]
struct StoredPage {
    look: PageLook,
    image: ObjectKey,
    readings: Vec<StoredReading>,
}

enum PageError {
    Reader(ReaderError),
    Work(WorkError),
}

impl From<WorkError> for PageError {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

fn identity(look: &PageLook) -> Option<&Identity> {
    match &look.identification {
        Identification::Identified(identity) => Some(identity),
        Identification::Unassigned(_) => None,
    }
}

/// The original as a file on this machine; a copy is removed with the value.
struct LocalOriginal {
    path: PathBuf,
    _copy: Option<tempfile::TempDir>,
}

impl Worker {
    async fn fetch(&self, scan: &Scan) -> Result<LocalOriginal, WorkError> {
        if let Some(path) = self.objects.local_path(&scan.original) {
            return Ok(LocalOriginal { path, _copy: None });
        }
        let folder = tempfile::tempdir().map_err(WorkError::Spool)?;
        let path = folder.path().join("original");
        self.objects.get_file(&scan.original, &path).await?;
        Ok(LocalOriginal { path, _copy: Some(folder) })
    }

    /// Builds the records of the scan's captures on what is there now, writes them, and commits.
    async fn publish(
        &self,
        lease: &Lease,
        scan: &Scan,
        pages: &[StoredPage],
        groups: &[Group],
    ) -> Result<Published, WorkError> {
        let mut ids: Vec<ApplicationId> = groups.iter().map(|group| group.application_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let states = applications::states(&self.database, &ids).await?;
        let households = register::households(&self.database, &ids).await?;

        let mut captures: Vec<CaptureWrite> = Vec::new();
        let mut capture_of_page: BTreeMap<u32, CaptureId> = BTreeMap::new();
        for group in groups {
            let state = states.get(&group.application_id);
            let own: Vec<CapturedPage> = group
                .pages
                .iter()
                .filter_map(|&(_, index)| captured_page(scan, pages.get(index as usize)?, groups))
                .collect();
            let earlier = state.and_then(|state| capture_to_complete(state, scan, group, &captures));
            let first_index = group.pages.first().map_or(0, |&(_, index)| index);
            let (id, captured_at, change, others) = match earlier {
                Some(capture) => (
                    capture.id,
                    capture.captured_at,
                    CaptureChange::Completed { version: capture.version },
                    capture.pages.clone(),
                ),
                None => (
                    CaptureId::of(scan.sha256, group.application_id, first_index),
                    scan.arrived_at,
                    CaptureChange::New { captured_at: scan.arrived_at },
                    Vec::new(),
                ),
            };
            let duplicate = match earlier {
                Some(capture) => capture.duplicate_of.is_some(),
                None => {
                    state.is_some_and(|state| !state.captures.is_empty())
                        || captures.iter().any(|other| other.application_id == group.application_id)
                }
            };
            let form = self.forms.find(&group.form, &group.version).ok_or(StoreError::Refused(
                "a page was identified by a form that this worker does not have",
            ))?;
            let facts = CaptureFacts {
                capture_id: id.to_string(),
                application_id: group.application_id,
                station: scan.station.clone(),
                batch: scan.batch.clone(),
                captured_at,
                circumstances: Circumstances {
                    in_register: households.contains_key(&group.application_id),
                    duplicate,
                },
                provenance: self.provenance(form),
            };
            let record = build_record(form, others.into_iter().chain(own).collect(), facts)
                .ok_or(StoreError::Refused("a capture has no pages"))?;
            let record = RecordObject::of(&record)?;
            self.objects.put(record.key(), record.bytes()).await?;
            capture_of_page.extend(group.pages.iter().map(|&(_, index)| (index, id)));
            captures.push(CaptureWrite { id, application_id: group.application_id, change, record });
        }

        let outcomes = outcomes(scan, pages, groups, &capture_of_page);
        let expected: BTreeMap<ApplicationId, ApplicationVersion> =
            states.iter().map(|(&id, state)| (id, state.version)).collect();
        let publication = Publication {
            lease,
            actor: &self.name,
            scan,
            pages: &outcomes,
            captures: &captures,
            expected: &expected,
        };
        Ok(publish(&self.database, &publication).await?)
    }

    fn provenance(&self, form: &Form) -> Provenance {
        let loaded = self.readers.loaded();
        Provenance { software: loaded.software, form: form.digest, models: loaded.models, calibration: None }
    }
}

/// The capture that these pages complete: one of the same station and batch that lacks them all,
/// and that no other group of this scan completes already.
fn capture_to_complete<'a>(
    state: &'a ApplicationState,
    scan: &Scan,
    group: &Group,
    taken: &[CaptureWrite],
) -> Option<&'a CaptureState> {
    state.captures.iter().find(|capture| {
        capture.station == scan.station
            && capture.batch == scan.batch
            && !taken.iter().any(|other| other.id == capture.id)
            && capture.pages.iter().all(|page| {
                page.identity.form == group.form
                    && page.identity.version == group.version
                    && !group.has_page(page.identity.page)
            })
    })
}

fn captured_page(scan: &Scan, page: &StoredPage, groups: &[Group]) -> Option<CapturedPage> {
    let identity = identity(&page.look)?.clone();
    let facing = facing_application(groups, page.look.index);
    Some(CapturedPage {
        sha256: scan.sha256,
        file: scan.file.clone(),
        findings: facing.map(|other| check::sides_disagree(identity.page, other)).into_iter().collect(),
        identity,
        image: page.image.clone(),
        look: page.look.clone(),
        readings: page.readings.clone(),
    })
}

/// What becomes of every page: part of a capture by its own ID, blank, or waiting for a person.
fn outcomes(
    scan: &Scan,
    pages: &[StoredPage],
    groups: &[Group],
    captures: &BTreeMap<u32, CaptureId>,
) -> Vec<PageOutcome> {
    let neighbours = |index: u32| {
        let at = |index: Option<u32>| Some(identity(&pages.get(index? as usize)?.look)?.application_id);
        [at(index.checked_sub(1)), at(index.checked_add(1))].into_iter().flatten().collect()
    };
    let unassigned = |page: &StoredPage, reason| PageState::Unassigned {
        image: page.image.clone(),
        reason,
        neighbours: neighbours(page.look.index),
    };
    let state = |page: &StoredPage| match &page.look.identification {
        Identification::Unassigned(UnassignedReason::NoSymbol) if page.look.blank => {
            PageState::Blank { image: Some(page.image.clone()) }
        }
        Identification::Unassigned(reason) => unassigned(page, *reason),
        Identification::Identified(_) => {
            let capture = captures.get(&page.look.index).zip(captured_page(scan, page, groups));
            match capture {
                Some((&capture, page)) => PageState::Captured { capture, page: Box::new(page) },
                None => unassigned(page, UnassignedReason::UnknownForm),
            }
        }
    };
    pages.iter().map(|page| PageOutcome { look: page.look.clone(), state: state(page) }).collect()
}
