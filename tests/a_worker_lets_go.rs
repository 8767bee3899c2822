//! A worker that is told to stop finishes what it has; one that was paused for longer than its lease
//! wakes up to find its scan with another, and changes nothing.

#[path = "support/site.rs"]
mod site;

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use uketsuke::store::Database;
use uketsuke::store::accounting::{self, Accounting, Filter};
use uketsuke::store::jobs::{self, Lease};

use site::{Site, sample_register, signal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_uketsuke");

/// Every page of it takes a moment, so that the worker can be met while it has the scan.
const PILE: &str = "samples/scans/minami/batch-001/000005.tif";
const PILE_PAGES: u64 = 7;

/// Outlasts the test.
const OURS: Duration = Duration::from_secs(600);

/// A site with one pile of pages taken in and waiting to be read.
async fn site_with_a_pile() -> (Site, Database) {
    let jobs = "[jobs]\nlease_seconds = 2.0\nretry_seconds = 0.2\n[readers]\ncount = 1\n";
    let site = Site::new(Path::new(PROGRAM), jobs);
    site.run(&["register", "import", &sample_register()]);
    let mut intake = site.serve("intake");
    let station = site.data().join("drop/minami/batch-001");
    fs::create_dir_all(&station).expect("a station");
    fs::copy(site::repository().join(PILE), station.join("pile.tmp")).expect("a pile");
    fs::rename(station.join("pile.tmp"), station.join("pile.tif")).expect("dropped");
    let database = Database::connect(&site.data(), None).await.expect("the private database");
    until("the pile is taken in", async || sum(&database).await.scans == 1).await;
    signal(intake.id(), "TERM");
    assert!(intake.wait().expect("our child").success());
    (site, database)
}

async fn sum(database: &Database) -> Accounting {
    accounting::total(database, &Filter::default()).await.expect("a sum")
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !holds().await {
        assert!(Instant::now() < deadline, "not within three minutes: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A worker that has the pile, with its stderr in `log`.
async fn worker_with_the_pile(site: &Site, database: &Database, log: &Path) -> Child {
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--roles", "work"]);
    let log = fs::File::create(log).expect("a log");
    let worker = command.stdout(Stdio::null()).stderr(log).spawn().expect("the worker starts");
    until("the worker has the pile", async || sum(database).await.scans_working == 1).await;
    worker
}

/// Takes the pile over when its lease has ended.
async fn take_over(database: &Database) -> Lease {
    loop {
        if let Some(lease) = jobs::claim_scans(database, "the other", OURS, 1).await.expect("a claim").pop() {
            return lease;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_worker_that_was_paused_beyond_its_lease_changes_nothing() {
    let (site, database) = site_with_a_pile().await;
    let log = site.folder().join("worker.log");
    let mut worker = worker_with_the_pile(&site, &database, &log).await;
    signal(worker.id(), "STOP");
    let lease = take_over(&database).await;
    assert_eq!(lease.attempt, 2);
    signal(worker.id(), "CONT");
    until("the woken worker sees that it lost its lease", async || {
        fs::read_to_string(&log).expect("a log").contains("the lease was lost")
    })
    .await;
    let seen = sum(&database).await;
    assert_eq!((seen.scans_working, seen.scans_done, seen.pages, seen.captures), (1, 0, 0, 0), "{seen:?}");
    jobs::heartbeat(&database, &lease, OURS).await.expect("the scan is still with the other");

    // And when the other gives it up, the same worker may have it again.
    jobs::give_back(&database, &lease, "the test is over", Duration::ZERO).await.expect("given back");
    until("the pile is read", async || sum(&database).await.scans_done == 1).await;
    let seen = sum(&database).await;
    assert_eq!((seen.pages, seen.scans), (PILE_PAGES, 1), "{seen:?}");
    signal(worker.id(), "TERM");
    assert!(worker.wait().expect("our child").success(), "drained");
    database.close().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_what_it_has() {
    let (site, database) = site_with_a_pile().await;
    let mut worker = worker_with_the_pile(&site, &database, &site.folder().join("worker.log")).await;
    signal(worker.id(), "TERM");
    assert!(worker.wait().expect("our child").success(), "drained");
    let seen = sum(&database).await;
    assert_eq!((seen.scans_done, seen.pages), (1, PILE_PAGES), "{seen:?}");
    let left = jobs::counts(&database).await.expect("counts");
    assert_eq!((left.waiting, left.working, left.quarantined), (0, 0, 0));
    database.close().await;
}

#[tokio::test]
async fn a_worker_that_is_told_twice_returns_what_it_has() {
    let (site, database) = site_with_a_pile().await;
    let mut worker = worker_with_the_pile(&site, &database, &site.folder().join("worker.log")).await;
    signal(worker.id(), "TERM");
    tokio::time::sleep(Duration::from_millis(100)).await;
    signal(worker.id(), "TERM");
    assert!(worker.wait().expect("our child").success(), "ended at once, and in order");
    let seen = sum(&database).await;
    if seen.scans_done == 0 {
        // The lease was not renewed any more: another has the pile after it at the latest.
        assert_eq!(take_over(&database).await.attempt, 2);
    }
    assert_eq!(sum(&database).await.captures, seen.captures);
    database.close().await;
}
