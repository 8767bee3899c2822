//! An applicant: the account, and how this person goes about a form. Mixes and mistakes are those
//! that mailed applications show; nothing is drawn here.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::bank::{self, Account, AccountKind};
use super::mishap::Clumsiness;
use super::{answers, mishap};
use crate::form::Form;
use crate::register::Household;

/// What stands in one field.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub written: Written,
    /// What is meant. For a mark, the marked option; for an account number, always the 7 digits to
    /// pay to, also where the applicant wrote less or named a ゆうちょ account; none where nothing
    /// is meant.
    pub value: Option<String>,
    /// Boxes where something went wrong while writing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrected: Vec<Correction>,
}

/// Fields hold names and account numbers.
impl std::fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Entry(***)")
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// Box by box, empty for an empty box.
    Cells(Vec<String>),
    /// A line, or the marked option; empty for none.
    Line(String),
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// From 0; for a mark, the option's place.
    pub cell: usize,
    /// What was written first and is not meant; empty for [`Outcome::Several`].
    pub struck: String,
    #[serde(default, skip_serializing_if = "Outcome::is_written_above")]
    pub outcome: Outcome,
}

/// What became of a box where something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Struck out; what is meant stands above the box.
    #[default]
    WrittenAbove,
    /// Struck out, and nothing instead: the box counts as empty, a mark as unmarked.
    StruckOut,
    /// What is meant was written over it.
    Overwritten,
    /// Two characters stand in the one box, both meant.
    Several,
}

impl Outcome {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    fn is_written_above(&self) -> bool {
        *self == Self::WrittenAbove
    }
}

/// What one applicant writes, and what the copies of passbook and card will show.
pub(super) struct Application {
    pub account: Account,
    /// As the passbook has it, with a blank between family and given name.
    pub holder_kana: String,
    /// By field name, all fields of all pages.
    pub entries: BTreeMap<String, Entry>,
}

/// How this applicant goes about the form.
pub(super) struct Habits {
    pub account: Account,
    pub holder_kana: String,
    /// Leaves the account unfilled.
    pub forgets_account: bool,
    /// Fills the bank block with a ゆうちょ account.
    pub yucho_as_bank: bool,
    pub fills_codes: bool,
    pub declines: bool,
    pub pads_with_zeros: bool,
    /// Begins at the left in a comb that is to be filled from the right.
    pub begins_left: bool,
    /// Gives ゛ and ゜ boxes of their own, as bank forms ask for.
    pub marks_apart: bool,
    pub writes_hiragana: bool,
    pub writes_small_kana_large: bool,
    /// Chance that a character is written wrong at first and struck out.
    pub slips: f64,
}

/// Decides everything that the applicant of `household` writes on `form`; mishaps have a source of
/// their own, so that those of one applicant change nothing of what another means.
pub(super) fn decide(
    form: &Form,
    household: &Household,
    source: &mut impl Rng,
    mishaps: &mut impl Rng,
) -> Application {
    let habits = Habits::of(household, source);
    let clumsiness = Clumsiness::of_chance(habits.slips, mishaps);
    let entries = form
        .pages
        .iter()
        .flat_map(|page| &page.fields)
        .map(|field| {
            let mut entry = answers::entry(field, household, &habits, source);
            if !field.printed {
                mishap::befall(field, &mut entry, clumsiness, mishaps);
            }
            (field.name.clone(), entry)
        })
        .collect();
    Application { account: habits.account, holder_kana: habits.holder_kana, entries }
}

impl Habits {
    pub(super) fn of(household: &Household, source: &mut impl Rng) -> Self {
        Self {
            account: bank::account(source),
            holder_kana: holder(&household.head_kana, source),
            forgets_account: source.random_bool(0.02),
            yucho_as_bank: source.random_bool(0.06),
            fills_codes: source.random_bool(0.6),
            declines: source.random_bool(0.01),
            pads_with_zeros: source.random_bool(0.5),
            begins_left: source.random_bool(0.12),
            marks_apart: source.random_bool(0.3),
            writes_hiragana: source.random_bool(0.01),
            writes_small_kana_large: source.random_bool(0.3),
            slips: if source.random_bool(0.15) { 0.04 } else { 0.001 },
        }
    }

    pub(super) fn is_yucho(&self) -> bool {
        matches!(self.account.kind, AccountKind::Yucho(_)) && !self.yucho_as_bank
    }
}

/// Mostly the head of the household; sometimes somebody else of the family holds the account.
fn holder(head_kana: &str, source: &mut impl Rng) -> String {
    let head: String = head_kana.nfkc().collect();
    match head.split_whitespace().collect::<Vec<_>>().as_slice() {
        [family, _] if source.random_bool(0.015) => {
            let (_, given) = super::names::WOMEN.choose(source).expect("a list of names is not empty");
            format!("{family} {given}")
        }
        words => words.join(" "),
    }
}
