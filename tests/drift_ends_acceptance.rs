//! A certificate is not used on other mail than it was made for: confidences are counted with the
//! scan that they are published with, once, and a shift of their distribution suspends the field.

#[path = "support/arrivals.rs"]
mod arrivals;
#[path = "support/database.rs"]
mod database;
#[path = "support/readings.rs"]
#[expect(dead_code, reason = "what these tests do not need")]
mod readings;

use chrono::DateTime;
use sqlx::{Connection, PgConnection};
use uketsuke::digest::Sha256;
use uketsuke::score::{
    Applies, Basis, CERTIFICATE_SCHEMA, Certificate, DriftRule, FieldCertificate, Histogram, Identified,
    Stratum, StratumKey, Tally, Verdict,
};
use uketsuke::store::drift::{self, Standing, Watch};
use uketsuke::store::publish::Published;
use uketsuke::store::{Database, StoreError, jobs};

use arrivals::{LEASE, WORKER, scan};
use readings::{Reading, application, state};

/// Readings of a window.
const WINDOW: u64 = 100;

fn certificate() -> Identified<Certificate> {
    let field = |name: &str| FieldCertificate {
        field: name.to_owned(),
        stratum: Stratum::Written,
        readings: 4000,
        verdict: Verdict::Certified {
            threshold: 0.5,
            accepted: 4000,
            errors: 0,
            bound: 0.001,
            coverage: 1.0,
        },
        reference: Histogram { edges: vec![0.9], counts: vec![1000, 3000] },
    };
    let content = Certificate {
        schema: CERTIFICATE_SCHEMA.to_owned(),
        made_at: DateTime::UNIX_EPOCH,
        software: "test".to_owned(),
        basis: Basis::Proven,
        target_risk: 0.0014,
        confidence: 0.95,
        method: "test".to_owned(),
        applies: Applies::default(),
        calibration: Sha256::of(b"calibration"),
        data: "made up".to_owned(),
        applications: 4000,
        fields: vec![field("account_number"), field("phone")],
    };
    Identified { sha256: Sha256::of(b"certificate"), content }
}

fn key(field: &str) -> StratumKey {
    StratumKey::new(field, Stratum::Written)
}

/// Readings of a field in one scan, those below 0.9 and the others.
fn tally(certificate: &Identified<Certificate>, fields: &[(&str, u64, u64)]) -> Tally {
    let mut tally = Tally::default();
    for &(field, low, high) in fields {
        let reference = &certificate.content.field(field, Stratum::Written).expect("certified").reference;
        (0..low).for_each(|_| tally.add(key(field), reference, 0.8));
        (0..high).for_each(|_| tally.add(key(field), reference, 0.99));
    }
    tally
}

fn watch<'a>(certificate: &'a Identified<Certificate>, tally: &'a Tally) -> Option<Watch<'a>> {
    Some(Watch {
        certificate,
        rule: DriftRule { window: WINDOW, level: 0.01, strata: 2 },
        tally,
        known_revoked: false,
    })
}

/// Publishes a scan of that name with those confidences.
async fn publish(database: &Database, name: &str, tally: &Tally) {
    let certificate = certificate();
    scan(database, name).await;
    let mut reading = Reading::begin(database).await;
    reading.blank();
    let published = reading.publish_watched(database, watch(&certificate, tally)).await;
    assert_eq!(published.expect("published"), Published::Committed);
}

async fn standing(database: &Database, field: &str) -> Standing {
    let standings = drift::standings(database, certificate().sha256).await.expect("standings");
    standings.into_iter().find(|standing| standing.key == key(field)).expect("counted")
}

#[tokio::test]
async fn a_shift_suspends_the_field_and_says_so_once() {
    let options = database::fresh_options().await;
    let database = Database::open(options.clone()).await.expect("a database");
    let certificate = certificate();
    let like_before = tally(&certificate, &[("account_number", 13, 37), ("phone", 12, 38)]);
    for number in 0..10 {
        publish(&database, &format!("monday {number}"), &like_before).await;
    }
    let account = standing(&database, "account_number").await;
    assert_eq!((account.windows, account.readings, account.suspended_at), (5, 0, None));

    let doubtful = tally(&certificate, &[("account_number", 40, 10), ("phone", 12, 38)]);
    for number in 0..4 {
        publish(&database, &format!("tuesday {number}"), &doubtful).await;
    }
    let suspended = drift::suspended(&database, certificate.sha256).await.expect("suspensions");
    assert_eq!(suspended.into_iter().collect::<Vec<_>>(), [key("account_number")], "the other one stands");
    assert!(standing(&database, "account_number").await.suspended_at.is_some());
    assert_eq!(standing(&database, "phone").await.suspended_at, None);
    let other = drift::suspended(&database, Sha256::of(b"another certificate")).await.expect("suspensions");
    assert!(other.is_empty(), "a new certificate begins anew");

    let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
    let events: Vec<(String, serde_json::Value)> =
        sqlx::query_as("select subject, detail from event where kind = 'certificate.suspended'")
            .fetch_all(&mut connection)
            .await
            .expect("events");
    let [(subject, detail)] = &events[..] else {
        panic!("one event, though two windows were shifted: {events:?}")
    };
    assert_eq!(*subject, format!("certificate {}", certificate.sha256));
    assert_eq!((&detail["field"], &detail["window"]), (&"account_number".into(), &6.into()));
}

#[tokio::test]
async fn a_scan_that_is_not_published_is_not_counted() {
    let database = database::fresh().await;
    let certificate = certificate();
    let tally = tally(&certificate, &[("phone", 1, 2)]);
    scan(&database, "one").await;
    // The first worker loses its lease; the second is slower than another scan of its application.
    let ended = jobs::claim_scans(&database, WORKER, std::time::Duration::ZERO, 1).await.expect("a claim");
    let mut reading = Reading::begin(&database).await;
    reading.capture(&database, application(1), &[1]).await;
    let own = std::mem::replace(&mut reading.lease, ended.into_iter().next().expect("a job"));
    let lost = reading.publish_watched(&database, watch(&certificate, &tally)).await;
    assert!(matches!(lost, Err(StoreError::LeaseLost(_))), "{lost:?}");
    reading.lease = own;
    let other_version = reading.expected.clone();
    scan(&database, "two").await;
    let mut faster = Reading::begin(&database).await;
    faster.capture(&database, application(1), &[1]).await;
    assert_eq!(faster.publish(&database).await.expect("published"), Published::Committed);
    let conflict = reading.publish_watched(&database, watch(&certificate, &tally)).await;
    assert_eq!(conflict.expect("an answer"), Published::Conflict);
    assert!(drift::standings(&database, certificate.sha256).await.expect("standings").is_empty());

    assert_ne!(state(&database, application(1)).await.version, other_version[&application(1)]);
    publish(&database, "three", &tally).await;
    assert_eq!(standing(&database, "phone").await.readings, 3);
}

#[tokio::test]
async fn workers_that_publish_at_the_same_time_count_every_reading() {
    let database = database::fresh().await;
    let scans = 24;
    for number in 0..scans {
        scan(&database, &format!("scan {number}")).await;
    }
    let workers: Vec<_> = (0..6)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move {
                let certificate = certificate();
                let tally = tally(&certificate, &[("account_number", 2, 5), ("phone", 2, 5)]);
                let leases = jobs::claim_scans(&database, WORKER, LEASE, 4).await.expect("a claim");
                for lease in leases {
                    let scan = arrivals::find(&database, lease.scan).await;
                    let mut reading = Reading {
                        scan,
                        lease,
                        pages: Vec::new(),
                        captures: Vec::new(),
                        masks: Vec::new(),
                        expected: Default::default(),
                    };
                    reading.blank();
                    let published = reading.publish_watched(&database, watch(&certificate, &tally)).await;
                    assert_eq!(published.expect("no deadlock"), Published::Committed);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no panic");
    }
    for field in ["account_number", "phone"] {
        let standing = standing(&database, field).await;
        // 24 scans of 7 readings; a window is full with the 15th scan (105), and begins anew.
        assert_eq!((standing.windows, standing.readings), (1, 24 * 7 - 105), "{field}");
    }
}
