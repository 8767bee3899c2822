//! `uketsuke register`: the municipality's register of households.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Common, OPERATOR, with_database};
use crate::register::{Household, read_register};
use crate::simulate::register::write_register;
use crate::store::register::{self, Imported};
use crate::store::{Database, StoreError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load households from a CSV file: add those that are new, change those that differ
    ///
    /// A row that is refused is named on stderr with its line and reason; all other rows are kept,
    /// and the command exits with 1. Nobody is removed. Loading a file again changes nothing.
    Import {
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
    },
    /// Write a register of households that do not exist, for demonstrations and measurements
    Generate(Generate),
}

#[derive(Debug, Args)]
struct Generate {
    /// How many households
    #[arg(long, value_name = "N")]
    count: u64,
    /// The same seed gives the same households
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write
    #[arg(long, value_name = "FILE.csv")]
    out: PathBuf,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Import { file } => import(common, &file),
        Command::Generate(arguments) => generate(common, &arguments),
    }
}

/// Rows a transaction.
const BATCH: usize = 1000;

/// Refused rows that the JSON report repeats; stderr names all.
const REPEATED_REFUSALS: usize = 1000;

#[derive(Debug, Serialize)]
struct Report {
    file: PathBuf,
    added: u64,
    changed: u64,
    unchanged: u64,
    refused: u64,
    /// The first [`REPEATED_REFUSALS`].
    refusals: Vec<String>,
}

fn import(common: &Common, path: &Path) -> anyhow::Result<()> {
    let named = || path.display().to_string();
    let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    let bytes = file.metadata().with_context(named)?.len();
    let progress = ProgressBar::new(bytes).with_style(ProgressStyle::with_template(
        "{bar:40} {decimal_bytes}/{decimal_total_bytes}, {eta} left",
    )?);
    let rows = read_register(progress.wrap_read(file)).with_context(named)?;
    let report = with_database(common, async |database: &Database| {
        let mut report = Report {
            file: path.to_owned(),
            added: 0,
            changed: 0,
            unchanged: 0,
            refused: 0,
            refusals: Vec::new(),
        };
        let mut batch = Vec::with_capacity(BATCH);
        for row in rows {
            match row {
                Ok(household) => batch.push(household),
                Err(refusal) => {
                    report.refused += 1;
                    progress.suspend(|| eprintln!("{}: {refusal}", path.display()));
                    if report.refusals.len() < REPEATED_REFUSALS {
                        report.refusals.push(refusal.to_string());
                    }
                }
            }
            if batch.len() == BATCH {
                keep(database, &mut batch, &mut report).await?;
            }
        }
        keep(database, &mut batch, &mut report).await?;
        let Report { added, changed, unchanged, refused, .. } = report;
        register::note_import(database, OPERATOR, Imported { added, changed, unchanged }, refused).await?;
        Ok(report)
    })?;
    progress.finish_and_clear();
    let Report { added, changed, unchanged, refused, .. } = report;
    if common.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{added} added, {changed} changed, {unchanged} unchanged, {refused} refused");
    }
    anyhow::ensure!(
        refused == 0,
        "{}: {refused} rows were refused (see above), the others are kept",
        path.display()
    );
    Ok(())
}

async fn keep(
    database: &Database,
    batch: &mut Vec<Household>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let imported = register::import(database, batch).await?;
    report.added += imported.added;
    report.changed += imported.changed;
    report.unchanged += imported.unchanged;
    batch.clear();
    Ok(())
}

fn generate(common: &Common, arguments: &Generate) -> anyhow::Result<()> {
    let name = arguments.out.display();
    let file = File::create(&arguments.out).with_context(|| format!("{name} cannot be written"))?;
    write_register(arguments.seed, arguments.count, BufWriter::new(file))
        .with_context(|| format!("{name} cannot be written"))?;
    if common.json {
        println!("{}", serde_json::json!({ "households": arguments.count }));
    } else {
        println!("{} households in {name}", arguments.count);
    }
    Ok(())
}
