//! Jobs: a worker that dies, hangs or comes back late changes nothing that it no longer has.

#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/database.rs"]
mod database;

use std::collections::BTreeSet;
use std::time::Duration;

use uketsuke::store::jobs::{self, Failed, JobCounts};
use uketsuke::store::scans::ScanState;
use uketsuke::store::{Database, StoreError};

use arrivals::{LEASE, MAX_ATTEMPTS, WORKER, claim, find, scan};

const NOW: Duration = Duration::ZERO;

/// Claims the one job that is ready under a lease that has ended at once, as of a worker that died.
async fn claim_and_die(database: &Database) -> jobs::Lease {
    jobs::claim_scans(database, WORKER, NOW, 1).await.expect("a claim").pop().expect("a job")
}

#[tokio::test]
async fn many_workers_share_the_queue_without_meeting() {
    let database = database::fresh().await;
    let mut scans = BTreeSet::new();
    for number in 0..40 {
        scans.insert(scan(&database, &format!("scan {number}")).await);
    }
    let workers: Vec<_> = (0..8)
        .map(|number| {
            let database = database.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let worker = format!("worker {number}");
                    let leases = jobs::claim_scans(&database, &worker, LEASE, 2).await.expect("a claim");
                    if leases.is_empty() {
                        return mine;
                    }
                    mine.extend(leases.into_iter().map(|lease| lease.scan));
                }
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.expect("no panic"));
    }
    assert_eq!(claimed.len(), 40, "each once");
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), scans);
    let counts = jobs::counts(&database).await.expect("counts");
    assert_eq!(counts, JobCounts { waiting: 0, working: 40, quarantined: 0 });
}

#[tokio::test]
async fn a_worker_whose_lease_has_gone_is_fenced_off() {
    let database = database::fresh().await;
    scan(&database, "one").await;
    let dead = claim_and_die(&database).await;
    let lease = claim(&database).await;
    assert_eq!((dead.job, dead.attempt, lease.attempt), (lease.job, 1, 2));
    for result in [
        jobs::heartbeat(&database, &dead, LEASE).await,
        jobs::fail(&database, &dead, WORKER, "late", NOW).await.map(drop),
        jobs::quarantine(&database, &dead, WORKER, "late", None).await,
    ] {
        assert!(matches!(result, Err(StoreError::LeaseLost(job)) if job == lease.job), "{result:?}");
    }
    jobs::heartbeat(&database, &lease, LEASE).await.expect("still its own");
    assert_eq!(find(&database, lease.scan).await.state, ScanState::Waiting);
}

#[tokio::test]
async fn a_heartbeat_keeps_the_job() {
    let database = database::fresh().await;
    scan(&database, "one").await;
    let lease = claim_and_die(&database).await;
    jobs::heartbeat(&database, &lease, LEASE).await.expect("nobody else has it");
    assert!(jobs::claim_scans(&database, WORKER, LEASE, 1).await.expect("a claim").is_empty());
}

#[tokio::test]
async fn a_scan_that_kills_its_workers_is_quarantined_after_exactly_its_attempts() {
    let database = database::fresh().await;
    let poison = scan(&database, "poison").await;
    for attempt in 1..=MAX_ATTEMPTS {
        assert_eq!(claim_and_die(&database).await.attempt, attempt);
    }
    let good = scan(&database, "good").await;
    assert_eq!(claim(&database).await.scan, good, "the queue goes on");
    let scan = find(&database, poison).await;
    assert_eq!(scan.state, ScanState::Quarantined);
    assert_eq!(
        scan.reason.as_deref(),
        Some("given up after 3 attempts: each ended without a word (crashed, killed or hung)")
    );
    let counts = jobs::counts(&database).await.expect("counts");
    assert_eq!(counts, JobCounts { waiting: 0, working: 1, quarantined: 1 });
}

#[tokio::test]
async fn a_failure_is_tried_again_later_and_then_quarantined_with_its_reason() {
    let database = database::fresh().await;
    let id = scan(&database, "one").await;
    let pause = Duration::from_secs(600);
    let lease = claim(&database).await;
    let failed = jobs::fail(&database, &lease, WORKER, "page 2: the reader hung", pause).await;
    assert_eq!(failed.expect("noted"), Failed::Retries { after: pause });
    assert!(jobs::claim_scans(&database, WORKER, LEASE, 1).await.expect("a claim").is_empty(), "it pauses");

    let id2 = scan(&database, "two").await;
    for attempt in 1..=MAX_ATTEMPTS {
        let lease = claim(&database).await;
        assert_eq!((lease.scan, lease.attempt), (id2, attempt));
        let failed = jobs::fail(&database, &lease, WORKER, "page 2: the reader hung", NOW).await;
        let expected = match attempt {
            MAX_ATTEMPTS => Failed::Quarantined,
            _ => Failed::Retries { after: NOW },
        };
        assert_eq!(failed.expect("noted"), expected);
    }
    let scan = find(&database, id2).await;
    assert_eq!(scan.reason.as_deref(), Some("given up after 3 attempts: page 2: the reader hung"));
    assert_eq!(find(&database, id).await.state, ScanState::Waiting);
}

#[tokio::test]
async fn a_broken_file_is_quarantined_at_once_and_can_be_put_back() {
    let database = database::fresh().await;
    let id = scan(&database, "broken").await;
    let lease = claim(&database).await;
    jobs::quarantine(&database, &lease, WORKER, "the PDF is encrypted", Some(4)).await.expect("put aside");
    let scan = find(&database, id).await;
    assert_eq!((scan.state, scan.page_count), (ScanState::Quarantined, Some(4)));

    assert!(jobs::requeue(&database, id, "operator", MAX_ATTEMPTS).await.expect("put back"));
    assert!(!jobs::requeue(&database, id, "operator", MAX_ATTEMPTS).await.expect("not twice"));
    let scan = find(&database, id).await;
    assert_eq!((scan.state, scan.page_count, scan.reason), (ScanState::Waiting, None, None));
    let again = claim(&database).await;
    assert_eq!((again.scan, again.attempt), (id, 1));
    assert_ne!(again.job, lease.job, "the old lease must not fit");
    let counts = jobs::counts(&database).await.expect("counts");
    assert_eq!(counts, JobCounts { waiting: 0, working: 1, quarantined: 0 });
}
