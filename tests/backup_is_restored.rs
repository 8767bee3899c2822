//! A machine burns down: from its backup another one goes on, with the same records, the same events
//! and nothing read twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A machine with its data folder.
struct Machine {
    data: PathBuf,
}

impl Machine {
    fn try_run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_uketsuke"))
            .arg("--data")
            .arg(&self.data)
            .args(arguments)
            .env_remove("DATABASE_URL")
            .output()
            .expect("the program runs")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = ["--json"].iter().chain(arguments).copied().collect();
        serde_json::from_str(&self.run(&arguments)).expect("JSON")
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Two samples, each in a folder of its own.
fn samples(to: &Path) -> [PathBuf; 2] {
    let batch = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/scans");
    let mut found = Vec::new();
    let mut folders = vec![batch];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("samples").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push(path),
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "png" || ending == "jpg"));
    found.sort();
    let [first, second] = ["first", "second"].map(|name| to.join(name).join("desk"));
    for (folder, file) in [&first, &second].into_iter().zip(&found) {
        fs::create_dir_all(folder).expect("a folder");
        fs::copy(file, folder.join(file.file_name().expect("a name"))).expect("copied");
    }
    [first, second].map(|folder| folder.parent().expect("a parent").to_owned())
}

fn objects(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("objects").flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    let name = path.strip_prefix(folder).expect("below").to_owned();
                    found.insert(name, fs::read(path).expect("an object"));
                }
            }
        }
    }
    found
}

#[test]
fn from_a_backup_another_machine_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = samples(folder.path());
    let backup = folder.path().join("backup");
    let old = Machine { data: folder.path().join("old") };
    let register = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/register.csv");
    old.run(&["register", "import", text(&register)]);
    old.run(&["ingest", text(&first)]);
    let copied = old.json(&["backup", "--out", text(&backup)]);
    assert_eq!(copied["present"], 0);
    old.run(&["ingest", text(&second)]);
    let copied = old.json(&["backup", "--out", text(&backup)]);
    assert!(copied["objects"].as_u64() > Some(0) && copied["present"].as_u64() > Some(0), "{copied}");
    let seals = folder.path().join("seals.json");
    old.run(&["audit", "export", "--out", text(&seals)]);
    let records = old.run(&["records"]);
    assert!(!records.is_empty());
    let kept = objects(&old.data.join("objects"));
    fs::remove_dir_all(&old.data).expect("burnt");

    let new = Machine { data: folder.path().join("new") };
    new.run(&["restore", "--from", text(&backup)]);
    assert_eq!(new.run(&["records"]), records, "byte for byte");
    assert!(objects(&new.data.join("objects")) == kept, "every object, byte for byte");
    new.run(&["audit", "verify", "--against", text(&seals)]);
    // What comes again is known; what is new goes on, and is sealed.
    let again = new.json(&["ingest", text(&first)]);
    assert_eq!((again["arrivals"].as_u64(), again["scans"].as_u64()), (Some(1), Some(0)));
    let verified = new.json(&["audit", "verify", "--against", text(&seals)]);
    assert_eq!((&verified["flaw"], &verified["unsealed"]), (&Value::Null, &Value::from(0)));

    let refused = new.try_run(&["restore", "--from", text(&backup)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds a database already"));
    // A backup that lost an object says so.
    let lost = objects(&backup.join("objects")).into_keys().find(|key| key.starts_with("page"));
    fs::remove_file(backup.join("objects").join(lost.expect("a page"))).expect("lost");
    let other = Machine { data: folder.path().join("other") };
    let told = other.try_run(&["restore", "--from", text(&backup)]);
    assert_eq!(told.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert!(stderr.contains("1 objects that the database names"), "{stderr}");
}
