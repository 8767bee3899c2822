//! `uketsuke export`: transfers to the bank in two steps by two people, letters to applicants, and the
//! states of all applications for the municipality.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand, ValueEnum};
use futures_util::StreamExt;

use super::applications::By;
use super::records::{self, is_broken_pipe};
use super::{Common, letters, with_database};
use crate::approve::state;
use crate::check::Finding;
use crate::export::{BankProfile, CityReport, ControlSheet, TransferFile, control_sheet};
use crate::settings::Settings;
use crate::store::application_facts::{self, ApplicationFacts};
use crate::store::daily_numbers::daily_numbers;
use crate::store::transfers::{self, Transfer};
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
    Transfer(TransferCommand),
    Status(Status),
    Letters(letters::Arguments),
    /// Write numbers for the municipality: numbers.csv by day and district, and a page with plots
    ///
    /// No application is named in either. Every record is looked at for its findings: some minutes
    /// where there are a million.
    Report {
        /// A new folder, or one whose report is written anew
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// The register's column that districts stand in
        #[arg(long, value_name = "COLUMN", default_value = "ward")]
        district: String,
    },
}

#[derive(Debug, Subcommand)]
enum TransferCommand {
    /// Put every household that is approved, unpaid and not stopped into a transfer
    Propose {
        /// 振込指定日, a day on which banks work
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: NaiveDate,
        /// The bank's contract: a file of config/transfer, without .toml
        #[arg(long, value_name = "NAME")]
        profile: String,
        #[command(flatten)]
        by: By,
    },
    /// Agree to a proposed transfer, as another person than its maker: marks its payments as
    /// requested and writes the bank's files and the control sheet
    Approve {
        #[arg(value_name = "TRANSFER")]
        transfer: i64,
        /// The folder for the files
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        by: By,
    },
    /// Let a proposed transfer go; its households can be proposed again
    Withdraw {
        #[arg(value_name = "TRANSFER")]
        transfer: i64,
        #[command(flatten)]
        by: By,
    },
    /// Write the files of an approved transfer once more, the same bytes as the first time
    Files {
        #[arg(value_name = "TRANSFER")]
        transfer: i64,
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Show all transfers, the newest first
    List,
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
        Command::Transfer(TransferCommand::Propose { date, profile, by }) => {
            propose(common, date, &profile, &by.name()?)
        }
        Command::Transfer(TransferCommand::Approve { transfer, out, by }) => {
            approve(common, transfer, &out, &by.name()?)
        }
        Command::Transfer(TransferCommand::Withdraw { transfer, by }) => {
            let by = by.name()?;
            with_database(common, async |database: &Database| {
                Ok(transfers::withdraw(database, transfer, &by).await?)
            })?;
            print_result(common, &serde_json::json!({ "transfer": transfer, "state": "withdrawn" }), || {
                format!("transfer {transfer} is withdrawn")
            });
            Ok(())
        }
        Command::Transfer(TransferCommand::Files { transfer, out }) => {
            let (transfer, files) = with_database(common, async |database: &Database| {
                Ok(transfers::files(database, transfer).await?)
            })?;
            write(common, &transfer, &files, &out)
        }
        Command::Transfer(TransferCommand::List) => list(common),
        Command::Letters(arguments) => letters::run(common, arguments),
        Command::Report { out, district } => report(common, &out, &district),
        Command::Status(arguments) => with_database(common, async |database: &Database| {
            let output = BufWriter::new(io::stdout().lock());
            match status(database, &arguments, common.json, output).await {
                // Whoever reads has seen enough.
                Err(error) if is_broken_pipe(&error) => Ok(()),
                result => result,
            }
        }),
    }
}

fn print_result(common: &Common, json: &serde_json::Value, text: impl FnOnce() -> String) {
    if common.json {
        println!("{json}");
    } else {
        println!("{}", text());
    }
}

fn propose(common: &Common, date: NaiveDate, profile: &str, by: &str) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let profile = BankProfile::load(&settings.paths.transfer, profile)?;
    let proposed = with_database(common, async |database: &Database| {
        Ok(transfers::propose(database, &profile, date, by).await?)
    })?;
    for (application, error) in &proposed.refused {
        eprintln!("application {application} is not paid through this bank: {error}");
    }
    let refused = proposed.refused.len();
    let json = serde_json::json!({
        "transfer": proposed.transfer,
        "payments": proposed.payments,
        "total": proposed.total,
        "refused": proposed.refused.iter().map(|(application, _)| application).collect::<Vec<_>>(),
    });
    print_result(common, &json, || match proposed.transfer {
        Some(transfer) => format!(
            "transfer {transfer}: {} payments of {} yen on {date}, {refused} refused; another person than {by} \
             approves it with `uketsuke export transfer approve {transfer} --out DIR`",
            proposed.payments, proposed.total
        ),
        None => format!("nobody is to be paid; {refused} refused"),
    });
    Ok(())
}

fn approve(common: &Common, id: i64, out: &Path, by: &str) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let banks = super::banks(&settings)?;
    let (transfer, files) = with_database(common, async |database: &Database| {
        let all = transfers::list(database).await?;
        let transfer = all.into_iter().find(|transfer| transfer.id == id);
        let transfer = transfer.ok_or(transfers::TransferFault::Unknown(id))?;
        let profile = BankProfile::load(&settings.paths.transfer, &transfer.profile)?;
        // Before anything is asked of the bank: a folder that cannot be written is told now.
        fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
        transfers::approve(database, id, by, &profile, banks.as_ref()).await?;
        Ok(transfers::files(database, id).await?)
    })?;
    write(common, &transfer, &files, out)
}

/// Writes the files and their sheet, for their owner only: they are names and accounts. Whoever is
/// killed here calls `files` again, which writes the same bytes.
fn write(common: &Common, transfer: &Transfer, files: &[TransferFile], out: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        !files.is_empty(),
        "transfer {} is {}; it has files once it is approved",
        transfer.id,
        transfer.state
    );
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let settings = Settings::load(common.config.as_deref())?;
    let consignor = BankProfile::load(&settings.paths.transfer, &transfer.profile)?.consignor_name;
    let mut named = Vec::new();
    for (place, file) in files.iter().enumerate() {
        let name = format!("transfer-{}-{}.txt", transfer.id, place + 1);
        write_private(&out.join(&name), &file.bytes)?;
        named.push((name, file.payments, file.total, file.sha256));
    }
    let sheet = control_sheet(&ControlSheet {
        transfer: transfer.id,
        profile: &transfer.profile,
        consignor: consignor.as_str(),
        pay_on: transfer.pay_on,
        maker: &transfer.maker,
        checker: transfer.checker.as_deref().unwrap_or_default(),
        approved_at: transfer.decided_at.unwrap_or(transfer.proposed_at),
        files: named.clone(),
    });
    write_private(&out.join(format!("transfer-{}-sheet.txt", transfer.id)), sheet.as_bytes())?;
    let listed: Vec<serde_json::Value> = named
        .iter()
        .map(|(name, payments, total, sha256)| {
            serde_json::json!({ "file": name, "payments": payments, "total": total, "sha256": sha256 })
        })
        .collect();
    let json = serde_json::json!({ "transfer": transfer.id, "files": listed });
    print_result(common, &json, || {
        format!(
            "transfer {}: {} payments of {} yen requested; {} files and the control sheet are in {}",
            transfer.id,
            transfer.payments,
            transfer.total,
            files.len(),
            out.display()
        )
    });
    Ok(())
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

fn list(common: &Common) -> anyhow::Result<()> {
    let transfers = with_database(common, async |database: &Database| Ok(transfers::list(database).await?))?;
    if common.json {
        println!("{}", serde_json::to_string(&transfers)?);
        return Ok(());
    }
    for transfer in transfers {
        let Transfer { id, profile, pay_on, state, payments, total, maker, checker, .. } = transfer;
        let checker = checker.unwrap_or_else(|| "-".to_owned());
        println!(
            "{id:>6}  {pay_on}  {state:<9}  {payments:>7} payments  {total:>15} yen  {profile}  {maker} / {checker}"
        );
    }
    Ok(())
}

async fn status(
    database: &Database,
    arguments: &Status,
    json: bool,
    mut output: impl Write,
) -> anyhow::Result<()> {
    let is_json = json || arguments.format == Format::Json;
    if !is_json {
        writeln!(output, "application_id,state,public,changed_at")?;
    }
    let mut all = std::pin::pin!(application_facts::all(database, arguments.since));
    while let Some(row) = all.next().await {
        let row: Result<ApplicationFacts, StoreError> = row;
        let ApplicationFacts { application, facts, changed_at } = row?;
        let state = state(&facts);
        let changed_at = changed_at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        let public = state.public().sentence();
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

/// What the report needs of a record.
#[derive(serde::Deserialize)]
struct Found {
    findings: Vec<Finding>,
}

fn report(common: &Common, out: &Path, district: &str) -> anyhow::Result<()> {
    let report = with_database(common, async |database: &Database| {
        let mut report =
            CityReport { days: daily_numbers(database, district).await?, ..CityReport::default() };
        let mut all = std::pin::pin!(application_facts::all(database, None));
        while let Some(row) = all.next().await {
            *report.states.entry(state(&row?.facts)).or_default() += 1;
        }
        records::each(database, None, |record| {
            let found: Found = serde_json::from_str(record)?;
            for Finding { defect, code, .. } in found.findings {
                *report.findings.entry((defect, code)).or_default() += 1;
            }
            Ok(())
        })
        .await?;
        Ok(report)
    })?;
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    write_private(&out.join("numbers.csv"), report.csv().as_bytes())?;
    write_private(&out.join("index.html"), report.html(Utc::now()).as_bytes())?;
    let json = serde_json::json!({ "out": out, "days": report.days.len(), "states": report.states });
    print_result(common, &json, || format!("numbers.csv and index.html are in {}", out.display()));
    Ok(())
}
