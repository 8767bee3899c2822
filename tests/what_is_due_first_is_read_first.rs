//! The queue is fair: urgent scans overtake, what has waited long enough is overtaken by nothing, and
//! an idle worker hears of a scan at once, or finds it a moment later.

#[expect(dead_code, reason = "what these tests do not need")]
#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/database.rs"]
mod database;

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use uketsuke::fleet::Bell;
use uketsuke::store::jobs::{self, Terms};
use uketsuke::store::scans::{self, Accepted, ScanId};
use uketsuke::store::{Database, standing};

use arrivals::{LEASE, MAX_ATTEMPTS, WORKER, arrival, claim};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than any test: who waits for it has not been woken.
const NEVER: Duration = Duration::from_secs(3600);

async fn scan_due_in(database: &Database, content: &str, due_in: Duration) -> ScanId {
    let terms = Terms { max_attempts: MAX_ATTEMPTS, due_in };
    let arrival = arrival(&format!("{content}.tif"), content);
    match scans::accept(database, &arrival, "intake", terms).await.expect("accepted") {
        Accepted::New(scan) => scan,
        other => panic!("{content} was here before: {other:?}"),
    }
}

/// As if so many hours had passed since the scans that are there came.
async fn hours_pass(options: &PgConnectOptions, hours: i32) {
    let mut connection = PgConnection::connect_with(options).await.expect("a connection");
    let statement = "update job set due_at = due_at - make_interval(hours => $1),
                                    created_at = created_at - make_interval(hours => $1)";
    sqlx::query(statement).bind(hours).execute(&mut connection).await.expect("time passes");
}

#[tokio::test]
async fn an_urgent_scan_overtakes_and_an_old_one_is_overtaken_by_nothing() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let patient = scan_due_in(&database, "patient", 24 * HOUR).await;
    hours_pass(&options, 20).await;
    let urgent = scan_due_in(&database, "urgent", HOUR).await;
    assert_eq!(claim(&database).await.scan, urgent, "the patient one has four hours left");

    hours_pass(&options, 5).await;
    for number in 0..50 {
        scan_due_in(&database, &format!("urgent {number}"), HOUR).await;
    }
    assert_eq!(claim(&database).await.scan, patient, "however many urgent ones come behind it");
}

#[tokio::test]
async fn what_is_put_back_again_and_again_does_not_keep_workers_from_the_rest() {
    let database = database::fresh().await;
    let unlucky = scan_due_in(&database, "its original cannot be fetched", HOUR).await;
    let other = scan_due_in(&database, "any other", 24 * HOUR).await;
    let second = Duration::from_secs(1);
    let lease = claim(&database).await;
    assert_eq!(lease.scan, unlucky);
    jobs::give_back(&database, &lease, "the store is away", second).await.expect("put back");
    let lease = claim(&database).await;
    assert_eq!(lease.scan, other, "the unlucky one pauses");
    jobs::give_back(&database, &lease, "and back", Duration::ZERO).await.expect("put back");

    // Each time for longer.
    tokio::time::sleep(second).await;
    let lease = claim(&database).await;
    assert_eq!((lease.scan, lease.attempt), (unlucky, 2));
    jobs::give_back(&database, &lease, "the store is away", second).await.expect("put back");
    assert_eq!(claim(&database).await.scan, other);
    tokio::time::sleep(second).await;
    let none = jobs::claim_scans(&database, WORKER, LEASE, 1).await.expect("a claim");
    assert!(none.is_empty(), "after a second of two");
}

#[tokio::test]
async fn what_is_overdue_is_counted() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    scan_due_in(&database, "one", HOUR).await;
    scan_due_in(&database, "two", 3 * HOUR).await;
    let overdue = async || standing::queues(&database).await.expect("queues").remove(0).overdue;
    assert_eq!(overdue().await, 0);
    hours_pass(&options, 2).await;
    assert_eq!(overdue().await, 1);
    let lease = claim(&database).await;
    assert_eq!(overdue().await, 1, "being read is not read");
    let reason = "a broken file";
    jobs::quarantine(&database, &lease, WORKER, reason, None).await.expect("quarantined");
    assert_eq!(overdue().await, 0);
}

#[tokio::test]
async fn a_scan_wakes_an_idle_worker_at_once() {
    let database = database::fresh().await;
    let (bell, ringing) = (Bell::default(), database.clone());
    let ringer = bell.clone();
    let task = tokio::spawn(async move { ringer.keep_ringing(&ringing, NEVER).await });
    bell.rung().await;
    for number in 0..5 {
        // The gate of the announcements before is open again.
        tokio::time::sleep(Duration::from_millis(100)).await;
        scan_due_in(&database, &format!("scan {number}"), HOUR).await;
        let came = Instant::now();
        tokio::time::timeout(Duration::from_secs(10), bell.rung()).await.expect("it rings");
        // Some milliseconds on a quiet machine.
        assert!(came.elapsed() < Duration::from_secs(1), "{:?}", came.elapsed());
    }
    task.abort();
}

#[tokio::test]
async fn a_lost_announcement_costs_no_more_than_the_next_look() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let (bell, ringing) = (Bell::default(), database.clone());
    let (ringer, look) = (bell.clone(), Duration::from_millis(200));
    let task = tokio::spawn(async move { ringer.keep_ringing(&ringing, look).await });
    bell.rung().await;
    let statement = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                     where datname = current_database() and query ilike 'listen%'";
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let ended: i64 = sqlx::query_scalar(statement).fetch_one(&mut connection).await.expect("an answer");
    assert_eq!(ended, 1, "the listener had a connection");
    scan_due_in(&database, "nobody hears of it", HOUR).await;
    for _ in 0..3 {
        tokio::time::timeout(Duration::from_secs(5), bell.rung()).await.expect("it rings all the same");
    }
    assert_eq!(claim(&database).await.attempt, 1);
    task.abort();
}

#[tokio::test]
async fn many_scans_are_announced_a_few_times() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let pool = PgPoolOptions::new().connect_with(options).await.expect("a pool");
    let mut listener = PgListener::connect_with(&pool).await.expect("a listener");
    listener.listen("uketsuke_job").await.expect("listening");
    let begun = Instant::now();
    for number in 0..60 {
        scan_due_in(&database, &format!("scan {number}"), HOUR).await;
    }
    let at_most = begun.elapsed().as_millis() / 50 + 1;
    let mut heard = 0;
    while tokio::time::timeout(Duration::from_millis(500), listener.recv()).await.is_ok() {
        heard += 1;
    }
    assert!((1..=at_most).contains(&heard), "{heard} times, in the time of {at_most}");
}

/// What a node of the version before sends, word for word but for what it buries on the way.
mod version_before {
    pub const ENQUEUE: &str = "insert into job (kind, dedup, max_attempts, scan_id)
         values ('read_scan', int8send($1), 3, $1) returning id";
    pub const CLAIM: &str = "with ready as materialized (
             select id from job
             where kind = 'read_scan' and visible_at <= now() and attempts < max_attempts
             order by priority, visible_at, id limit 1 for update skip locked
         )
         update job set attempts = job.attempts + 1, visible_at = now() + interval '30 s', worker = 'old'
         from ready where job.id = ready.id
         returning job.scan_id";
}

#[tokio::test]
async fn nodes_of_the_version_before_share_the_queue() {
    let options = database::fresh_options_before("0006").await;
    let mut old = PgConnection::connect_with(&options).await.expect("an old node");
    let content = "insert into blob (sha256, bytes, object_key) values (sha256($1::bytea), 1, $1::text)";
    let scan =
        "insert into scan (sha256, station, file) values (sha256($1::bytea), 'desk', 'old') returning id";
    let mut scans = Vec::new();
    let mut arrive = async |old: &mut PgConnection, name: &'static [u8]| {
        let key = String::from_utf8_lossy(name).into_owned();
        let content = content.replace("$1::text", &format!("'{key}'"));
        sqlx::query(sqlx::AssertSqlSafe(content)).bind(name).execute(&mut *old).await.expect("a blob");
        let id: i64 = sqlx::query_scalar(scan).bind(name).fetch_one(&mut *old).await.expect("a scan");
        sqlx::query(version_before::ENQUEUE).bind(id).execute(&mut *old).await.expect("a job");
        scans.push(id.to_string());
    };
    arrive(&mut old, b"before").await;
    let database = Database::open(options).await.expect("a node of this version migrates");
    arrive(&mut old, b"after").await;

    let first = claim(&database).await.scan;
    assert_eq!(first.to_string(), scans[0], "what waited before the migration is due first");
    let second: i64 = sqlx::query_scalar(version_before::CLAIM).fetch_one(&mut old).await.expect("a claim");
    assert_eq!(second.to_string(), scans[1]);
    let none = jobs::claim_scans(&database, WORKER, LEASE, 1).await.expect("a claim");
    assert!(none.is_empty(), "the old node's lease counts");
}
