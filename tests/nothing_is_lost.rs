//! Kill the service at any instant: nothing is lost, nothing is read twice into two captures, and
//! the records are those of a quiet run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::Value;
use uketsuke::digest::Sha256;
use uketsuke::store::Database;
use uketsuke::store::accounting::{self, Accounting, Filter};

const PROGRAM: &str = env!("CARGO_BIN_EXE_uketsuke");

/// How often the service is killed before it may finish.
const KILLS: usize = 8;

/// A data folder with a configuration that waits for nothing longer than it must.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let paths = ["config/forms", "ocr-models", "vendor", "config/calibration", "vendor/zengin-code"];
        let [forms, models, vendor, calibration, banks] =
            paths.map(|path| home.join(path).display().to_string());
        let bank_aliases = home.join("config/bank-aliases.toml").display().to_string();
        let config = format!(
            "[paths]\nforms = {forms:?}\nmodels = {models:?}\nvendor = {vendor:?}\ncalibration = {calibration:?}\n\
             banks = {banks:?}\nbank_aliases = {bank_aliases:?}\n\
             [intake]\npoll_seconds = 0.2\nsettle_seconds = 0.5\n\
             [jobs]\nlease_seconds = 3.0\nretry_seconds = 0.2\nmax_attempts = 100\n\
             [read]\nline_models = false\n"
        );
        fs::write(folder.path().join("uketsuke.toml"), config).expect("the configuration");
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--data").arg(self.data()).arg("--config").arg(self.folder.path().join("uketsuke.toml"));
        command.args(arguments).stdin(Stdio::null()).env_remove("DATABASE_URL").env("UKETSUKE_LOG", "warn");
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the program runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn serve(&self) -> Child {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).spawn().expect("the service starts")
    }

    /// Current records by application, without what differs from run to run: times, and the capture's
    /// own ID, which follows from whichever of its scans was read first. Of two files with the same
    /// bytes, either may be taken in first.
    fn records(&self) -> BTreeMap<String, Value> {
        self.run(&["records"])
            .lines()
            .map(|line| {
                let mut record: Value = serde_json::from_str(line).expect("a JSON line");
                record["captured_at"].take();
                record["capture_id"].take();
                let file =
                    record["source"]["file"].as_str().map(|file| file.trim_start_matches("again ").into());
                record["source"]["file"] = file.expect("a name");
                (record["application_id"].as_str().expect("an ID").to_owned(), record)
            })
            .fold(BTreeMap::new(), |mut records, (id, record)| {
                assert!(records.insert(id.clone(), record).is_none(), "{id} was captured twice");
                records
            })
    }
}

/// The scans of `samples/`, as (station and batch below the drop folder, file).
fn samples() -> Vec<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scans");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("samples").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    let parent = path.parent().and_then(|parent| parent.strip_prefix(&root).ok());
                    found.push((parent.expect("below the root").to_owned(), path));
                }
            }
        }
    }
    found.retain(|(place, _)| !place.as_os_str().is_empty());
    found.sort();
    found
}

/// Drops the samples as stations do: renamed into place, or written in two parts; some twice.
fn drop_files(root: &Path, seed: u64) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for (index, (place, file)) in samples().into_iter().enumerate() {
        let folder = root.join(place);
        fs::create_dir_all(&folder).expect("a station's folder");
        let bytes = fs::read(&file).expect("a sample");
        let name = file.file_name().expect("a name").to_owned();
        let mut copies = vec![name.clone()];
        if random.random_bool(0.2) {
            copies.push(format!("again {}", name.display()).into());
        }
        for name in copies {
            let target = folder.join(&name);
            if index % 2 == 0 {
                let passing = folder.join(format!("{}.tmp", name.display()));
                fs::write(&passing, &bytes).expect("written");
                fs::rename(&passing, &target).expect("renamed");
            } else {
                fs::write(&target, &bytes[..bytes.len() / 2]).expect("the first part");
                std::thread::sleep(Duration::from_millis(random.random_range(20..200)));
                let mut file = fs::OpenOptions::new().append(true).open(&target).expect("still there");
                std::io::Write::write_all(&mut file, &bytes[bytes.len() / 2..]).expect("the second part");
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
        }
    }
}

fn files_below(root: &Path) -> usize {
    fs::read_dir(root)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 })
                .sum()
        })
        .unwrap_or(0)
}

/// Waits until every file has left the drop folder and every scan is read.
async fn settled(site: &Site, drop: &Path) -> Accounting {
    let database = Database::connect(&site.data(), None).await.expect("the private database");
    let deadline = Instant::now() + Duration::from_secs(300);
    let sum = loop {
        let sum = accounting::total(&database, &Filter::default()).await.expect("a sum");
        if files_below(drop) == 0 && sum.settled() {
            break sum;
        }
        assert!(Instant::now() < deadline, "not settled: {} files left, {sum:?}", files_below(drop));
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    database.close().await;
    sum
}

/// Where two documents differ, and how: a record is too long to be looked at whole.
fn differences(left: &Value, right: &Value, place: &str) -> Vec<String> {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) if left.keys().eq(right.keys()) => left
            .iter()
            .flat_map(|(key, value)| differences(value, &right[key], &format!("{place}/{key}")))
            .collect(),
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs
                .flat_map(|(index, (left, right))| differences(left, right, &format!("{place}/{index}")))
                .collect()
        }
        _ if left == right => Vec::new(),
        _ => vec![format!("{place}: {left} instead of {right}")],
    }
}

/// Keys of all objects that records name.
fn named_objects(records: &BTreeMap<String, Value>) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for record in records.values() {
        let pages = record["pages"].as_array().into_iter().flatten().map(|page| &page["image"]);
        let fields = record["fields"].as_object().into_iter().flatten().map(|(_, field)| &field["crop"]);
        keys.extend(pages.chain(fields).filter_map(Value::as_str).map(str::to_owned));
    }
    keys
}

fn assert_object_is_whole(objects: &Path, key: &str) {
    let bytes = fs::read(objects.join(key)).unwrap_or_else(|error| panic!("{key}: {error}"));
    let name = key.rsplit('/').next().and_then(|name| name.split('.').next());
    assert_eq!(name, Some(Sha256::of(&bytes).to_string().as_str()), "{key} holds other bytes");
}

#[test]
fn a_service_killed_again_and_again_ends_with_the_records_of_a_quiet_run() {
    let register = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/register.csv");
    let register = register.to_str().expect("UTF-8");

    let quiet = Site::new();
    quiet.run(&["register", "import", register]);
    let scans = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scans");
    let summary = quiet.run(&["--json", "ingest", scans.to_str().expect("UTF-8")]);
    let summary: Value = serde_json::from_str(&summary).expect("a sum");
    let expected = quiet.records();
    assert!(!expected.is_empty());

    let site = Site::new();
    site.run(&["register", "import", register]);
    let drop = site.data().join("drop");
    let dropping = {
        let drop = drop.clone();
        std::thread::spawn(move || drop_files(&drop, 7))
    };
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    for _ in 0..KILLS {
        let mut service = site.serve();
        std::thread::sleep(Duration::from_millis(random.random_range(800..5000)));
        service.kill().expect("killed");
        service.wait().expect("reaped");
    }
    dropping.join().expect("all dropped");
    let mut service = site.serve();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sum = runtime.block_on(settled(&site, &drop));
    Command::new("kill").arg(service.id().to_string()).status().expect("SIGTERM");
    assert!(service.wait().expect("reaped").success(), "drained");

    assert!(sum.balances(), "{sum:?}");
    let sum = serde_json::to_value(sum).expect("JSON");
    for part in ["scans", "pages", "captured", "blank", "unassigned", "scans_quarantined", "captures"] {
        assert_eq!(sum[part], summary[part], "{part}");
    }
    let records = site.records();
    assert_eq!(records.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (id, record) in &records {
        assert_eq!(differences(record, &expected[id], ""), Vec::<String>::new(), "application {id}");
    }
    let objects = site.data().join("objects");
    for key in named_objects(&records) {
        assert_object_is_whole(&objects, &key);
    }
}
