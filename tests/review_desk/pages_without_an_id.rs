//! A page without a valid ID is assigned by what is printed on it, typed twice, and by nothing else; and
//! people who ask about an application are told how it stands.

use serde_json::{Value, json};
use uketsuke::review::Role;

use crate::desk::{DeskSite, Person};
use crate::readings::application;

fn say(person: &Person, task: &Value, mut body: Value) -> crate::http::Answer {
    body["epoch"] = task["epoch"].clone();
    person.post(&format!("/api/v1/tasks/{}/page", task["id"]), &body)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_assigned_by_an_id_that_is_typed_twice_valid_and_registered() {
    let site = DeskSite::start().await;
    let reviewer = site.person("r1", Role::Reviewer).await;
    let (before, after, own) = (application(1), application(2), application(3));
    site.register(&[(own, "横浜 花子", "ヨコハマ ハナコ")]).await;
    site.unassigned(before, after).await;
    let task = reviewer.claim(&["page"]);
    let pages = task["pages"].as_array().expect("pages");
    let ids: Vec<&Value> = pages.iter().map(|page| &page["application_id"]).collect();
    assert_eq!(ids, [&json!(before), &Value::Null, &json!(after)], "neighbours in the order of the scan");
    assert_eq!(pages.iter().map(|page| page["current"] == true).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(reviewer.get(pages[1]["picture"].as_str().expect("a picture")).status, 200);

    let assign = |id: &str, again: &str| {
        say(&reviewer, &task, json!({ "outcome": "assigned", "application_id": id, "again": again }))
    };
    let right = own.to_string();
    assert_eq!(assign(&right, &after.to_string()).status, 409, "two different IDs");
    let slip = format!("{}{}", &right[..12], (right.as_bytes()[12] - b'0' + 1) % 10);
    assert_eq!(assign(&slip, &slip).status, 409, "a wrong check digit");
    let stranger = application(99).to_string();
    assert_eq!(assign(&stranger, &stranger).status, 409, "not in the register");
    assert_eq!(site.count("select count(*) from page_decision").await, 0);
    assert_eq!(assign(&right, &right).status, 200);
    assert_eq!(site.count("select count(*) from page_decision where outcome = 'assigned'").await, 1);
    // What was seen of the page stays, and the sum of the batch with it.
    assert_eq!(site.count("select count(*) from page where state = 'unassigned'").await, 1);
    assert_eq!(reviewer.claim(&["page"]), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rescan_is_on_the_mailrooms_list_until_it_is_done() {
    let site = DeskSite::start().await;
    let reviewer = site.person("r1", Role::Reviewer).await;
    let supervisor = site.person("s1", Role::Supervisor).await;
    site.unassigned(application(1), application(2)).await;
    let task = reviewer.claim(&["page"]);
    assert_eq!(say(&reviewer, &task, json!({ "outcome": "rescan" })).status, 200);
    let list = supervisor.get("/api/v1/rescans").json()["rescans"].clone();
    assert_eq!(
        (&list[0]["station"], &list[0]["batch"], &list[0]["page_index"]),
        (&json!("desk"), &json!("monday"), &json!(1))
    );
    let settled = json!({ "scan": list[0]["scan"], "page_index": 1 });
    assert_eq!(supervisor.post("/api/v1/rescans/settle", &settled).status, 200);
    assert_eq!(supervisor.post("/api/v1/rescans/settle", &settled).status, 404, "once");
    assert_eq!(supervisor.get("/api/v1/rescans").json()["rescans"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_found_and_its_standing_told_without_a_trace_of_what_was_typed() {
    let site = DeskSite::start().await;
    let desk = site.person("desk1", Role::Inquiry).await;
    let id = application(7);
    site.register(&[(id, "横浜 花子", "ヨコハマ ハナコ"), (application(8), "横浜 太郎", "ヨコハマ タロウ")])
        .await;
    let search = |body: Value| desk.post("/api/v1/search", &body);
    let found = |body: Value| search(body).json()["found"].as_array().map(Vec::len);
    assert_eq!(found(json!({ "application_id": id.to_string() })), Some(1));
    assert_eq!(found(json!({ "name": "横浜花" })), Some(1));
    assert_eq!(found(json!({ "kana": "よこはま" })), Some(2));
    assert_eq!(found(json!({ "name": "横浜%" })), Some(0), "no wildcards");
    assert_eq!(search(json!({ "name": "横" })).status, 409, "half the town");
    assert_eq!(search(json!({ "application_id": "6291041500214" })).status, 409);

    let status = || desk.get(&format!("/api/v1/applications/{id}")).json();
    assert_eq!(status()["status"], "not_received");
    site.capture(id, &[("phone", "0451234567", 0.6)]).await;
    assert_eq!(found(json!({ "phone": "045-123-4567" })), Some(1), "as it was read");
    assert_eq!((&status()["status"], &status()["open"]), (&json!("in_review"), &json!(["verify"])));
    let keyer = site.person("k1", Role::Keyer).await;
    let task = keyer.claim(&[]);
    assert_eq!(keyer.submit(&task, &[("phone", "0459999999")]).status, 200);
    assert_eq!(status()["status"], "reviewed");
    assert_eq!(found(json!({ "phone": "0459999999" })), Some(1), "as people decided");
    // The desk never gets what stands in fields.
    assert!(!desk.get(&format!("/api/v1/applications/{id}")).text().contains("0459999999"));

    let searches =
        site.count("select count(*) from event where kind = 'search.made' and actor = 'desk1'").await;
    assert_eq!(searches, 6);
    assert_eq!(
        site.count(
            "select count(*) from event where subject || detail::text ~ '横浜|よこはま|0451234567|0459999999'"
        )
        .await,
        0
    );
    assert!(site.count("select count(*) from event where kind = 'record.viewed'").await >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_supervisor_sees_how_the_work_stands_and_nobody_by_name() {
    let site = DeskSite::start().await;
    let (supervisor, keyer) =
        (site.person("s1", Role::Supervisor).await, site.person("k1", Role::Keyer).await);
    site.capture(application(1), &[("phone", "0451234567", 0.6)]).await;
    site.capture(application(2), &[("phone", "0451234567", 0.6)]).await;
    site.capture(application(3), &[("phone", "0451234567", 0.999)]).await;
    let task = keyer.claim(&[]);
    assert_eq!(keyer.submit(&task, &[("phone", "0451234567")]).status, 200);
    let answer = supervisor.get("/api/v1/board");
    let board = answer.json();
    let queue = &board["backlog"]["queues"][0];
    assert_eq!(
        (&queue["kind"], &queue["open"], &queue["ages"]),
        (&json!("verify"), &json!(1), &json!([1, 0, 0, 0, 0]))
    );
    assert_eq!(board["backlog"]["hours"][0]["done"], 1);
    assert_eq!(
        (&board["backlog"]["captures"], &board["backlog"]["captures_without_people"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(
        (&board["batches"][0]["station"], &board["batches"][0]["balances"]),
        (&json!("desk"), &json!(true))
    );
    assert_eq!(board["batches"][0]["pages"], 3);
    assert!(!answer.text().contains("k1"));
}
