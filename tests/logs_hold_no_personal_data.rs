//! Logs name scans and pages, and nobody: an ingest of scans with everything logged, readers
//! included, and not one name, kana, phone or account number of the register or of the truth in it.
//! And numbers that must not be kept at all are nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Whatever the truth of a page says under these names is about a person.
const PERSONAL: [&str; 7] = [
    "account_holder_kana",
    "account_number",
    "head_name",
    "phone",
    "signature",
    "yucho_number",
    "yucho_symbol",
];

/// Shorter pieces are in every text.
const SHORTEST: usize = 2;

fn home(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Everything about a person in the register and in the truth, whole and in its parts.
fn personal_data() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        let parts = text.split([' ', '\u{3000}']);
        for part in parts.chain([text]).map(str::trim) {
            // A symbol of four digits is in every number.
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            if part.chars().count() >= if digits { 7 } else { SHORTEST } {
                found.insert(part.to_owned());
            }
        }
    };
    let mut register = csv::Reader::from_path(home("samples/register.csv")).expect("the register");
    for row in register.records() {
        let row = row.expect("a row");
        [1, 2, 3, 4, 5].into_iter().filter_map(|column| row.get(column)).for_each(&mut add);
    }
    for line in fs::read_to_string(home("samples/scans/truth.jsonl")).expect("the truth").lines() {
        let page: Value = serde_json::from_str(line).expect("a JSON line");
        for field in PERSONAL {
            let field = &page["fields"][field];
            field["value"].as_str().into_iter().for_each(&mut add);
            let written = field["written"].as_array().into_iter().flatten().filter_map(Value::as_str);
            add(&written.collect::<String>());
        }
    }
    assert!(found.len() > 50, "{found:?}");
    found
}

/// Scans of every format, and broken ones, which libraries complain about.
fn scans(folder: &Path) {
    let station = folder.join("desk");
    fs::create_dir_all(&station).expect("a folder");
    let mut kinds = BTreeSet::new();
    let mut folders = vec![home("samples/scans")];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).expect("samples").flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for path in entries {
            let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if kind != "jsonl" && kinds.insert(kind) {
                let bytes = fs::read(&path).expect("a sample");
                fs::write(station.join(&name), &bytes).expect("copied");
                fs::write(station.join(format!("broken-{name}")), &bytes[..bytes.len() * 2 / 3])
                    .expect("cut");
            }
        }
    }
    assert!(kinds.len() >= 3, "{kinds:?}");
}

#[test]
fn an_ingest_with_everything_logged_names_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let scans_folder = folder.path().join("scans");
    scans(&scans_folder);
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
            .arg("--data")
            .arg(folder.path().join("data"))
            .args(["--log-format", "json"])
            .args(arguments)
            .env_remove("DATABASE_URL")
            .env("UKETSUKE_LOG", "debug")
            .output()
            .expect("the program runs");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        stderr
    };
    let mut logs = run(&["register", "import", home("samples/register.csv").to_str().expect("UTF-8")]);
    logs += &run(&["ingest", scans_folder.to_str().expect("UTF-8")]);
    let postgres = folder.path().join("data/postgres/log");
    let server = fs::read_to_string(postgres).expect("the server's log");

    let lines: Vec<Value> = logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = |wanted: &str| {
        lines.iter().any(|line| line["fields"]["message"].as_str().is_some_and(|said| said.contains(wanted)))
    };
    assert!(said("taken in") && said("quarantined") && said("read"), "the test sees the logs: {logs}");
    let with = |field: &str| lines.iter().any(|line| !line["fields"][field].is_null());
    assert!(with("scan") && with("page"), "lines say what they are about");
    for personal in personal_data() {
        for text in [&logs, &server] {
            if let Some(place) = text.find(&personal) {
                let line = text[..place].lines().count();
                // Not the line itself: this is a log, too.
                panic!(
                    "a piece of personal data of {} characters is in line {line}",
                    personal.chars().count()
                );
            }
        }
    }
}

/// What is stored of copies with such numbers is black where they were printed, and the scans are gone.
#[test]
fn numbers_that_must_not_be_kept_are_kept_nowhere() {
    const COUNT: usize = 6;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let shipped = fs::read_to_string(home("config/uketsuke.toml")).expect("the shipped configuration");
    let mut config: toml::Table = shipped.parse().expect("TOML");
    for value in config["paths"].as_table_mut().expect("paths").iter_mut().map(|(_, value)| value) {
        *value = home(value.as_str().expect("a path")).to_str().expect("UTF-8").into();
    }
    fs::write(path("uketsuke.toml"), config.to_string()).expect("a configuration");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
            .args(["--data", &path("data"), "--config", &path("uketsuke.toml")])
            .args(arguments)
            .env_remove("DATABASE_URL")
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let register = home("samples/register.csv");
    let register = register.to_str().expect("UTF-8");
    let count = COUNT.to_string();
    let simulate =
        ["simulate", "--register", register, "--out", &path("scans"), "--count", &count, "--pages", "2"];
    run(&[&simulate[..], &["--clean", "--formats", "png", "--enclosures", "varied", "--seed", "3"]].concat());
    run(&["register", "import", register]);
    run(&["ingest", &path("scans")]);

    let records: Vec<Value> =
        run(&["records"]).lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    let (mut with_number, mut numbers) = (0, 0);
    for line in fs::read_to_string(path("scans/truth.jsonl")).expect("the truth").lines() {
        let truth: Value = serde_json::from_str(line).expect("a JSON line");
        let corners: Vec<&Value> = truth["copies"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|copy| copy["numbers"].as_array())
            .flatten()
            .collect();
        let record = records.iter().find(|record| record["application_id"] == truth["application_id"]);
        let record = record.expect("a record of each");
        let found = |code: &str| {
            record["findings"].as_array().expect("findings").iter().any(|finding| finding["code"] == code)
        };
        let original = record["source"]["sha256"].as_str().expect("a digest");
        let original = format!("data/objects/original/{}/{}/{original}", &original[..2], &original[2..4]);
        if corners.is_empty() {
            // What could not be told was blacked out, and its scan is gone as well.
            let suspected = found("sensitive_number_removed") || found("copy_blacked_out");
            assert!(suspected || Path::new(&path(&original)).exists());
            continue;
        }
        assert!(found("sensitive_number_removed") || found("copy_blacked_out"), "{record}");
        assert!(!Path::new(&path(&original)).exists(), "the original is there");
        let image = record["pages"][0]["image"].as_str().expect("a key");
        let image = image::open(path(&format!("data/objects/{image}"))).expect("a picture").to_luma8();
        let map = &truth["map"];
        let factor = |name: &str| map[name].as_f64().expect("a number");
        for number in &corners {
            let at = |corner: &Value| {
                let (x, y) = (corner["x"].as_f64().expect("x"), corner["y"].as_f64().expect("y"));
                (
                    factor("a") * x + factor("b") * y + factor("c"),
                    factor("d") * x + factor("e") * y + factor("f"),
                )
            };
            let (from, to) = (at(&number[0]), at(&number[2]));
            for step in 0..=20 {
                let part = f64::from(step) / 20.0;
                let (x, y) = (from.0 + (to.0 - from.0) * part, from.1 + (to.1 - from.1) * part);
                assert!(image.get_pixel(x as u32, y as u32).0[0] < 60, "a number is legible");
            }
            numbers += 1;
        }
        with_number += 1;
    }
    assert!(with_number >= 3 && numbers >= 4, "{with_number} {numbers}");
    // Without keys of one's own nobody is asked what must be black.
    assert!(
        !Path::new(&path("data/objects/unmasked")).exists(),
        "a picture without what is in doubt is there"
    );
}
