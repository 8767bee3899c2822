//! The samples go through the whole chain, and their records are compared with what is true of them:
//! nothing is left out in silence, the page asks nobody for anything, and what it shows is for its
//! owner only.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const TRUTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/scans/truth.jsonl");

/// Runs the program in the package's folder, where the forms and models are.
fn uketsuke(data: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DATABASE_URL")
        .arg("--data")
        .arg(data)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // Of a program that reads nothing, the pipe is closed by now.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the program ends")
}

fn successful(data: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = uketsuke(data, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

fn count(document: &Value, pointer: &str) -> u64 {
    document.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} is a count"))
}

#[test]
fn the_samples_are_judged_to_their_last_page() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, out) = (folder.path().join("data"), folder.path().join("report"));
    successful(&data, &["ingest", "samples/scans"], b"");
    // One truth is turned around, so that at least one reading is wrong and has its picture.
    let truth = std::fs::read_to_string(TRUTH).expect("the samples' truth");
    let ordinary = r#""account_type":{"written":"ordinary","value":"ordinary"}"#;
    let current = r#""account_type":{"written":"current","value":"current"}"#;
    assert!(truth.contains(ordinary));
    let path = folder.path().join("truth.jsonl");
    std::fs::write(&path, truth.replacen(ordinary, current, 1)).expect("a file");
    let path = path.to_str().expect("a name");
    let report = ["evaluate", "--truth", path, "--json", "--out", out.to_str().expect("a name")];
    let printed = successful(&data, &report, b"");
    let found = json(&printed);

    // Every page of the samples is captured (the demo's table says so), so every truth has its record.
    assert_eq!(count(&found, "/account/truth/pages_without_record"), 0);
    assert_eq!(count(&found, "/account/truth/applications_without_record"), 0);
    assert_eq!(count(&found, "/account/records/records"), 18);
    assert_eq!(count(&found, "/account/records/pages"), count(&found, "/account/truth/pages"));
    let fields = count(&found, "/overall/counts/fields");
    assert_eq!(fields, count(&found, "/account/records/fields_compared"));
    assert!(fields > 200, "{fields} of 18 forms with 15 fields each");
    let parts = ["compared", "not_read", "without_truth", "of_unknown_forms"];
    let sum: u64 = parts.iter().map(|part| count(&found, &format!("/account/records/fields_{part}"))).sum();
    assert_eq!(sum, count(&found, "/account/records/fields"));
    // A model that reads next to nothing would be another model, or another truth.
    let share = found.pointer("/overall/counts/characters/rate").and_then(Value::as_f64).expect("a share");
    assert!(share > 0.9, "{share} of the characters are right");
    assert!(found["worst"].as_array().is_some_and(|worst| !worst.is_empty()));
    assert_eq!(found["fields"].as_array().map(Vec::len), Some(15));

    // The page and its pictures.
    let page = std::fs::read_to_string(out.join("index.html")).expect("a page");
    for elsewhere in ["http:", "https:", "//", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    let sheet = image::open(out.join("contact-sheet.png")).expect("a picture");
    assert!(sheet.width() > 1000 && sheet.height() > 100);
    for (path, mode) in [("", 0o700), ("index.html", 0o600), ("contact-sheet.png", 0o600)] {
        let found = std::fs::metadata(out.join(path)).expect("it was written").permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }

    // The same records as lines, and where no object store is.
    let records = successful(&data, &["records"], b"");
    let nowhere = folder.path().join("nowhere");
    let report = [&report[..], &["--records", "-"]].concat();
    let output = uketsuke(&nowhere, &report, &records);
    assert!(output.status.success());
    assert!(output.stdout == printed, "the same document");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("pictures of fields are not in the object store"), "{errors}");
    assert!(!nowhere.exists(), "nothing is made where nothing is");
}

#[test]
fn a_broken_line_is_named_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["evaluate", "--truth", TRUTH, "--records", "-"];
    let output = uketsuke(folder.path(), &arguments, "\n{\"schema\": [\"ヤマダ\"]}".as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("line 2") && !errors.contains("ヤマダ"), "{errors}");
    let output = uketsuke(folder.path(), &["evaluate"], b"");
    assert_eq!(output.status.code(), Some(2), "--truth is needed");
}
