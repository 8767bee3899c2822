//! Lists that the municipality and the bank give us, as CSV files: read whole, or refused with the line.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use chrono::NaiveDate;

use crate::rows::{Row, Rows};

/// The rows of a CSV file with these columns, each made into something by `parse`, whose errors are told
/// with their line.
pub(super) fn listed<T, const N: usize>(
    path: &Path,
    columns: [&'static str; N],
    mut parse: impl FnMut([String; N]) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("{name}: cannot be read"))?;
    let rows = Rows::of(BufReader::new(file), columns).with_context(|| name.to_string())?;
    rows.map(|row| {
        let Row { line, values, .. } = row.with_context(|| name.to_string())?;
        parse(values).with_context(|| format!("{name}, line {line}"))
    })
    .collect()
}

/// A date in a list.
pub(super) fn listed_date(text: &str, column: &str) -> anyhow::Result<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .with_context(|| format!("{column} is no date like 2020-05-31"))
}
