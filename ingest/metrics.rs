//! What the service tells of itself in numbers, in the text format of Prometheus (OpenMetrics).
//!
//! [`Metrics`] is what this process counts as it works; a [`Snapshot`] is what is found out when
//! somebody asks. Labels are words of the program, never of a page.

use std::time::Instant;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::fleet::ReaderEnd;
use crate::intake::FolderState;
use crate::store::pages::{PageOutcome, PageState};
use crate::store::standing::Standing;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every name begins with it.
const PREFIX: &str = "uketsuke";

/// Upper bounds in seconds. A look takes 10 to 50 ms, a page read by every reader 0.1 to 1 s, and a
/// page is given up after 60 s (readers.page_seconds).
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

type Labels<const N: usize> = [(&'static str, String); N];
type Durations = Family<Labels<1>, Histogram, fn() -> Histogram>;

/// A part of the work on a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The original comes from the object store; of a scan.
    Fetch,
    /// A reader opens it and counts its pages; of a scan.
    Open,
    /// A reader decodes a page and says whose it is; of a page.
    Look,
    /// A reader reads its fields; of a page.
    Read,
    /// Its image and crops go into the object store; of a page.
    Store,
    /// Records are built and written, rows commit; of a scan.
    Publish,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Open => "open",
            Self::Look => "look",
            Self::Read => "read",
            Self::Store => "store",
            Self::Publish => "publish",
        }
    }
}

/// What became of an attempt at a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    Published,
    Quarantined,
    /// It failed, and is tried again.
    Retried,
    /// The machine failed it, and it is tried again.
    GivenBack,
    /// The lease had ended.
    LeaseLost,
}

impl ScanEnd {
    fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Quarantined => "quarantined",
            Self::Retried => "retried",
            Self::GivenBack => "given_back",
            Self::LeaseLost => "lease_lost",
        }
    }
}

/// What became of a file that a station dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileEnd {
    New,
    Repeated,
    /// It stays in the folder, and is tried again.
    Failed,
}

impl FileEnd {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
        }
    }
}

/// Who met an error of the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectUser {
    Intake,
    Worker,
}

impl ObjectUser {
    fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Worker => "work",
        }
    }
}

/// The counters of this process; clones are the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    stages: Durations,
    pages: Family<Labels<1>, Counter>,
    scans: Family<Labels<1>, Counter>,
    files: Family<Labels<1>, Counter>,
    object_errors: Family<Labels<1>, Counter>,
    intake_full: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            stages: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            pages: Family::default(),
            scans: Family::default(),
            files: Family::default(),
            object_errors: Family::default(),
            intake_full: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Notes how long a stage took that began at `since`.
    pub fn took(&self, stage: Stage, since: Instant) {
        let seconds = since.elapsed().as_secs_f64();
        self.stages.get_or_create(&label("stage", stage.name())).observe(seconds);
    }

    pub fn scan(&self, end: ScanEnd) {
        self.scans.get_or_create(&label("outcome", end.name())).inc();
    }

    pub fn file(&self, end: FileEnd) {
        self.files.get_or_create(&label("outcome", end.name())).inc();
    }

    /// Pages that were published.
    pub fn pages(&self, pages: &[PageOutcome]) {
        for page in pages {
            let state = match page.state {
                PageState::Captured { .. } => "captured",
                PageState::Blank { .. } => "blank",
                PageState::Unassigned { .. } => "unassigned",
            };
            self.pages.get_or_create(&label("state", state)).inc();
        }
    }

    pub fn object_error(&self, user: ObjectUser) {
        self.object_errors.get_or_create(&label("role", user.name())).inc();
    }

    /// Whether files are left in the drop folder for want of room.
    pub fn intake_full(&self, full: bool) {
        self.intake_full.set(i64::from(full));
    }

    /// Everything, as Prometheus reads it.
    pub fn text(&self, snapshot: &Snapshot) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry())?;
        encode_registry(&mut text, &snapshot.registry())?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_with_unit(
            "stage_duration",
            "How long a stage took on this node",
            Unit::Seconds,
            self.stages.clone(),
        );
        registry.register("pages", "Pages that this node published, by state", self.pages.clone());
        registry.register("scans", "Attempts at scans on this node, by outcome", self.scans.clone());
        registry.register(
            "files",
            "Files that stations dropped on this node, by outcome",
            self.files.clone(),
        );
        registry.register(
            "object_errors",
            "Failed calls of the object store on this node, by the role that made them",
            self.object_errors.clone(),
        );
        registry.register(
            "intake_full",
            "1 while files stay in the drop folder for want of room",
            self.intake_full.clone(),
        );
        registry
    }
}

/// What is found out when somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// None where the database does not answer.
    pub standing: Option<Standing>,
    pub database_errors: u64,
    /// How readers of this node ended, and how often.
    pub reader_ends: Vec<(ReaderEnd, u64)>,
    pub readers: usize,
    /// Bytes that are free where the data folder is.
    pub data_free_bytes: Option<u64>,
    /// The drop folder, on a node that takes files in.
    pub folder: Option<FolderState>,
    pub certificate: Option<CertificateInUse>,
    /// Forms by name and version, and whether fields of theirs may be accepted.
    pub acceptance: Vec<(String, bool)>,
    pub draining: bool,
}

#[derive(Debug, Clone)]
pub struct CertificateInUse {
    pub sha256: String,
    pub basis: &'static str,
    /// Its strata that nothing is accepted in any more; none where the database does not answer.
    pub suspended: Option<u64>,
    /// QA found its promise broken; none where the database does not answer.
    pub revoked: Option<bool>,
}

impl Snapshot {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        let mut gauge = |name: &str, help: &str, value: f64| {
            let gauge = FloatGauge::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        };
        gauge("database_up", "1 where the database answers", f64::from(u8::from(self.standing.is_some())));
        gauge("draining", "1 while the node finishes what is in hand", f64::from(u8::from(self.draining)));
        gauge("readers", "Reader processes that this node may have", self.readers as f64);
        if let Some(bytes) = self.data_free_bytes {
            gauge("data_free_bytes", "Free space where the data folder is", bytes as f64);
        }
        if let Some(standing) = &self.standing {
            gauge("pages_unassigned", "Pages that wait for a person", standing.pages_unassigned as f64);
            gauge("scans_waiting", "Scans to be read, or being read", standing.scans_waiting as f64);
            gauge("scans_quarantined", "Scans in quarantine", standing.scans_quarantined as f64);
            gauge("seals", "Seals over events", standing.seals as f64);
            gauge("events_unsealed", "Events that wait for their seal", standing.events_unsealed as f64);
            gauge(
                "event_oldest_unsealed_seconds",
                "Age of the oldest event without a seal",
                standing.oldest_unsealed_s.unwrap_or_default(),
            );
            gauge("job_rows_dead", "Rows of the job table to be vacuumed", standing.job_rows_dead as f64);
            gauge(
                "oldest_transaction_seconds",
                "Age of the oldest open transaction that this role sees",
                standing.oldest_transaction_s.unwrap_or_default(),
            );
        }
        if let Some(folder) = &self.folder {
            gauge(
                "drop_files_arriving",
                "Files in the drop folder that have not arrived",
                folder.arriving as f64,
            );
            gauge("drop_files_overdue", "Of these, files that were reported", folder.overdue as f64);
            gauge("drop_findings", "Things in the drop folder that are no scans", folder.findings as f64);
            gauge(
                "drop_folder_readable",
                "1 where the drop folder can be read",
                f64::from(u8::from(folder.unreadable.is_none())),
            );
        }
        if let Some(suspended) = self.certificate.as_ref().and_then(|certificate| certificate.suspended) {
            gauge(
                "certificate_suspensions",
                "Fields that the certificate accepts nothing more of",
                suspended as f64,
            );
        }

        if let Some(revoked) = self.certificate.as_ref().and_then(|certificate| certificate.revoked) {
            gauge(
                "certificate_revoked",
                "1 where QA found more errors than the certificate promises: nothing is accepted",
                f64::from(u8::from(revoked)),
            );
        }
        self.register_queues(&mut registry);
        self.register_certificate(&mut registry);
        let ends = Family::<Labels<1>, Counter>::default();
        for (end, count) in &self.reader_ends {
            ends.get_or_create(&label("cause", end.name())).inc_by(*count);
        }
        registry.register("reader_ends", "Readers of this node that ended, by cause", ends);
        let errors: Counter = Counter::default();
        errors.inc_by(self.database_errors);
        registry.register("database_errors", "Failed questions of this process to the database", errors);
        registry
    }

    fn register_queues(&self, registry: &mut Registry) {
        let Some(standing) = &self.standing else { return };
        let depth = Family::<Labels<2>, Gauge>::default();
        let oldest = Family::<Labels<1>, FloatGauge>::default();
        let overdue = Family::<Labels<1>, Gauge>::default();
        for queue in &standing.queues {
            for (state, count) in [
                ("ready", queue.ready),
                ("pausing", queue.pausing),
                ("working", queue.working),
                ("dead", queue.dead),
            ] {
                let labels = [("kind", queue.kind.clone()), ("state", state.to_owned())];
                depth.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            oldest.get_or_create(&label("kind", &queue.kind)).set(queue.oldest_s.unwrap_or_default());
            let late = i64::try_from(queue.overdue).unwrap_or(i64::MAX);
            overdue.get_or_create(&label("kind", &queue.kind)).set(late);
        }
        registry.register("jobs", "Jobs of the fleet by kind and state", depth);
        registry.register(
            "job_oldest_seconds",
            "Age of the oldest job that is not given up, by kind",
            oldest,
        );
        registry.register("jobs_overdue", "Jobs that should have been done by now, by kind", overdue);
    }

    fn register_certificate(&self, registry: &mut Registry) {
        if let Some(certificate) = &self.certificate {
            let info = Family::<Labels<2>, Gauge>::default();
            let labels = [("sha256", certificate.sha256.clone()), ("basis", certificate.basis.to_owned())];
            info.get_or_create(&labels).set(1);
            registry.register("certificate", "1 for the risk certificate that this node has", info);
        }
        let acceptance = Family::<Labels<1>, Gauge>::default();
        for (form, on) in &self.acceptance {
            acceptance.get_or_create(&label("form", form)).set(i64::from(*on));
        }
        registry.register("acceptance", "1 for a form whose fields may be accepted", acceptance);
    }
}

type FloatGauge = Gauge<f64, std::sync::atomic::AtomicU64>;

fn label(name: &'static str, value: &str) -> Labels<1> {
    [(name, value.to_owned())]
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::store::standing::Queue;

    #[test]
    fn a_node_without_its_database_still_tells_of_itself() {
        let metrics = Metrics::default();
        metrics.took(Stage::Look, Instant::now());
        metrics.scan(ScanEnd::GivenBack);
        let snapshot =
            Snapshot { reader_ends: vec![(ReaderEnd::TimedOut, 2)], draining: true, ..Snapshot::default() };
        let text = metrics.text(&snapshot).expect("text");
        for line in [
            "uketsuke_database_up 0.0",
            "uketsuke_draining 1.0",
            "uketsuke_scans_total{outcome=\"given_back\"} 1",
            "uketsuke_reader_ends_total{cause=\"timed_out\"} 2",
            "uketsuke_stage_duration_seconds_count{stage=\"look\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
        }
        assert!(!text.contains("uketsuke_jobs{"), "what is not known is not told as 0");
        assert!(text.ends_with("# EOF\n"));
    }

    /// Every metric once: what can only be seen in a disturbed fleet, too.
    fn everything() -> String {
        let metrics = Metrics::default();
        metrics.took(Stage::Read, Instant::now());
        metrics.scan(ScanEnd::Published);
        metrics.file(FileEnd::New);
        metrics.object_error(ObjectUser::Intake);
        metrics.pages.get_or_create(&label("state", "captured")).inc();
        let queue = Queue {
            kind: "read_scan".to_owned(),
            ready: 1,
            pausing: 0,
            working: 0,
            overdue: 0,
            dead: 0,
            oldest_s: Some(1.0),
        };
        let standing = Standing {
            queues: vec![queue],
            scans_waiting: 1,
            scans_quarantined: 0,
            pages_unassigned: 0,
            seals: 0,
            events_unsealed: 0,
            oldest_unsealed_s: None,
            job_rows_dead: 0,
            oldest_transaction_s: None,
        };
        let certificate = CertificateInUse {
            sha256: "00".repeat(32),
            basis: "proven",
            suspended: Some(0),
            revoked: Some(false),
        };
        let snapshot = Snapshot {
            standing: Some(standing),
            database_errors: 0,
            reader_ends: vec![(ReaderEnd::Died, 0)],
            readers: 1,
            data_free_bytes: Some(1),
            folder: Some(FolderState::default()),
            certificate: Some(certificate),
            acceptance: vec![("benefit-2020@1".to_owned(), true)],
            draining: false,
        };
        metrics.text(&snapshot).expect("text")
    }

    /// Names as Prometheus has them, and which metric they belong to as the documentation names it.
    fn names(text: &str) -> BTreeMap<String, String> {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        types
            .flat_map(|(name, kind)| match kind {
                "counter" => vec![(format!("{name}_total"), format!("{name}_total"))],
                "histogram" => ["bucket", "count", "sum"]
                    .map(|part| (format!("{name}_{part}"), name.to_owned()))
                    .to_vec(),
                _ => vec![(name.to_owned(), name.to_owned())],
            })
            .collect()
    }

    /// The words of a text that look like names of metrics.
    fn named(text: &str) -> BTreeSet<&str> {
        text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
            .filter(|word| word.starts_with("uketsuke_"))
            .collect()
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_exist() {
        let names = names(&everything());
        let dashboard: serde_json::Value =
            serde_json::from_str(include_str!("../config/grafana/uketsuke.json")).expect("JSON");
        let panels = dashboard["panels"].as_array().expect("panels");
        let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
        let mut asked = BTreeSet::new();
        for query in queries {
            let found = named(query["expr"].as_str().expect("a query"));
            assert!(!found.is_empty(), "{query}");
            for name in found {
                let metric = names.get(name).unwrap_or_else(|| panic!("there is no {name}: {query}"));
                asked.insert(metric.clone());
            }
        }
        let all: BTreeSet<String> = names.into_values().collect();
        assert_eq!(all.difference(&asked).collect::<Vec<_>>(), Vec::<&String>::new(), "not on the dashboard");
    }

    #[test]
    fn the_documentation_explains_every_metric_and_no_other() {
        let all: BTreeSet<String> = names(&everything()).into_values().collect();
        let documented: BTreeSet<String> = include_str!("../docs/operations.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `uketsuke_"))
            .filter(|line| line.contains("| node |") || line.contains("| fleet |"))
            .filter_map(|line| Some(format!("uketsuke_{}", line.split(['{', '`']).next()?)))
            .collect();
        assert_eq!(documented, all);
        let explained = named(include_str!("../docs/operations.md"));
        for name in explained.into_iter().filter(|name| *name != "uketsuke_owner") {
            assert!(all.contains(name), "there is no {name}");
        }
    }
}
