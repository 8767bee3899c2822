//! QA: samples are drawn of what is complete, looked at blind by somebody who decided nothing of them, and an
//! error changes what holds and what is drawn next.

use std::time::Duration;

use serde_json::{Value, json};
use uketsuke::review::{Role, backfill_until};
use uketsuke::store::field_decisions::{self, Manner, Outcome};

use crate::desk::{DeskSite, Person};
use crate::readings::application;

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

fn call(person: &Person, task: &Value, what: &str, mut body: Value) -> crate::http::Answer {
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
