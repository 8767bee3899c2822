//! `uketsuke export report`: numbers for the municipality.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use chrono::Utc;
use clap::Args;
use futures_util::StreamExt;

use super::super::{Common, with_database};
use super::{print_result, write_private};
use crate::approve::state;
use crate::check::Finding;
use crate::export::{CityReport, Measure};
use crate::score::Disposition;
use crate::settings::Settings;
use crate::store::Database;
use crate::store::application_facts;
use crate::store::daily_numbers::{DatedRecord, daily_numbers, dated_records};

/// Write numbers for the municipality by day and district, as CSV, and a page with plots
///
/// numbers.csv: what was received, read, accepted, decided by people, escalated, written to applicants,
/// requested of the bank and returned; defects.csv: what was found in forms, by code; index.html: sums and
/// plots. No application is named. Every record is looked at: some minutes where there are a million.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A new folder, or one whose report is written anew
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The register's column that districts stand in
    #[arg(long, value_name = "COLUMN", default_value = "ward")]
    district: String,
}

/// What the report needs of a record.
#[derive(serde::Deserialize)]
struct Read {
    findings: Vec<Finding>,
    fields: BTreeMap<String, ReadField>,
}

#[derive(serde::Deserialize)]
struct ReadField {
    disposition: Disposition,
}

/// Records that are fetched at once; one has some 30 kB.
const CHUNK: u32 = 200;

pub(super) fn run(common: &Common, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { out, district } = arguments;
    let paid_after_days = Settings::load(common.config.as_deref())?.public_page.paid_after_days;
    let report = with_database(common, async |database: &Database| {
        let mut report =
            CityReport { days: daily_numbers(database, district).await?, ..CityReport::default() };
        let mut all = std::pin::pin!(application_facts::all(database, None, paid_after_days));
        while let Some(row) = all.next().await {
            *report.states.entry(state(&row?.facts)).or_default() += 1;
        }
        let mut after = None;
        loop {
            let records = dated_records(database, district, after, CHUNK).await?;
            let Some(last) = records.last() else { return Ok(report) };
            after = Some(last.place);
            for record in records {
                count(&mut report, record)?;
            }
        }
    })?;
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    write_private(&out.join("numbers.csv"), report.csv().as_bytes())?;
    write_private(&out.join("defects.csv"), report.defects_csv().as_bytes())?;
    write_private(&out.join("index.html"), report.html(Utc::now()).as_bytes())?;
    let json = serde_json::json!({ "out": out, "days": report.days.len(), "states": report.states });
    print_result(common, &json, || {
        format!("numbers.csv, defects.csv and index.html are in {}", out.display())
    });
    Ok(())
}

fn count(report: &mut CityReport, record: DatedRecord) -> anyhow::Result<()> {
    let DatedRecord { day, district, json, .. } = record;
    let Read { findings, fields } = serde_json::from_str(&json)?;
    let of = (day, district);
    let is_defective = findings.iter().any(|finding| finding.defect.is_some());
    let found: BTreeSet<_> = findings.iter().map(|finding| (finding.defect, finding.code)).collect();
    let counts = report.findings.entry(of.clone()).or_default();
    found.into_iter().for_each(|found| *counts.entry(found).or_default() += 1);
    let accepted =
        |field: &&ReadField| matches!(field.disposition, Disposition::Accepted | Disposition::Blank);
    let accepted = fields.values().filter(accepted).count() as u64;
    let numbers = report.days.entry(of).or_default();
    for (measure, number) in [
        (Measure::FieldsAccepted, accepted),
        (Measure::FieldsDoubtful, fields.len() as u64 - accepted),
        (Measure::Defective, u64::from(is_defective)),
    ] {
        *numbers.entry(measure).or_default() += number;
    }
    Ok(())
}
