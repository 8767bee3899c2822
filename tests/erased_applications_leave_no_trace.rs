//! What is known of an erased application is gone from database and object store, a certificate says
//! what went, and every sheet is accounted for as before.

#[path = "support/arrivals.rs"]
mod arrivals;
#[expect(dead_code, reason = "what these tests do not need")]
#[path = "support/database.rs"]
mod database;
#[expect(dead_code, reason = "what these tests do not need")]
#[path = "support/readings.rs"]
mod readings;

use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uketsuke::application_id::ApplicationId;
use uketsuke::audit;
use uketsuke::digest::Sha256;
use uketsuke::fleet::{Upkeep, manifest_key};
use uketsuke::register::Household;
use uketsuke::settings::Retention;
use uketsuke::simulate::register::household;
use uketsuke::store::accounting::{self, Filter};
use uketsuke::store::captures::current_records;
use uketsuke::store::erasure::{self, Certificate, Eraser, ErasureError, Rule};
use uketsuke::store::jobs;
use uketsuke::store::objects::{LocalDirectory, ObjectError, ObjectKey, ObjectKind, ObjectStore};
use uketsuke::store::publish::Published;
use uketsuke::store::references::Names;
use uketsuke::store::scans::{self, Accepted, ScanId};
use uketsuke::store::standing::standing;
use uketsuke::store::{Database, StoreError, register};

use arrivals::{MAX_ATTEMPTS, WORKER, accept, arrival, claim, scan};
use readings::{Reading, state};

const ACTOR: &str = "the municipality";

struct Office {
    folder: tempfile::TempDir,
    objects: Arc<LocalDirectory>,
    options: PgConnectOptions,
    database: Database,
    households: Vec<Household>,
}

impl Office {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let objects = Arc::new(LocalDirectory::open(folder.path()).expect("a store"));
        let options = database::fresh_options().await;
        let database = Database::open(options.clone()).await.expect("a database");
        let households: Vec<Household> = (0..3).map(|place| household(5, place)).collect();
        register::import(&database, &households).await.expect("imported");
        Self { folder, objects, options, database, households }
    }

    fn id(&self, place: usize) -> ApplicationId {
        self.households[place].application_id
    }

    async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.expect("a connection")
    }

    async fn put(&self, kind: ObjectKind, content: &[u8], ending: Option<&'static str>) -> ObjectKey {
        let key = ObjectKey::of(kind, Sha256::of(content), ending);
        self.objects.put(&key, content).await.expect("put");
        key
    }

    async fn original(&self, content: &str) -> ObjectKey {
        self.put(ObjectKind::Original, content.as_bytes(), None).await
    }

    /// The picture of a page at that place of its scan, as [`Reading::page`] names it.
    async fn picture(&self, index: u8) -> ObjectKey {
        self.put(ObjectKind::Page, &[index], Some("png")).await
    }

    /// A scan that holds two pages of each of these applications and a blank one; its records' keys.
    async fn mail(&self, content: &str, applications: &[ApplicationId]) -> Vec<ObjectKey> {
        self.original(content).await;
        scan(&self.database, content).await;
        let mut reading = Reading::begin(&self.database).await;
        for &application in applications {
            reading.capture(&self.database, application, &[1, 2]).await;
        }
        reading.blank();
        let mut keys = Vec::new();
        for capture in &reading.captures {
            let record = &capture.record;
            self.objects.put(record.key(), record.bytes()).await.expect("put");
            keys.push(record.key().clone());
        }
        // A worker reads again what names an object that was just taken away, and stores it anew.
        loop {
            for index in 0..2 * applications.len() {
                self.picture(index as u8).await;
            }
            match reading.publish(&self.database).await {
                Err(StoreError::ObjectsRemoved) => continue,
                published => break assert_eq!(published.expect("published"), Published::Committed),
            }
        }
        keys
    }

    /// A scan in quarantine.
    async fn broken(&self, content: &str) -> ScanId {
        self.original(content).await;
        let id = scan(&self.database, content).await;
        let reason = format!("{content}.tif: is no scan");
        jobs::quarantine(&self.database, &claim(&self.database).await, WORKER, &reason, Some(1))
            .await
            .expect("quarantined");
        id
    }

    /// A scan of a page that nobody could assign and, where one is named, two of an application.
    async fn stray(&self, content: &str, beside: Option<ApplicationId>) -> ScanId {
        self.original(content).await;
        let id = scan(&self.database, content).await;
        let mut reading = Reading::begin(&self.database).await;
        if let Some(application) = beside {
            reading.capture(&self.database, application, &[1, 2]).await;
            let record = &reading.captures[0].record;
            self.objects.put(record.key(), record.bytes()).await.expect("put");
        }
        reading.unassigned(vec![self.id(2)]);
        self.put(ObjectKind::Page, b"a page", Some("png")).await;
        assert_eq!(reading.publish(&self.database).await.expect("published"), Published::Committed);
        id
    }

    async fn is_there(&self, key: &ObjectKey) -> bool {
        match self.objects.head(key).await {
            Ok(_) => true,
            Err(ObjectError::NotFound { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// The certificate and the manifest.
    async fn erase(&self, rule: Rule) -> (Certificate, String) {
        let eraser = Eraser::begin(&self.database).await.expect("nobody else erases");
        let number = eraser.erase_rows(&rule, ACTOR, |_| ()).await.expect("rows");
        let finished = self.finish(&eraser, number).await;
        eraser.end().await.expect("an end");
        finished
    }

    async fn finish(&self, eraser: &Eraser, number: i32) -> (Certificate, String) {
        eraser.remove_objects(number, &*self.objects).await.expect("objects");
        let mut manifest = Vec::new();
        let certificate = eraser.certify(number, &mut manifest).await.expect("a certificate");
        eraser.close(&certificate, ACTOR).await.expect("closed");
        (certificate, String::from_utf8(manifest).expect("text"))
    }

    /// Tables with a row that holds the text anywhere.
    async fn tables_with(&self, text: &str) -> Vec<String> {
        let mut connection = self.connection().await;
        let names = "select table_name::text from information_schema.tables
                     where table_schema = 'public' and table_type = 'BASE TABLE'";
        let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut connection).await.expect("tables");
        let mut found = Vec::new();
        for name in names {
            let statement =
                format!("select exists (select from {name} as t where position($1 in t::text) > 0)");
            let holds: bool = sqlx::query_scalar(AssertSqlSafe(statement))
                .bind(text)
                .fetch_one(&mut connection)
                .await
                .expect("an answer");
            found.extend(holds.then_some(name));
        }
        found
    }
}

/// A key that was typed, a question to the municipality, and a page that was assigned by hand.
async fn work_at_the_desk(connection: &mut PgConnection, application: ApplicationId, capture: &str) {
    let statement = format!(
        "insert into account (name, role, password_hash) values ('clerk', 'reviewer', '$argon2id$none');
         insert into task (kind, application_id, capture_id, fields, turn)
         values ('key', '{application}', '{capture}', '{{account_number}}', 1);
         insert into task (kind, application_id, capture_id, reason)
         values ('escalation', '{application}', '{capture}', 'other');
         insert into hand (capture_id, field, account, task_id)
         select '{capture}', 'account_number', 'clerk', id from task where kind = 'key';
         insert into entry (task_id, capture_id, field, blind, outcome, value, account)
         select id, '{capture}', 'account_number', true, 'value', '1112223', 'clerk' from task where kind = 'key';
         insert into escalation_message (task_id, account, text)
         select id, 'clerk', 'Is this Suzuki?' from task where kind = 'escalation';
         insert into page_decision (scan_id, page_index, outcome, application_id, decided_by)
         select scan_id, page_index, 'assigned', '{application}', 'clerk' from page
         where capture_id = '{capture}' and form_page = 2"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.expect("work at the desk");
}

#[tokio::test]
async fn only_ids_states_and_dates_are_left() {
    let office = Office::new().await;
    let (gone, stays) = (office.id(0), office.id(1));
    let first = office.mail("Tanaka's letter", &[gone]).await.remove(0);
    let second = office.mail("another letter", &[stays]).await.remove(0);
    let capture = state(&office.database, gone).await.captures.remove(0).id;
    let mut connection = office.connection().await;
    let decide =
        "insert into field_decision (application_id, capture_id, field, outcome, value, manner, decided_by)
                  values ($1, $2::uuid, 'account_number', 'value', '7654321', 'verified', '{clerk}')";
    sqlx::query(decide)
        .bind(gone.to_string())
        .bind(capture.to_string())
        .execute(&mut connection)
        .await
        .expect("decided");
    work_at_the_desk(&mut connection, gone, &capture.to_string()).await;
    for table in ["field_decision", "entry", "escalation_message"] {
        let statement = AssertSqlSafe(format!("delete from {table}"));
        let error = sqlx::query(statement).execute(&mut connection).await.expect_err("refused");
        assert!(error.to_string().contains("append-only"), "{error}");
    }
    let sum = || async { accounting::total(&office.database, &Filter::default()).await.expect("a sum") };
    let before = sum().await;
    let name = &office.households[0].head_name;
    for known in [name.as_str(), "7654321", "1112223", "Suzuki", "Tanaka"] {
        assert!(!office.tables_with(known).await.is_empty(), "{known}");
    }

    let (certificate, manifest) = office.erase(Rule::Applications(vec![gone])).await;
    assert_eq!(sum().await, before, "every sheet is accounted for");
    for known in [name.as_str(), "7654321", "1112223", "Suzuki", "Tanaka"] {
        assert_eq!(office.tables_with(known).await, Vec::<String>::new(), "{known}");
    }
    let left = office.tables_with(&gone.to_string()).await;
    assert_eq!(
        left.len(),
        6,
        "application, capture, page, event, task and page_decision have its ID: {left:?}"
    );
    let open: i64 = sqlx::query_scalar("select count(*) from task where state = 'open'")
        .fetch_one(&mut connection)
        .await
        .expect("a count");
    assert_eq!(open, 0, "nobody is asked about it");

    let original = ObjectKey::of(ObjectKind::Original, Sha256::of(b"Tanaka's letter"), None);
    let expected = [(&original, false), (&first, false), (&second, true)];
    for (key, there) in expected {
        assert_eq!(office.is_there(key).await, there, "{key}");
    }
    // The two scans have the same pictures: the other one's application keeps them.
    assert!(office.is_there(&ObjectKey::of(ObjectKind::Page, Sha256::of(&[0]), Some("png"))).await);
    let erased = certificate.erased;
    let counts = (erased.applications, erased.captures, erased.pages, erased.households, erased.decisions);
    assert_eq!(counts, (1, 1, 2, 1, 1));
    assert_eq!((certificate.objects_shared, certificate.originals_kept), (2, 0));
    let lines: Vec<&str> = manifest.lines().collect();
    assert_eq!(lines, [format!("application/{gone}"), original.to_string(), first.to_string()]);
    assert_eq!(certificate.manifest_sha256, Sha256::of(manifest.as_bytes()));
    assert_eq!(certificate.manifest_lines, 3);

    let records = current_records(&office.database, None, None, 10).await.expect("records");
    assert_eq!(records.iter().map(|record| &record.key).collect::<Vec<_>>(), [&second]);
    let mut names = Names::gather(&office.database).await.expect("names");
    let named = names.list(None, 100).await.expect("names");
    assert_eq!(named.len(), 4, "an original, two pictures and a record: {named:?}");
    for key in named {
        assert!(office.is_there(&key).await, "a row names {key}");
    }
    audit::seal_all(&office.database).await.expect("sealed");
    let verified = audit::verify(&office.database, None).await.expect("an answer");
    assert_eq!(verified.flaw, None);
}

#[tokio::test]
async fn an_original_stays_while_it_holds_pages_of_others() {
    let office = Office::new().await;
    let (one, other) = (office.id(0), office.id(1));
    office.mail("a pile", &[one, other]).await;
    let original = ObjectKey::of(ObjectKind::Original, Sha256::of(b"a pile"), None);
    let (certificate, _) = office.erase(Rule::Applications(vec![one])).await;
    assert_eq!(certificate.originals_kept, 1);
    assert!(office.is_there(&original).await);
    let (certificate, manifest) = office.erase(Rule::Applications(vec![one, other])).await;
    assert_eq!((certificate.erased.applications, certificate.originals_kept), (1, 0), "once each");
    assert!(manifest.contains(&original.to_string()) && !office.is_there(&original).await);
}

#[tokio::test]
async fn the_rule_of_a_day_takes_what_was_captured_before() {
    let office = Office::new().await;
    office.mail("a letter", &[office.id(0)]).await;
    office.mail("a second one", &[office.id(1)]).await;
    let today = chrono::Utc::now().date_naive();
    let before = |day| Rule::LastCapturedBefore(day);
    assert_eq!(erasure::count(&office.database, &before(today)).await.expect("a count"), 0);
    let tomorrow = before(today + chrono::Days::new(1));
    assert_eq!(erasure::count(&office.database, &tomorrow).await.expect("a count"), 2);
    let (certificate, _) = office.erase(tomorrow.clone()).await;
    assert_eq!((certificate.erased.applications, certificate.erased.households), (2, 2));
    assert_eq!(erasure::count(&office.database, &tomorrow).await.expect("a count"), 0);
    assert_eq!(register::count(&office.database).await.expect("a count"), 1, "who has sent nothing stays");
}

#[tokio::test]
async fn who_applies_again_is_a_duplicate_of_what_was_erased() {
    let office = Office::new().await;
    let id = office.id(0);
    office.mail("a letter", &[id]).await;
    office.erase(Rule::Applications(vec![id])).await;
    let erased = state(&office.database, id).await.captures.remove(0);
    assert!(erased.erased && erased.pages.is_empty());
    office.mail("another letter", &[id]).await;
    let captures = state(&office.database, id).await.captures;
    assert_eq!(captures.len(), 2);
    assert_eq!((captures[1].duplicate_of, captures[1].pages.len()), (Some(erased.id), 2));
    let (certificate, _) = office.erase(Rule::Applications(vec![id])).await;
    assert_eq!(certificate.erased.captures, 1, "the new one");
}

#[tokio::test]
async fn an_interrupted_erasure_is_finished_by_the_next() {
    let office = Office::new().await;
    let id = office.id(0);
    let record = office.mail("a letter", &[id]).await.remove(0);
    let eraser = Eraser::begin(&office.database).await.expect("nobody else erases");
    let busy = Eraser::begin(&office.database).await.map(drop);
    assert!(matches!(busy, Err(ErasureError::Busy)), "{busy:?}");
    let number = eraser.erase_rows(&Rule::Applications(vec![id]), ACTOR, |_| ()).await.expect("rows");
    drop(eraser);
    assert!(office.is_there(&record).await);

    let eraser = loop {
        match Eraser::begin(&office.database).await {
            Err(ErasureError::Busy) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            begun => break begun.expect("the other connection has ended"),
        }
    };
    assert_eq!(eraser.unfinished().await.expect("numbers"), [number]);
    let (certificate, manifest) = office.finish(&eraser, number).await;
    assert!(!office.is_there(&record).await && manifest.contains(&record.to_string()));
    assert_eq!(certificate.objects["page"], 2);
    assert_eq!(eraser.unfinished().await.expect("numbers"), Vec::<i32>::new());
}

#[tokio::test]
async fn bytes_that_come_again_go_with_the_next_erasure() {
    let office = Office::new().await;
    office.mail("a letter", &[office.id(0)]).await;
    office.erase(Rule::Applications(vec![office.id(0)])).await;
    // As intake does: the original first.
    let original = office.original("a letter").await;
    let mut again = arrival("again.tif", "a letter");
    again.occasion = "second run".to_owned();
    assert!(matches!(accept(&office.database, &again).await, Accepted::Repeated(_)));
    let (certificate, _) = office.erase(Rule::Applications(Vec::new())).await;
    assert_eq!((certificate.erased.applications, certificate.objects["original"]), (0, 1));
    assert!(!office.is_there(&original).await);
}

#[tokio::test]
async fn a_publication_on_its_way_stores_what_was_taken_from_under_it() {
    let office = Office::new().await;
    office.mail("a letter", &[office.id(0)]).await;
    // Another scan with the same pictures was read, and is about to be published.
    office.original("another letter").await;
    scan(&office.database, "another letter").await;
    let mut reading = Reading::begin(&office.database).await;
    reading.capture(&office.database, office.id(1), &[1, 2]).await;
    let picture = office.picture(0).await;
    office.erase(Rule::Applications(vec![office.id(0)])).await;
    assert!(!office.is_there(&picture).await);
    let refused = reading.publish(&office.database).await;
    assert!(matches!(refused, Err(StoreError::ObjectsRemoved)), "{refused:?}");
    for index in 0..2 {
        office.picture(index).await;
    }
    assert_eq!(reading.publish(&office.database).await.expect("published"), Published::Committed);
}

#[tokio::test]
async fn a_scan_that_is_nobodys_is_erased_by_its_number() {
    let office = Office::new().await;
    let broken = office.broken("Sato").await;
    let stray = office.stray("Ito", None).await;
    let beside = office.stray("Kato", Some(office.id(0))).await;
    let unread = scan(&office.database, "Goto").await;
    let sum = async || accounting::total(&office.database, &Filter::default()).await.expect("a sum");
    let before = sum().await;

    let rule = Rule::Scans(vec![broken, stray, beside, unread]);
    assert_eq!(erasure::count(&office.database, &rule).await.expect("a count"), 3, "one waits to be read");
    let (certificate, manifest) = office.erase(rule.clone()).await;
    assert_eq!(sum().await, before, "every sheet is accounted for");
    let erased = certificate.erased;
    assert_eq!((erased.scans, erased.applications, erased.pages), (3, 0, 2));
    assert_eq!((certificate.originals_kept, certificate.objects["page"]), (1, 1), "an application's is kept");
    for (content, there) in [("Sato", false), ("Ito", false), ("Kato", true)] {
        let original = ObjectKey::of(ObjectKind::Original, Sha256::of(content.as_bytes()), None);
        assert_eq!(office.is_there(&original).await, there, "{content}");
        assert_eq!(!office.tables_with(&format!("{content}.tif")).await.is_empty(), there, "{content}");
        assert_eq!(manifest.contains(&original.to_string()), !there, "{manifest}");
    }
    assert!(!office.is_there(&ObjectKey::of(ObjectKind::Page, Sha256::of(b"a page"), Some("png"))).await);
    assert_eq!(manifest.lines().filter(|line| line.starts_with("scan/")).count(), 3);

    // Nobody is asked about them, and nobody can put back what is gone.
    let requeued = jobs::requeue(&office.database, broken, "operator", MAX_ATTEMPTS).await;
    assert!(!requeued.expect("an answer"));
    assert!(scans::quarantined(&office.database, None, 10).await.expect("a list").is_empty());
    let standing = standing(&office.database).await.expect("numbers");
    assert_eq!((standing.scans_quarantined, standing.pages_unassigned), (0, 0));
    let open: i64 = sqlx::query_scalar("select count(*) from task where state = 'open'")
        .fetch_one(&mut office.connection().await)
        .await
        .expect("a count");
    assert_eq!(open, 0);
    assert_eq!(erasure::count(&office.database, &rule).await.expect("a count"), 0, "once");
    // With the application goes the rest.
    let (certificate, _) = office.erase(Rule::Applications(vec![office.id(0)])).await;
    assert_eq!((certificate.objects["original"], certificate.originals_kept), (1, 0));
}

#[tokio::test]
async fn a_page_that_a_person_has_assigned_goes_with_its_application() {
    let office = Office::new().await;
    let stray = office.stray("Ito", None).await;
    let statement = format!(
        "insert into account (name, role, password_hash) values ('clerk', 'reviewer', '$argon2id$none');
         insert into page_decision (scan_id, page_index, outcome, application_id, decided_by)
         values ({stray}, 0, 'assigned', '{}', 'clerk');
         update scan set arrived_at = now() - interval '40 days'",
        office.id(0)
    );
    let mut connection = office.connection().await;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("assigned");
    let today = Rule::ScansArrivedBefore(chrono::Utc::now().date_naive());
    assert_eq!(erasure::count(&office.database, &today).await.expect("a count"), 0, "somebody's");
    let (certificate, _) = office.erase(Rule::Applications(vec![office.id(0)])).await;
    assert_eq!((certificate.erased.pages, certificate.objects["original"]), (1, 1));
    assert_eq!(office.tables_with("Ito.tif").await, Vec::<String>::new());
}

#[tokio::test]
async fn one_node_of_the_fleet_erases_what_has_had_its_time() {
    let office = Office::new().await;
    office.mail("a letter", &[office.id(0)]).await;
    office.mail("a younger one", &[office.id(1)]).await;
    office.broken("Sato").await;
    office.broken("Ito").await;
    let mut connection = office.connection().await;
    let statement = format!(
        "update capture set captured_at = now() - interval '31 days' where application_id = '{}';
         update scan set arrived_at = now() - interval '8 days' where file = 'Sato.tif'",
        office.id(0)
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.expect("time passes");
    let node = |name: &str| Upkeep {
        database: office.database.clone(),
        objects: office.objects.clone(),
        settings: Retention { hour: 0, erase_after_days: 30, erase_scans_after_days: 7, sweep_after_days: 7 },
        name: name.to_owned(),
    };
    let nodes = [node("a"), node("b"), node("c")];
    let done = futures_util::future::join_all(nodes.iter().map(Upkeep::do_what_is_due)).await;
    let certificates: Vec<Certificate> =
        done.into_iter().flat_map(|certificates| certificates.expect("no error")).collect();
    let sums: Vec<(u64, u64)> =
        certificates.iter().map(|made| (made.erased.applications, made.erased.scans)).collect();
    assert_eq!(sums, [(1, 0), (0, 1)], "by one of them, once");
    for certificate in &certificates {
        let manifest = office.objects.get(&manifest_key(certificate.manifest_sha256)).await.expect("kept");
        assert_eq!(manifest.iter().filter(|&&byte| byte == b'\n').count() as u64, certificate.manifest_lines);
    }
    let again = nodes[0].do_what_is_due().await.expect("no error");
    assert!(again.is_empty(), "it was done today");
    // The municipality fetches what was certified without it.
    let out = tempfile::tempdir().expect("a folder");
    let fetched = std::process::Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .env("DATABASE_URL", office.options.to_url_lossy().as_str())
        .args(["erase", "--certificates", "--out"])
        .arg(out.path())
        .arg("--objects")
        .arg(office.folder.path())
        .output()
        .expect("it runs");
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    for made in &certificates {
        let file = |ending: &str| out.path().join(format!("erasure-{}.{ending}", made.erasure));
        let manifest = std::fs::read(file("manifest")).expect("the manifest");
        assert_eq!(Sha256::of(&manifest), made.manifest_sha256);
        let told: serde_json::Value =
            serde_json::from_slice(&std::fs::read(file("json")).expect("the certificate")).expect("JSON");
        assert_eq!(told, serde_json::to_value(made).expect("JSON"));
    }
    assert_eq!(erasure::finished(&office.database).await.expect("a list").len(), 2);
    let left = register::count(&office.database).await.expect("a count");
    assert_eq!(left, 2, "of three households");
}
