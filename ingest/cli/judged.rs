//! Records and truth as a command is given them, judged one record after another.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{Common, records, with_database};
use crate::evaluate::{Account, Comparison, Judged, Truths, json_line, json_lines};
use crate::form::Forms;
use crate::publish::Record;

#[derive(Debug, Args)]
pub(super) struct Source {
    /// What is true of every page, as 'uketsuke simulate' writes it; any number of files
    #[arg(long = "truth", required = true, num_args = 1.., value_name = "TRUTH.jsonl")]
    truths: Vec<PathBuf>,
    /// Records as 'uketsuke records' prints them, or '-' for standard input; else those of the
    /// database of --data
    #[arg(long, value_name = "FILE|-")]
    records: Option<PathBuf>,
}

/// A record's name in errors.
const RECORD: &str = "a record";

impl Source {
    /// Shows each record to `visit`, with its fields whose truth is known; they are in memory one
    /// record at a time. Returns what became of all records and of all truth.
    pub fn judge(
        &self,
        common: &Common,
        forms: &Forms,
        mut visit: impl FnMut(&Record, Vec<Judged>),
    ) -> anyhow::Result<Account> {
        let truths = truths(&self.truths)?;
        let mut comparison = Comparison::new(&truths, forms);
        each_record(common, self.records.as_deref(), |record| {
            let judged = comparison.judge(&record);
            visit(&record, judged);
        })?;
        Ok(comparison.account())
    }
}

/// What is true of every page, out of all the files.
pub(super) fn truths(paths: &[PathBuf]) -> anyhow::Result<Truths> {
    let mut truths = Truths::default();
    add_truths(&mut truths, paths)?;
    Ok(truths)
}

/// Adds what is true of further pages.
pub(super) fn add_truths(truths: &mut Truths, paths: &[PathBuf]) -> anyhow::Result<()> {
    for path in paths {
        truths.read(open(path)?).with_context(|| format!("{} cannot be used as truth", path.display()))?;
    }
    Ok(())
}

/// Shows each record to `visit`, one at a time: those of a file, else those of the database.
pub(super) fn each_record(
    common: &Common,
    file: Option<&Path>,
    mut visit: impl FnMut(Record),
) -> anyhow::Result<()> {
    let Some(path) = file else {
        return with_database(common, async |database| {
            let mut line = 0;
            records::each(database, None, |json| {
                line += 1;
                visit(json_line(json, line, RECORD).context("a record of the database cannot be used")?);
                Ok(())
            })
            .await
        });
    };
    for record in json_lines(open(path)?, RECORD) {
        visit(record.with_context(|| format!("{} cannot be used as records", path.display()))?);
    }
    Ok(())
}

/// Opens a file; '-' is standard input.
pub(super) fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}
