//! Rows of a CSV file in UTF-8 with a header, read by the names of their columns: the register's, and the
//! lists that the municipality and the bank give us. Errors name the line and repeat nothing that stands
//! in it.

use std::io::Read;

/// Why a row, or the whole file, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error("cannot be read as CSV: {0}")]
    Csv(#[from] csv::Error),
    #[error("line {line}: the file is not UTF-8; save it as UTF-8 (CSV)")]
    NotUtf8 { line: u64 },
    #[error("the header lacks the column '{missing}'; it needs {needed}")]
    MissingColumn { missing: &'static str, needed: String },
    #[error("line {line}: the row has {found} columns, the header {expected}")]
    Ragged { line: u64, found: u64, expected: u64 },
}

/// The rows of a file that has at least the columns `N`, one after another.
pub struct Rows<R, const N: usize> {
    records: csv::StringRecordsIntoIter<R>,
    columns: Columns<N>,
}

struct Columns<const N: usize> {
    header: Vec<String>,
    names: [&'static str; N],
    places: [usize; N],
}

/// A row, with blanks around its values taken away.
pub struct Row<const N: usize> {
    pub line: u64,
    /// Of the columns that were asked for, in their order.
    pub values: [String; N],
    /// Of all other columns, with their names.
    pub further: Vec<(String, String)>,
}

impl<R: Read, const N: usize> Rows<R, N> {
    /// Reads the header, in which every one of `names` must stand.
    pub fn of(source: R, names: [&'static str; N]) -> Result<Self, RowsError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
        // Excel writes a byte order mark in front of the first column's name.
        let header: Vec<String> = reader
            .headers()
            .map_err(refused)?
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        let mut places = [0; N];
        for (place, missing) in places.iter_mut().zip(names) {
            let found = header.iter().position(|name| name == missing);
            *place = found.ok_or_else(|| RowsError::MissingColumn { missing, needed: names.join(", ") })?;
        }
        Ok(Self { records: reader.into_records(), columns: Columns { header, names, places } })
    }
}

impl<R: Read, const N: usize> Iterator for Rows<R, N> {
    type Item = Result<Row<N>, RowsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        Some(record.map_err(refused).map(|record| self.columns.row(&record)))
    }
}

impl<const N: usize> Columns<N> {
    fn row(&self, record: &csv::StringRecord) -> Row<N> {
        let further = self.header.iter().zip(record).filter(|(name, _)| !self.names.contains(&name.as_str()));
        Row {
            line: record.position().map_or(0, csv::Position::line),
            values: self.places.map(|place| record.get(place).unwrap_or_default().to_owned()),
            further: further.map(|(name, value)| (name.clone(), value.to_owned())).collect(),
        }
    }
}

fn refused(error: csv::Error) -> RowsError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => RowsError::NotUtf8 { line },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            RowsError::Ragged { line, found: *len, expected: *expected_len }
        }
        _ => RowsError::Csv(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Vec<String> {
        let rows = match Rows::of(text, ["id", "on"]) {
            Ok(rows) => rows,
            Err(error) => return vec![error.to_string()],
        };
        rows.map(|row| match row {
            Ok(Row { line, values, further }) => format!("{line} {values:?} {further:?}"),
            Err(error) => error.to_string(),
        })
        .collect()
    }

    #[test]
    fn columns_stand_in_any_order_and_rows_know_their_line() {
        let text = "\u{feff}on, note ,id\n1,\"two\nlines\",7\n2,,8\n3,8\n";
        assert_eq!(
            told(text.as_bytes()),
            [
                r#"2 ["7", "1"] [("note", "two\nlines")]"#,
                r#"4 ["8", "2"] [("note", "")]"#,
                "line 5: the row has 2 columns, the header 3",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(told(b"id,note\n"), ["the header lacks the column 'on'; it needs id, on"]);
        assert_eq!(told(b"id,on\n\x8d\x82,1\n"), ["line 2: the file is not UTF-8; save it as UTF-8 (CSV)"]);
    }
}
