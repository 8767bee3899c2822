//! A review desk that is served on a port of its own, with accounts, captures and pages to work on.

#![allow(dead_code, reason = "each test file that includes this one uses another part of it")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;
use uketsuke::application_id::ApplicationId;
use uketsuke::digest::Sha256;
use uketsuke::form::Forms;
use uketsuke::publish::{Record, RecordField};
use uketsuke::reference::BankTable;
use uketsuke::review::{self, AccountName, Desk, Password, PasswordHash, Role};
use uketsuke::score::{Certificate, Identified, ScoreFiles};
use uketsuke::settings::Settings;
use uketsuke::store::captures::CaptureId;
use uketsuke::store::objects::{LocalDirectory, ObjectKey, ObjectKind, ObjectStore};
use uketsuke::store::publish::Published;
use uketsuke::store::tasks::PlannedTask;
use uketsuke::store::{Database, accounts};

use crate::http::{Answer, ask};
use crate::readings::Reading;
use crate::{arrivals, database};

pub const PASSWORD: &str = "correct horse battery";

pub struct DeskSite {
    pub database: Database,
    pub options: PgConnectOptions,
    pub address: SocketAddr,
    pub desk: Desk,
    serving: JoinHandle<()>,
    folder: tempfile::TempDir,
}

/// Those that the repository ships.
pub fn settings() -> Settings {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/uketsuke.toml");
    let mut settings = Settings::load(Some(&path)).expect("settings");
    // Everybody is new here.
    settings.review.qa_learner_rate = 0.0;
    settings
}

fn settings_of_lots() -> Settings {
    let mut settings = settings();
    settings.review.lot_quiet = std::time::Duration::ZERO;
    (settings.review.qa_accepted_rate, settings.review.qa_decided_rate) = (0.0, 0.0);
    settings
}

impl DeskSite {
    pub async fn start() -> Self {
        Self::with_lease(60.0).await
    }

    pub async fn with_lease(lease: f64) -> Self {
        let mut settings = settings();
        settings.review.lease = std::time::Duration::from_secs_f64(lease);
        Self::with(settings).await
    }

    /// QA looks at everything a second time.
    pub async fn sampling_all() -> Self {
        let mut settings = settings();
        (settings.review.qa_accepted_rate, settings.review.qa_decided_rate) = (1.0, 1.0);
        Self::with(settings).await
    }

    /// QA looks at everything that somebody decided of whose decisions fewer than `looks` were looked at, and at
    /// nothing else.
    pub async fn sampling_learners(looks: u64) -> Self {
        let mut settings = settings();
        (settings.review.qa_accepted_rate, settings.review.qa_decided_rate) = (0.0, 0.0);
        (settings.review.qa_learner_rate, settings.review.qa_learner_looks) = (1.0, looks);
        Self::with(settings).await
    }

    /// A batch is a lot as soon as it is in; QA looks at nothing else.
    pub async fn with_lots() -> Self {
        Self::with(settings_of_lots()).await
    }

    /// The same, of what was accepted under that certificate.
    pub async fn with_lots_under(certificate: Identified<Certificate>) -> Self {
        Self::with_certificate(settings_of_lots(), Some(certificate)).await
    }

    /// Every key is one whose answer is known, where there is one.
    pub async fn seeding() -> Self {
        let mut settings = settings();
        (settings.review.seed_rate, settings.review.seed_after) = (1.0, std::time::Duration::ZERO);
        Self::with(settings).await
    }

    /// What the program has taken in, in its data folder.
    pub async fn of_data(data: &Path, options: PgConnectOptions) -> Self {
        let mut settings = settings();
        (settings.review.qa_accepted_rate, settings.review.qa_decided_rate) = (1.0, 1.0);
        let files = ScoreFiles::load(&settings.paths.calibration).expect("the shipped certificate");
        let (folder, objects) = (tempfile::tempdir().expect("a folder"), data.join("objects"));
        Self::over(options, folder, Some(&objects), settings, files.certificate).await
    }

    /// Over a database and objects that there are.
    pub async fn of_store(options: PgConnectOptions, objects: Arc<dyn ObjectStore>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::over_store(options, folder, objects, settings(), None).await
    }

    /// QA looks at everything that was accepted, under that certificate.
    pub async fn under(certificate: Identified<Certificate>) -> Self {
        let mut settings = settings();
        settings.review.qa_accepted_rate = 1.0;
        Self::with_certificate(settings, Some(certificate)).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::with_certificate(settings, None).await
    }

    async fn with_certificate(settings: Settings, certificate: Option<Identified<Certificate>>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::over(database::fresh_options().await, folder, None, settings, certificate).await
    }

    /// A desk over a database, and the objects of another folder than its own where one is named.
    async fn over(
        options: PgConnectOptions,
        folder: tempfile::TempDir,
        objects: Option<&Path>,
        settings: Settings,
        certificate: Option<Identified<Certificate>>,
    ) -> Self {
        let objects = LocalDirectory::open(objects.unwrap_or(folder.path())).expect("a store");
        Self::over_store(options, folder, Arc::new(objects), settings, certificate).await
    }

    async fn over_store(
        options: PgConnectOptions,
        folder: tempfile::TempDir,
        objects: Arc<dyn ObjectStore>,
        settings: Settings,
        certificate: Option<Identified<Certificate>>,
    ) -> Self {
        let database = Database::open(options.clone()).await.expect("a database");
        let forms = Arc::new(Forms::load_dir(&settings.paths.forms).expect("forms"));
        let banks = BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).ok().map(Arc::new);
        let desk = Desk::new(database.clone(), objects, forms, banks, certificate, &settings);
        let (address, serving) = serve(&desk, "127.0.0.1:0".parse().expect("an address")).await;
        Self { database, options, address, desk, serving, folder }
    }

    /// Ends the server, as a crash would: nothing is finished.
    pub async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// Serves again where it was.
    pub async fn restart(&mut self) {
        (self.address, self.serving) = serve(&self.desk, self.address).await;
    }

    pub async fn account(&self, name: &str, role: Role) {
        let name: AccountName = name.parse().expect("a name");
        let hash = PasswordHash::of(&Password::chosen(PASSWORD.to_owned()).expect("long")).expect("hashed");
        assert!(accounts::add(&self.database, "test", &name, role, &hash).await.expect("added"));
    }

    /// An account of that name, logged in.
    pub async fn person(&self, name: &str, role: Role) -> Person {
        self.account(name, role).await;
        self.log_in(name)
    }

    pub fn log_in(&self, name: &str) -> Person {
        let answer = Person::nobody(self.address)
            .post("/api/v1/login", &json!({ "name": name, "password": PASSWORD }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie =
            answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
        let csrf = answer.json()["csrf"].as_str().expect("a token").to_owned();
        Person { address: self.address, cookie: cookie.to_owned(), csrf }
    }

    /// A capture whose fields are read as given: name, value and confidence. Those below 0.99 are doubtful.
    pub async fn capture(&self, application: ApplicationId, fields: &[(&str, &str, f64)]) -> CaptureId {
        self.capture_as(application, fields, false).await
    }

    pub async fn capture_as(
        &self,
        application: ApplicationId,
        fields: &[(&str, &str, f64)],
        duplicate: bool,
    ) -> CaptureId {
        let picture = picture(&fields.iter().map(|(_, value, _)| *value).collect::<String>());
        let crop = self.put(ObjectKind::Crop, &picture).await;
        let page = self.put(ObjectKind::Page, &picture).await;
        let content = format!("{application} {duplicate}");
        arrivals::scan(&self.database, &content).await;
        let mut reading = Reading::begin(&self.database).await;
        let build = |record: &mut Record| -> Vec<PlannedTask> {
            record.pages = vec![record_page(record, &page)];
            record.provenance.certificate = self.desk.certificate.as_ref().map(|file| file.sha256);
            record.fields = fields
                .iter()
                .map(|(name, value, confidence)| ((*name).to_owned(), field(value, *confidence, &crop)))
                .collect();
            let form = self.desk.forms.find(&record.form.id, &record.form.version);
            review::plan(record, form, duplicate, &self.desk.settings)
        };
        let id = reading.capture_with(&self.database, application, build).await;
        assert_eq!(reading.publish(&self.database).await.expect("published"), Published::Committed);
        id
    }

    /// A scan of a page without an ID between two others.
    pub async fn unassigned(&self, before: ApplicationId, after: ApplicationId) {
        arrivals::scan(&self.database, &format!("{before} {after}")).await;
        let mut reading = Reading::begin(&self.database).await;
        reading.capture(&self.database, before, &[1]).await;
        reading.unassigned(vec![before, after]);
        reading.capture(&self.database, after, &[1]).await;
        // The pictures that `Reading` names: the neighbours' and its own.
        for bytes in [&[0][..], b"a page", &[2]] {
            self.put(ObjectKind::Page, bytes).await;
        }
        assert_eq!(reading.publish(&self.database).await.expect("published"), Published::Committed);
    }

    async fn put(&self, kind: ObjectKind, bytes: &[u8]) -> ObjectKey {
        let key = ObjectKey::of(kind, Sha256::of(bytes), Some("png"));
        self.desk.objects.put(&key, bytes).await.expect("stored");
        key
    }

    pub async fn sql(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.expect("a connection")
    }

    pub async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(&mut self.sql().await).await.expect(statement);
    }

    pub async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&mut self.sql().await).await.expect(statement)
    }

    /// Adds households that may apply.
    pub async fn register(&self, rows: &[(ApplicationId, &str, &str)]) {
        for (id, name, kana) in rows {
            sqlx::query(
                "insert into register (application_id, head_name, head_kana, postal_code, address, birth_date,
                                       members, amount)
                 values ($1, $2, $3, '231-0005', '横浜市中区本町1-1', '1970-01-31', 2, 200000)",
            )
            .bind(id.to_string())
            .bind(name)
            .bind(kana)
            .execute(&mut self.sql().await)
            .await
            .expect("a household");
        }
    }
}

async fn serve(desk: &Desk, address: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(address).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = desk.clone().router().into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await.expect("served") });
    (address, serving)
}

/// Stripes that are a picture, and another one for another text.
fn picture(text: &str) -> Vec<u8> {
    let digest = Sha256::of(text.as_bytes());
    let image = image::GrayImage::from_fn(320, 64, |x, y| {
        let byte = digest.as_bytes()[(x / 10) as usize % 32];
        image::Luma([if y / 8 % 2 == 0 { byte } else { 255 }])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG");
    bytes.into_inner()
}

fn field(value: &str, confidence: f64, crop: &ObjectKey) -> RecordField {
    let disposition = if confidence < 0.99 { "verify" } else { "accepted" };
    let characters: Vec<Value> = value
        .chars()
        .map(|character| {
            json!({ "value": character, "state": "written", "confidence": confidence,
                    "alternatives": [{ "value": "9", "confidence": 1.0 - confidence }] })
        })
        .collect();
    serde_json::from_value(json!({
        "value": value, "ink": "written", "confidence": confidence, "disposition": disposition,
        "reasons": ["below_threshold"], "characters": characters, "crop": crop.to_string(), "evidence": [],
    }))
    .expect("a field")
}

fn record_page(record: &Record, image: &ObjectKey) -> uketsuke::publish::RecordPage {
    serde_json::from_value(json!({
        "page": 1, "sha256": record.source.sha256.to_string(), "page_index": 0, "image": image.to_string(),
        "rotation": 0, "skew_deg": 0.1, "dpi": 300.0, "residual_px": 0.4,
        "quality": { "ink": 0.05, "contrast": 0.8, "sharpness": 0.9 },
    }))
    .expect("a page")
}

/// Somebody with a session, or nobody.
#[derive(Clone)]
pub struct Person {
    pub address: SocketAddr,
    pub cookie: String,
    pub csrf: String,
}

impl Person {
    pub fn nobody(address: SocketAddr) -> Self {
        Self { address, cookie: String::new(), csrf: String::new() }
    }

    pub fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path, &[("Cookie", &self.cookie)], b"")
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("X-CSRF-Token", &self.csrf),
            ("Content-Type", "application/json"),
        ];
        ask(self.address, "POST", path, &headers, body.to_string().as_bytes())
    }

    /// The next task, or null.
    pub fn claim(&self, kinds: &[&str]) -> Value {
        let answer = self.post("/api/v1/tasks/claim", &json!({ "kinds": kinds }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["task"].clone()
    }

    /// Ends a task with a value for each field.
    pub fn submit(&self, task: &Value, values: &[(&str, &str)]) -> Answer {
        let entries: Vec<Value> = values
            .iter()
            .map(|(field, text)| json!({ "field": field, "outcome": "value", "text": text }))
            .collect();
        self.post(
            &format!("/api/v1/tasks/{}/submit", task["id"]),
            &json!({ "epoch": task["epoch"], "entries": entries }),
        )
    }
}
