//! `uketsuke export judged`: what QA saw, for `calibrate --judged`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{Common, with_database};
use super::{print_result, write_private};
use crate::review::{JudgedReadings, judged_readings};
use crate::settings::Settings;
use crate::store::Database;

/// Write what QA saw in fields, as readings that `calibrate --judged` learns from and certifies on
///
/// A line a field: {"capture_id", "field", "value"}, the value null for an empty field. QA looks at some
/// fields more often than at others; of these only so many are written that every reading, accepted or
/// decided by people, was equally likely to be in the file. With samples that still wait for QA it is no
/// random sample: have them judged first. The file holds personal data and is readable by its owner only.
///
///   uketsuke export judged --out judged.jsonl
///   uketsuke calibrate --judged judged.jsonl
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arguments {
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which part of all readings, at most what everything was drawn with; [default: just that]
    #[arg(long, value_name = "SHARE")]
    rate: Option<f64>,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let judged = with_database(common, async |database: &Database| {
        Ok(judged_readings(database, &settings.review, arguments.rate).await?)
    })?;
    let JudgedReadings { rate, readings, waiting, illegible } = judged;
    let mut lines = String::new();
    for reading in &readings {
        lines += &serde_json::to_string(reading)?;
        lines.push('\n');
    }
    write_private(&arguments.out, lines.as_bytes())?;
    if waiting > 0 {
        eprintln!("{waiting} samples wait for QA: until they are judged this is no random sample");
    }
    let (count, share) = (readings.len(), 100.0 * rate);
    let told = json!({ "readings": count, "rate": rate, "waiting": waiting, "illegible": illegible });
    print_result(common, &told, || {
        format!("{count} readings, {share:.2} % of all that are complete; {illegible} more are illegible")
    });
    Ok(())
}
