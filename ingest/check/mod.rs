//! Findings about a capture. Pure functions over values that were fetched beforehand.
//!
//! The rules here are those that every form shares; they look at a field of the standard names
//! where the form has one, and say nothing where it has not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::application_id::ApplicationId;
use crate::form::Form;
use crate::identify::Identity;
use crate::read::{FieldReading, InkState};

/// Names of standard fields that rules speak of.
pub const DECLINED: &str = "declined";
const SIGNATURE: &str = "signature";
const ACCOUNT_ROUTE: &str = "account_route";
const BANK_ACCOUNT: &[&str] = &["account_number"];
const YUCHO_ACCOUNT: &[&str] = &["yucho_symbol", "yucho_number"];
const HOLDER: &str = "account_holder_kana";

/// What a check found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub code: FindingCode,
    pub severity: Severity,
    /// Without personal data.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// The application ID is not in the register.
    NotInRegister,
    /// A page of the form is not in the capture.
    MissingPage,
    /// Two pages that followed each other in the scan carry different applications, each of which
    /// lacks the page that the other has.
    SheetSidesDisagree,
    /// The page's marks were not found where the form has them; it was not read.
    NotRegistered,
    /// The ID was legible in one of the page's two symbols only.
    SingleSymbol,
    /// No second decoder read any of the page's symbols.
    Unconfirmed,
    /// The same application was captured before.
    DuplicateApplication,
    /// The applicant marked that no payment is wanted.
    Declined,
    /// No ink where the applicant signs.
    SignatureMissing,
    /// Neither or both of the bank account and the Japan Post account are filled in, or the mark
    /// says the other one.
    AccountRoute,
    /// The account holder is blank.
    HolderBlank,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A person must look.
    Warning,
    /// The application cannot be paid as it is.
    Error,
}

/// A page of a capture, as the checks see it.
#[derive(Debug, Clone, Copy)]
pub struct CheckedPage<'a> {
    pub identity: &'a Identity,
    /// The marks were found, no farther off than the form allows.
    pub registered: bool,
}

/// What is known of the capture beside its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    pub in_register: bool,
    pub duplicate: bool,
}

/// All findings about one capture, in the order of the codes.
pub fn check_capture(
    form: &Form,
    pages: &[CheckedPage<'_>],
    readings: &[&FieldReading],
    circumstances: Circumstances,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |code, severity, message: String| findings.push(Finding { code, severity, message });
    if !circumstances.in_register {
        add(
            FindingCode::NotInRegister,
            Severity::Error,
            "the application ID is not in the register".to_owned(),
        );
    }
    for page in &form.pages {
        if !pages.iter().any(|checked| checked.identity.page == page.number) {
            add(
                FindingCode::MissingPage,
                Severity::Warning,
                format!("page {} of the form is missing", page.number),
            );
        }
    }
    for page in pages {
        let number = page.identity.page;
        if !page.registered {
            add(
                FindingCode::NotRegistered,
                Severity::Warning,
                format!("page {number} was not read: its marks are not where the form has them"),
            );
        }
        if page.identity.carried_by.len() < 2 {
            add(
                FindingCode::SingleSymbol,
                Severity::Info,
                format!("only one symbol of page {number} was legible"),
            );
        }
        if !page.identity.confirmed {
            add(
                FindingCode::Unconfirmed,
                Severity::Info,
                format!("no second decoder read a symbol of page {number}"),
            );
        }
    }
    if circumstances.duplicate {
        add(
            FindingCode::DuplicateApplication,
            Severity::Error,
            "this application was captured before".to_owned(),
        );
    }
    for (code, severity, message) in check_fields(readings) {
        add(code, severity, message.to_owned());
    }
    findings
}

/// What is told of a page whose facing side carries another application.
pub fn sides_disagree(page: u32, other: ApplicationId) -> Finding {
    Finding {
        code: FindingCode::SheetSidesDisagree,
        severity: Severity::Error,
        message: format!("page {page} was scanned next to a page of application {other}"),
    }
}

fn check_fields(readings: &[&FieldReading]) -> Vec<(FindingCode, Severity, &'static str)> {
    let mut found = Vec::new();
    let field = |name: &str| readings.iter().find(|reading| reading.field == name);
    let blank = |name: &str| field(name).is_some_and(|reading| reading.state == InkState::Blank);
    let filled = |names: &[&str]| {
        names.iter().any(|name| field(name).is_some_and(|reading| reading.state != InkState::Blank))
    };
    if field(DECLINED).is_some_and(|reading| reading.state != InkState::Blank) {
        found.push((FindingCode::Declined, Severity::Error, "the mark for no payment has ink"));
    }
    if blank(SIGNATURE) {
        found.push((FindingCode::SignatureMissing, Severity::Error, "the signature is missing"));
    }
    let has_accounts = |names: &[&str]| names.iter().any(|name| field(name).is_some());
    if has_accounts(BANK_ACCOUNT) && has_accounts(YUCHO_ACCOUNT) {
        let route = field(ACCOUNT_ROUTE).and_then(|reading| reading.value.as_deref());
        let message = match (filled(BANK_ACCOUNT), filled(YUCHO_ACCOUNT), route) {
            (false, false, _) => Some("no account is filled in"),
            (true, true, _) => Some("two accounts are filled in"),
            (true, false, Some("yucho")) => Some("the mark says Japan Post, the bank account is filled in"),
            (false, true, Some("bank")) => Some("the mark says bank, the Japan Post account is filled in"),
            _ => None,
        };
        if let Some(message) = message {
            found.push((FindingCode::AccountRoute, Severity::Error, message));
        }
    }
    if blank(HOLDER) {
        found.push((FindingCode::HolderBlank, Severity::Error, "the account holder is blank"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

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
        check_fields(&readings).into_iter().map(|(code, ..)| code).collect()
    }

    #[test]
    fn exactly_one_account_is_filled_in() {
        let bank = ("account_number", Some("1234567"));
        let yucho = [("yucho_symbol", Some("10980")), ("yucho_number", Some("12345671"))];
        let no_yucho = [("yucho_symbol", None), ("yucho_number", None)];
        assert_eq!(codes(&[bank, no_yucho[0], no_yucho[1]]), []);
        assert_eq!(codes(&[("account_number", None), yucho[0], yucho[1]]), []);
        assert_eq!(codes(&[bank, yucho[0], no_yucho[1]]), [FindingCode::AccountRoute]);
        assert_eq!(codes(&[("account_number", None), no_yucho[0], no_yucho[1]]), [FindingCode::AccountRoute]);
        let wrong_mark = ("account_route", Some("yucho"));
        assert_eq!(codes(&[wrong_mark, bank, no_yucho[0], no_yucho[1]]), [FindingCode::AccountRoute]);
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
