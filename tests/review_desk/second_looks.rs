//! QA: samples are drawn of what is complete, looked at blind by somebody who decided nothing of them, and an
//! error changes what holds and what is drawn next.

use std::time::Duration;

use serde_json::{Value, json};
use uketsuke::digest::Sha256;
use uketsuke::review::{Role, backfill_until, judged_readings};
use uketsuke::score::{
    Applies, Basis, CERTIFICATE_SCHEMA, Certificate, DriftRule, FieldCertificate, Histogram, Identified,
    Stratum, Tally, Verdict,
};
use uketsuke::store::drift::Watch;
use uketsuke::store::field_decisions::{self, Manner, Outcome};
use uketsuke::store::publish::Published;
use uketsuke::store::qa;

use crate::arrivals;
use crate::desk::{DeskSite, Person};
use crate::readings::{Reading, application};

/// Captures that samples can be drawn of.
const COMPLETE: &str = "select count(*) from capture where not qa_drawn
    and not exists (select from task where capture_id = capture.id and state = 'open')";

/// Has samples drawn, once.
pub async fn draw(site: &DeskSite) {
    backfill(site, COMPLETE, 0).await;
}

/// Lets the desk do what it does every minute, until a statement counts so many rows, or for ten seconds.
async fn backfill(site: &DeskSite, statement: &'static str, rows: i64) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let desk = site.desk.clone();
    let running = tokio::spawn(async move { backfill_until(&desk, stopped).await });
    for _ in 0..200 {
        if site.count(statement).await == rows {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send_replace(true);
    running.await.expect("stopped");
}

pub fn call(person: &Person, task: &Value, what: &str, mut body: Value) -> crate::http::Answer {
    body["epoch"] = task["epoch"].clone();
    person.post(&format!("/api/v1/tasks/{}/{what}", task["id"]), &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_looked_at_blind_and_an_error_changes_what_holds() {
    let site = DeskSite::sampling_all().await;
    let qa = site.person("q1", Role::Qa).await;
    let id = application(1);
    site.capture(id, &[("account_number", "0012345", 0.9999), ("phone", "0451234567", 0.9999)]).await;
    draw(&site).await;
    assert_eq!(
        site.count("select count(*) from qa_sample where manner = 'accepted' and probability = 1").await,
        2
    );
    let first = qa.claim(&[]);
    assert_eq!((&first["kind"], &first["fields"][0]["machine"]), (&json!("qa"), &Value::Null));
    assert!(!first.to_string().contains("0012345"), "blind");
    let right = call(&qa, &first, "look", json!({ "outcome": "value", "text": "12345" }));
    assert_eq!((right.status, right.json()), (200, json!({ "standing": null })));
    let second = qa.claim(&[]);
    // Nobody says that it is wrong before they have keyed it.
    assert_eq!(call(&qa, &second, "settle", json!({ "wrong": true })).status, 409);
    let differs = call(&qa, &second, "look", json!({ "outcome": "value", "text": "0451234568" }));
    assert_eq!(differs.json()["standing"], json!({ "outcome": "value", "value": "0451234567" }));
    assert_eq!(call(&qa, &second, "settle", json!({ "wrong": true })).status, 200);
    let current = field_decisions::current(&site.database, id).await.expect("decisions");
    let (decision, _) = &current["phone"];
    assert_eq!((&decision.outcome, decision.manner), (&Outcome::Value("0451234568".to_owned()), Manner::Qa));
    assert_eq!(site.count("select count(*) from event where kind = 'qa.error'").await, 1);
    let held = "select count(*) from payment_stop where reason = 'qa' and lifted_at is null";
    assert_eq!(site.count(held).await, 1, "the household is not paid");
    assert_eq!(
        site.count("select count(*) from qa_widening where field = 'phone' and manner = 'accepted'").await,
        1
    );
    let rates = qa.get("/api/v1/qa").json()["rates"].clone();
    assert_eq!(
        (&rates[1]["field"], &rates[1]["judged"], &rates[1]["wrong"]),
        (&json!("phone"), &json!(1), &json!(1))
    );
    assert_eq!((&rates[0]["wrong"], &rates[0]["low"]), (&json!(0), &json!(0.0)));
    assert_eq!(
        site.count("select count(*) from event where subject || detail::text ~ '045123456|12345'").await,
        0
    );
    draw(&site).await;
    assert_eq!(qa.claim(&[]), Value::Null, "once");
    assert_eq!(
        learned(&site).await,
        [("account_number".to_owned(), "0012345".to_owned()), ("phone".to_owned(), "0451234568".to_owned())]
    );
    assert!(judged_readings(&site.database, &site.desk.settings, Some(1.1)).await.is_err());
}

/// What a calibration may learn from, by field.
async fn learned(site: &DeskSite) -> Vec<(String, String)> {
    let judged = judged_readings(&site.database, &site.desk.settings, None).await.expect("readings");
    assert_eq!((judged.rate, judged.waiting, judged.illegible), (1.0, 0, 0));
    let readings = judged.readings.into_iter();
    let mut values: Vec<_> =
        readings.map(|reading| (reading.field, reading.value.expect("not empty"))).collect();
    values.sort();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_looks_at_what_they_decided() {
    let site = DeskSite::sampling_all().await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    draw(&site).await;
    assert_eq!(site.count("select count(*) from qa_sample").await, 0, "not while somebody has work with it");
    let task = keyer.claim(&[]);
    assert_eq!(keyer.submit(&task, &[("phone", "0451234567")]).status, 200);
    draw(&site).await;
    assert_eq!(site.count("select count(*) from qa_sample where manner = 'verified'").await, 1);
    // The keyer becomes QA.
    site.execute("update account set role = 'qa' where name = 'k1'").await;
    assert_eq!(keyer.claim(&[]), Value::Null);
    let other = site.person("q1", Role::Qa).await;
    let sample = other.claim(&[]);
    let slip = call(&other, &sample, "look", json!({ "outcome": "illegible" }));
    assert_eq!(slip.json()["standing"]["value"], "0451234567");
    assert_eq!(call(&other, &sample, "settle", json!({ "wrong": false })).status, 200);
    assert_eq!(site.count("select count(*) from qa_judgement where outcome = 'own_slip'").await, 1);
    assert_eq!(site.count("select count(*) from field_decision where manner = 'qa'").await, 0);
    assert_eq!(learned(&site).await, [("phone".to_owned(), "0451234567".to_owned())], "not the slip");
    let keyers = site.person("s1", Role::Supervisor).await.get("/api/v1/keyers").json()["keyers"].clone();
    let decided = json!({ "fields": 1, "wrong": 0, "bounds": null });
    assert_eq!((&keyers[0]["account"], &keyers[0]["decided"]), (&json!("k1"), &decided));
}

/// Of somebody whose decisions were hardly looked at more are drawn than of others.
#[tokio::test(flavor = "multi_thread")]
async fn more_is_drawn_of_whom_little_is_known_of() {
    let site = DeskSite::sampling_learners(1).await;
    let (qa, keyer) = (site.person("q1", Role::Qa).await, site.person("k1", Role::Keyer).await);
    for (serial, drawn) in [(1, 1), (2, 1)] {
        site.capture(application(serial), &[("phone", "0451234567", 0.6)]).await;
        let task = keyer.claim(&[]);
        assert_eq!(keyer.submit(&task, &[("phone", "0451234567")]).status, 200);
        draw(&site).await;
        assert_eq!(site.count("select count(*) from qa_sample").await, drawn);
        if serial == 1 {
            let sample = qa.claim(&[]);
            let look = json!({ "outcome": "value", "text": "0451234567" });
            assert_eq!(call(&qa, &sample, "look", look).status, 200);
        }
    }
}

/// Of the phone: fewer than 0.14 % of what is accepted is wrong.
pub fn certificate() -> Identified<Certificate> {
    let verdict =
        Verdict::Certified { threshold: 0.9, accepted: 4000, errors: 0, bound: 0.001, coverage: 0.8 };
    let content = Certificate {
        schema: CERTIFICATE_SCHEMA.to_owned(),
        made_at: chrono::DateTime::UNIX_EPOCH,
        software: "test".to_owned(),
        basis: Basis::Proven,
        target_risk: 0.0014,
        confidence: 0.95,
        method: "test".to_owned(),
        applies: Applies::default(),
        calibration: Sha256::of(b"calibration"),
        data: "made up".to_owned(),
        applications: 5000,
        fields: vec![FieldCertificate {
            field: "phone".to_owned(),
            stratum: Stratum::Written,
            readings: 5000,
            verdict,
            reference: Histogram { edges: vec![0.9], counts: vec![1000, 4000] },
        }],
    };
    Identified { sha256: Sha256::of(b"certificate"), content }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_beyond_its_promise_revoke_the_certificate_and_workers_keep_to_it() {
    let site = DeskSite::under(certificate()).await;
    let (qa, supervisor) = (site.person("q1", Role::Qa).await, site.person("s1", Role::Supervisor).await);
    for serial in 1..=3 {
        site.capture(application(serial), &[("phone", "0451234567", 0.9999)]).await;
    }
    draw(&site).await;
    let revoked = |person: &Person, path: &str| person.get(path).json()["promise"]["revoked"].clone();
    let find_an_error = || {
        let sample = qa.claim(&[]);
        assert_eq!(
            call(&qa, &sample, "look", json!({ "outcome": "value", "text": "0459999999" })).status,
            200
        );
        assert_eq!(call(&qa, &sample, "settle", json!({ "wrong": true })).status, 200);
    };
    find_an_error();
    assert_eq!(revoked(&qa, "/api/v1/qa"), Value::Null, "one error proves nothing");
    find_an_error();
    for (person, path) in [(&qa, "/api/v1/qa"), (&supervisor, "/api/v1/board")] {
        let revoked = revoked(person, path);
        assert_eq!((&revoked["field"], &revoked["wrong"]), (&json!("phone"), &json!(2)), "{path}");
    }
    let rates = qa.get("/api/v1/qa").json();
    assert_eq!(rates["rates"][0]["promised"], 0.0014);
    assert_eq!((&rates["days"][0]["by_machine"], &rates["days"][0]["judged"]), (&json!(true), &json!(2)));
    assert_eq!(site.count("select count(*) from event where kind = 'certificate.revoked'").await, 1);
    // QA decided two of the three; the third would be paid by what it accepted.
    let held = "select count(*) from payment_stop where reason = 'certificate' and lifted_at is null";
    backfill(&site, held, 1).await;
    assert_eq!(site.count(held).await, 1);

    // A worker that scored before it heard of it scores again.
    let (certificate, tally) = (certificate(), Tally::default());
    let rule = DriftRule { window: 500, level: 0.01, strata: 1 };
    let watch = |known_revoked| Some(Watch { certificate: &certificate, rule, tally: &tally, known_revoked });
    arrivals::scan(&site.database, "later").await;
    let mut reading = Reading::begin(&site.database).await;
    reading.blank();
    let publish =
        async |known| reading.publish_watched(&site.database, watch(known)).await.expect("an answer");
    assert_eq!(publish(false).await, Published::Conflict);
    assert_eq!(publish(true).await, Published::Committed);
}

/// Makes lots of the batches that are in, and judges those that were looked at.
pub async fn lots_until(site: &DeskSite, there: &'static str) {
    backfill(site, there, 1).await;
    assert_eq!(site.count(there).await, 1, "{there}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_which_too_much_is_wrong_is_paid_only_when_somebody_releases_it() {
    let site = DeskSite::with_lots().await;
    let qa = site.person("q1", Role::Qa).await;
    for serial in 1..=10 {
        let fields = [
            ("account_number", "0012345", 0.9999),
            ("phone", "0451234567", 0.9999),
            ("branch_code", "012", 0.5),
        ];
        site.capture(application(serial), &fields).await;
    }
    // Twenty accepted fields at an AQL of 0.65 %: the arrows lead to F, all of them are looked at, none may be wrong.
    lots_until(
        &site,
        "select count(*) from lot where size = 20 and letter = 'F' and sample = 20 and acceptance = 0",
    )
    .await;
    assert_eq!(site.count("select count(*) from task where kind = 'qa'").await, 20);
    lots_until(&site, "select count(*) from lot").await;
    assert_eq!(site.count("select count(*) from capture where lot_id is null").await, 0);
    let look = |task: &Value| {
        let value = if task["fields"][0]["name"] == "phone" { "0451234567" } else { "0012345" };
        call(&qa, task, "look", json!({ "outcome": "value", "text": value })).status
    };
    for _ in 0..3 {
        assert_eq!(look(&qa.claim(&[])), 200);
    }
    assert_eq!(site.count("select count(*) from lot where verdict is null").await, 1);
    let stopped = "select count(*) from payment_stop where reason = 'lot' and lifted_at is null";
    assert_eq!(site.count(stopped).await, 0);
    // One is wrong: the others need no look any more.
    let sample = qa.claim(&[]);
    assert_eq!(call(&qa, &sample, "look", json!({ "outcome": "illegible" })).status, 200);
    assert_eq!(call(&qa, &sample, "settle", json!({ "wrong": true })).status, 200);
    assert_eq!(site.count("select count(*) from lot where verdict = 'rejected'").await, 1);
    assert_eq!(site.count(stopped).await, 10);
    let told = "select count(*) from event where kind = 'payment.stopped' and detail->>'reason' = 'lot'
                and (detail->>'requested_before')::bool = false and subject like 'application %'";
    assert_eq!(site.count(told).await, 10);

    let supervisor = site.person("s1", Role::Supervisor).await;
    let lots = supervisor.get("/api/v1/board").json()["lots"].clone();
    assert_eq!(
        (&lots[0]["verdict"], &lots[0]["judged"], &lots[0]["wrong"], &lots[0]["sample"]),
        (&json!("rejected"), &json!(4), &json!(1), &json!(20))
    );
    let release = |person: &Person, lot: &Value| {
        person.post("/api/v1/lots/release", &json!({ "lot": lot["id"] })).status
    };
    let payer = site.person("p1", Role::Payment).await;
    assert_eq!(release(&payer, &lots[0]), 403);
    assert_eq!(release(&supervisor, &lots[0]), 200);
    assert_eq!(release(&supervisor, &lots[0]), 409, "once");
    assert_eq!(site.count(stopped).await, 0);
    // What was found wrong by itself stays stopped by itself.
    assert_eq!(
        site.count("select count(*) from payment_stop where reason = 'qa' and lifted_at is null").await,
        1
    );
    let lots = supervisor.get("/api/v1/board").json()["lots"].clone();
    assert_eq!(lots[0]["released_by"], "s1");

    // What comes to the batch later is a lot of its own, and this one is right.
    site.execute(
        "update task set state = 'withdrawn', holder = null, leased_until = null where state = 'open'",
    )
    .await;
    site.capture(application(11), &[("account_number", "0012345", 0.9999), ("phone", "0451234567", 0.9999)])
        .await;
    lots_until(&site, "select count(*) from lot where size = 2 and sample = 2").await;
    for _ in 0..2 {
        assert_eq!(look(&qa.claim(&[])), 200);
    }
    lots_until(&site, "select count(*) from lot where verdict = 'accepted'").await;
    assert_eq!(site.count(stopped).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_household_of_two_rejected_batches_is_paid_when_both_are_released() {
    let site = DeskSite::with_lots().await;
    let supervisor = site.person("s1", Role::Supervisor).await;
    site.capture(application(1), &[("phone", "0451234567", 0.9999)]).await;
    lots_until(&site, "select count(*) from lot").await;
    site.capture_as(application(1), &[("phone", "0451234567", 0.9999)], true).await;
    lots_until(&site, "select count(*) from lot where id = (select max(lot_id) from capture) and id > 1")
        .await;
    site.execute("update lot set acceptance = 0").await;
    site.execute(
        "with judged as (insert into qa_judgement (task_id, outcome, judged_by) select task_id, 'wrong', 's1' from lot_sample
                         returning task_id)
         update task set state = 'done', done_at = now(), done_by = 's1' from judged where id = task_id",
    )
    .await;
    let stopped = "select count(*) from payment_stop where reason = 'lot' and lifted_at is null";
    lots_until(&site, stopped).await;
    for (lot, left) in [(1, 1), (2, 0)] {
        assert_eq!(supervisor.post("/api/v1/lots/release", &json!({ "lot": lot })).status, 200);
        assert_eq!(site.count(stopped).await, left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_rejected_batch_is_looked_at_and_no_rate_counts_it() {
    let site = DeskSite::with_lots_under(certificate()).await;
    let (qa, supervisor) = (site.person("q1", Role::Qa).await, site.person("s1", Role::Supervisor).await);
    for serial in 1..=30 {
        site.capture(application(serial), &[("phone", "0451234567", 0.9999)]).await;
    }
    lots_until(&site, "select count(*) from lot where size = 30 and sample = 20 and acceptance = 0").await;
    let find_an_error = || {
        let task = qa.claim(&[]);
        assert_eq!(call(&qa, &task, "look", json!({ "outcome": "value", "text": "0459999999" })).status, 200);
        assert_eq!(call(&qa, &task, "settle", json!({ "wrong": true })).status, 200);
    };
    find_an_error();
    assert_eq!(site.count("select count(*) from lot where verdict = 'rejected'").await, 1);
    let to_screen = "select count(*) from qa_sample where screening";
    for _ in 0..2 {
        backfill(&site, to_screen, 10).await;
        assert_eq!(site.count(to_screen).await, 10, "once, and nothing that the sample looks at");
    }
    let lot = || supervisor.get("/api/v1/board").json()["lots"][0].clone();
    assert_eq!(lot()["screening"], json!({ "fields": 30, "looked_at": 1, "is_done": false }));

    // The sample comes first.
    for _ in 0..19 {
        let task = qa.claim(&[]);
        assert_eq!(
            call(&qa, &task, "look", json!({ "outcome": "value", "text": "0451234567" })).json()["standing"],
            Value::Null
        );
    }
    let sampled = "select count(*) from qa_judgement join qa_sample using (task_id) where not screening";
    assert_eq!(site.count(sampled).await, 20);
    let said = || {
        let (said, lot) = (qa.get("/api/v1/qa").json(), lot());
        (said["rates"].clone(), said["days"].clone(), lot["judged"].clone(), lot["wrong"].clone())
    };
    let before = said();
    assert_eq!((&before.0[0]["waiting"], &before.0[0]["judged"]), (&json!(0), &json!(20)));
    for _ in 0..10 {
        find_an_error();
    }
    assert_eq!(qa.claim(&[]), Value::Null);
    assert_eq!(said(), before);
    assert_eq!(qa.get("/api/v1/qa").json()["promise"]["revoked"], Value::Null);
    assert_eq!(
        qa::looks(&site.database).await.expect("looks").len(),
        20,
        "calibrations do not learn from it"
    );
    assert_eq!(lot()["screening"], json!({ "fields": 30, "looked_at": 30, "is_done": true }));

    // What was found wrong is stopped for itself, and the rest waits for somebody who lets it go.
    let stopped = |reason| match reason {
        "qa" => site.count("select count(*) from payment_stop where reason = 'qa' and lifted_at is null"),
        _ => site.count("select count(*) from payment_stop where reason = 'lot' and lifted_at is null"),
    };
    assert_eq!((stopped("qa").await, stopped("lot").await), (11, 30));
    assert_eq!(supervisor.post("/api/v1/lots/release", &json!({ "lot": lot()["id"] })).status, 200);
    assert_eq!((stopped("qa").await, stopped("lot").await), (11, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_of_which_two_batches_were_rejected_is_inspected_more_strictly() {
    let site = DeskSite::with_lots().await;
    let supervisor = site.person("s1", Role::Supervisor).await;
    let tightened = || supervisor.get("/api/v1/board").json()["tightened"].clone();
    site.capture(application(1), &[("phone", "0451234567", 0.9999)]).await;
    lots_until(&site, "select count(*) from lot where severity = 'normal' and letter = 'F'").await;
    assert_eq!(tightened(), json!([]));
    let reject = "insert into lot (station, batch, size, aql, letter, sample, acceptance, severity, verdict, judged_at)
                  select station, batch || ' ' || severity, 20, 0.65, 'F', 20, 0, severity, 'rejected', now()
                  from capture, unnest(array['normal', 'normal', 'tightened']) as severity where lot_id = 1";
    site.execute(reject).await;
    site.capture(application(2), &[("phone", "0451234567", 0.9999)]).await;
    lots_until(&site, "select count(*) from lot where severity = 'tightened' and letter = 'G' and size = 1")
        .await;
    assert_eq!(tightened()[0]["is_discontinued"], false);
    // Each has one more that was rejected under tightened inspection.
    for _ in 0..4 {
        site.execute(reject).await;
    }
    assert_eq!(tightened()[0]["is_discontinued"], true, "{}", tightened());
}
