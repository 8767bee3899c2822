//! From the arrival of a file to its published records: every sheet is in exactly one place, and
//! what commits, commits together.

#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/database.rs"]
mod database;
#[path = "support/readings.rs"]
mod readings;

use sqlx::{Connection, PgConnection};
use uketsuke::store::accounting::{self, Accounting, BatchName, Filter};
use uketsuke::store::captures::current_records;
use uketsuke::store::publish::Published;
use uketsuke::store::scans::{Accepted, ScanState};
use uketsuke::store::{Database, StoreError, jobs};

use arrivals::{LEASE, WORKER, accept, arrival, claim, find, scan};
use readings::{Reading, application, state};

async fn total(database: &Database) -> Accounting {
    let total = accounting::total(database, &Filter::default()).await.expect("an account");
    assert!(total.balances(), "{total:?}");
    total
}

#[tokio::test]
async fn the_same_bytes_again_are_a_logged_no_op() {
    let database = database::fresh().await;
    let first = arrival("a.tif", "same");
    let Accepted::New(id) = accept(&database, &first).await else { panic!("it is new") };
    // The watcher died after its commit, or another one saw the same file.
    assert_eq!(accept(&database, &first).await, Accepted::Registered(id));
    // Dropped again: the same name at another time, and another name.
    let mut again = first.clone();
    again.occasion = "second run".to_owned();
    assert_eq!(accept(&database, &again).await, Accepted::Repeated(id));
    assert_eq!(accept(&database, &arrival("b.tif", "same")).await, Accepted::Repeated(id));
    let total = total(&database).await;
    assert_eq!((total.arrivals, total.repeated, total.scans, total.scans_waiting), (3, 2, 1, 1));
    claim(&database).await;
    let none = jobs::claim_scans(&database, WORKER, LEASE, 1).await.expect("a claim");
    assert!(none.is_empty(), "one job only");
}

#[tokio::test]
async fn racing_watchers_make_one_scan() {
    let database = database::fresh().await;
    let racing: Vec<_> = (0..12)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { accept(&database, &arrival("a.tif", "same")).await })
        })
        .collect();
    let mut new = 0;
    for watcher in racing {
        new += u32::from(matches!(watcher.await.expect("no panic"), Accepted::New(_)));
    }
    let total = total(&database).await;
    assert_eq!((new, total.arrivals, total.repeated, total.scans), (1, 1, 0, 1));
}

#[tokio::test]
async fn a_scan_is_published_as_a_whole() {
    let database = database::fresh().await;
    let id = scan(&database, "stack").await;
    let mut reading = Reading::begin(&database).await;
    assert_eq!(total(&database).await.scans_working, 1);
    reading.capture(&database, application(1), &[1, 2]).await;
    reading.blank();
    reading.unassigned(vec![application(1), application(2)]);
    reading.capture(&database, application(2), &[1]).await;
    assert_eq!(reading.publish(&database).await.expect("published"), Published::Committed);

    let scan = find(&database, id).await;
    assert_eq!((scan.state, scan.page_count), (ScanState::Done, Some(5)));
    assert_eq!(
        total(&database).await,
        Accounting {
            arrivals: 1,
            scans: 1,
            scans_done: 1,
            pages: 5,
            captured: 3,
            blank: 1,
            unassigned: 1,
            captures: 2,
            ..Accounting::default()
        }
    );
    let records = current_records(&database, None, None, 10).await.expect("records");
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].json, reading.captures[0].record.json(), "byte for byte");
    let first = &state(&database, application(1)).await.captures[0];
    assert_eq!(first.pages.iter().map(|page| page.identity.page).collect::<Vec<_>>(), [1, 2]);
    // The job has gone with it.
    assert_eq!(jobs::counts(&database).await.expect("counts"), jobs::JobCounts::default());
}

#[tokio::test]
async fn a_worker_without_its_lease_publishes_nothing() {
    let database = database::fresh().await;
    scan(&database, "stack").await;
    let mut late = Reading::begin(&database).await;
    late.capture(&database, application(1), &[1]).await;
    // Its lease ends, and another worker takes over.
    jobs::heartbeat(&database, &late.lease, std::time::Duration::ZERO).await.expect("its own");
    let mut reading = Reading::begin(&database).await;
    assert!(matches!(late.publish(&database).await, Err(StoreError::LeaseLost(_))));
    assert_eq!(total(&database).await.pages, 0);
    reading.capture(&database, application(1), &[1]).await;
    assert_eq!(reading.publish(&database).await.expect("published"), Published::Committed);
    // And later still.
    assert!(matches!(late.publish(&database).await, Err(StoreError::LeaseLost(_))));
    assert!(matches!(reading.publish(&database).await, Err(StoreError::LeaseLost(_))));
    let total = total(&database).await;
    assert_eq!((total.pages, total.captures), (1, 1));
}

#[tokio::test]
async fn the_same_application_again_is_a_linked_duplicate() {
    let database = database::fresh().await;
    for content in ["one", "two", "three"] {
        scan(&database, content).await;
        let mut reading = Reading::begin(&database).await;
        reading.capture(&database, application(1), &[1, 2]).await;
        assert_eq!(reading.publish(&database).await.expect("published"), Published::Committed);
    }
    let captures = state(&database, application(1)).await.captures;
    let first = captures[0].id;
    assert_eq!(
        captures.iter().map(|capture| (capture.seq, capture.duplicate_of)).collect::<Vec<_>>(),
        [(1, None), (2, Some(first)), (3, Some(first))]
    );
    let total = total(&database).await;
    assert_eq!((total.captures, total.duplicates), (3, 2));
}

#[tokio::test]
async fn two_scans_of_an_application_at_once_do_not_both_become_its_first() {
    let database = database::fresh().await;
    scan(&database, "one").await;
    scan(&database, "two").await;
    let mut one = Reading::begin(&database).await;
    let mut two = Reading::begin(&database).await;
    one.capture(&database, application(1), &[1]).await;
    two.capture(&database, application(1), &[1]).await;
    let (first, second) = tokio::join!(one.publish(&database), two.publish(&database));
    let mut outcomes = [first.expect("an answer"), second.expect("an answer")];
    outcomes.sort_by_key(|outcome| *outcome == Published::Conflict);
    assert_eq!(outcomes, [Published::Committed, Published::Conflict]);
    // The loser looks again, builds its record again, and becomes the duplicate.
    let loser = if find(&database, one.scan.id).await.state == ScanState::Done { &mut two } else { &mut one };
    loser.pages.clear();
    loser.captures.clear();
    loser.capture(&database, application(1), &[1]).await;
    assert_eq!(loser.publish(&database).await.expect("an answer"), Published::Committed);
    assert_eq!(total(&database).await.duplicates, 1);
}

#[tokio::test]
async fn scans_of_many_applications_in_any_order_do_not_lock_each_other_out() {
    let database = database::fresh().await;
    let mut readings = Vec::new();
    for number in 0..8 {
        scan(&database, &format!("scan {number}")).await;
        let mut reading = Reading::begin(&database).await;
        // Half of them meet the applications the other way round.
        for place in 0..6 {
            let serial = if number % 2 == 0 { place } else { 5 - place };
            reading.capture(&database, application(serial), &[1]).await;
        }
        readings.push(reading);
    }
    let publishing: Vec<_> = readings
        .into_iter()
        .map(|reading| {
            let database = database.clone();
            tokio::spawn(async move { reading.publish(&database).await })
        })
        .collect();
    let mut committed = 0;
    for publication in publishing {
        let outcome = publication.await.expect("no panic").expect("no deadlock");
        committed += u32::from(outcome == Published::Committed);
    }
    assert_eq!(committed, 1, "all were built on the same state");
}

#[tokio::test]
async fn a_capture_is_completed_by_a_scan_of_its_own_batch_only() {
    let database = database::fresh().await;
    scan(&database, "page 1").await;
    let mut reading = Reading::begin(&database).await;
    let id = reading.capture(&database, application(1), &[1]).await;
    reading.publish(&database).await.expect("published");

    let mut elsewhere = arrival("page 2.jpg", "page 2 of tuesday");
    elsewhere.batch = Some("tuesday".to_owned());
    accept(&database, &elsewhere).await;
    let mut reading = Reading::begin(&database).await;
    reading.complete(&database, application(1), 2).await;
    assert!(matches!(reading.publish(&database).await, Err(StoreError::Refused(_))));
    jobs::quarantine(&database, &reading.lease, WORKER, "refused above", None).await.expect("put aside");

    scan(&database, "page 2").await;
    let mut reading = Reading::begin(&database).await;
    reading.complete(&database, application(1), 2).await;
    assert_eq!(reading.publish(&database).await.expect("published"), Published::Committed);
    let captures = state(&database, application(1)).await.captures;
    assert_eq!(captures.len(), 1);
    let capture = &captures[0];
    assert_eq!((capture.id, capture.version, capture.pages.len()), (id, 2, 2));
    assert_ne!(capture.pages[0].sha256, capture.pages[1].sha256);
    let records = current_records(&database, Some(application(1)), None, 10).await.expect("records");
    assert_eq!(records.len(), 1, "the record as it is now");
    assert_eq!(records[0].json, reading.captures[0].record.json());
}

#[tokio::test]
async fn a_batch_shows_its_own_sum() {
    let database = database::fresh().await;
    scan(&database, "monday").await;
    let mut tuesday = arrival("t.tif", "tuesday");
    tuesday.batch = None;
    tuesday.occasion = "second run".to_owned();
    accept(&database, &tuesday).await;
    let mut repeated = arrival("m2.tif", "tuesday");
    repeated.occasion = "second run".to_owned();
    accept(&database, &repeated).await;
    let batches = accounting::by_batch(&database, &Filter::default()).await.expect("an account");
    let name =
        |batch: Option<&str>| BatchName { station: "desk".to_owned(), batch: batch.map(str::to_owned) };
    assert_eq!(
        batches.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
        [name(None), name(Some("monday"))]
    );
    assert!(batches.iter().all(|(_, accounting)| accounting.balances()));
    assert_eq!((batches[1].1.arrivals, batches[1].1.repeated, batches[1].1.scans), (2, 1, 1));
    let filter = Filter { occasion: Some("second run".to_owned()), ..Filter::default() };
    let run = accounting::total(&database, &filter).await.expect("an account");
    assert_eq!((run.arrivals, run.repeated, run.scans), (2, 1, 1));
}

/// What no program may do to the database, and the constraint that stops it.
#[tokio::test]
async fn the_database_itself_refuses_pages_without_their_place() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let id = scan(&database, "stack").await;
    let mut reading = Reading::begin(&database).await;
    reading.capture(&database, application(1), &[1]).await;
    reading.unassigned(Vec::new());
    reading.publish(&database).await.expect("published");
    let other = scan(&database, "another").await;

    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    for (statement, constraint) in [
        ("delete from page where scan_id = $1", "page_is_kept"),
        ("update page set page_index = 7 where scan_id = $1 and page_index = 1", "page_is_kept"),
        ("update page set state = 'blank' where scan_id = $1 and page_index = 0", "page_check"),
        ("update page set application_id = '0000000000024' where scan_id = $1", "page_check"),
        ("update page set unassigned_reason = null where scan_id = $1 and page_index = 1", "page_check"),
        (
            "insert into page (scan_id, page_index, state, look) values ($1, 2, 'blank', '{}')",
            "page_belongs_to_a_done_scan",
        ),
        ("update scan set page_count = 3 where id = $1", "scan_accounts_for_its_pages"),
        ("update scan set state = 'waiting' where id = $1", "scan_accounts_for_its_pages"),
        ("update scan set state = 'quarantined' where id = $1", "scan_check"),
        ("update capture set record = '{}' where $1 > 0", "capture_check2"),
        (
            "insert into capture (id, application_id, station, seq, record, record_key, record_sha256, captured_at)
             select gen_random_uuid(), application_id, station, 2, record, '', record_sha256, now() from capture
             where $1 > 0",
            "capture_check",
        ),
    ] {
        let id: i64 = id.to_string().parse().expect("a number");
        let error = sqlx::query(statement).bind(id).execute(&mut connection).await.expect_err(statement);
        let error = error.into_database_error().expect("of the database");
        assert_eq!(error.constraint(), Some(constraint), "{statement}: {error}");
    }
    // A scan cannot be done without its pages either.
    let statement = "update scan set state = 'done', page_count = 1 where id = $1";
    let other: i64 = other.to_string().parse().expect("a number");
    sqlx::query(statement).bind(other).execute(&mut connection).await.expect_err("no pages");
    assert_eq!(total(&database).await.pages, 2);
}

#[tokio::test]
async fn events_are_append_only() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    scan(&database, "one").await;
    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    for statement in ["update event set actor = 'nobody'", "delete from event", "truncate event"] {
        let error = sqlx::query(statement).execute(&mut connection).await.expect_err(statement);
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from event").fetch_all(&mut connection).await.expect("events");
    assert_eq!(kinds, ["scan.arrived"]);
}
