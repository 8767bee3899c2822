//! A letter asks for the page that is missing. What comes back is that page alone, of the form that went with
//! the letter: it says so in its code, and completes what had come before, which stays as it was.

#[path = "support/site.rs"]
mod site;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uketsuke::application_id::ApplicationId;
use uketsuke::approve::Counts;
use uketsuke::reference::BankTable;
use uketsuke::review::{AccountName, Password, PasswordHash, Role};
use uketsuke::settings::Settings;
use uketsuke::store::approvals::{self, Settled};
use uketsuke::store::field_decisions::{self, FieldDecision, Manner, Outcome};
use uketsuke::store::page_decisions::decide_duplicate;
use uketsuke::store::private_postgres::PrivatePostgres;
use uketsuke::store::tasks::{self, TaskKind};
use uketsuke::store::{Database, accounts};

use site::{Site, repository, sample_register};

const PERSON: &str = "reviewer";

fn codes(record: &Value) -> Vec<&str> {
    let findings = record["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect()
}

fn pages(record: &Value) -> Vec<&Value> {
    record["pages"].as_array().expect("pages").iter().map(|page| &page["page"]).collect()
}

/// What the applicant wrote, by field.
fn truth(application: &str) -> BTreeMap<String, Option<String>> {
    let lines = std::fs::read_to_string(repository().join("samples/scans/truth.jsonl")).expect("samples");
    let pages = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let of_it = pages.filter(|page| page["application_id"] == application);
    of_it
        .flat_map(|page| page["fields"].as_object().cloned().unwrap_or_default())
        .map(|(name, field)| (name, field["value"].as_str().map(str::to_owned)))
        .collect()
}

/// The desk, as far as this test works at it.
struct Desk {
    database: Database,
    connection: PgConnection,
    /// Stops when it is dropped, last.
    _server: PrivatePostgres,
}

impl Desk {
    async fn open(site: &Site) -> Self {
        let server = PrivatePostgres::start(&site.data()).expect("the private server");
        let options = server.connect_options().database(Database::PRIVATE);
        let database = Database::open(options.clone()).await.expect("a database");
        let connection = PgConnection::connect_with(&options).await.expect("a connection");
        Self { database, connection, _server: server }
    }

    /// A person decides every field of a capture as it was written.
    async fn decide_all(&mut self, record: &Value) {
        let application = record["application_id"].as_str().expect("an ID");
        for (field, value) in truth(application) {
            let decision = FieldDecision {
                application_id: application.parse().expect("an ID"),
                capture: record["capture_id"].as_str().expect("an ID").parse().expect("an ID"),
                field,
                outcome: value.map_or(Outcome::Blank, Outcome::Value),
                manner: Manner::Verified,
                decided_by: vec![PERSON.to_owned()],
            };
            field_decisions::add(&mut self.connection, &decision).await.expect("decided");
        }
    }

    async fn settle(&self, application: ApplicationId) -> Settled {
        let settings = Settings::load(Some(&repository().join("config/uketsuke.toml"))).expect("shipped");
        let banks = BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases);
        let banks = banks.expect("scripts/setup");
        let rules = settings.check.rules(Some(&banks));
        let limit = settings.check.households_per_account;
        let settled = approvals::settle(&self.database, &[application], &rules, limit, "test").await;
        settled.expect("settled").remove(&application).expect("it has a capture")
    }
}

/// What is in the way, as it is told.
fn obstacles(settled: Settled) -> Vec<String> {
    match settled {
        Settled::NotYet(obstacles) => obstacles.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_a_letter_asked_for_completes_what_came_before() {
    let site = Site::new(Path::new(env!("CARGO_BIN_EXE_uketsuke")), "");
    let mail = site.folder().join("mail");
    std::fs::create_dir_all(mail.join("naka/monday")).expect("a folder");
    std::fs::create_dir_all(mail.join("kita/friday")).expect("a folder");
    let ingest = || site.run(&["ingest", mail.to_str().expect("UTF-8")]);
    let sample = repository().join("samples/scans/naka/batch-001/000009-1.png");
    std::fs::copy(sample, mail.join("naka/monday/000009-1.png")).expect("copied");
    site.run(&["register", "import", &sample_register()]);
    ingest();
    let first = site.records().pop().expect("a record");
    assert_eq!((pages(&first), &first["issue"]), (vec![&json!(1)], &json!(1)));
    assert!(codes(&first).contains(&"missing_page"), "{:?}", codes(&first));
    let application: ApplicationId = first["application_id"].as_str().expect("an ID").parse().expect("an ID");
    let mut desk = Desk::open(&site).await;
    desk.decide_all(&first).await;
    assert_eq!(obstacles(desk.settle(application).await), ["page 2 of the form is missing"]);
    drop(desk);

    // The last page of what was printed is the one for the copies.
    let pdf = site.folder().join("letters.pdf");
    site.run(&["export", "letters", "--by", "test", "--out", pdf.to_str().expect("UTF-8")]);
    let mut letter = lopdf::Document::load(&pdf).expect("a PDF");
    let last = letter.get_pages().len() as u32;
    letter.delete_pages(&(1..last).collect::<Vec<_>>());
    letter.save(mail.join("kita/friday/answer.pdf")).expect("saved");
    ingest();
    let records = site.records();
    let [before, answer] = &records[..] else { panic!("{} records", records.len()) };
    assert_eq!(before, &first, "what had come before stays as it was");
    assert_eq!((pages(answer), &answer["issue"]), (vec![&json!(1), &json!(2)], &json!(2)));
    assert_eq!(answer["fields"]["phone"], first["fields"]["phone"]);
    let source = &answer["source"];
    assert_eq!((&source["file"], &source["batch"]), (&json!("answer.pdf"), &json!("friday")));
    let found = codes(answer);
    for code in ["sent_again", "taken_over", "duplicate_application"] {
        assert!(found.contains(&code), "{code}: {found:?}");
    }
    assert!(!found.contains(&"missing_page"), "{found:?}");

    // The first one counts until somebody says otherwise; then what is doubtful of the other is decided.
    let mut desk = Desk::open(&site).await;
    assert_eq!(obstacles(desk.settle(application).await), ["page 2 of the form is missing"]);
    let reviewer: AccountName = PERSON.parse().expect("a name");
    let hash = PasswordHash::of(&Password::typed("whoever looks at it".to_owned())).expect("hashed");
    assert!(accounts::add(&desk.database, "test", &reviewer, Role::Reviewer, &hash).await.expect("added"));
    let hour = Duration::from_secs(3600);
    let task = tasks::claim(&desk.database, &reviewer, &[TaskKind::Duplicate], &[], hour).await;
    let task = task.expect("a claim").expect("a task");
    let said = decide_duplicate(&desk.database, &reviewer, task.id, task.epoch, Counts::Later, &[]).await;
    assert!(said.expect("said"));
    let waits = obstacles(desk.settle(application).await);
    assert!(waits.contains(&"account_number is neither accepted nor decided".to_owned()), "{waits:?}");
    assert!(!waits.iter().any(|waits| waits.contains("missing")), "{waits:?}");
    desk.decide_all(answer).await;
    assert_eq!(desk.settle(application).await, Settled::Approved);
}
