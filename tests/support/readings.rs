//! Scans that are read and published.

use std::collections::BTreeMap;

use uketsuke::application_id::ApplicationId;
use uketsuke::digest::Sha256;
use uketsuke::geometry::Affine;
use uketsuke::identify::{Identification, Identity, UnassignedReason};
use uketsuke::page::{Quality, Registration};
use uketsuke::pipeline::PageLook;
use uketsuke::publish::{CapturedPage, FormVersion, Provenance, RECORD_SCHEMA, Record, Source};
use uketsuke::score::Disposition;
use uketsuke::store::applications::{self, ApplicationState};
use uketsuke::store::captures::{CaptureId, RecordObject};
use uketsuke::store::drift::Watch;
use uketsuke::store::jobs::Lease;
use uketsuke::store::masking::PageMask;
use uketsuke::store::objects::{ObjectKey, ObjectKind};
use uketsuke::store::pages::{PageOutcome, PageState};
use uketsuke::store::publish::{self, CaptureChange, CaptureWrite, Publication, Published};
use uketsuke::store::scans::Scan;
use uketsuke::store::tasks::PlannedTask;
use uketsuke::store::{Database, StoreError};

use crate::arrivals::{WORKER, claim, find};

pub fn application(serial: u64) -> ApplicationId {
    ApplicationId::from_serial(serial).expect("in range")
}

pub async fn state(database: &Database, application: ApplicationId) -> ApplicationState {
    applications::states(database, &[application])
        .await
        .expect("states")
        .remove(&application)
        .expect("asked for")
}

/// A scan being read: pages and captures are added in the order of the scan.
pub struct Reading {
    pub scan: Scan,
    pub lease: Lease,
    pub pages: Vec<PageOutcome>,
    pub captures: Vec<CaptureWrite>,
    pub masks: Vec<PageMask>,
    pub expected: BTreeMap<ApplicationId, applications::ApplicationVersion>,
}

impl Reading {
    /// Claims the job that is ready.
    pub async fn begin(database: &Database) -> Self {
        let lease = claim(database).await;
        Self::of(database, lease).await
    }

    /// Of a job that was claimed.
    pub async fn of(database: &Database, lease: Lease) -> Self {
        let scan = find(database, lease.scan).await;
        let (pages, captures, masks) = (Vec::new(), Vec::new(), Vec::new());
        Self { scan, lease, pages, captures, masks, expected: BTreeMap::new() }
    }

    fn next_index(&self) -> u32 {
        self.pages.len() as u32
    }

    pub fn blank(&mut self) {
        let look = look(self.next_index(), Identification::Unassigned(UnassignedReason::NoSymbol), true);
        self.pages.push(PageOutcome { look, state: PageState::Blank { image: None } });
    }

    pub fn unassigned(&mut self, neighbours: Vec<ApplicationId>) {
        let reason = UnassignedReason::NoValidId;
        let look = look(self.next_index(), Identification::Unassigned(reason), false);
        let image = ObjectKey::of(ObjectKind::Page, Sha256::of(b"a page"), Some("png"));
        self.pages.push(PageOutcome { look, state: PageState::Unassigned { image, reason, neighbours } });
    }

    /// A page of a capture that is written with [`Self::capture`] or [`Self::complete`].
    pub fn page(&mut self, application: ApplicationId, form_page: u32, capture: CaptureId) {
        let index = self.next_index();
        let identity = Identity {
            application_id: application,
            form: "benefit-2020".to_owned(),
            version: "1".to_owned(),
            page: form_page,
            issue: None,
            carried_by: Vec::new(),
            confirmed: true,
        };
        let look = look(index, Identification::Identified(identity.clone()), false);
        let page = CapturedPage {
            sha256: self.scan.sha256,
            file: self.scan.file.clone(),
            identity,
            image: ObjectKey::of(ObjectKind::Page, Sha256::of(&[index as u8]), Some("png")),
            look: look.clone(),
            readings: Vec::new(),
            findings: Vec::new(),
            copies: None,
        };
        self.pages.push(PageOutcome { look, state: PageState::Captured { capture, page: Box::new(page) } });
    }

    /// The ID of a new capture whose first page is the next.
    pub fn capture_id(&self, application: ApplicationId) -> CaptureId {
        CaptureId::of(self.scan.sha256, application, self.next_index())
    }

    /// Adds a new capture of one page or more.
    pub async fn capture(
        &mut self,
        database: &Database,
        application: ApplicationId,
        form_pages: &[u32],
    ) -> CaptureId {
        let id = self.capture_id(application);
        for &form_page in form_pages {
            self.page(application, form_page, id);
        }
        let change = CaptureChange::New { captured_at: self.scan.arrived_at };
        self.write(database, application, id, change).await;
        id
    }

    /// Adds a new capture of one page, with the record and the work that `build` makes of an empty one.
    #[allow(dead_code, reason = "most tests need no fields")]
    pub async fn capture_with(
        &mut self,
        database: &Database,
        application: ApplicationId,
        build: impl FnOnce(&mut Record) -> Vec<PlannedTask>,
    ) -> CaptureId {
        let id = self.capture_id(application);
        self.page(application, 1, id);
        let change = CaptureChange::New { captured_at: self.scan.arrived_at };
        self.expected.insert(application, state(database, application).await.version);
        let mut record = record(&self.scan, application, id, change);
        let tasks = build(&mut record);
        let record = RecordObject::of(&record).expect("finite numbers");
        let missing = Vec::new();
        self.captures.push(CaptureWrite { id, application_id: application, change, record, missing, tasks });
        id
    }

    /// Adds a page that an earlier capture lacks.
    pub async fn complete(&mut self, database: &Database, application: ApplicationId, form_page: u32) {
        let capture = state(database, application).await.captures.remove(0);
        self.page(application, form_page, capture.id);
        let change = CaptureChange::Completed { version: capture.version };
        self.write(database, application, capture.id, change).await;
    }

    async fn write(
        &mut self,
        database: &Database,
        application: ApplicationId,
        id: CaptureId,
        change: CaptureChange,
    ) {
        self.expected.insert(application, state(database, application).await.version);
        let record = record(&self.scan, application, id, change);
        let record = RecordObject::of(&record).expect("finite numbers");
        self.captures.push(CaptureWrite {
            id,
            application_id: application,
            change,
            record,
            missing: Vec::new(),
            tasks: Vec::new(),
        });
    }

    pub async fn publish(&self, database: &Database) -> Result<Published, StoreError> {
        self.publish_watched(database, None).await
    }

    /// Publishes, and counts confidences.
    pub async fn publish_watched(
        &self,
        database: &Database,
        watch: Option<Watch<'_>>,
    ) -> Result<Published, StoreError> {
        let publication = Publication {
            lease: &self.lease,
            actor: WORKER,
            scan: &self.scan,
            pages: &self.pages,
            captures: &self.captures,
            expected: &self.expected,
            sensitive: None,
            blacked_out: 0,
            masks: &self.masks,
            watch,
        };
        publish::publish(database, &publication).await
    }
}

fn look(index: u32, identification: Identification, blank: bool) -> PageLook {
    let registration = match &identification {
        Identification::Identified(_) => {
            let scale = 300.0 / 25.4;
            let map = Affine { a: scale, b: 0.0, c: 0.0, d: 0.0, e: scale, f: 0.0 };
            Some(Registration { map, residual_px: 0.4 })
        }
        Identification::Unassigned(_) => None,
    };
    PageLook {
        index,
        width_px: 2480,
        height_px: 3508,
        declared_dpi: Some(300.0),
        quality: Quality { ink: 0.05, contrast: 0.8, sharpness: 0.9 },
        blank,
        skew_deg: 0.1,
        symbols: Vec::new(),
        identification,
        registration,
    }
}

fn record(scan: &Scan, application_id: ApplicationId, id: CaptureId, change: CaptureChange) -> Record {
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        application_id,
        capture_id: id.to_string(),
        form: FormVersion { id: "benefit-2020".to_owned(), version: "1".to_owned() },
        issue: None,
        source: Source {
            station: scan.station.clone(),
            batch: scan.batch.clone(),
            file: scan.file.clone(),
            sha256: scan.sha256,
            page_indexes: vec![0],
        },
        captured_at: scan.arrived_at,
        pages: Vec::new(),
        fields: BTreeMap::new(),
        findings: Vec::new(),
        disposition: match change {
            CaptureChange::New { .. } => Disposition::Escalate,
            CaptureChange::Completed { .. } => Disposition::Verify,
        },
        provenance: Provenance {
            software: "test".to_owned(),
            form: Sha256::of(b"the form file"),
            models: BTreeMap::new(),
            calibration: None,
            certificate: None,
        },
    }
}
