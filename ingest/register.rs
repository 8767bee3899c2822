//! The municipality's register of households that may apply: one row per application ID.
//!
//! A register file is CSV in UTF-8 with a header; further columns are kept and ignored.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::application_id::{ApplicationId, ApplicationIdError};
use crate::rows::{Row, Rows, RowsError};

/// One household. `Debug` shows the application ID only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Household {
    pub application_id: ApplicationId,
    pub head_name: String,
    pub head_kana: String,
    pub postal_code: String,
    pub address: String,
    /// As the municipality wrote it, ISO 8601 (`1970-01-31`).
    pub birth_date: String,
    /// How many persons.
    pub members: u32,
    /// Yen.
    pub amount: u64,
    /// Columns that this program does not know, as they came.
    pub further: BTreeMap<String, String>,
}

impl fmt::Debug for Household {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Household({}, ***)", self.application_id)
    }
}

/// Why a row, or the whole file, was refused. Never repeats personal data.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error("line {line}: application_id: {source}")]
    ApplicationId { line: u64, source: ApplicationIdError },
    #[error("line {line}: application ID {application_id} was already given on line {first}")]
    Repeated { line: u64, application_id: ApplicationId, first: u64 },
    #[error("line {line}: {column} is empty")]
    Empty { line: u64, column: &'static str },
    #[error("line {line}: {column} is not a whole number")]
    NotANumber { line: u64, column: &'static str },
    #[error("line {line}: birth_date is not a date written as 1970-01-31")]
    BirthDate { line: u64 },
}

pub const COLUMNS: [&str; 8] =
    ["application_id", "head_name", "head_kana", "postal_code", "address", "birth_date", "members", "amount"];

/// The rows of a register file, in bounded memory but for the IDs seen: each a household or why it
/// was refused. The outer error is a header that cannot be used.
pub fn read_register<R: std::io::Read>(
    source: R,
) -> Result<impl Iterator<Item = Result<Household, RegisterError>>, RegisterError> {
    let mut seen: std::collections::HashMap<ApplicationId, u64> = std::collections::HashMap::new();
    Ok(Rows::of(source, COLUMNS)?.map(move |row| {
        let row = row?;
        let line = row.line;
        let household = household_of(row)?;
        match seen.insert(household.application_id, line) {
            None => Ok(household),
            Some(first) => {
                seen.insert(household.application_id, first);
                Err(RegisterError::Repeated { line, application_id: household.application_id, first })
            }
        }
    }))
}

fn household_of(row: Row<{ COLUMNS.len() }>) -> Result<Household, RegisterError> {
    let Row { line, values, further } = row;
    let empty = values.iter().zip(COLUMNS).skip(1).find(|(value, _)| value.is_empty()).map(|(_, name)| name);
    let [application_id, head_name, head_kana, postal_code, address, birth_date, members, amount] = values;
    let application_id = ApplicationId::parse(&application_id)
        .map_err(|source| RegisterError::ApplicationId { line, source })?;
    if let Some(column) = empty {
        return Err(RegisterError::Empty { line, column });
    }
    if chrono::NaiveDate::parse_from_str(&birth_date, "%Y-%m-%d").is_err() {
        return Err(RegisterError::BirthDate { line });
    }
    let not_a_number = |column| move |_| RegisterError::NotANumber { line, column };
    Ok(Household {
        application_id,
        head_name,
        head_kana,
        postal_code,
        address,
        birth_date,
        members: members.parse().map_err(not_a_number("members"))?,
        amount: amount.parse().map_err(not_a_number("amount"))?,
        further: further.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "application_id,head_name,head_kana,postal_code,address,birth_date,members,amount";

    fn rows(text: &str) -> Vec<Result<Household, RegisterError>> {
        read_register(text.as_bytes()).expect("a good header").collect()
    }

    #[test]
    fn a_row_is_read_and_further_columns_are_kept() {
        let text = format!(
            "\u{feff}{HEADER},ward\n6291041500213,横浜 花子,ヨコハマ ハナコ,231-0005,横浜市中区本町1-1,1970-01-31,2,200000,naka\n"
        );
        let household = rows(&text).remove(0).expect("valid");
        assert_eq!(household.members, 2);
        assert_eq!(household.further["ward"], "naka");
        assert_eq!(format!("{household:?}"), "Household(6291041500213, ***)");
    }

    #[test]
    fn every_refusal_names_its_line_and_column() {
        let text = format!(
            "{HEADER}\n\
             6291041500214,a,b,c,d,1970-01-31,2,200000\n\
             6291041500213,,b,c,d,1970-01-31,2,200000\n\
             6291041500213,a,b,c,d,1970-31-01,2,200000\n\
             6291041500213,a,b,c,d,1970-01-31,two,200000\n\
             6291041500213,a,b,c,d\n\
             6291041500213,a,b,c,d,1970-01-31,2,200000\n\
             6291041500213,a,b,c,d,1970-01-31,2,200000\n"
        );
        let messages: Vec<String> = rows(&text)
            .into_iter()
            .map(|row| row.map_or_else(|error| error.to_string(), |_| "ok".to_owned()))
            .collect();
        assert_eq!(
            messages,
            [
                "line 2: application_id: the check digit is 4, it should be 3",
                "line 3: head_name is empty",
                "line 4: birth_date is not a date written as 1970-01-31",
                "line 5: members is not a whole number",
                "line 6: the row has 5 columns, the header 8",
                "ok",
                "line 8: application ID 6291041500213 was already given on line 7",
            ]
        );
    }

    #[test]
    fn a_missing_column_is_named() {
        let error = read_register("application_id,head_name\n".as_bytes()).err().expect("incomplete");
        assert!(error.to_string().contains("'head_kana'"), "{error}");
    }
}
