//! Logs name scans and pages, and nobody: an ingest of scans with everything logged, readers
//! included, and not one name, kana, phone or account number of the register or of the truth in it.

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
