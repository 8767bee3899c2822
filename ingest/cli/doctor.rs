//! `uketsuke doctor`: checks each thing that the program depends on, and says how to mend what is
//! missing.

use std::path::Path;

use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::Common;
use crate::digest::Sha256;
use crate::fleet::missing_confinement;
use crate::form::Forms;
use crate::form::print;
use crate::read::Readers;
use crate::reference::BankTable;
use crate::settings::Settings;
use crate::simulate::{Fonts, Hands, Press};
use crate::store::objects::{ObjectError, ObjectKey, ObjectKind};

/// Check what the program depends on, and say how to mend what is missing
///
/// The configuration, the forms, the engines, the models, the table of banks, the fonts, the data
/// folder, the database, and the object store, where an object is put, read back and removed; and
/// whether the kernel confines readers wholly. Exits with 1 if anything is missing; what is merely
/// weak is said, and no failure.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    good: bool,
    /// It works, but something is less safe than it could be.
    weak: bool,
    /// What was found, or what is wrong and how to mend it.
    detail: String,
}

impl Check {
    fn of<E: std::fmt::Display>(what: &'static str, found: Result<String, E>, mend: &str) -> Self {
        match found {
            Ok(detail) => Self { what, good: true, weak: false, detail },
            Err(error) if mend.is_empty() => {
                Self { what, good: false, weak: false, detail: error.to_string() }
            }
            Err(error) => Self { what, good: false, weak: false, detail: format!("{error}; {mend}") },
        }
    }
}

/// Free space under which a mailroom's data folder is full within the hour: one day of 146,000
/// pages is some 150 GB.
const LEAST_FREE_GIB: u64 = 10;

pub(super) fn run(common: &Common, _: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let mut checks = vec![
        Check::of("forms", forms(&settings), "mend the file, or set paths.forms"),
        Check::of("pdfium", pdfium(&settings), "run scripts/setup"),
        Check::of("Tesseract", tesseract(), "run scripts/setup, which installs tesseract-ocr-jpn"),
        Check::of("models", models(&settings), ""),
        confinement(),
        Check::of("banks and branches", banks(&settings), ""),
        Check::of("printing", printing(&settings), ""),
        Check::of("fonts of handwriting", handwriting(), ""),
        Check::of("data folder", data_folder(&common.data), "name another folder with --data"),
    ];
    let runtime = super::runtime()?;
    checks.push(Check::of("database", runtime.block_on(database(common)), ""));
    checks.push(Check::of("object store", runtime.block_on(objects(common, &settings)), ""));

    if common.json {
        println!("{}", serde_json::to_string(&checks)?);
    } else {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header(["", "what", "found"]);
        for Check { what, good, weak, detail } in &checks {
            let verdict = match (good, weak) {
                (true, false) => "ok",
                (true, true) => "weak",
                (false, _) => "MISSING",
            };
            table.add_row([verdict, what, detail]);
        }
        println!("{table}");
    }
    match checks.iter().filter(|check| !check.good).count() {
        0 => Ok(()),
        missing => anyhow::bail!("{missing} of {} checks failed", checks.len()),
    }
}

fn forms(settings: &Settings) -> Result<String, crate::form::FormError> {
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let names: Vec<String> = forms.iter().map(|form| format!("{}@{}", form.id, form.version)).collect();
    Ok(names.join(", "))
}

fn pdfium(settings: &Settings) -> Result<String, crate::simulate::SimulateError> {
    Press::bind(&settings.paths.pdfium())?;
    Ok(settings.paths.pdfium().display().to_string())
}

fn tesseract() -> Result<String, tesseract::InitializeError> {
    tesseract::Tesseract::new(None, Some("jpn"))?;
    Ok("starts with jpn".to_owned())
}

fn models(settings: &Settings) -> Result<String, crate::read::ReadError> {
    let readers = Readers::load(settings)?;
    let names: Vec<&str> = readers.files().keys().map(String::as_str).collect();
    Ok(names.join(", "))
}

/// A kernel that lacks some of it is no failure: readers work, with what it has.
fn confinement() -> Check {
    let missing = missing_confinement();
    Check {
        what: "confinement of readers",
        good: true,
        weak: missing.is_some(),
        detail: missing.unwrap_or_else(|| "Landlock, seccomp, limits, no privileges".to_owned()),
    }
}

fn banks(settings: &Settings) -> Result<String, crate::reference::ReferenceError> {
    let table = BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases)?;
    let branches: usize = table.banks().iter().map(|bank| bank.branches().len()).sum();
    Ok(format!("{} banks, {branches} branches, as of {}", table.banks().len(), table.updated))
}

fn printing(settings: &Settings) -> anyhow::Result<String> {
    let forms = Forms::load_dir(&settings.paths.forms)?;
    for form in forms.iter() {
        print::write_specimen(form, std::io::sink())?;
    }
    Ok("every form can be printed".to_owned())
}

fn handwriting() -> Result<String, crate::simulate::SimulateError> {
    Fonts::load(Hands::Testing)?;
    Fonts::load(Hands::Training)?;
    Ok("of the training and of the testing hands".to_owned())
}

fn data_folder(data: &Path) -> anyhow::Result<String> {
    std::fs::create_dir_all(data)?;
    tempfile::tempfile_in(data)?;
    let free_gib = super::free_bytes(data)? >> 30;
    anyhow::ensure!(free_gib >= LEAST_FREE_GIB, "only {free_gib} GiB are free in {}", data.display());
    Ok(format!("{}, {free_gib} GiB free", data.display()))
}

async fn database(common: &Common) -> Result<String, crate::store::StoreError> {
    let database = common.database().await?;
    let answered = database.check().await;
    database.close().await;
    answered.map(|()| match std::env::var_os("DATABASE_URL") {
        Some(_) => "the server that DATABASE_URL names".to_owned(),
        None => "the private server in the data folder".to_owned(),
    })
}

/// An object there and back. Its bytes are like no other's, so that nothing else is removed.
async fn objects(common: &Common, settings: &Settings) -> Result<String, ObjectError> {
    let location = common.objects();
    let store = location.open(&settings.objects).await?;
    let bytes = format!("uketsuke doctor {} {}", std::process::id(), chrono::Utc::now().to_rfc3339());
    let bytes = bytes.as_bytes();
    let key = ObjectKey::of(ObjectKind::Record, Sha256::of(bytes), Some("probe"));
    store.put(&key, bytes).await?;
    let verified = store.verify(&key, bytes.len() as u64).await;
    store.remove(&key).await?;
    let encryption = match store.encrypts_with() {
        Some(id) => format!("encrypted with the key {id}"),
        None => "not encrypted by us".to_owned(),
    };
    verified.map(|()| format!("{location}, {encryption}: an object was put, read back and removed"))
}
