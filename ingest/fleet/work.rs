//! What a worker does with a scan: a job, its pages through a reader, their objects, their rows.
//!
//! Whatever ends here early has changed nothing: objects are written before rows, under keys that
//! a retry writes again with the same bytes, and the rows come in one transaction that the lease
//! fences.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::watch;

use super::process::{ReaderError, StartError};
use super::{Bell, Reader, ReaderPool};
use crate::application_id::ApplicationId;
use crate::digest::Sha256;
use crate::form::Forms;
use crate::identify::{Identification, Identity};
use crate::metrics::{Metrics, ObjectUser, ScanEnd, Stage};
use crate::pipeline::{KnownApplication, PageLook, PageRead, Unmasked};
use crate::publish::{StoredReading, group_pages};
use crate::read::CopiesSeen;
use crate::reference::BankTable;
use crate::score::Scorer;
use crate::settings::Settings;
use crate::store::jobs::{self, Failed, Lease};
use crate::store::masking::PageMask;
use crate::store::objects::{ObjectError, ObjectKey, ObjectKind, ObjectStore};
use crate::store::publish::{Extent, Published};
use crate::store::scans::{self, Scan, ScanId};
use crate::store::{Database, StoreError, register, unmasked_pages};

/// What a worker works with; clones share it.
#[derive(Clone)]
pub struct Worker {
    pub database: Database,
    pub objects: Arc<dyn ObjectStore>,
    pub readers: ReaderPool,
    pub forms: Arc<Forms>,
    pub scorer: Arc<Scorer>,
    /// None where the table was not fetched.
    pub banks: Option<Arc<BankTable>>,
    pub settings: Arc<Settings>,
    /// Names the worker in leases and events.
    pub name: String,
    pub metrics: Metrics,
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
pub(super) enum WorkError {
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
    #[error("the original {key} cannot be opened: {source}; is the object store whole?")]
    Original { key: Box<ObjectKey>, source: std::io::Error },
    #[error("a record cannot be written as JSON: {0}")]
    Record(#[from] serde_json::Error),
}

impl WorkError {
    /// Nothing that the scan can be blamed for: the database, the store or the machine.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Bad { .. } | Self::Record(_) => false,
            Self::Reader { source, .. } => matches!(source, ReaderError::ShuttingDown),
            Self::Start(_) | Self::Store(_) | Self::Object(_) | Self::Spool(_) | Self::Original { .. } => {
                true
            }
        }
    }

    /// The page that a reader was at, from 1; for logs.
    fn page(&self) -> Option<u32> {
        match self {
            Self::Reader { page, .. } => Some(*page),
            _ => None,
        }
    }
}

/// How long idle slots wait for an announcement before one of them looks for jobs all the same. A job
/// whose worker has died is claimed after its lease and so long at most.
const LOOK: Duration = Duration::from_millis(500);

impl Worker {
    /// Works on as many scans at a time as there are readers. Returns when `stop` turns true and
    /// the scans in hand are done, or as `until` says.
    pub async fn run(&self, until: Until, stop: watch::Receiver<bool>) {
        let bell = Bell::default();
        let mut slots = tokio::task::JoinSet::new();
        for _ in 0..self.readers.size() {
            let (worker, bell, stop) = (self.clone(), bell.clone(), stop.clone());
            slots.spawn(async move { worker.run_slot(until, &bell, stop).await });
        }
        tokio::select! {
            () = async { while slots.join_next().await.is_some() {} } => {}
            never = bell.keep_ringing(&self.database, LOOK) => match never {},
        }
    }

    async fn run_slot(&self, until: Until, bell: &Bell, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.work_once(bell).await {
                Ok(true) => continue,
                Ok(false) if until == Until::Empty => match jobs::counts(&self.database).await {
                    Ok(counts) if counts.waiting + counts.working == 0 => {
                        // The next one is to see it, too.
                        bell.ring();
                        return;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::warn!(%error, "jobs cannot be counted; trying again"),
                },
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "work pauses; trying again"),
            }
            // It may have rung since the slot looked: then it does not wait.
            tokio::select! {
                () = bell.rung() => {}
                _ = stop.wait_for(|&stop| stop) => {}
            }
        }
    }

    /// Claims one scan and works on it to its end. False where none was ready.
    async fn work_once(&self, bell: &Bell) -> Result<bool, StoreError> {
        // A person waits for it.
        if self.read_assigned_page().await? {
            bell.ring();
            return Ok(true);
        }
        let jobs = &self.settings.jobs;
        let Some(lease) = jobs::claim_scans(&self.database, &self.name, jobs.lease, 1).await?.pop() else {
            return Ok(false);
        };
        // There may be more.
        bell.ring();
        let result = tokio::select! {
            result = self.work(&lease) => result,
            lost = self.keep(&lease) => Err(lost.into()),
        };
        match result {
            Ok(()) => self.metrics.scan(ScanEnd::Published),
            Err(WorkError::Store(StoreError::LeaseLost(_))) => {
                self.metrics.scan(ScanEnd::LeaseLost);
                tracing::warn!(scan = %lease.scan, attempt = lease.attempt, "the lease was lost; another worker has the scan");
            }
            Err(WorkError::Bad { reason, pages }) => {
                tracing::warn!(scan = %lease.scan, %reason, "quarantined");
                jobs::quarantine(&self.database, &lease, &self.name, &reason, pages).await?;
                self.metrics.scan(ScanEnd::Quarantined);
            }
            Err(error) if error.is_ours() => {
                self.metrics.scan(ScanEnd::GivenBack);
                if matches!(error, WorkError::Object(_)) {
                    self.metrics.object_error(ObjectUser::Worker);
                }
                tracing::warn!(scan = %lease.scan, %error, "put back; not the scan's fault");
                jobs::give_back(&self.database, &lease, &error.to_string(), jobs.retry).await?;
            }
            Err(error) => {
                let (reason, page) = (error.to_string(), error.page());
                match jobs::fail(&self.database, &lease, &self.name, &reason, jobs.retry).await? {
                    Failed::Retries { after } => {
                        self.metrics.scan(ScanEnd::Retried);
                        tracing::warn!(scan = %lease.scan, page, attempt = lease.attempt, ?after, %reason, "tried again later");
                    }
                    Failed::Quarantined => {
                        self.metrics.scan(ScanEnd::Quarantined);
                        tracing::warn!(scan = %lease.scan, page, attempt = lease.attempt, %reason, "quarantined");
                    }
                }
            }
        }
        Ok(true)
    }

    /// Renews the lease for ever; ends when it is lost.
    pub(super) async fn keep(&self, lease: &Lease) -> StoreError {
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
        self.check_size(&scan)?;
        let pages = self.read_pages(&scan).await?;
        let groups =
            group_pages(pages.iter().filter_map(|page| Some((page.look.index, identity(&page.look)?))));
        // An application moves on under us only when another scan of it is published meanwhile; a certificate
        // is revoked once.
        let begun = Instant::now();
        while self.publish(lease, &scan, &pages, &groups, Extent::Scan).await? == Published::Conflict {
            tracing::info!(scan = %scan.id, "another scan of an application, or QA, was faster; building again");
        }
        self.metrics.took(Stage::Publish, begun);
        Ok(())
    }

    fn check_size(&self, scan: &Scan) -> Result<(), WorkError> {
        let limit = self.settings.intake.max_file_mib;
        let found = scan.bytes >> 20;
        if found <= limit {
            return Ok(());
        }
        let reason = format!(
            "{}: has {found} MiB, the limit intake.max_file_mib is {limit}; raise it and retry, or split the file",
            scan.file
        );
        Err(WorkError::Bad { reason, pages: None })
    }

    /// Takes every page of the scan through a reader and puts its objects into the store.
    async fn read_pages(&self, scan: &Scan) -> Result<Vec<StoredPage>, WorkError> {
        let begun = Instant::now();
        let original = self.fetch(scan).await?;
        self.metrics.took(Stage::Fetch, begun);
        let mut reader = self.readers.acquire().await?;
        let blame = |page: u32| {
            let file = scan.file.clone();
            move |source| match source {
                ReaderError::Refused(refusal) => WorkError::Bad { reason: refusal.to_string(), pages: None },
                source => WorkError::Reader { file: file.clone(), page: page + 1, source },
            }
        };
        let begun = Instant::now();
        let count = reader.open(&original.file, &scan.file).await.map_err(blame(0))?;
        self.metrics.took(Stage::Open, begun);
        let mut pages = Vec::new();
        for index in 0..count {
            let page = self.read_page(&mut reader, scan.id, index).await;
            pages.push(page.map_err(|error| match error.of(blame(index)) {
                WorkError::Bad { reason, .. } => WorkError::Bad { reason, pages: Some(count) },
                other => other,
            })?);
            tracing::debug!(scan = %scan.id, page = index + 1, "read");
        }
        reader.close().await.map_err(blame(count))?;
        Ok(pages)
    }

    async fn read_page(
        &self,
        reader: &mut Reader,
        scan: ScanId,
        index: u32,
    ) -> Result<StoredPage, PageError> {
        let begun = Instant::now();
        let look = reader.look(index).await.map_err(PageError::Reader)?;
        self.metrics.took(Stage::Look, begun);
        self.read_looked_at(reader, scan, look).await
    }

    /// The second turn of the talk, and the page's objects.
    pub(super) async fn read_looked_at(
        &self,
        reader: &mut Reader,
        scan: ScanId,
        look: PageLook,
    ) -> Result<StoredPage, PageError> {
        let index = look.index;
        let known = match identity(&look) {
            Some(identity) => self.known(identity.application_id).await.map_err(WorkError::from)?,
            None => None,
        };
        let begun = Instant::now();
        let PageRead { image, readings, copies, unmasked } =
            reader.read(index, known).await.map_err(PageError::Reader)?;
        self.metrics.took(Stage::Read, begun);
        let begun = Instant::now();
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
        let mask = match unmasked {
            Some(unmasked) => self.keep_unmasked(scan, index, unmasked).await?,
            None => None,
        };
        self.metrics.took(Stage::Store, begun);
        Ok(StoredPage { look, image, readings, copies, mask })
    }

    /// Keeps the picture without what could not be told for the person who says what must be black, as long as
    /// the original: not at all where nothing is encrypted.
    async fn keep_unmasked(
        &self,
        scan: ScanId,
        index: u32,
        Unmasked { picture, areas }: Unmasked,
    ) -> Result<Option<PageMask>, WorkError> {
        let kept = self.sensitive_originals_kept();
        if kept.is_zero() {
            return Ok(None);
        }
        let key =
            ObjectKey::of(ObjectKind::Unmasked, Sha256::of(&picture.bytes), Some(picture.format.extension()));
        // First of all: whatever becomes of this attempt, the picture goes.
        unmasked_pages::note(&self.database, scan, index, &key, kept).await?;
        self.objects.put(&key, &picture.bytes).await?;
        Ok(Some(PageMask { index, areas, unmasked: key }))
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
pub(super) struct StoredPage {
    pub look: PageLook,
    pub image: ObjectKey,
    pub readings: Vec<StoredReading>,
    pub copies: Option<CopiesSeen>,
    /// What people are asked about.
    pub mask: Option<PageMask>,
}

pub(super) enum PageError {
    Reader(ReaderError),
    Work(WorkError),
}

impl PageError {
    /// With what a reader's end is to be blamed on.
    pub fn of(self, blame: impl FnOnce(ReaderError) -> WorkError) -> WorkError {
        match self {
            Self::Reader(source) => blame(source),
            Self::Work(error) => error,
        }
    }
}

impl From<WorkError> for PageError {
    fn from(error: WorkError) -> Self {
        Self::Work(error)
    }
}

pub(super) fn identity(look: &PageLook) -> Option<&Identity> {
    match &look.identification {
        Identification::Identified(identity) => Some(identity),
        Identification::Unassigned(_) => None,
    }
}

/// The original, open on this machine; a copy is removed with the value.
pub(super) struct LocalOriginal {
    pub file: File,
    _copy: Option<tempfile::TempDir>,
}

impl Worker {
    pub(super) async fn fetch(&self, scan: &Scan) -> Result<LocalOriginal, WorkError> {
        let open = |path: &Path| {
            let failed = |source| WorkError::Original { key: Box::new(scan.original.clone()), source };
            File::open(path).map_err(failed)
        };
        if let Some(path) = self.objects.local_path(&scan.original) {
            return Ok(LocalOriginal { file: open(&path)?, _copy: None });
        }
        let folder = tempfile::tempdir().map_err(WorkError::Spool)?;
        let path = folder.path().join("original");
        self.objects.get_file(&scan.original, &path).await?;
        Ok(LocalOriginal { file: open(&path)?, _copy: Some(folder) })
    }
}
