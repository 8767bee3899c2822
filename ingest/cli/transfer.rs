//! `uketsuke transfer`: files that go to the bank, ours or not.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::Common;
use crate::export::{self, Fault, Report};
use crate::reference::{BankTable, ReferenceError};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a transfer file against the bank association's format, whoever wrote it
    ///
    /// Records of 120 bytes with CRLF, LF or nothing between them. Every fault is told with its
    /// position and reason, and makes the command exit with 1. Notices (a bank that the table does
    /// not have) do not.
    Verify {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Verify { file } => verify(common, &file),
    }
}

fn verify(common: &Common, path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let banks = banks(&Settings::load(common.config.as_deref())?)?;
    let report = export::verify(&bytes, banks.as_ref());
    if common.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    let faults = report.faults.len();
    anyhow::ensure!(faults == 0, "{}: {faults} faults; the bank would refuse the file", path.display());
    Ok(())
}

/// The table of banks, where it was fetched.
pub(super) fn banks(settings: &Settings) -> anyhow::Result<Option<BankTable>> {
    match BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases) {
        Ok(table) => Ok(Some(table)),
        Err(ReferenceError::Missing(path)) => {
            tracing::warn!(
                "{}: there is no table of banks; codes are not looked up (scripts/setup fetches it)",
                path.display()
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn print(report: &Report) {
    let each = |label: &str, faults: &[Fault]| faults.iter().for_each(|fault| println!("{label}: {fault}"));
    each("fault", &report.faults);
    each("notice", &report.notices);
    println!(
        "{} payments of {} yen in {} sets; {} faults, {} notices",
        report.payments,
        report.total,
        report.sets,
        report.faults.len(),
        report.notices.len()
    );
}
