//! Findings about a capture. Pure functions over values that were fetched beforehand.
//!
//! The rules here are those that every form shares; they look at a field of the standard names
//! where the form has one, and say nothing where it has not. They look at what the machine read, and,
//! when people have decided, at what they decided: the same rules, the same findings.

mod account;
mod copies;
mod finding;
mod holder;
mod household;
mod pages;
mod second_evidence;
mod values;

use std::num::NonZeroU64;

use chrono::{DateTime, NaiveDate, Utc};

pub use account::{Account, Route, account};
pub(crate) use copies::blacked_out;
pub use finding::{Defect, Finding, FindingCode, Severity};
pub use holder::{HolderCase, compare};
pub use household::{ALIASES, is_no_day};
pub use pages::{assigned_by_hand, sides_disagree, taken_over};
pub use second_evidence::{Comparison, compare_with_copy, copy_differs};
pub use values::{Content, Values};

use crate::form::Form;
use crate::identify::Identity;
use crate::read::{CopiesSeen, FieldReading};
use crate::reference::BankTable;
use crate::register::Household;

/// What the rules are measured by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// None where the table was not fetched: nothing is said of banks and branches.
    pub banks: Option<&'a BankTable>,
    /// None: amounts of the register are taken as they are.
    pub yen_per_member: Option<NonZeroU64>,
    /// Nobody could apply before.
    pub first_day: NaiveDate,
}

/// A page of a capture, as the checks see it.
#[derive(Debug, Clone, Copy)]
pub struct CheckedPage<'a> {
    pub identity: &'a Identity,
    /// The marks were found, no farther off than the form allows.
    pub registered: bool,
    /// None where the page was not searched for copies.
    pub copies: Option<&'a CopiesSeen>,
}

/// What is known of the capture beside its pages.
#[derive(Debug, Clone, PartialEq)]
pub struct Circumstances {
    /// None where the application is not in the register.
    pub household: Option<Household>,
    pub duplicate: bool,
    pub received_at: DateTime<Utc>,
}

/// All findings about one capture: of its circumstances, its pages, its fields.
pub fn check_capture(
    form: &Form,
    pages: &[CheckedPage<'_>],
    readings: &[&FieldReading],
    circumstances: &Circumstances,
    rules: &Rules<'_>,
) -> Vec<Finding> {
    let mut findings = check_circumstances(circumstances);
    findings.extend(pages::pages(form, pages));
    let values = Values::of_readings(readings);
    let received_on = received_on(circumstances);
    let applied_on = household::applied_on(&values, received_on, rules);
    findings.extend(copies::copies(form, pages, applied_on));
    findings.extend(check_values(&values, circumstances, rules).0);
    let copy = pages.iter().find_map(|page| page.copies?.account.as_ref());
    findings.extend(copy.and_then(|copy| copy_differs(&values, copy, rules.banks)));
    findings
}

/// What is to be said before any field is looked at.
pub fn check_circumstances(circumstances: &Circumstances) -> Vec<Finding> {
    let mut findings = Vec::new();
    if circumstances.household.is_none() {
        findings.push(Finding::new(
            FindingCode::NotInRegister,
            Severity::Error,
            "the application ID is not in the register",
            "申請番号が台帳にありません",
        ));
    }
    if circumstances.duplicate {
        let finding = Finding::new(
            FindingCode::DuplicateApplication,
            Severity::Error,
            "this application was captured before",
            "同じ申請番号の申請書が既に届いています",
        );
        findings.push(finding.of_defect(Defect::D16));
    }
    findings
}

/// Findings about the fields, and the account that they name.
pub fn check_values(
    values: &Values,
    circumstances: &Circumstances,
    rules: &Rules<'_>,
) -> (Vec<Finding>, Account) {
    let household = circumstances.household.as_ref();
    let account = account(values, rules.banks);
    let received_on = received_on(circumstances);
    let mut findings: Vec<Finding> = household::declined(values).into_iter().collect();
    findings.extend(household::signature(values));
    findings.extend(household::date(values, received_on, rules));
    findings.extend(account.findings.iter().cloned());
    findings.extend(household::holder(values, household));
    findings.extend(household.and_then(|household| household::amount(household, rules)));
    (findings, account)
}

fn received_on(circumstances: &Circumstances) -> NaiveDate {
    circumstances.received_at.with_timezone(&JAPAN).date_naive()
}

/// Nine hours east: dates are those of the people who write them.
pub const JAPAN: chrono::FixedOffset = match chrono::FixedOffset::east_opt(9 * 3600) {
    Some(offset) => offset,
    None => panic!("nine hours are less than a day"),
};

/// Told where more households than usual name the same account.
pub fn same_account(households: u64) -> Finding {
    Finding::new(
        FindingCode::SameAccount,
        Severity::Error,
        format!("{households} other households are paid to the same account"),
        format!("同じ口座が他の{households}世帯で指定されています"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::InkState;

    fn reading(field: &str, value: Option<&str>) -> FieldReading {
        FieldReading {
            field: field.to_owned(),
            value: value.map(str::to_owned),
            score: 1.0,
            state: if value.is_some() { InkState::Written } else { InkState::Blank },
            characters: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn codes(fields: &[(&str, Option<&str>)]) -> Vec<FindingCode> {
        let readings: Vec<FieldReading> = fields.iter().map(|&(name, value)| reading(name, value)).collect();
        let readings: Vec<&FieldReading> = readings.iter().collect();
        let circumstances = Circumstances {
            household: None,
            duplicate: false,
            received_at: DateTime::from_timestamp(1_592_000_000, 0).expect("a time"),
        };
        let first_day = NaiveDate::from_ymd_opt(2020, 4, 27).expect("a date");
        let rules = Rules { banks: None, yen_per_member: None, first_day };
        let (findings, _) = check_values(&Values::of_readings(&readings), &circumstances, &rules);
        findings.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_form_without_a_field_has_no_finding_about_it() {
        assert_eq!(codes(&[]), []);
        assert_eq!(codes(&[("account_number", None)]), []);
        assert_eq!(codes(&[("signature", None)]), [FindingCode::SignatureMissing]);
    }

    #[test]
    fn a_mark_for_no_payment_is_always_told() {
        assert_eq!(codes(&[("declined", Some("declined"))]), [FindingCode::Declined]);
        assert_eq!(codes(&[("declined", None)]), []);
    }
}
