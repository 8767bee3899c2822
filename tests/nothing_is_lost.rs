//! Kill the service at any instant: nothing is lost, nothing is read twice into two captures, and
//! the records are those of a quiet run.

#[path = "support/site.rs"]
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::Value;
use uketsuke::digest::Sha256;
use uketsuke::store::Database;
use uketsuke::store::accounting::{self, Accounting, Filter};

use site::{Site, files_below, sample_scans, signal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_uketsuke");

/// How often the service is killed before it may finish.
const KILLS: usize = 8;

const JOBS: &str = "[jobs]\nlease_seconds = 3.0\nretry_seconds = 0.2\nmax_attempts = 100\n";

/// Current records by application, without what differs from run to run: times, and the capture's
/// own ID, which follows from whichever of its scans was read first. Of two files with the same
/// bytes, either may be taken in first.
fn records(site: &Site) -> BTreeMap<String, Value> {
    site.records()
        .into_iter()
        .map(|mut record| {
            record["captured_at"].take();
            record["capture_id"].take();
            let file = record["source"]["file"].as_str().map(|file| file.trim_start_matches("again ").into());
            record["source"]["file"] = file.expect("a name");
            (record["application_id"].as_str().expect("an ID").to_owned(), record)
        })
        .fold(BTreeMap::new(), |mut records, (id, record)| {
            assert!(records.insert(id.clone(), record).is_none(), "{id} was captured twice");
            records
        })
}

/// Drops the samples as stations do: renamed into place, or written in two parts; some twice.
fn drop_files(root: &Path, seed: u64) {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    for (index, (place, file)) in sample_scans().into_iter().enumerate() {
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
    let register = site::sample_register();

    let quiet = Site::new(Path::new(PROGRAM), JOBS);
    quiet.run(&["register", "import", &register]);
    let scans = site::repository().join("samples/scans");
    let summary = quiet.run(&["--json", "ingest", scans.to_str().expect("UTF-8")]);
    let summary: Value = serde_json::from_str(&summary).expect("a sum");
    let expected = records(&quiet);
    assert!(!expected.is_empty());

    let site = Site::new(Path::new(PROGRAM), JOBS);
    site.run(&["register", "import", &register]);
    let drop = site.data().join("drop");
    let dropping = {
        let drop = drop.clone();
        std::thread::spawn(move || drop_files(&drop, 7))
    };
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    for _ in 0..KILLS {
        let mut service = site.serve("intake,work");
        std::thread::sleep(Duration::from_millis(random.random_range(800..5000)));
        service.kill().expect("killed");
        service.wait().expect("reaped");
    }
    dropping.join().expect("all dropped");
    let mut service = site.serve("intake,work");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sum = runtime.block_on(settled(&site, &drop));
    signal(service.id(), "TERM");
    assert!(service.wait().expect("reaped").success(), "drained");

    assert!(sum.balances(), "{sum:?}");
    let sum = serde_json::to_value(sum).expect("JSON");
    for part in ["scans", "pages", "captured", "blank", "unassigned", "scans_quarantined", "captures"] {
        assert_eq!(sum[part], summary[part], "{part}");
    }
    let records = records(&site);
    assert_eq!(records.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (id, record) in &records {
        assert_eq!(differences(record, &expected[id], ""), Vec::<String>::new(), "application {id}");
    }
    let objects = site.data().join("objects");
    for key in named_objects(&records) {
        assert_object_is_whole(&objects, &key);
    }
}
