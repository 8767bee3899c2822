//! QA: samples are drawn of what is complete, looked at blind by somebody who decided nothing of them, and an
//! error changes what holds and what is drawn next.

use std::time::Duration;

use serde_json::{Value, json};
use uketsuke::digest::Sha256;
use uketsuke::review::{Role, backfill_until};
use uketsuke::score::{
    Applies, Basis, CERTIFICATE_SCHEMA, Certificate, DriftRule, FieldCertificate, Histogram, Identified,
    Stratum, Tally, Verdict,
};
use uketsuke::store::drift::Watch;
use uketsuke::store::field_decisions::{self, Manner, Outcome};
use uketsuke::store::publish::Published;

use crate::arrivals;
use crate::desk::{DeskSite, Person};
use crate::readings::{Reading, application};

/// Captures that samples can be drawn of.
const COMPLETE: &str = "select count(*) from capture where not qa_drawn
    and not exists (select from task where capture_id = capture.id and state = 'open')";

/// Has samples drawn, once.
pub async fn draw(site: &DeskSite) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let desk = site.desk.clone();
    let running = tokio::spawn(async move { backfill_until(&desk, stopped).await });
    for _ in 0..100 {
        if site.count(COMPLETE).await == 0 {
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
