//! Scans that arrive and are claimed.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use uketsuke::digest::Sha256;
use uketsuke::store::Database;
use uketsuke::store::jobs::{self, Lease, Terms};
use uketsuke::store::objects::{ObjectKey, ObjectKind};
use uketsuke::store::scans::{self, Accepted, Arrival, Scan, ScanId};

pub const WORKER: &str = "worker 1";
pub const LEASE: Duration = Duration::from_secs(30);
pub const MAX_ATTEMPTS: i32 = 3;
pub const TERMS: Terms = Terms { max_attempts: MAX_ATTEMPTS, due_in: Duration::from_secs(24 * 3600) };

pub fn arrival(path: &str, content: &str) -> Arrival {
    let sha256 = Sha256::of(content.as_bytes());
    Arrival {
        station: "desk".to_owned(),
        batch: Some("monday".to_owned()),
        path: path.to_owned(),
        occasion: "first run".to_owned(),
        sha256,
        bytes: content.len() as u64,
        original: ObjectKey::of(ObjectKind::Original, sha256, None),
        modified_at: noon(),
    }
}

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).single().expect("a time")
}

pub async fn accept(database: &Database, arrival: &Arrival) -> Accepted {
    scans::accept(database, arrival, "intake", TERMS).await.expect("accepted")
}

/// Takes in a scan of that content.
pub async fn scan(database: &Database, content: &str) -> ScanId {
    match accept(database, &arrival(&format!("{content}.tif"), content)).await {
        Accepted::New(scan) => scan,
        other => panic!("{content} was here before: {other:?}"),
    }
}

/// Claims the one job that is ready.
pub async fn claim(database: &Database) -> Lease {
    let mut leases = jobs::claim_scans(database, WORKER, LEASE, 1).await.expect("a claim");
    leases.pop().expect("a job that is ready")
}

pub async fn find(database: &Database, id: ScanId) -> Scan {
    scans::find(database, id).await.expect("an answer").expect("a scan")
}
