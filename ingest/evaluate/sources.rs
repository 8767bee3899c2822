//! Truths, judgements and records as JSON lines. Errors name file and line, never what stands there:
//! that is what applicants wrote.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::application_id::ApplicationId;
use crate::publish::{Record, RecordPage};
use crate::simulate::PageTruth;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}: this is no {what} (character {column})", path.display())]
    Line { path: PathBuf, line: usize, column: usize, what: &'static str },
    #[error("{}:{line}: the same field of the same capture was judged before, and otherwise", path.display())]
    Contradiction { path: PathBuf, line: usize },
}

/// What stands on simulated pages, by application.
#[derive(Default)]
pub struct Truths(BTreeMap<ApplicationId, Vec<PageTruth>>);

impl Truths {
    /// Adds the pages of a `truth.jsonl`.
    pub fn read(&mut self, path: &Path, input: impl BufRead) -> Result<(), SourceError> {
        for truth in lines::<PageTruth>(path, input, "page's truth") {
            let mut truth = truth?.1;
            if truth.page.is_some() {
                // A symbol's place is no truth about fields, and there are many pages.
                truth.symbols = Vec::new();
                self.0.entry(truth.application_id).or_default().push(truth);
            }
        }
        Ok(())
    }

    pub fn applications(&self) -> usize {
        self.0.len()
    }

    /// The truths of the record's own pages. A page of which two files say different things, of
    /// which neither is the record's own, is left out.
    pub fn of<'a>(&'a self, record: &Record) -> Vec<&'a PageTruth> {
        let Some(known) = self.0.get(&record.application_id) else { return Vec::new() };
        record.pages.iter().filter_map(|page| Self::of_page(known, record, page)).collect()
    }

    fn of_page<'a>(known: &'a [PageTruth], record: &Record, page: &RecordPage) -> Option<&'a PageTruth> {
        let form = &record.form;
        let is_of_page = |truth: &&PageTruth| {
            truth.page == Some(page.page) && truth.form == form.id && truth.version == form.version
        };
        let mut truths: Vec<&PageTruth> = known.iter().filter(is_of_page).collect();
        if !agree(&truths) {
            // Sent twice and filled in anew: the file tells which.
            let source = &record.source;
            let parts = [Some(&source.station), source.batch.as_ref(), Some(&source.file)];
            let file = parts.into_iter().flatten().cloned().collect::<Vec<_>>().join("/");
            truths.retain(|truth| {
                page.sha256 == source.sha256 && truth.page_index == page.page_index && truth.file == file
            });
        }
        truths.first().copied().filter(|_| agree(&truths))
    }
}

/// All say the same of the fields.
fn agree(truths: &[&PageTruth]) -> bool {
    truths.windows(2).all(|pair| pair[0].fields == pair[1].fields)
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
    pub fn read(&mut self, path: &Path, input: impl BufRead) -> Result<(), SourceError> {
        for opinion in lines::<Opinion>(path, input, "judgement of a field") {
            let (line, Opinion { capture_id, field, value }) = opinion?;
            let fields = self.0.entry(capture_id).or_default();
            match fields.get(&field) {
                Some(before) if *before != value => {
                    return Err(SourceError::Contradiction { path: path.to_owned(), line });
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

/// Records as `uketsuke records` prints them, one after another.
pub fn records<'a>(
    path: &'a Path,
    input: impl BufRead + 'a,
) -> impl Iterator<Item = Result<Record, SourceError>> + 'a {
    lines::<Record>(path, input, "record").map(|line| line.map(|(_, record)| record))
}

/// Each line that is not empty, with its number.
fn lines<'a, T: DeserializeOwned + 'a>(
    path: &'a Path,
    input: impl BufRead + 'a,
    what: &'static str,
) -> impl Iterator<Item = Result<(usize, T), SourceError>> + 'a {
    input.lines().enumerate().filter_map(move |(index, text)| {
        let text = match text {
            Ok(text) => text,
            Err(source) => return Some(Err(SourceError::Unreadable { path: path.to_owned(), source })),
        };
        let line = index + 1;
        let broken = |column| SourceError::Line { path: path.to_owned(), line, column, what };
        // The parser's own message may repeat a piece of the line.
        (!text.trim().is_empty()).then(|| {
            serde_json::from_str(&text).map(|value| (line, value)).map_err(|error| broken(error.column()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opinions(text: &str) -> Result<Opinions, SourceError> {
        let mut opinions = Opinions::default();
        opinions.read(Path::new("qa.jsonl"), text.as_bytes()).map(|()| opinions)
    }

    #[test]
    fn an_empty_field_is_said_and_not_left_out() {
        let read =
            opinions("{\"capture_id\":\"a\",\"field\":\"phone\",\"value\":null,\"judged_by\":\"x\"}\n\n");
        assert_eq!(read.expect("one judgement").captures(), 1);
        let error = opinions("{\"capture_id\":\"a\",\"field\":\"phone\"}").err().expect("no value");
        assert_eq!(error.to_string(), "qa.jsonl:1: this is no judgement of a field (character 34)");
    }

    #[test]
    fn a_field_is_judged_one_way() {
        let one = "{\"capture_id\":\"a\",\"field\":\"phone\",\"value\":\"1\"}\n";
        assert!(opinions(&one.repeat(2)).is_ok());
        let error = opinions(&format!("{one}{}", one.replace("\"1\"", "\"2\""))).err().expect("two values");
        assert!(matches!(error, SourceError::Contradiction { line: 2, .. }), "{error}");
    }
}
