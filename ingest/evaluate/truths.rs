//! What is true of many pages, found by application and form page.

use std::collections::{BTreeSet, HashMap};
use std::io::BufRead;

use super::lines::{LineError, json_lines};
use crate::application_id::ApplicationId;
use crate::publish::{Record, RecordPage};
use crate::simulate::PageTruth;

/// Application and form page.
pub(super) type Place = (ApplicationId, u32);

/// What is true of the pages of forms. Some 2 kB a page: a truth of 100,000 applications fits into
/// memory, their records are never there at once.
#[derive(Debug, Default)]
pub struct Truths {
    /// More than one where an application was sent in more than once.
    pages: HashMap<Place, Vec<PageTruth>>,
    blank: u64,
}

impl Truths {
    /// Adds the lines of a `truth.jsonl`.
    pub fn read(&mut self, input: impl BufRead) -> Result<(), LineError> {
        for truth in json_lines(input, "the truth of a page") {
            self.add(truth?);
        }
        Ok(())
    }

    pub fn add(&mut self, truth: PageTruth) {
        match truth.page {
            Some(page) => self.pages.entry((truth.application_id, page)).or_default().push(truth),
            None => self.blank += 1,
        }
    }

    /// What is true of a page of `record`; none where nothing is known of it, or where the
    /// application was sent in more than once and nothing says which truth is this page's.
    pub fn of(&self, record: &Record, page: &RecordPage) -> Option<&PageTruth> {
        let candidates = self.pages.get(&(record.application_id, page.page))?;
        let same_form =
            |truth: &&PageTruth| truth.form == record.form.id && truth.version == record.form.version;
        match candidates.as_slice() {
            [one] => Some(one).filter(same_form),
            several => several.iter().filter(same_form).find(|truth| is_from(truth, record, page)),
        }
    }

    /// The applications that something is known of.
    pub fn applications(&self) -> BTreeSet<ApplicationId> {
        self.pages.keys().map(|&(application, _)| application).collect()
    }

    /// Form pages; blank backs are not counted.
    pub fn pages(&self) -> impl Iterator<Item = &PageTruth> {
        self.pages.values().flatten()
    }

    /// Blank backs.
    pub fn blank(&self) -> u64 {
        self.blank
    }
}

/// Whether `truth` is of the very file and page that `page` was read from. Known of the pages of
/// the record's first scan only.
fn is_from(truth: &PageTruth, record: &Record, page: &RecordPage) -> bool {
    let source = &record.source;
    let parts = [Some(&source.station), source.batch.as_ref(), Some(&source.file)];
    let file: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    page.sha256 == source.sha256 && page.page_index == truth.page_index && truth.file == file.join("/")
}
