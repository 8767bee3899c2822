//! Deficiency letters: what an applicant is asked to mend, ready for a window envelope, with the form to
//! send back behind it.
//!
//! Comes in: what is to be mended ([`crate::approve::mending`]), the household, its form. Goes out: pages
//! to print. No letter says which account was written, nor anything else that stood in a field.

mod page;
mod wording;

use chrono::{Days, NaiveDate};

use crate::approve::Deficiency;
use crate::form::Form;
use crate::form::print::{Again, Part};
use crate::identify::Issue;
use crate::register::Household;
use crate::settings;

/// One letter.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    pub household: &'a Household,
    /// That of the application that came; it is sent again.
    pub form: &'a Form,
    /// In the order of their pages, one or more.
    pub deficiencies: &'a [Deficiency],
    /// Of the application's letters, from 1.
    pub number: u32,
}

impl<'a> Letter<'a> {
    /// The letter, and the form that is sent back with what was asked for.
    pub fn parts(self, written_on: NaiveDate, settings: &settings::Letters) -> Vec<Part<'a>> {
        let days = Days::new(u64::from(settings.reply_within_days));
        let reply_by = written_on.checked_add_days(days).unwrap_or(written_on);
        let leaves = page::leaves(&self, written_on, reply_by, settings);
        let again = Again { issue: Issue::of_letter(self.number), mark: self.mark() };
        let form = Part::Form { form: self.form, household: self.household, again };
        leaves.into_iter().map(Part::Leaf).chain([form]).collect()
    }

    /// What the form is marked with: it is another version of one that came before.
    fn mark(&self) -> String {
        format!("再提出用（第{}版）　通知番号 {}", Issue::of_letter(self.number), self.reference())
    }

    /// By which the letter is asked for.
    fn reference(&self) -> String {
        format!("{}-{}", self.household.application_id, self.number)
    }
}
