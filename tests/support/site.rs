//! A data folder of its own, a configuration that waits for nothing longer than it must, and the
//! program to run on them.

#![allow(dead_code, reason = "each test file that includes this one uses another part of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub struct Site {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Site {
    /// `program` is `uketsuke`, or what behaves like it. `further` is laid over a configuration that
    /// reads cells and marks only; it may name the same sections.
    pub fn new(program: &Path, further: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = repository();
        let paths = ["config/forms", "ocr-models", "vendor", "config/calibration", "vendor/zengin-code"];
        let [forms, models, vendor, calibration, banks] =
            paths.map(|path| home.join(path).display().to_string());
        let bank_aliases = home.join("config/bank-aliases.toml").display().to_string();
        let config = format!(
            "[paths]\nforms = {forms:?}\nmodels = {models:?}\nvendor = {vendor:?}\ncalibration = {calibration:?}\n\
             banks = {banks:?}\nbank_aliases = {bank_aliases:?}\n\
             [intake]\npoll_seconds = 0.2\nsettle_seconds = 0.5\n\
             [read]\nline_models = false\ncopies = false\n"
        );
        let mut config: toml::Table = config.parse().expect("TOML");
        for (section, values) in further.parse::<toml::Table>().expect("TOML") {
            match (config.get_mut(&section).and_then(toml::Value::as_table_mut), values) {
                (Some(known), toml::Value::Table(values)) => known.extend(values),
                (_, values) => drop(config.insert(section, values)),
            }
        }
        fs::write(folder.path().join("uketsuke.toml"), config.to_string()).expect("the configuration");
        Self { folder, program: program.to_owned() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(self.data()).arg("--config").arg(self.folder.path().join("uketsuke.toml"));
        command.args(arguments).stdin(Stdio::null()).env_remove("DATABASE_URL").env("UKETSUKE_LOG", "warn");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the program runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub fn serve(&self, roles: &str) -> Child {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--roles", roles]);
        command.stdout(Stdio::null()).spawn().expect("the service starts")
    }

    /// Current records in the order that the program prints them.
    pub fn records(&self) -> Vec<Value> {
        let records = self.run(&["records"]);
        records.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The register that the samples are of.
pub fn sample_register() -> String {
    repository().join("samples/register.csv").to_str().expect("UTF-8").to_owned()
}

/// The scans of `samples/`, as (station and batch below the drop folder, file).
pub fn sample_scans() -> Vec<(PathBuf, PathBuf)> {
    let root = repository().join("samples/scans");
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

/// Files anywhere below a folder; 0 where there is none.
pub fn files_below(root: &Path) -> usize {
    fs::read_dir(root)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 })
                .sum()
        })
        .unwrap_or(0)
}

/// Sends a signal by its name, as `kill` knows it.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(status.expect("kill").success(), "SIG{name} to {process}");
}
