//! A page without a valid ID is assigned by what is printed on it, typed twice, and by nothing else; and
//! people who ask about an application are told how it stands.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use uketsuke::review::{AccountName, Password, PasswordHash, Role};
use uketsuke::store::page_decisions::{self, FormPageName, PageOutcome};
use uketsuke::store::private_postgres::PrivatePostgres;
use uketsuke::store::tasks::{self, TaskKind};
use uketsuke::store::{Database, accounts};

use crate::arrivals;
use crate::desk::{DeskSite, PASSWORD, Person};
use crate::readings::{Reading, application};
use crate::site::{Site, repository, sample_register};

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
        let form_page = json!({ "form": "benefit-2020", "version": "1", "page": 2 });
        let body =
            json!({ "outcome": "assigned", "application_id": id, "again": again, "form_page": form_page });
        say(&reviewer, &task, body)
    };
    let right = own.to_string();
    assert_eq!(assign(&right, &after.to_string()).status, 409, "two different IDs");
    let slip = format!("{}{}", &right[..12], (right.as_bytes()[12] - b'0' + 1) % 10);
    assert_eq!(assign(&slip, &slip).status, 409, "a wrong check digit");
    let stranger = application(99).to_string();
    assert_eq!(assign(&stranger, &stranger).status, 409, "not in the register");
    let no_page = json!({ "form": "benefit-2020", "version": "1", "page": 3 });
    let body =
        json!({ "outcome": "assigned", "application_id": right, "again": right, "form_page": no_page });
    assert_eq!(say(&reviewer, &task, body).status, 409, "the form has no such page");
    assert_eq!(site.count("select count(*) from page_decision").await, 0);
    assert_eq!(assign(&right, &right).status, 200);
    assert_eq!(site.count("select count(*) from page_decision where outcome = 'assigned'").await, 1);
    // What was seen of the page stays, and the sum of the batch with it.
    assert_eq!(site.count("select count(*) from page where state = 'unassigned'").await, 1);
    assert_eq!(reviewer.claim(&["page"]), Value::Null);
    assert_eq!(site.count("select count(*) from job where kind = 'read_page'").await, 1, "and is read again");
}

/// The first page of a sample, its symbols covered as by a label.
fn covered(site: &Site, sample: &Path, to: &Path) -> Value {
    let seen: Value =
        serde_json::from_str(&site.run(&["inspect", sample.to_str().expect("UTF-8")])).expect("JSON");
    let page = seen["pages"][0].clone();
    let mut picture = image::open(sample).expect("a picture").into_luma8();
    for symbol in page["symbols"].as_array().expect("symbols") {
        let edge = |place: usize| symbol["box"][place].as_f64().expect("a number");
        let label = |x: u32, y: u32| {
            let within = |at: u32, from: f64, length: f64| {
                (from - 20.0..from + length + 20.0).contains(&f64::from(at))
            };
            within(x, edge(0), edge(2)) && within(y, edge(1), edge(3))
        };
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            if label(x, y) {
                pixel.0 = [235];
            }
        }
    }
    picture.save(to).expect("written");
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_person_assigned_is_read_as_what_they_said() {
    let site = Site::new(Path::new(env!("CARGO_BIN_EXE_uketsuke")), "");
    let scans = site.folder().join("scans");
    std::fs::create_dir_all(scans.join("kita")).expect("a folder");
    let sample = repository().join("samples/scans/naka/batch-001/000001-1.png");
    let page = covered(&site, &sample, &scans.join("kita/covered.png"));
    let scans = scans.to_str().expect("UTF-8");
    site.run(&["register", "import", &sample_register()]);
    site.run(&["ingest", scans]);
    assert_eq!(site.records(), Vec::<Value>::new(), "nobody knows whose it is");

    let server = PrivatePostgres::start(&site.data()).expect("the private server");
    let database =
        Database::open(server.connect_options().database(Database::PRIVATE)).await.expect("a database");
    let (reviewer, hash) =
        ("r1".parse::<AccountName>().expect("a name"), Password::chosen(PASSWORD.to_owned()));
    let hash = PasswordHash::of(&hash.expect("long")).expect("hashed");
    accounts::add(&database, "test", &reviewer, Role::Reviewer, &hash).await.expect("added");
    let hour = Duration::from_secs(3600);
    let task = tasks::claim(&database, &reviewer, &[TaskKind::Page], &[], hour).await.expect("a claim");
    let task = task.expect("a task");
    let form = &page["form"];
    let id = form["application_id"].as_str().expect("an ID");
    let outcome = PageOutcome::Assigned {
        application: id.parse().expect("an ID"),
        form_page: Some(FormPageName {
            form: form["form"].as_str().expect("a form").to_owned(),
            version: form["version"].as_str().expect("a version").to_owned(),
            page: form["page"].as_u64().expect("a page") as u32,
        }),
    };
    assert!(
        page_decisions::decide(&database, &reviewer, task.id, task.epoch, &outcome, 3)
            .await
            .expect("decided")
    );

    // Nothing new comes.
    site.run(&["ingest", scans]);
    let record = site.records().pop().expect("a record");
    assert_eq!(record["application_id"], id);
    let phone = &record["fields"]["phone"];
    assert!(
        phone["crop"].is_string() && phone["characters"].as_array().is_some_and(|read| read.len() > 9),
        "{phone}"
    );
    let codes: Vec<&Value> =
        record["findings"].as_array().expect("findings").iter().map(|finding| &finding["code"]).collect();
    assert!(
        codes.contains(&&json!("assigned_by_hand")) && !codes.contains(&&json!("single_symbol")),
        "{codes:?}"
    );
    let kinds = [TaskKind::Verify, TaskKind::Key];
    let work = tasks::claim(&database, &reviewer, &kinds, &[], hour).await.expect("a claim");
    assert!(work.is_some(), "what is doubtful of it is somebody's work");
    let standing: Value = serde_json::from_str(&site.run(&["--json", "status"])).expect("JSON");
    assert_eq!((&standing["pages_unassigned"], &standing["queues"]), (&json!(0), &json!([])));
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
async fn a_page_that_did_not_come_is_on_the_mailrooms_list_until_it_does() {
    let site = DeskSite::start().await;
    let supervisor = site.person("s1", Role::Supervisor).await;
    for (content, form_page, lacks) in [("half", 1, 2), ("the other half", 2, 1)] {
        arrivals::scan(&site.database, content).await;
        let mut reading = Reading::begin(&site.database).await;
        reading.capture(&site.database, application(5), &[form_page]).await;
        reading.captures[0].missing = vec![lacks];
        reading.publish(&site.database).await.expect("published");
        let list = supervisor.get("/api/v1/missing-pages").json()["captures"].clone();
        if form_page == 1 {
            assert_eq!(
                (&list[0]["application_id"], &list[0]["missing"]),
                (&json!(application(5)), &json!([2]))
            );
            assert_eq!((&list[0]["station"], &list[0]["batch"]), (&json!("desk"), &json!("monday")));
        } else {
            assert_eq!(list, json!([]), "in whichever capture");
        }
    }
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
    let station = &board["stations"][0];
    assert_eq!((&station["pages"], &station["symbols_unread"]), (&json!(3), &json!(3)), "{station}");
    assert!((station["skew_deg"].as_f64().expect("a mean") - 0.1).abs() < 0.001, "{station}");
    assert!(!answer.text().contains("k1"));
}
