//! `uketsuke objects`: the object store's upkeep.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Common, OPERATOR, runtime};
use crate::fleet::CONDEMNED_FOR;
use crate::settings::Settings;
use crate::store::objects::{KeyId, KeyRing, ObjectKind, ObjectStore, Reencrypted};
use crate::store::sweep::{SweepRule, Swept, sweep};
use crate::store::transfers;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take away objects that no row names: what killed attempts left behind
    ///
    /// In two steps: what is unnamed and old enough is condemned; a sweep at least a day later takes
    /// away what is still unnamed then. Run it once a day. Originals are never swept.
    Sweep {
        /// Age from which an unnamed object is condemned: a number and s, m, h or d
        #[arg(long, value_name = "AGE", default_value = "7d", value_parser = age)]
        older_than: Duration,
        /// Change nothing, only count
        #[arg(long)]
        dry_run: bool,
    },
    /// Encrypt everything with the key that writes: objects, and the transfer files in the database
    ///
    /// After a new key was put first, or when encryption was switched on. What has it already
    /// is passed over, so that it can be stopped and run again, also while the service runs.
    Reencrypt,
    /// Print a new key, as a line for the file that objects.keys_file names
    Key {
        /// What to call it, such as 2026-11
        #[arg(value_name = "NAME")]
        id: KeyId,
    },
}

fn age(text: &str) -> Result<Duration, String> {
    let bad = || "write a number and s, m, h or d, such as 7d".to_owned();
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(bad)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(bad)
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Sweep { older_than, dry_run } => sweep_objects(common, older_than, dry_run),
        Command::Reencrypt => reencrypt(common),
        Command::Key { id } => {
            let line = KeyRing::new_line(&id).context("the system gives no random numbers")?;
            println!("{}", *line);
            Ok(())
        }
    }
}

fn sweep_objects(common: &Common, older_than: Duration, dry_run: bool) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let rule = SweepRule { older_than, condemned_for: CONDEMNED_FOR, dry_run };
    let swept = runtime()?.block_on(async {
        let store = common.objects().open(&settings.objects).await?;
        let database = common.database().await?;
        let swept = sweep(&database, &*store, OPERATOR, rule).await;
        database.close().await;
        anyhow::Ok(swept?)
    })?;
    if common.json {
        println!("{}", serde_json::to_string(&swept)?);
        return Ok(());
    }
    let Swept { seen, unnamed, condemned, removed, spared } = swept;
    let (condemned_now, removed_now) =
        if dry_run { ("to be condemned", "to be removed") } else { ("condemned", "removed") };
    print_counts(&[
        ("seen", seen),
        ("unnamed", unnamed),
        (condemned_now, condemned),
        (removed_now, removed),
        ("spared", spared),
    ]);
    Ok(())
}

/// Objects and transfer files by what was found of them.
#[derive(Debug, Default, Serialize)]
struct Reencryption {
    current: u64,
    rotated: u64,
    sealed: u64,
    failed: u64,
}

impl Reencryption {
    fn add(&mut self, found: Reencrypted) {
        match found {
            Reencrypted::Current => self.current += 1,
            Reencrypted::Rotated => self.rotated += 1,
            Reencrypted::Sealed => self.sealed += 1,
        }
    }
}

/// Keys that are listed at once.
const CHUNK: usize = 500;

fn reencrypt(common: &Common) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let counts = runtime()?.block_on(async {
        let store = common.objects().open_sealed(&settings.objects).await?.context(
            "there are no keys to encrypt with; `uketsuke objects key NAME` makes one for objects.keys_file",
        )?;
        let database = common.database().await?;
        let mut counts = Reencryption::default();
        let ring = KeyRing::load(settings.objects.keys_file.as_deref())?;
        if let Some(ring) = &ring {
            transfers::reencrypt(&database, ring, |found| counts.add(found)).await?;
        }
        database.close().await;
        for kind in ObjectKind::ALL {
            let mut keys = Vec::new();
            loop {
                keys = store.list(kind, keys.last(), CHUNK).await?;
                if keys.is_empty() {
                    break;
                }
                for key in &keys {
                    match store.reencrypt(key).await {
                        Ok(found) => counts.add(found),
                        Err(error) => {
                            counts.failed += 1;
                            eprintln!("uketsuke: {error}");
                        }
                    }
                }
            }
        }
        anyhow::Ok(counts)
    })?;
    if common.json {
        println!("{}", serde_json::to_string(&counts)?);
    } else {
        print_counts(&[
            ("had the key", counts.current),
            ("had another key", counts.rotated),
            ("were not encrypted", counts.sealed),
            ("failed", counts.failed),
        ]);
    }
    anyhow::ensure!(counts.failed == 0, "{} objects were left as they are", counts.failed);
    Ok(())
}

fn print_counts(counts: &[(&str, u64)]) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header(["objects", ""]);
    for (what, count) in counts {
        table.add_row([(*what).to_owned(), count.to_string()]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        assert_eq!(age("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(age("90m"), Ok(Duration::from_secs(5_400)));
        for text in ["", "7", "d", "7w", "-1d", "1.5h", "99999999999999999999d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
