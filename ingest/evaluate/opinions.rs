//! What people saw in fields of captures: the judgements of quality assurance.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;

use super::lines::{LineError, json_lines};
use crate::publish::Record;

#[derive(Debug, thiserror::Error)]
pub enum OpinionError {
    #[error(transparent)]
    Line(#[from] LineError),
    /// `number` counts the judgements of the file from 1.
    #[error("judgement {number}: the same field of the same capture was judged before, and otherwise")]
    Contradiction { number: usize },
}

/// What people saw in fields of captures, by capture and field; none for an empty field.
#[derive(Default)]
pub struct Opinions(BTreeMap<String, BTreeMap<String, Option<String>>>);

#[derive(Deserialize)]
struct Opinion {
    capture_id: String,
    field: String,
    /// Must be there: a value that was forgotten is not an empty field.
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<String>,
}

impl Opinions {
    /// Adds judgements: `{"capture_id", "field", "value": "…" or null}`, further keys are ignored.
    pub fn read(&mut self, input: impl BufRead) -> Result<(), OpinionError> {
        for (number, opinion) in (1..).zip(json_lines(input, "the judgement of a field")) {
            let Opinion { capture_id, field, value } = opinion?;
            let fields = self.0.entry(capture_id).or_default();
            match fields.get(&field) {
                Some(before) if *before != value => {
                    return Err(OpinionError::Contradiction { number });
                }
                _ => fields.insert(field, value),
            };
        }
        Ok(())
    }

    pub fn captures(&self) -> usize {
        self.0.len()
    }

    pub fn of(&self, record: &Record) -> Option<&BTreeMap<String, Option<String>>> {
        self.0.get(&record.capture_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinions(text: &str) -> Result<Opinions, OpinionError> {
        let mut opinions = Opinions::default();
        opinions.read(text.as_bytes()).map(|()| opinions)
    }

    #[test]
    fn an_empty_field_is_said_and_not_left_out() {
        let read =
            opinions("{\"capture_id\":\"a\",\"field\":\"phone\",\"value\":null,\"judged_by\":\"x\"}\n\n");
        assert_eq!(read.expect("one judgement").captures(), 1);
        let error = opinions("{\"capture_id\":\"a\",\"field\":\"phone\"}").err().expect("no value");
        assert!(matches!(error, OpinionError::Line(LineError::OtherLayout { line: 1, .. })), "{error}");
    }

    #[test]
    fn a_field_is_judged_one_way() {
        let one = "{\"capture_id\":\"a\",\"field\":\"phone\",\"value\":\"1\"}\n";
        assert!(opinions(&one.repeat(2)).is_ok());
        let error = opinions(&format!("{one}{}", one.replace("\"1\"", "\"2\""))).err().expect("two values");
        assert!(matches!(error, OpinionError::Contradiction { number: 2 }), "{error}");
    }
}
