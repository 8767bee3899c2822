//! `uketsuke export`: transfers to the bank in two steps by two people, letters to applicants, the states of
//! all applications for the municipality, and what QA saw for a calibration.

mod judged;
mod letters;
mod report;
mod transfer;

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt;

use super::records::is_broken_pipe;
use super::{Common, with_database};
use crate::approve::state;
use crate::settings::{self, Settings};
use crate::store::application_facts::{self, ApplicationFacts};
use crate::store::{Database, StoreError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Pay: one person proposes a transfer, another approves it, and the files for the bank are written
    #[command(subcommand)]
    Transfer(transfer::Command),
    Status(Status),
    Letters(letters::Arguments),
    Report(report::Arguments),
    Judged(judged::Arguments),
}

/// Print the state of every application of the register, and the sentence that the applicant is told
///
/// Columns: application_id, state, public, changed_at. States follow from what has happened
/// (docs/transfer.md); nobody sets them.
#[derive(Debug, Args)]
struct Status {
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Only applications that something has happened to since; take the time of the last feed
    #[arg(long, value_name = "2020-06-30T09:00:00Z")]
    since: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    /// One object a line
    Json,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Transfer(command) => transfer::run(common, command),
        Command::Letters(arguments) => letters::run(common, arguments),
        Command::Report(arguments) => report::run(common, &arguments),
        Command::Judged(arguments) => judged::run(common, &arguments),
        Command::Status(arguments) => {
            let told = Settings::load(common.config.as_deref())?.public_page;
            with_database(common, async |database: &Database| {
                let output = BufWriter::new(io::stdout().lock());
                match status(database, &arguments, &told, common.json, output).await {
                    // Whoever reads has seen enough.
                    Err(error) if is_broken_pipe(&error) => Ok(()),
                    result => result,
                }
            })
        }
    }
}

fn print_result(common: &Common, json: &serde_json::Value, text: impl FnOnce() -> String) {
    if common.json {
        println!("{json}");
    } else {
        println!("{}", text());
    }
}

/// Whole or not at all: what is there under another name is put in place.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let context = || format!("{}: cannot be written", path.display());
    let part = path.with_extension("part");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .with_context(context)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(context)?;
    fs::rename(&part, path).with_context(context)
}

async fn status(
    database: &Database,
    arguments: &Status,
    told: &settings::PublicPage,
    json: bool,
    mut output: impl Write,
) -> anyhow::Result<()> {
    let is_json = json || arguments.format == Format::Json;
    if !is_json {
        writeln!(output, "application_id,state,public,changed_at")?;
    }
    let mut all = std::pin::pin!(application_facts::all(database, arguments.since, told.paid_after_days));
    while let Some(row) = all.next().await {
        let row: Result<ApplicationFacts, StoreError> = row;
        let ApplicationFacts { application, facts, changed_at } = row?;
        let state = state(&facts);
        let changed_at = changed_at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        let public = state.public(&told.further).sentence();
        if is_json {
            let object = serde_json::json!({
                "application_id": application, "state": state.name(), "public": public, "changed_at": changed_at,
            });
            writeln!(output, "{object}")?;
        } else {
            writeln!(output, "{application},{},{public},{}", state.name(), changed_at.unwrap_or_default())?;
        }
    }
    Ok(output.flush()?)
}
