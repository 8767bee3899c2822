//! `uketsuke ingest`: takes files or folders in as scans and works until nothing is left.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use futures_util::stream::{self, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::sync::watch;

use super::Common;
use super::service::{Equipment, Service};
use crate::audit;
use crate::fleet::{Until, Worker};
use crate::intake::{Afterwards, FILES_AT_ONCE, collect};
use crate::score::{Basis, Scorer};
use crate::settings::Settings;
use crate::store::acceptance::{self, Acceptance};
use crate::store::accounting::{self, Accounting, BatchName, Filter};
use crate::store::sensitive_originals::remove_due;

/// Take in files or folders once, and print what became of every page
///
/// Works until nothing is left to be read. Files stay where they are; the same bytes again are a
/// logged no-op.
///
/// A folder's sub-folders are stations, theirs are batches: scans/STATION[/BATCH]/file.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scans, or folders of stations
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also accept fields under a risk certificate that rests on simulated pages: for demonstrations,
    /// never for payments. The summary says so
    #[arg(long)]
    accept_provisional: bool,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let mut settings = Settings::load(common.config.as_deref())?;
    settings.score.accept_provisional |= arguments.accept_provisional;
    let collected = collect(&arguments.paths)?;
    for finding in &collected.findings {
        eprintln!("uketsuke: left where it is: {finding}");
    }
    super::runtime()?.block_on(async {
        let equipment = Equipment::load(common, settings)?;
        let objects = common.objects().open(&equipment.settings.objects).await?;
        let service = Service::new(equipment, objects, common.database().await?);
        let worker = service.worker(common).await?;
        let result = ingest(&service, &worker, collected.files, common.json).await;
        worker.readers.shut_down().await;
        drop(worker);
        service.stop().await;
        result
    })
}

async fn ingest(
    service: &Service,
    worker: &Worker,
    files: Vec<crate::intake::ArrivedFile>,
    json: bool,
) -> anyhow::Result<()> {
    let run = format!("ingest {}", chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.6fZ"));
    let afterwards = Afterwards::Keep { run: run.clone() };
    let filter = Filter { occasion: Some(run), ..Filter::default() };
    let (_stop, told) = watch::channel(false);

    let bar = ProgressBar::new(files.len() as u64).with_style(style("taking in")?);
    let mut failed = 0;
    let mut taken_in = stream::iter(&files)
        .map(async |file| (file, service.reception.take_in(file, &afterwards).await))
        .buffer_unordered(FILES_AT_ONCE);
    while let Some((file, taken)) = taken_in.next().await {
        match taken {
            Ok(Some(_)) => {}
            Ok(None) => {
                failed += 1;
                bar.suspend(|| eprintln!("uketsuke: {}: changed while it was read", file.path.display()));
            }
            Err(error) => {
                failed += 1;
                bar.suspend(|| eprintln!("uketsuke: {error}"));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();

    let waiting = accounting::total(&service.database, &filter).await?;
    let bar = ProgressBar::new(waiting.scans).with_style(style("reading")?);
    let done = Arc::new(tokio::sync::Notify::new());
    let work = async {
        worker.run(Until::Empty, told).await;
        done.notify_one();
    };
    let watch = async {
        loop {
            tokio::select! {
                () = done.notified() => return,
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
            if let Ok(sum) = accounting::total(&service.database, &filter).await {
                bar.set_position(sum.scans_done + sum.scans_quarantined);
            }
        }
    };
    tokio::join!(work, watch);
    bar.finish_and_clear();
    remove_due(&service.database, &*service.objects, &service.name).await?;
    audit::seal_all(&service.database).await?;

    let batches = accounting::by_batch(&service.database, &filter).await?;
    let total: Accounting = batches.iter().map(|(_, sum)| *sum).sum();
    let acceptance = acceptance::by_certificate(&service.database, &filter).await?;
    if json {
        println!("{}", serde_json::to_string(&Report { total, acceptance })?);
    } else {
        println!("{}", table(&batches, &total));
        println!("{}", balance(&total));
        for under in &acceptance {
            println!("{}", accepted(under, &service.scorer));
        }
    }
    anyhow::ensure!(total.balances(), "pages are not accounted for: this is a fault of the program");
    anyhow::ensure!(failed == 0, "{failed} files could not be taken in; they are where they were");
    Ok(())
}

#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    total: Accounting,
    acceptance: Vec<Acceptance>,
}

fn style(what: &str) -> anyhow::Result<ProgressStyle> {
    ProgressStyle::with_template(&format!("{what} {{bar:40}} {{pos}}/{{len}} {{per_sec}} {{eta}}"))
        .context("the progress bar")
}

fn table(batches: &[(BatchName, Accounting)], total: &Accounting) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header([
        "station",
        "batch",
        "files",
        "repeated",
        "scans",
        "quarantined",
        "pages",
        "captured",
        "blank",
        "unassigned",
        "captures",
        "duplicates",
    ]);
    let row = |station: &str, batch: &str, sum: &Accounting| {
        let counts = [
            sum.arrivals,
            sum.repeated,
            sum.scans,
            sum.scans_quarantined,
            sum.pages,
            sum.captured,
            sum.blank,
            sum.unassigned,
            sum.captures,
            sum.duplicates,
        ];
        [station.to_owned(), batch.to_owned()].into_iter().chain(counts.map(|count| count.to_string()))
    };
    for (BatchName { station, batch }, sum) in batches {
        table.add_row(row(station, batch.as_deref().unwrap_or("-"), sum));
    }
    table.add_row(row("all", "", total));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Sheets in = pages accounted for, in one line.
fn balance(total: &Accounting) -> String {
    format!(
        "{} pages in = {} captured + {} blank + {} unassigned; {} scans quarantined",
        total.pages, total.captured, total.blank, total.unassigned, total.scans_quarantined,
    )
}

/// How many fields were accepted, and on what that rests or why none was.
fn accepted(under: &Acceptance, scorer: &Scorer) -> String {
    let Acceptance { certificate, fields, accepted, blank } = under;
    let in_use = scorer.certificate();
    let why = match (certificate, in_use) {
        (Some(sha256), Some(file)) if file.sha256 == *sha256 => match file.content.basis {
            Basis::Provisional => {
                format!("under certificate {sha256}, which is PROVISIONAL: it rests on simulated pages")
            }
            Basis::Proven => format!("under certificate {sha256}"),
        },
        (Some(sha256), _) => format!("under certificate {sha256}, which is no longer in use"),
        (None, Some(file)) if !scorer.may_accept(&file.content) => {
            "; the certificate rests on simulated pages: --accept-provisional accepts under it".to_owned()
        }
        (None, Some(_)) => "; the certificate is not for these models and forms".to_owned(),
        (None, None) => "; there is no risk certificate: `uketsuke calibrate` makes one".to_owned(),
    };
    let space = if why.starts_with(';') { "" } else { " " };
    format!("{accepted} of {fields} fields accepted, {blank} accepted as blank{space}{why}")
}
