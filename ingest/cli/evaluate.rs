//! `uketsuke evaluate`: records against truth.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use image::{GrayImage, ImageFormat};

use super::{Common, judged, runtime};
use crate::evaluate::contact_sheet::{ContactSheet, contact_sheet};
use crate::evaluate::report::{self, CONTACT_SHEET, Surroundings};
use crate::evaluate::{Account, Evaluation, Measures, Rate, Tally, WrongReading};
use crate::form::Forms;
use crate::score::Disposition;
use crate::settings::Settings;
use crate::simulate::Font;
use crate::store::objects::{Location, ObjectKey};

/// Compare records with truth: how well is read, and what confidences are worth
///
/// For example, with simulated mail:
///
///   uketsuke simulate --register register.csv --out mail
///   uketsuke ingest mail --data trial
///   uketsuke evaluate --truth mail/truth.jsonl --data trial --out report
///
/// prints a table and writes report/index.html, which explains itself in Japanese and English, and
/// report/contact-sheet.png with the surest of the wrong readings. Both show what applicants wrote.
///
/// Of the table: 'exact' are the written fields without any error, with a 95 % interval;
/// 'unread' have ink, but no value; 'accepted' went on without a person, 'of these wrong' must be
/// few. 'at target' is the share of fields that could be accepted within the target, as seen
/// here; 'calibration' is by how much confidences are off on average (bins of equal counts).
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: judged::Source,
    /// A folder for index.html and contact-sheet.png, readable by its owner only
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The error rate that accepted values are to stay below
    #[arg(long, value_name = "RATE", default_value_t = 0.0014, value_parser = rate)]
    target_risk: f64,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "it must be a number such as 0.0014".to_owned())?;
    if rate > 0.0 && rate < 1.0 { Ok(rate) } else { Err("it must be above 0 and below 1".to_owned()) }
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let mut tally = Tally::default();
    let account = arguments.source.judge(common, &forms, |record, judged| tally.add(record, &judged))?;
    let evaluation = tally.finish(account, arguments.target_risk);
    if common.json {
        println!("{}", serde_json::to_string(&evaluation)?);
    } else {
        println!("{}", table(&evaluation));
        println!("{}", account_lines(&evaluation.account));
    }
    if let Some(folder) = &arguments.out {
        let crops = runtime()?.block_on(crops(&common.objects(), &settings, &evaluation.worst));
        write_page(folder, &evaluation, crops)?;
        eprintln!("uketsuke: wrote {}; it shows what applicants wrote", folder.join("index.html").display());
    }
    Ok(())
}

/// The pictures of the wrong readings, as far as they can be had.
async fn crops(objects: &Location, settings: &Settings, readings: &[WrongReading]) -> Vec<Option<GrayImage>> {
    let mut crops = vec![None; readings.len()];
    // Opening a store would make the folder.
    if matches!(objects, Location::Folder(folder) if !folder.is_dir()) {
        return crops;
    }
    let store = match objects.open(&settings.objects).await {
        Ok(store) => store,
        Err(error) => {
            eprintln!("uketsuke: the page is made without pictures: {error}");
            return crops;
        }
    };
    for (crop, reading) in crops.iter_mut().zip(readings) {
        let Some(key) = reading.crop.as_deref().and_then(|key| key.parse::<ObjectKey>().ok()) else {
            continue;
        };
        let Ok(bytes) = store.get(&key).await else { continue };
        *crop =
            image::load_from_memory_with_format(&bytes, ImageFormat::Png).ok().map(|crop| crop.to_luma8());
    }
    crops
}

fn write_page(folder: &Path, evaluation: &Evaluation, crops: Vec<Option<GrayImage>>) -> anyhow::Result<()> {
    let missing = crops.iter().filter(|crop| crop.is_none()).count();
    let sheet = sheet(evaluation, crops)?;
    let made = chrono::Local::now().format("%Y-%m-%d %H:%M").to_string();
    let page = report::page(evaluation, &Surroundings { made: &made, sheet: sheet.as_ref(), missing })?;
    let shown = folder.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{shown}: the folder cannot be made"))?;
    write_private(&folder.join("index.html"), page.as_bytes())?;
    match sheet {
        Some(sheet) => write_private(&folder.join(CONTACT_SHEET), &sheet.png)?,
        // That of an earlier run is no part of this page.
        None => match std::fs::remove_file(folder.join(CONTACT_SHEET)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        },
    }
    if missing > 0 {
        eprintln!("uketsuke: {missing} pictures of fields are not in the object store of --data");
    }
    Ok(())
}

fn sheet(evaluation: &Evaluation, crops: Vec<Option<GrayImage>>) -> anyhow::Result<Option<ContactSheet>> {
    let font = Font::for_print();
    if let Err(error) = &font {
        eprintln!("uketsuke: the contact sheet has pictures only: {error}");
    }
    let readings = (1..).zip(&evaluation.worst).zip(crops);
    let tiles: Vec<_> =
        readings.map(|((number, reading), crop)| report::tile(number, reading, crop)).collect();
    Ok(contact_sheet(&tiles, font.as_ref().ok())?)
}

/// What applicants wrote is for its owner only.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(bytes).with_context(|| format!("{} cannot be written", path.display()))
}

fn table(evaluation: &Evaluation) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header([
        "field",
        "written",
        "blank",
        "exact",
        "95 %",
        "characters",
        "unread",
        "as blank",
        "accepted",
        "of these wrong",
        "at target",
        "calibration",
    ]);
    for field in &evaluation.fields {
        table.add_row(row(&field.name, &field.measures));
    }
    table.add_row(row("all", &evaluation.overall));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(name: &str, measures: &Measures) -> [String; 12] {
    let counts = &measures.counts;
    let accepted = measures.dispositions.get(&Disposition::Accepted).copied().unwrap_or_default().wrong;
    let share = |rate: Rate| rate.share().map_or_else(|| "-".to_owned(), percent);
    let interval =
        counts.exact.interval().map(|[low, high]| format!("{:.1}-{:.1}", low * 100.0, high * 100.0));
    [
        name.to_owned(),
        counts.written.to_string(),
        counts.blank.to_string(),
        share(counts.exact),
        interval.unwrap_or_default(),
        share(counts.characters),
        counts.unread.hits.to_string(),
        counts.taken_for_blank.hits.to_string(),
        accepted.of.to_string(),
        accepted.hits.to_string(),
        percent(measures.risk_coverage.coverage_at_target),
        measures.reliability.expected_calibration_error.map_or_else(|| "-".to_owned(), percent),
    ]
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Nothing is left out in silence.
fn account_lines(account: &Account) -> String {
    let (records, truth) = (&account.records, &account.truth);
    format!(
        "{} fields in {} records = {} compared + {} not read + {} without truth + {} of unknown forms\n\
         {} pages of truth = {} with a record + {} without; {} of {} applications have no record",
        records.fields,
        records.records,
        records.fields_compared,
        records.fields_not_read,
        records.fields_without_truth,
        records.fields_of_unknown_forms,
        truth.pages,
        truth.pages_found,
        truth.pages_without_record,
        truth.applications_without_record,
        truth.applications,
    )
}
