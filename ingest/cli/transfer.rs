//! `uketsuke transfer`: files that go to the bank, ours or not.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::applications::By;
use super::listed::{listed, listed_date};
use super::{Common, with_database};
use crate::application_id::{ApplicationId, ApplicationIdError};
use crate::approve::ReturnReason;
use crate::export::{self, Fault, Report};
use crate::settings::Settings;
use crate::store::Database;
use crate::store::returned_payments::{ReturnedPayment, TakenBack, take_back};

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
    /// Take back payments that the bank could not carry out: their applications are reopened
    ///
    /// CSV in UTF-8 with the columns application_id (or the 20 digits of 顧客コード), pay_on (the date
    /// of the transfer, 2020-06-30) and reason (number, holder, closed, other); further columns are
    /// ignored. Loading a file again changes nothing.
    Returns {
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        #[command(flatten)]
        by: By,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Verify { file } => verify(common, &file),
        Command::Returns { file, by } => returns(common, &file, &by.name()?),
    }
}

fn verify(common: &Common, path: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let banks = super::banks(&Settings::load(common.config.as_deref())?)?;
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

/// An application ID, or the customer codes that transfer files carry it in.
fn reference(text: &str) -> Result<ApplicationId, ApplicationIdError> {
    match text.strip_prefix("0000000") {
        Some(id) if text.len() == 20 => ApplicationId::parse(id),
        _ => ApplicationId::parse(text),
    }
}

fn returned_payments(path: &Path) -> anyhow::Result<Vec<ReturnedPayment>> {
    listed(path, ["application_id", "pay_on", "reason"], |[id, pay_on, reason]| {
        Ok(ReturnedPayment {
            application: reference(&id).context("application_id")?,
            pay_on: listed_date(&pay_on, "pay_on")?,
            reason: ReturnReason::named(&reason).context("reason is number, holder, closed or other")?,
        })
    })
}

fn returns(common: &Common, path: &Path, by: &str) -> anyhow::Result<()> {
    let returned = returned_payments(path)?;
    let (reopened, known, unknown) = with_database(common, async |database: &Database| {
        let (mut reopened, mut known, mut unknown) = (0, 0, Vec::new());
        for returned in returned {
            match take_back(database, returned, by).await? {
                TakenBack::Reopened => reopened += 1,
                TakenBack::Known => known += 1,
                TakenBack::NoSuchPayment => unknown.push(returned.application),
            }
        }
        Ok((reopened, known, unknown))
    })?;
    if common.json {
        println!(
            "{}",
            serde_json::json!({ "reopened": reopened, "known": known, "no_such_payment": unknown })
        );
    } else {
        println!("{reopened} reopened, {known} known before, {} not requested", unknown.len());
    }
    anyhow::ensure!(
        unknown.is_empty(),
        "nothing was requested on that date for: {}",
        unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}
