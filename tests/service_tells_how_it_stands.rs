//! What an operator and their Prometheus ask of a service at work, and of the database behind it.

#[expect(dead_code, reason = "what these tests do not need")]
#[path = "support/faulty_proxy.rs"]
mod faulty_proxy;
#[expect(dead_code, reason = "what these tests do not need")]
#[path = "support/s3.rs"]
mod s3;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use uketsuke::store::private_postgres::PrivatePostgres;

use faulty_proxy::{Fault, FaultyProxy};

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_uketsuke"));
        command.arg("--data").arg(self.data()).args(["--log-format", "json"]).args(arguments);
        if self.config().exists() {
            command.arg("--config").arg(self.config());
        }
        command.stdin(Stdio::null()).env_remove("DATABASE_URL").env("UKETSUKE_LOG", "uketsuke=info");
        command
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("uketsuke.toml")
    }

    /// Lays settings over the shipped ones, whose paths are those of the repository.
    fn configure(&self, settings: &str) {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut text = "[paths]\n".to_owned();
        for (name, path) in [
            ("forms", "config/forms"),
            ("models", "ocr-models"),
            ("vendor", "vendor"),
            ("calibration", "config/calibration"),
            ("banks", "vendor/zengin-code"),
            ("bank_aliases", "config/bank-aliases.toml"),
        ] {
            text += &format!("{name} = {:?}\n", home.join(path));
        }
        std::fs::write(self.config(), text + settings).expect("the configuration");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn status(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}

/// A service, and where it answers.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(site: &Site, arguments: &[&str]) -> Self {
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        Self::spawn(command.args(arguments), "ready")
    }

    /// Returns when it has logged that message, with its address.
    fn spawn(command: &mut Command, message: &str) -> Self {
        let mut process =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the service starts");
        let mut lines = BufReader::new(process.stderr.take().expect("its stderr")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|line| line["fields"]["message"] == message && line["fields"]["address"].is_string())
            .and_then(|line| line["fields"]["address"].as_str().map(str::to_owned))
            .expect("it says where it answers");
        // A pipe that nobody reads would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }

    /// Status line with headers, and body.
    fn get(&self, path: &str) -> (String, String) {
        self.try_get(path).expect("an answer")
    }

    /// As [`Self::get`]; an error for a connection that ends without an answer.
    fn try_get(&self, path: &str) -> std::io::Result<(String, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(
            format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        Ok((head.to_owned(), body.to_owned()))
    }

    fn stop(mut self) {
        Command::new("kill").arg(self.process.id().to_string()).status().expect("SIGTERM");
        assert!(self.process.wait().expect("reaped").success(), "drained");
    }
}

/// The value of the first sample whose name and labels begin with `sample`.
fn value(metrics: &str, sample: &str) -> Option<f64> {
    let line = metrics.lines().find(|line| line.starts_with(sample))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_service_at_work_tells_of_its_work() {
    let site = Site { folder: tempfile::tempdir().expect("a folder") };
    let service = Service::start(&site, &[]);
    let (head, body) = service.get("/healthz");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, "{\"alive\":true}");
    assert!(service.get("/readyz").0.starts_with("HTTP/1.1 200"));

    let station = site.data().join("drop/kita");
    std::fs::create_dir_all(&station).expect("a folder");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("ocr-models/digits.png");
    for (name, bytes) in [
        ("page.png", std::fs::read(sample).expect("a picture")),
        ("no-scan.txt", b"neither picture nor document".to_vec()),
    ] {
        let passing = station.join(format!("{name}.tmp"));
        std::fs::write(&passing, bytes).expect("written");
        std::fs::rename(&passing, station.join(name)).expect("renamed");
    }
    let deadline = Instant::now() + Duration::from_secs(300);
    let metrics = loop {
        let (head, metrics) = service.get("/metrics");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("application/openmetrics-text"), "{head}");
        let published = value(&metrics, "uketsuke_scans_total{outcome=\"published\"}");
        let quarantined = value(&metrics, "uketsuke_scans_total{outcome=\"quarantined\"}");
        let unsealed = value(&metrics, "uketsuke_events_unsealed ");
        if (published, quarantined, unsealed) == (Some(1.0), Some(1.0), Some(0.0)) {
            break metrics;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        std::thread::sleep(Duration::from_millis(200));
    };
    for (sample, expected) in [
        ("uketsuke_database_up ", 1.0),
        ("uketsuke_draining ", 0.0),
        ("uketsuke_files_total{outcome=\"new\"}", 2.0),
        ("uketsuke_scans_quarantined ", 1.0),
        ("uketsuke_scans_waiting ", 0.0),
        ("uketsuke_pages_unassigned ", 1.0),
        ("uketsuke_pages_total{state=\"unassigned\"}", 1.0),
        ("uketsuke_stage_duration_seconds_count{stage=\"look\"}", 1.0),
        ("uketsuke_stage_duration_seconds_count{stage=\"publish\"}", 1.0),
        ("uketsuke_jobs{kind=\"read_scan\",state=\"dead\"}", 1.0),
        ("uketsuke_reader_ends_total{cause=\"died\"}", 0.0),
        ("uketsuke_drop_folder_readable ", 1.0),
        ("uketsuke_certificate{", 1.0),
        ("uketsuke_acceptance{", 0.0),
    ] {
        assert_eq!(value(&metrics, sample), Some(expected), "{sample}\n{metrics}");
    }
    assert!(value(&metrics, "uketsuke_data_free_bytes ").is_some_and(|bytes| bytes > 0.0));
    assert!(value(&metrics, "uketsuke_seals ").is_some_and(|seals| seals >= 1.0));

    let status: Value = serde_json::from_str(&site.status(&["--json", "status"])).expect("JSON");
    for (path, expected) in [
        ("/scans_quarantined", 1),
        ("/pages_unassigned", 1),
        ("/events_unsealed", 0),
        ("/last_hour/scans", 1),
        ("/last_hour/pages", 1),
        ("/queues/0/dead", 1),
    ] {
        assert_eq!(status.pointer(path), Some(&Value::from(expected)), "{path}: {status}");
    }
    let told = site.status(&["status"]);
    for part in ["backlog", "1 given up", "quarantine list", "1 pages", "GiB", "PROVISIONAL", "the last of"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    service.stop();
}

#[test]
fn files_stay_in_the_folder_while_too_many_jobs_wait() {
    let site = Site { folder: tempfile::tempdir().expect("a folder") };
    let station = site.data().join("drop/kita");
    std::fs::create_dir_all(&station).expect("a folder");
    for name in ["one", "two", "three"] {
        std::fs::write(station.join(name), format!("neither picture nor document: {name}")).expect("written");
    }
    let left = || std::fs::read_dir(&station).expect("the folder").count();
    let deadline = Instant::now() + Duration::from_secs(300);
    site.configure("[intake]\npoll_seconds = 0.2\nsettle_seconds = 0.2\nmax_ready_jobs = 1\n");
    let intake = Service::start(&site, &["--roles", "intake"]);
    // It is full from when it takes up the first, which lies in the folder until it is safe.
    while left() == 3 || value(&intake.get("/metrics").1, "uketsuke_intake_full ") != Some(1.0) {
        assert!(Instant::now() < deadline, "{}", intake.get("/metrics").1);
        std::thread::sleep(Duration::from_millis(100));
    }
    // Several looks into the folder later.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(left(), 2, "one was taken in, and waits for a worker");
    intake.stop();

    let service = Service::start(&site, &[]);
    while left() > 0 {
        assert!(Instant::now() < deadline, "{}", service.get("/metrics").1);
        std::thread::sleep(Duration::from_millis(100));
    }
    service.stop();
}

/// A node on an object store and a database that are there or not.
fn node_elsewhere(site: &Site, bucket: &str, url: &str) -> Command {
    // Readers would not find their models: the review desk needs none.
    let mut command =
        site.command(&["--objects", bucket, "serve", "--listen", "127.0.0.1:0", "--roles", "web"]);
    command
        .env("DATABASE_URL", url)
        .env("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", s3::SECRET_KEY);
    command
}

#[test]
fn a_node_waits_until_its_engines_are_there() {
    let site = Site { folder: tempfile::tempdir().expect("a folder") };
    let bucket = s3::S3Server::start();
    let network = FaultyProxy::to(bucket.port);
    network.plan(|| Fault::Answer(503));
    let objects = s3::settings_text(network.port, "attempts = 1");
    site.configure(&format!("{objects}[readers]\nstart_seconds = 0.0\n"));
    let server = site.folder.path().join("server");
    let url =
        format!("postgres://uketsuke@localhost/postgres?host={}", server.join("postgres/socket").display());

    let service = Service::spawn(&mut node_elsewhere(&site, "s3://mailroom/fall", &url), "answers; starting");
    let waits_for = |engine: &str| {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            // Who asks in the very moment in which the service takes over from the start may have to ask again.
            let (Ok(alive), Ok((head, body))) = (service.try_get("/healthz"), service.try_get("/readyz"))
            else {
                assert!(Instant::now() < deadline, "{engine}: no answer");
                std::thread::sleep(Duration::from_millis(50));
                continue;
            };
            assert!(alive.0.starts_with("HTTP/1.1 200"), "it lives");
            if engine.is_empty() && head.starts_with("HTTP/1.1 200") {
                return;
            }
            if !engine.is_empty() && body.contains(engine) {
                assert!(head.starts_with("HTTP/1.1 503"), "{head}");
                return;
            }
            assert!(Instant::now() < deadline, "{engine}: {body}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    waits_for("waits for the object store: s3://mailroom/fall");
    network.next(&[]);
    waits_for("waits for the database: cannot connect");
    let server = PrivatePostgres::start(&server).expect("a server");
    waits_for("");
    let metrics = service.get("/metrics").1;
    assert_eq!(value(&metrics, "uketsuke_readers "), Some(0.0), "the review desk reads nothing");
    service.stop();

    // No waiting mends these.
    for (bucket, url, reason) in [
        ("s3://no-such-bucket", &url, "there is no such bucket"),
        ("s3://mailroom/fall", &url.replace("uketsuke@", "nobody@"), "role \"nobody\" does not exist"),
        (
            "s3://mailroom/fall",
            &url.replace("/postgres?", "/nothing?"),
            "database \"nothing\" does not exist",
        ),
    ] {
        let output = node_elsewhere(&site, bucket, url).output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reason), "{reason}: {said}");
    }
    server.stop().expect("stopped");
}
