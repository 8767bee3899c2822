//! From a record to what stands in its fields: one person who saw what was read, two who did not, a third
//! where they differ. A lease is never with two people, and the same person is never two.

use std::time::Duration;

use serde_json::{Value, json};
use uketsuke::application_id::ApplicationId;
use uketsuke::review::{Role, backfill_until};
use uketsuke::score::Disposition;
use uketsuke::store::field_decisions::{self, Manner, Outcome};

use crate::desk::{DeskSite, Person};
use crate::readings::application;
use crate::{money, second_looks};

async fn decided(
    site: &DeskSite,
    application: ApplicationId,
    field: &str,
) -> Option<(Outcome, Manner, Vec<String>)> {
    let current = field_decisions::current(&site.database, application).await.expect("decisions");
    current
        .get(field)
        .map(|(decision, _)| (decision.outcome.clone(), decision.manner, decision.decided_by.clone()))
}

fn value(text: &str) -> Outcome {
    Outcome::Value(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubtful_field_is_settled_by_one_person_who_sees_what_was_read() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    let id = application(1);
    site.capture(id, &[("phone", "0451234567", 0.6), ("application_date", "020615", 0.999)]).await;
    let task = keyer.claim(&[]);
    assert_eq!(task["kind"], "verify");
    assert_eq!(task["fields"].as_array().map(Vec::len), Some(1), "what was accepted is nobody's work");
    assert_eq!(task["fields"][0]["machine"]["value"], "0451234567");
    assert_eq!(
        (&task["application_id"], &task["pages"]),
        (&Value::Null, &json!([])),
        "a keyer sees fields only"
    );
    let answer = keyer.submit(&task, &[("phone", "045-123-4568")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let expected = (value("0451234568"), Manner::Verified, vec!["k1".to_owned()]);
    assert_eq!(decided(&site, id, "phone").await, Some(expected));
    assert_eq!(keyer.claim(&[]), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_equal_keys_settle_and_neither_saw_anything() {
    let site = DeskSite::start().await;
    let (first, second) = (site.person("k1", Role::Keyer).await, site.person("k2", Role::Keyer).await);
    let id = application(1);
    site.capture(id, &[("account_number", "0012345", 0.6), ("account_holder_kana", "ｻﾄｳ ﾊﾅｺ", 0.7)]).await;
    let task = first.claim(&[]);
    assert_eq!(task["kind"], "key");
    let text = task.to_string();
    assert!(!text.contains("12345") && !text.contains("ｻﾄｳ"), "{text}");
    // The same person gets neither the other key, nor anything else of these fields.
    let also = first.post("/api/v1/tasks/claim", &json!({ "except": [task["id"]] }));
    assert_eq!(also.json()["task"], Value::Null);
    assert_eq!(
        first.submit(&task, &[("account_number", "12345"), ("account_holder_kana", "さとう　はなこ")]).status,
        200
    );
    assert_eq!(first.claim(&[]), Value::Null);
    assert_eq!(decided(&site, id, "account_number").await, None, "one key is none");

    let other = second.claim(&[]);
    assert_ne!(other["id"], task["id"]);
    assert!(!other.to_string().contains("12345"));
    assert_eq!(
        second.submit(&other, &[("account_number", "0012345"), ("account_holder_kana", "ｻﾄｳ ﾊﾅｺ")]).status,
        200
    );
    let both = vec!["k1".to_owned(), "k2".to_owned()];
    assert_eq!(
        decided(&site, id, "account_number").await,
        Some((value("0012345"), Manner::TwoKeys, both.clone()))
    );
    assert_eq!(
        decided(&site, id, "account_holder_kana").await,
        Some((value("ｻﾄｳ ﾊﾅｺ"), Manner::TwoKeys, both))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_differ_go_to_a_third_person_who_sees_all() {
    let site = DeskSite::start().await;
    let (first, second) = (site.person("r1", Role::Reviewer).await, site.person("r2", Role::Reviewer).await);
    let third = site.person("r3", Role::Reviewer).await;
    let id = application(1);
    site.capture(id, &[("account_number", "0012345", 0.6), ("branch_code", "012", 0.7)]).await;
    let fields = |number: &'static str| [("account_number", number), ("branch_code", "012")];
    for (person, number) in [(&first, "0012345"), (&second, "0012346")] {
        let task = person.claim(&["key"]);
        assert_eq!(person.submit(&task, &fields(number)).status, 200);
    }
    assert!(decided(&site, id, "branch_code").await.is_some());
    assert_eq!(decided(&site, id, "account_number").await, None);
    for person in [&first, &second] {
        assert_eq!(person.claim(&["adjudicate"]), Value::Null, "never one of the two");
    }
    let task = third.claim(&[]);
    assert_eq!(task["kind"], "adjudicate");
    assert_eq!(task["fields"].as_array().map(Vec::len), Some(1));
    let keyed: Vec<&Value> =
        task["fields"][0]["keyed"].as_array().expect("keys").iter().map(|key| &key["value"]).collect();
    assert_eq!(keyed, ["0012345", "0012346"]);
    assert_eq!(task["fields"][0]["machine"]["value"], "0012345");
    assert_eq!(third.submit(&task, &[("account_number", "0012346")]).status, 200);
    let expected = (value("0012346"), Manner::Adjudicated, vec!["r3".to_owned()]);
    assert_eq!(decided(&site, id, "account_number").await, Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_the_same_person_twice() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("account_number", "0012345", 0.6)]).await;
    let task = keyer.claim(&[]);
    assert_eq!(keyer.submit(&task, &[("account_number", "12345")]).status, 200);
    // Past every check of the program: the other key is put into the same hands.
    site.execute(
        "update task set holder = 'k1', leased_until = now() + interval '1 hour', epoch = 7
         where kind = 'key' and state = 'open'",
    )
    .await;
    let other = site.count("select id from task where state = 'open'").await;
    let entries = json!([{ "field": "account_number", "outcome": "value", "text": "12345" }]);
    let answer =
        keyer.post(&format!("/api/v1/tasks/{other}/submit"), &json!({ "epoch": 7, "entries": entries }));
    assert_eq!((answer.status, answer.json()["code"].clone()), (409, json!("refused")));
    assert_eq!(site.count("select count(*) from entry").await, 1);
    assert_eq!(site.count("select count(*) from task where state = 'open'").await, 1, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_people_never_hold_the_same_task() {
    let site = DeskSite::start().await;
    let mut people = Vec::new();
    for number in 0..20 {
        people.push(site.person(&format!("k{number}"), Role::Keyer).await);
    }
    for serial in 1..=12 {
        site.capture(application(serial), &[("phone", "0451234567", 0.6)]).await;
    }
    let claims: Vec<_> = people
        .into_iter()
        .map(|person| tokio::task::spawn_blocking(move || person.claim(&["verify"])))
        .collect();
    let mut ids = Vec::new();
    for claim in claims {
        ids.push(claim.await.expect("claimed")["id"].as_i64());
    }
    let mut held: Vec<i64> = ids.into_iter().flatten().collect();
    assert_eq!(held.len(), 12);
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ended_goes_to_somebody_else_and_the_first_is_told() {
    let site = DeskSite::with_lease(0.5).await;
    let (slow, quick) = (site.person("k1", Role::Keyer).await, site.person("k2", Role::Keyer).await);
    let id = application(1);
    site.capture(id, &[("phone", "0451234567", 0.6)]).await;
    let task = slow.claim(&[]);
    assert_eq!(quick.claim(&[]), Value::Null, "in hand");
    tokio::time::sleep(Duration::from_millis(700)).await;
    let taken = quick.claim(&[]);
    assert_eq!(taken["id"], task["id"]);
    assert!(taken["epoch"].as_i64() > task["epoch"].as_i64());
    let renewal =
        slow.post(&format!("/api/v1/tasks/{}/renew", task["id"]), &json!({ "epoch": task["epoch"] }));
    assert_eq!((renewal.status, renewal.json()["code"].clone()), (409, json!("stale")));
    let late = slow.submit(&task, &[("phone", "0451111111")]);
    assert_eq!((late.status, late.json()["code"].clone()), (409, json!("stale")));
    assert_eq!(quick.submit(&taken, &[("phone", "0452222222")]).status, 200);
    assert_eq!(slow.submit(&task, &[("phone", "0451111111")]).status, 409, "still");
    assert_eq!(decided(&site, id, "phone").await.map(|(outcome, ..)| outcome), Some(value("0452222222")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ended_with_nobody_waiting_still_counts() {
    let site = DeskSite::with_lease(0.2).await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let task = keyer.claim(&[]);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(keyer.submit(&task, &[("phone", "0451234567")]).status, 200, "nobody took it meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_submission_twice_is_one() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let task = keyer.claim(&[]);
    let sends: Vec<_> = (0..4)
        .map(|_| {
            let (keyer, task) = (keyer.clone(), task.clone());
            tokio::task::spawn_blocking(move || keyer.submit(&task, &[("phone", "0451234567")]))
        })
        .collect();
    let mut first = 0;
    for send in sends {
        let answer = send.await.expect("sent");
        assert_eq!(answer.status, 200, "{}", answer.text());
        first += usize::from(answer.json()["first"] == true);
    }
    assert_eq!(first, 1);
    assert_eq!(site.count("select count(*) from field_decision").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_submitted_can_be_taken_back_until_others_build_on_it() {
    let site = DeskSite::start().await;
    let (first, second) = (site.person("k1", Role::Keyer).await, site.person("k2", Role::Keyer).await);
    let id = application(1);
    site.capture(id, &[("account_number", "0012345", 0.6)]).await;
    let task = first.claim(&[]);
    assert_eq!(first.submit(&task, &[("account_number", "1")]).status, 200);
    let reopen = |task: &Value| first.post(&format!("/api/v1/tasks/{}/reopen", task["id"]), &json!({}));
    let again = reopen(&task).json()["task"].clone();
    assert_eq!(again["fields"][0]["entered"]["value"], "0000001");
    assert_eq!(again["fields"][0]["machine"], Value::Null, "still blind");
    assert_eq!(first.submit(&again, &[("account_number", "12345")]).status, 200);
    let other = second.claim(&[]);
    assert_eq!(second.submit(&other, &[("account_number", "12345")]).status, 200);
    assert_eq!(
        decided(&site, id, "account_number").await.map(|(outcome, ..)| outcome),
        Some(value("0012345"))
    );
    assert_eq!(reopen(&again).status, 409, "two keys are not one person's to take back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_field_can_hold_is_refused_and_nothing_is_kept() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6), ("bank_name", "横浜", 0.6)]).await;
    let task = keyer.claim(&[]);
    let answer = keyer.submit(&task, &[("bank_name", "<script>alert(1)</script>"), ("phone", "zero")]);
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["faults"], json!([{ "field": "phone", "code": "digits" }]));
    for wrong in [
        json!([{ "field": "phone", "outcome": "blank" }]),
        json!([{ "field": "phone", "outcome": "blank" }, { "field": "phone", "outcome": "blank" }]),
        json!([{ "field": "phone", "outcome": "blank" }, { "field": "signature", "outcome": "blank" }]),
    ] {
        let path = format!("/api/v1/tasks/{}/submit", task["id"]);
        assert_eq!(keyer.post(&path, &json!({ "epoch": task["epoch"], "entries": wrong })).status, 409);
    }
    assert_eq!(site.count("select count(*) from entry").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_municipality_decides_what_a_reviewer_asks() {
    let site = DeskSite::start().await;
    let (reviewer, city) =
        (site.person("r1", Role::Reviewer).await, site.person("city", Role::Municipality).await);
    let id = application(1);
    site.register(&[(id, "横浜 花子", "ヨコハマ ハナコ")]).await;
    site.capture(id, &[("phone", "0451234567", 0.6)]).await;
    let task = reviewer.claim(&["verify"]);
    let path = format!("/api/v1/tasks/{}/submit", task["id"]);
    let entry =
        json!({ "field": "phone", "outcome": "escalated", "reason": "remark", "text": "番号が二つあります" });
    let body = json!({ "epoch": task["epoch"], "entries": [entry] });
    assert_eq!(reviewer.post(&path, &body).status, 200);
    assert_eq!(decided(&site, id, "phone").await.map(|(outcome, ..)| outcome), Some(Outcome::Escalated));
    let asked = city.claim(&[]);
    assert_eq!(
        (&asked["reason"], &asked["messages"][0]["text"]),
        (&json!("remark"), &json!("番号が二つあります"))
    );
    assert_eq!(asked["household"]["head_name"], "横浜 花子");
    let path = format!("/api/v1/tasks/{}/answer", asked["id"]);
    let answer = json!({ "epoch": asked["epoch"], "decision": "confirmed", "text": "上の番号です", "outcome": "value", "value": "0451234567" });
    assert_eq!(city.post(&path, &answer).status, 200);
    let expected = (value("0451234567"), Manner::Municipality, vec!["city".to_owned()]);
    assert_eq!(decided(&site, id, "phone").await, Some(expected));
    // Neither what was asked nor what was answered is in an event.
    assert_eq!(site.count("select count(*) from event where detail::text ~ '番号|0451234567|横浜'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_municipality_and_the_desk_talk_until_it_decides() {
    let site = DeskSite::start().await;
    let (asker, other) = (site.person("r1", Role::Reviewer).await, site.person("r2", Role::Reviewer).await);
    let (city, colleague) =
        (site.person("city", Role::Municipality).await, site.person("city2", Role::Municipality).await);
    let id = application(1);
    site.capture(id, &[("phone", "0451234567", 0.6)]).await;
    let task = asker.claim(&["verify"]);
    let write = |person: &Person, task: &Value, path: &str, text: &str| {
        let body = json!({ "epoch": task["epoch"], "text": text });
        person.post(&format!("/api/v1/tasks/{}/{path}", task["id"]), &body)
    };
    let entry = json!({ "field": "phone", "outcome": "escalated", "reason": "remark", "text": "番号が二つ" });
    let body = json!({ "epoch": task["epoch"], "entries": [entry] });
    assert_eq!(asker.post(&format!("/api/v1/tasks/{}/submit", task["id"]), &body).status, 200);

    let asked = city.claim(&[]);
    assert_eq!(write(&city, &asked, "ask", " ").json()["code"], "refused");
    for _ in 0..2 {
        assert_eq!(write(&city, &asked, "ask", "どちらが濃いですか").status, 200, "and once more, unheard");
    }
    assert_eq!(write(&colleague, &asked, "ask", "?").status, 409, "nobody writes in what they do not hold");
    assert_eq!(city.claim(&[]), Value::Null, "it is the desk's turn");
    // The one who escalated comes first; a keyer never does.
    let waiting =
        |person: &Person| person.post("/api/v1/tasks/claim", &json!({})).json()["questions"].clone();
    assert_eq!((waiting(&asker), waiting(&other)), (json!(1), json!(0)));
    assert_eq!(other.claim(&["question"]), Value::Null);
    let keyer = site.person("k1", Role::Keyer).await;
    assert_eq!(keyer.post("/api/v1/tasks/claim", &json!({ "kinds": ["question"] })).status, 403);
    let question = asker.claim(&["question"]);
    assert_eq!((&question["kind"], &question["id"]), (&json!("question"), &asked["id"]));
    assert_eq!(question["messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(question["fields"][0]["machine"]["value"], "0451234567");
    let picture = question["fields"][0]["picture"].as_str().expect("a picture").to_owned();
    assert_eq!(asker.get(&picture).status, 200);
    assert_eq!(waiting(&asker), json!(0), "in hand");
    for _ in 0..2 {
        assert_eq!(write(&asker, &question, "reply", "上の方です").status, 200);
    }
    assert_eq!(write(&asker, &question, "reply", "下の方でした").status, 200, "the same claim writes once");
    let answer = json!({ "epoch": asked["epoch"], "decision": "confirmed", "text": "はい" });
    let path = format!("/api/v1/tasks/{}/answer", asked["id"]);
    assert_eq!(city.post(&path, &answer).status, 409, "that turn is over");

    // Another official, and another reviewer, because the one who escalated has gone home.
    let asked = colleague.claim(&[]);
    let written: Vec<(&str, &str)> = asked["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|said| (said["side"].as_str().expect("a side"), said["text"].as_str().expect("a text")))
        .collect();
    let expected = [("desk", "番号が二つ"), ("municipality", "どちらが濃いですか"), ("desk", "上の方です")];
    assert_eq!(written, expected);
    assert_eq!(write(&colleague, &asked, "ask", "電話しましたか").status, 200);
    assert_eq!(other.claim(&["question"]), Value::Null);
    assert_eq!(asker.post("/api/v1/logout", &json!({})).status, 200);
    let question = other.claim(&["question"]);
    assert_eq!(write(&other, &question, "reply", "いいえ").status, 200);
    let asked = city.claim(&[]);
    let answer = json!({ "epoch": asked["epoch"], "decision": "confirmed", "text": "上の番号です",
                         "outcome": "value", "value": "0451234567" });
    assert_eq!(city.post(&path, &answer).status, 200);
    let expected = (value("0451234567"), Manner::Municipality, vec!["city".to_owned()]);
    assert_eq!(decided(&site, id, "phone").await, Some(expected));

    // All who took part see how it ended, with who and when; nobody else does.
    for person in [&site.log_in("r1"), &other, &city, &colleague] {
        let seen = person.get("/api/v1/escalations").json()["conversations"][0].clone();
        assert_eq!((&seen["turn"], &seen["application_id"]), (&Value::Null, &json!(id)));
        let last = seen["messages"].as_array().and_then(|messages| messages.last().cloned()).expect("six");
        assert_eq!((&last["account"], &last["decision"]), (&json!("city"), &json!("confirmed")));
        assert!(last["written_at"].is_string());
    }
    let third = site.person("r3", Role::Reviewer).await;
    assert_eq!(third.get("/api/v1/escalations").json()["conversations"], json!([]));
    let changed =
        sqlx::query("update escalation_message set text = 'x'").execute(&mut site.sql().await).await;
    assert!(changed.is_err(), "what was written stands");
    let told = "select count(*) from event where kind in ('escalation.asked_back', 'escalation.replied')";
    assert_eq!(site.count(told).await, 4);
    assert_eq!(site.count("select count(*) from event where detail::text ~ '番号|濃い|電話|上の'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_who_escalated_only_for_a_while() {
    let site = DeskSite::start().await;
    let (asker, other) = (site.person("r1", Role::Reviewer).await, site.person("r2", Role::Reviewer).await);
    let city = site.person("city", Role::Municipality).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    let task = asker.claim(&["verify"]);
    let entry = json!({ "field": "phone", "outcome": "escalated", "reason": "other" });
    let body = json!({ "epoch": task["epoch"], "entries": [entry] });
    assert_eq!(asker.post(&format!("/api/v1/tasks/{}/submit", task["id"]), &body).status, 200);
    let asked = city.claim(&[]);
    let body = json!({ "epoch": asked["epoch"], "text": "?" });
    assert_eq!(city.post(&format!("/api/v1/tasks/{}/ask", asked["id"]), &body).status, 200);
    assert_eq!(other.claim(&["question"]), Value::Null);
    site.execute("update task set asker_first_until = now() - interval '1 second' where kind = 'question'")
        .await;
    let question = other.claim(&["question"]);
    assert_eq!(question["id"], asked["id"]);
    assert_eq!(asker.claim(&["question"]), Value::Null, "in hand");
    // Without an answer it is given back like any task.
    let body = json!({ "epoch": question["epoch"] });
    assert_eq!(other.post(&format!("/api/v1/tasks/{}/give-back", question["id"]), &body).status, 200);
    assert_eq!(asker.claim(&["question"])["id"], asked["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_worked_on_only_where_a_person_says_that_it_counts() {
    let site = DeskSite::start().await;
    let reviewer = site.person("r1", Role::Reviewer).await;
    let id = application(1);
    site.capture(id, &[("phone", "0451234567", 0.999)]).await;
    site.capture_as(id, &[("phone", "0457654321", 0.6)], true).await;
    assert_eq!(reviewer.claim(&[]), Value::Null, "it has a page of its own");
    let task = reviewer.claim(&["duplicate"]);
    assert_eq!(task["kind"], "duplicate");
    assert_eq!(task["earlier"]["values"]["phone"], json!(["0451234567", "0457654321"]));
    let picture = task["earlier"]["pages"][0]["picture"].as_str().expect("the earlier page").to_owned();
    assert_eq!(reviewer.get(&picture).status, 200);
    let path = format!("/api/v1/tasks/{}/duplicate", task["id"]);
    assert_eq!(reviewer.post(&path, &json!({ "epoch": task["epoch"], "later_counts": true })).status, 200);
    let next = reviewer.claim(&[]);
    assert_eq!(
        (&next["kind"], &next["fields"][0]["machine"]["value"]),
        (&json!("verify"), &json!("0457654321"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_of_a_version_without_a_desk_get_their_tasks() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    // As that version left it.
    site.execute("delete from doubtful_cell").await;
    site.execute("delete from task").await;
    site.execute("update capture set tasks_planned = false").await;
    assert_eq!(keyer.claim(&[]), Value::Null);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let desk = site.desk.clone();
    let running = tokio::spawn(async move { backfill_until(&desk, stopped).await });
    for _ in 0..50 {
        if site.count("select count(*) from task").await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.send_replace(true);
    running.await.expect("stopped");
    assert_eq!(keyer.claim(&[])["fields"][0]["name"], "phone");
    assert_eq!(site.count("select count(*) from task").await, 1);
}

const APPROVED_BY: &str = "select count(*) from approval where revoked_at is null and approved_by = ";

#[tokio::test(flavor = "multi_thread")]
async fn the_last_decision_approves_and_taking_it_back_revokes() {
    let site = DeskSite::start().await;
    let keyer = site.person("k1", Role::Keyer).await;
    let town = money::town(&site.database, 2, |place, _, fields| {
        if place == 0 {
            fields.insert("account_type".to_owned(), money::field(Some("ordinary"), Disposition::Verify));
        }
    })
    .await;
    let (household, capture) = &town[0];
    sqlx::query(
        "insert into task (kind, application_id, capture_id, fields)
         values ('verify', $1, $2::uuid, '{account_type}'), ('verify', $1, $2::uuid, '{bank_name}')",
    )
    .bind(household.application_id.to_string())
    .bind(capture.to_string())
    .execute(&mut site.sql().await)
    .await
    .expect("tasks");
    let approved = async |by: &str| -> i64 {
        let statement = format!("{APPROVED_BY}'{by}'");
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_one(&mut site.sql().await)
            .await
            .expect("a count")
    };
    let first = keyer.claim(&[]);
    assert_eq!(keyer.submit(&first, &[("account_type", "ordinary")]).status, 200);
    assert_eq!(approved("k1").await, 0, "somebody has work with it");
    let second = keyer.claim(&[]);
    assert_eq!(keyer.submit(&second, &[("bank_name", "横浜銀行")]).status, 200);
    assert_eq!(approved("k1").await, 1);
    let reopened = keyer.post(&format!("/api/v1/tasks/{}/reopen", second["id"]), &json!({}));
    assert_eq!(reopened.status, 200, "{}", reopened.text());
    assert_eq!(approved("k1").await, 0, "it is in work again");
    let again = reopened.json()["task"].clone();
    assert_eq!(keyer.submit(&again, &[("bank_name", "横浜銀行")]).status, 200);
    assert_eq!(approved("k1").await, 1);
    // What nobody had work with.
    assert_eq!(approved("desk").await, 0);
    second_looks::draw(&site).await;
    assert_eq!(approved("desk").await, 1);
}

const CELLS: &str = "select count(*) from doubtful_cell";

#[tokio::test(flavor = "multi_thread")]
async fn a_group_settles_what_one_person_may_decide_and_leaves_the_odd_ones() {
    let site = DeskSite::start().await;
    let (first, second) = (site.person("k1", Role::Keyer).await, site.person("k2", Role::Keyer).await);
    for serial in 1..=4 {
        let fields = [
            ("application_date", "777777", 0.6),
            ("account_number", "7777777", 0.6),
            ("bank_name", "七", 0.6),
        ];
        site.capture(application(serial), &fields).await;
    }
    assert_eq!(site.count(CELLS).await, 24, "no cell of a field that two people key, or of a line");
    // What somebody is at is theirs.
    let at = second.claim(&["verify"]);
    assert_eq!(at["fields"].as_array().map(Vec::len), Some(2));
    let group = first.claim(&["group"]);
    assert_eq!((&group["kind"], &group["application_id"]), (&json!("group"), &Value::Null));
    assert_eq!((&group["group"]["character"], &group["group"]["cells"]), (&json!("7"), &json!(18)));
    let picture = group["group"]["picture"].as_str().expect("a picture");
    let answer = first.get(picture);
    let sheet = image::load_from_memory(&answer.body).expect("a PNG");
    assert_eq!((answer.status, sheet.height()), (200, 18 * sheet.width()));
    assert_eq!(second.get(picture).status, 404, "held by somebody else");
    // The first cell is something else.
    let end = |person: &crate::desk::Person, odd: &[u16]| {
        let body = json!({ "epoch": group["epoch"], "odd": odd });
        person.post(&format!("/api/v1/tasks/{}/group", group["id"]), &body)
    };
    assert_eq!(end(&second, &[0]).status, 409);
    let answer = end(&first, &[0]);
    assert_eq!((answer.status, answer.json()), (200, json!({ "first": true })), "{}", answer.text());
    assert_eq!(end(&first, &[0]).json(), json!({ "first": false }), "once");
    let by_group = Some((value("777777"), Manner::Group, vec!["k1".to_owned()]));
    let mut settled = Vec::new();
    for serial in 1..=4 {
        let decision = decided(&site, application(serial), "application_date").await;
        assert!(decision.is_none() || decision == by_group);
        settled.push(decision.is_some());
        assert_eq!(decided(&site, application(serial), "account_number").await, None, "two people key it");
    }
    assert_eq!(settled.iter().filter(|&&settled| settled).count(), 2, "{settled:?}");
    // The others are verified, with what is left of their tasks.
    assert_eq!(first.claim(&["group"]), Value::Null);
    let left = "select count(*) from task where kind = 'verify' and state = 'open' and 'application_date' = any(fields)";
    assert_eq!(site.count(left).await, 2);
    assert_eq!(
        site.count("select count(*) from task where kind = 'verify' and fields = '{bank_name}'").await,
        2
    );
    assert_eq!(second.submit(&at, &[("application_date", "020615"), ("bank_name", "七")]).status, 200);
    assert_eq!(
        site.count("select count(*) from entry where task_id in (select id from task where kind = 'group')")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_left_waits_for_others_and_is_no_second_key() {
    let site = DeskSite::start().await;
    let (first, second) = (site.person("k1", Role::Keyer).await, site.person("k2", Role::Keyer).await);
    site.capture(application(1), &[("application_date", "777777", 0.6)]).await;
    let group = first.claim(&["group"]);
    assert_eq!(second.claim(&["group"]), Value::Null);
    let held = json!({ "epoch": group["epoch"] });
    assert_eq!(first.post(&format!("/api/v1/tasks/{}/give-back", group["id"]), &held).status, 200);
    let group = second.claim(&["group"]);
    site.execute(
        "update task set leased_until = now() - interval '1 second' where kind = 'group' and state = 'open'",
    )
    .await;
    let again = first.claim(&["group"]);
    assert_ne!(group["id"], again["id"]);
    let end = |person: &crate::desk::Person, task: &Value| {
        let body = json!({ "epoch": task["epoch"], "odd": [] });
        person.post(&format!("/api/v1/tasks/{}/group", task["id"]), &body).status
    };
    assert_eq!(end(&second, &group), 409);
    // By now the policy is that two people key it, and one has.
    site.execute(
        "insert into task (kind, application_id, capture_id, fields, turn)
         select 'key', application_id, capture_id, '{application_date}', 1 from task where kind = 'verify'",
    )
    .await;
    assert_eq!(end(&first, &again), 200);
    assert_eq!(decided(&site, application(1), "application_date").await, None);
    assert_eq!(site.count("select count(*) from doubtful_cell where confirmed and said_by = 'k1'").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_answer_is_known_measures_a_person_and_decides_nothing() {
    let site = DeskSite::seeding().await;
    let people = ["k1", "k2", "k3"].map(|name| site.person(name, Role::Keyer));
    let [first, second, third] = futures_util::future::join_all(people).await.try_into().ok().expect("three");
    let supervisor = site.person("s1", Role::Supervisor).await;
    site.capture(application(1), &[("account_number", "0012345", 0.6)]).await;
    for keyer in [&first, &second] {
        let task = keyer.claim(&[]);
        assert_eq!(keyer.submit(&task, &[("account_number", "12345")]).status, 200);
    }
    let settled = decided(&site, application(1), "account_number").await;
    assert_eq!(settled.as_ref().map(|(outcome, ..)| outcome), Some(&value("0012345")));
    assert_eq!(first.claim(&[]), Value::Null, "nobody gets what they keyed");
    let seed = third.claim(&[]);
    assert_eq!((&seed["kind"], &seed["fields"][0]["machine"]), (&json!("key"), &Value::Null), "as any other");
    assert!(!seed.to_string().contains("12345"));
    assert_eq!(third.get(seed["fields"][0]["picture"].as_str().expect("a picture")).status, 200);
    let entries = site.count("select count(*) from entry").await;
    let answer = third.submit(&seed, &[("account_number", "99999")]);
    assert_eq!((answer.status, answer.json()), (200, json!({ "first": true })));
    assert_eq!(third.submit(&seed, &[("account_number", "99999")]).json(), json!({ "first": false }));
    assert_eq!(decided(&site, application(1), "account_number").await, settled);
    assert_eq!(site.count("select count(*) from entry").await, entries, "no entry");
    assert_eq!(site.count("select count(*) from hand where account = 'k3'").await, 0, "and no hand in it");
    assert_eq!(third.claim(&[]), Value::Null, "once");
    let keyers = supervisor.get("/api/v1/keyers").json();
    let (one, none) = (
        json!({ "fields": 1, "wrong": 1, "bounds": null }),
        json!({ "fields": 0, "wrong": 0, "bounds": null }),
    );
    assert_eq!(keyers["keyers"], json!([{ "account": "k3", "known": one, "decided": none }]));
}
