//! `uketsuke export transfer`: paying, in two steps by two people.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::NaiveDate;
use clap::Subcommand;

use super::super::payer::Payer;
use super::super::{Common, banks, with_database};
use super::{print_result, write_private};
use crate::export::{BankProfile, ControlSheet, ListedFile, TransferFile, control_page, control_text};
use crate::settings::Settings;
use crate::store::Database;
use crate::store::objects::KeyRing;
use crate::store::transfers::{self, Transfer};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Put every household that is approved, unpaid and not stopped into a transfer
    Propose {
        /// 振込指定日, a day on which banks work
        #[arg(long, value_name = "YYYY-MM-DD")]
        date: NaiveDate,
        /// The bank's contract: a file of config/transfer, without .toml
        #[arg(long, value_name = "NAME")]
        profile: String,
        #[command(flatten)]
        by: Payer,
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
        by: Payer,
    },
    /// Let a proposed transfer go; its households can be proposed again
    Withdraw {
        #[arg(value_name = "TRANSFER")]
        transfer: i64,
        #[command(flatten)]
        by: Payer,
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

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Propose { date, profile, by } => propose(common, date, &profile, by),
        Command::Approve { transfer, out, by } => approve(common, transfer, &out, by),
        Command::Withdraw { transfer, by } => withdraw(common, transfer, by),
        Command::Files { transfer, out } => {
            let settings = Settings::load(common.config.as_deref())?;
            let keys = KeyRing::load(settings.objects.keys_file.as_deref())?;
            let (transfer, files) = with_database(common, async |database: &Database| {
                Ok(transfers::files(database, transfer, keys.as_ref()).await?)
            })?;
            write(common, &transfer, &files, &out)
        }
        Command::List => list(common),
    }
}

fn withdraw(common: &Common, transfer: i64, by: Payer) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let by = by.proof()?;
    with_database(common, async |database: &Database| {
        let by = by.log_in(database, &settings.review).await?;
        Ok(transfers::withdraw(database, transfer, &by).await?)
    })?;
    print_result(common, &serde_json::json!({ "transfer": transfer, "state": "withdrawn" }), || {
        format!("transfer {transfer} is withdrawn")
    });
    Ok(())
}

fn propose(common: &Common, date: NaiveDate, profile: &str, by: Payer) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let profile = BankProfile::load(&settings.paths.transfer, profile)?;
    let by = by.proof()?;
    let (proposed, by) = with_database(common, async |database: &Database| {
        let by = by.log_in(database, &settings.review).await?;
        Ok((transfers::propose(database, &profile, date, &by).await?, by))
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

fn approve(common: &Common, id: i64, out: &Path, by: Payer) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let banks = banks(&settings)?;
    let keys = KeyRing::load(settings.objects.keys_file.as_deref())?;
    let by = by.proof()?;
    let (transfer, files) = with_database(common, async |database: &Database| {
        let by = by.log_in(database, &settings.review).await?;
        let all = transfers::list(database).await?;
        let transfer = all.into_iter().find(|transfer| transfer.id == id);
        let transfer = transfer.ok_or(transfers::TransferFault::Unknown(id))?;
        let profile = BankProfile::load(&settings.paths.transfer, &transfer.profile)?;
        // Before anything is asked of the bank: a folder that cannot be written is told now.
        fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
        transfers::approve(database, id, &by, &profile, banks.as_ref(), keys.as_ref()).await?;
        Ok(transfers::files(database, id, keys.as_ref()).await?)
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
    let mut listed = Vec::new();
    for (place, file) in files.iter().enumerate() {
        let name = format!("transfer-{}-{}.txt", transfer.id, place + 1);
        write_private(&out.join(&name), &file.bytes)?;
        let TransferFile { payments, total, sha256, .. } = *file;
        listed.push(ListedFile { name, payments, total, sha256 });
    }
    let sheet = ControlSheet {
        transfer: transfer.id,
        profile: &transfer.profile,
        consignor: consignor.as_str(),
        pay_on: transfer.pay_on,
        maker: &transfer.maker,
        checker: transfer.checker.as_deref().unwrap_or_default(),
        approved_at: transfer.decided_at.unwrap_or(transfer.proposed_at),
        files: listed,
    };
    let sheet_path = |extension| out.join(format!("transfer-{}-sheet.{extension}", transfer.id));
    write_private(&sheet_path("txt"), control_text(&sheet).as_bytes())?;
    write_private(&sheet_path("pdf"), &control_page(&sheet)?)?;
    let listed: Vec<serde_json::Value> = sheet
        .files
        .iter()
        .map(|ListedFile { name, payments, total, sha256 }| {
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
