//! `uketsuke quarantine`: scans that could not be read, and the way back.

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Common, OPERATOR, with_database};
use crate::settings::Settings;
use crate::store::Database;
use crate::store::jobs;
use crate::store::scans::{self, ScanId};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the scans in quarantine: number, station/batch/file and reason
    List,
    /// Put scans back to be read, with all their attempts
    Retry {
        /// Numbers as `quarantine list` shows them
        #[arg(required = true, value_name = "SCAN")]
        scans: Vec<ScanId>,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::List => with_database(common, async |database: &Database| list(database, common.json).await),
        Command::Retry { scans } => retry(common, &scans),
    }
}

const CHUNK: u32 = 500;

async fn list(database: &Database, as_json: bool) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let scans = scans::quarantined(database, after, CHUNK).await?;
        let Some(last) = scans.last() else { return Ok(()) };
        after = Some(last.id);
        for scan in scans {
            if as_json {
                println!("{}", serde_json::to_string(&scan)?);
                continue;
            }
            let batch = scan.batch.map(|batch| format!("/{batch}")).unwrap_or_default();
            let place = format!("{}{batch}/{}", scan.station, scan.file);
            // A file's name may hold line breaks and worse.
            println!("{}\t{}\t{}", scan.id, place.escape_debug(), scan.reason.unwrap_or_default());
        }
    }
}

fn retry(common: &Common, scans: &[ScanId]) -> anyhow::Result<()> {
    let attempts = Settings::load(common.config.as_deref())?.jobs.max_attempts;
    with_database(common, async |database: &Database| {
        for &scan in scans {
            let back = jobs::requeue(database, scan, OPERATOR, attempts)
                .await
                .with_context(|| format!("scan {scan}"))?;
            anyhow::ensure!(back, "scan {scan} is not in quarantine; see `uketsuke quarantine list`");
            eprintln!("scan {scan} waits to be read again");
        }
        Ok(())
    })
}
