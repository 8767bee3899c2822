//! Records beside truth, one record at a time, with an account of what could not be compared: of
//! records and of truth, nothing is left out in silence.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::judge::{Judged, judge};
use super::truths::{Place, Truths};
use crate::form::Forms;
use crate::publish::Record;
use crate::simulate::PageTruth;

/// Judges records as they come; what it keeps does not grow with the records' contents.
pub struct Comparison<'a> {
    truths: &'a Truths,
    forms: &'a Forms,
    records: RecordSide,
    /// Files and pages in them, of the truths that a record's page was found for.
    found: HashMap<Place, HashSet<(&'a str, u32)>>,
}

/// What became of all records, and of all truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    pub records: RecordSide,
    pub truth: TruthSide,
}

/// `pages` and `fields` are the sums of what follows each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordSide {
    pub records: u64,
    /// Of these, those with no page that anything is known of.
    pub records_without_truth: u64,
    pub pages: u64,
    pub pages_compared: u64,
    /// Could not be laid onto their form.
    pub pages_not_read: u64,
    pub pages_without_truth: u64,
    /// Their form is not among those that are configured.
    pub pages_of_unknown_forms: u64,
    pub fields: u64,
    pub fields_compared: u64,
    /// Their page is missing from the capture, or could not be laid onto its form.
    pub fields_not_read: u64,
    pub fields_without_truth: u64,
    pub fields_of_unknown_forms: u64,
}

/// `pages` is the sum of the two that follow it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TruthSide {
    pub applications: u64,
    /// Of these, those with no page in any record.
    pub applications_without_record: u64,
    /// Form pages; blank backs are not among them.
    pub pages: u64,
    pub pages_found: u64,
    pub pages_without_record: u64,
    /// On the pages without a record.
    pub fields_without_record: u64,
    pub blank_backs: u64,
}

impl<'a> Comparison<'a> {
    pub fn new(truths: &'a Truths, forms: &'a Forms) -> Self {
        Self { truths, forms, records: RecordSide::default(), found: HashMap::new() }
    }

    /// The fields of a record whose truth is known.
    pub fn judge(&mut self, record: &Record) -> Vec<Judged> {
        let mut truths: Vec<&'a PageTruth> = Vec::new();
        for page in &record.pages {
            let Some(truth) = self.truths.of(record, page) else { continue };
            let found = self.found.entry((record.application_id, page.page)).or_default();
            found.insert((&truth.file, truth.page_index));
            truths.push(truth);
        }
        let judged = judge(record, &truths, self.forms);
        self.records.add(record, &truths, &judged, self.forms);
        judged
    }

    /// What became of everything; to be asked for when all records have been judged.
    pub fn account(&self) -> Account {
        let mut truth = TruthSide { blank_backs: self.truths.blank(), ..TruthSide::default() };
        let (mut all, mut found) = (HashSet::new(), HashSet::new());
        for page in self.truths.pages() {
            truth.pages += 1;
            all.insert(page.application_id);
            let place = page.page.map(|number| (page.application_id, number));
            let sources = place.and_then(|place| self.found.get(&place));
            if sources.is_some_and(|sources| sources.contains(&(page.file.as_str(), page.page_index))) {
                truth.pages_found += 1;
                found.insert(page.application_id);
            } else {
                truth.pages_without_record += 1;
                truth.fields_without_record += page.fields.len() as u64;
            }
        }
        truth.applications = all.len() as u64;
        truth.applications_without_record = (all.len() - found.len()) as u64;
        Account { records: self.records.clone(), truth }
    }
}

impl RecordSide {
    fn add(&mut self, record: &Record, truths: &[&PageTruth], judged: &[Judged], forms: &Forms) {
        self.records += 1;
        self.records_without_truth += u64::from(truths.is_empty());
        self.pages += record.pages.len() as u64;
        let Some(form) = forms.find(&record.form.id, &record.form.version) else {
            self.pages_of_unknown_forms += record.pages.len() as u64;
            self.fields += record.fields.len() as u64;
            self.fields_of_unknown_forms += record.fields.len() as u64;
            return;
        };
        for page in &record.pages {
            let has_truth = truths.iter().any(|truth| truth.page == Some(page.page));
            match (has_truth, page.residual_px) {
                (false, _) => self.pages_without_truth += 1,
                (true, None) => self.pages_not_read += 1,
                (true, Some(_)) => self.pages_compared += 1,
            }
        }
        self.fields_compared += judged.len() as u64;
        for field in form.pages.iter().flat_map(|page| &page.fields) {
            self.fields += 1;
            if judged.iter().any(|judged| judged.name == field.name) {
                continue;
            }
            match record.fields.get(&field.name).and_then(|published| published.ink) {
                None => self.fields_not_read += 1,
                Some(_) => self.fields_without_truth += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::example::{entry, forms, published, record, truth};
    use crate::form::FieldKind::Digits;

    /// The first page of the standard form has 15 fields, the second none.
    const FIELDS: u64 = 15;

    #[test]
    fn every_page_and_field_of_both_sides_is_somewhere() {
        let forms = forms();
        let read = published(Digits, "0001234", 0.9);
        let number = [("account_number", read.clone())];
        let written = [("account_number", entry(Digits, "0001234"))];
        let mut truths = Truths::default();
        for serial in [1, 2, 4] {
            truths.add(truth(serial, Some(1), &written));
        }
        truths.add(truth(1, None, &[]));
        let mut comparison = Comparison::new(&truths, &forms);
        // Known; not read; nothing known of it; of a form that is not configured. Of 4, no record.
        let mut unread = record(2, 1, &[("account_number", published(Digits, "_", 0.0))]);
        unread.pages[0].residual_px = None;
        unread.fields.values_mut().for_each(|field| field.ink = None);
        let mut foreign = record(5, 1, &number);
        foreign.form.id = "another".to_owned();
        let judged: Vec<usize> = [record(1, 1, &number), unread, record(3, 1, &number), foreign]
            .iter()
            .map(|record| comparison.judge(record).len())
            .collect();
        assert_eq!(judged, [1, 0, 0, 0]);

        let Account { records, truth } = comparison.account();
        let expected = RecordSide {
            records: 4,
            records_without_truth: 2,
            pages: 4,
            pages_compared: 1,
            pages_not_read: 1,
            pages_without_truth: 1,
            pages_of_unknown_forms: 1,
            fields: 3 * FIELDS + 1,
            fields_compared: 1,
            // What the records leave out was not read either.
            fields_not_read: (FIELDS - 1) + FIELDS + (FIELDS - 1),
            fields_without_truth: 1,
            fields_of_unknown_forms: 1,
        };
        assert_eq!(records, expected);
        let expected = TruthSide {
            applications: 3,
            applications_without_record: 1,
            pages: 3,
            pages_found: 2,
            pages_without_record: 1,
            fields_without_record: 1,
            blank_backs: 1,
        };
        assert_eq!(truth, expected);
    }

    #[test]
    fn of_an_application_that_was_sent_twice_each_page_has_its_own_truth() {
        let forms = forms();
        let mut truths = Truths::default();
        let first = truth(1, Some(1), &[("account_number", entry(Digits, "1111111"))]);
        let mut second = truth(1, Some(1), &[("account_number", entry(Digits, "2222222"))]);
        second.file = "kita/batch-001/later.tif".to_owned();
        truths.add(first);
        truths.add(second);
        let mut later = record(1, 1, &[("account_number", published(Digits, "2222222", 0.9))]);
        later.source.file = "later.tif".to_owned();
        let mut elsewhere = later.clone();
        elsewhere.source.file = "unknown.tif".to_owned();
        let mut comparison = Comparison::new(&truths, &forms);
        let judged = comparison.judge(&later);
        assert!(judged[0].right);
        assert!(comparison.judge(&elsewhere).is_empty(), "nothing says which truth is its own");
        let account = comparison.account();
        assert_eq!((account.truth.pages_found, account.truth.pages_without_record), (1, 1));
        assert_eq!((account.records.pages_compared, account.records.pages_without_truth), (1, 1));
    }
}
