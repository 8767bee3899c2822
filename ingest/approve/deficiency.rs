//! What an applicant must mend before the application can be paid. Nothing is asked of them while people
//! or the municipality still have to look: a letter about a misread figure costs two weeks.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::standing::Answer;
use super::{Case, Obstacle, ReturnReason, Returned, Standing, Verdict, settle};
use crate::check::{Defect, Finding, FindingCode, Rules};
use crate::form::{Form, FormPage};

/// One thing that the applicant must mend, and the page of the form that it stands on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deficiency {
    Finding {
        page: u32,
        code: FindingCode,
        defect: Option<Defect>,
    },
    /// The municipality was asked about the field, and has the applicant write it anew.
    Field {
        page: u32,
        field: String,
    },
    /// The bank could not pay, as it said then.
    Returned {
        page: u32,
        reason: ReturnReason,
        at: DateTime<Utc>,
    },
}

impl Deficiency {
    pub fn page(&self) -> u32 {
        match self {
            Self::Finding { page, .. } | Self::Field { page, .. } | Self::Returned { page, .. } => *page,
        }
    }
}

/// Whether the applicant is to be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mending {
    /// There is nothing that the applicant could mend.
    Nothing,
    /// People at the review desk have not finished.
    WaitsForPeople,
    WaitsForMunicipality,
    /// In the order of the pages; not empty.
    Asked(Vec<Deficiency>),
}

/// Whose matter an open finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Applicant,
    People,
    Municipality,
}

fn whose(code: FindingCode) -> Whose {
    match code {
        FindingCode::MissingPage
        | FindingCode::Declined
        | FindingCode::SignatureMissing
        | FindingCode::DateImplausible
        | FindingCode::AccountRoute
        | FindingCode::BankUnknown
        | FindingCode::BankNameDisagrees
        | FindingCode::BranchUnknown
        | FindingCode::BranchNameDisagrees
        | FindingCode::AccountTypeMissing
        | FindingCode::AccountNumber
        | FindingCode::YuchoNumber
        | FindingCode::YuchoCheckDigit
        | FindingCode::HolderBlank
        | FindingCode::HolderNotLegal
        | FindingCode::IdentityCopyMissing
        | FindingCode::IdentityCopyExpired
        | FindingCode::AccountCopyMissing
        | FindingCode::AccountCopyDiffers => Whose::Applicant,
        FindingCode::SheetSidesDisagree
        | FindingCode::NotRegistered
        | FindingCode::SingleSymbol
        | FindingCode::Unconfirmed
        | FindingCode::AssignedByHand
        | FindingCode::SentAgain
        | FindingCode::TakenOver
        | FindingCode::SensitiveNumberRemoved
        | FindingCode::CopyBlackedOut
        | FindingCode::IdentityCopyUnreadable
        | FindingCode::IdentityCopyDiffers
        | FindingCode::AccountCopyUnreadable
        | FindingCode::DuplicateApplication => Whose::People,
        // Whether a holder of another name may be paid is decided by nobody else.
        FindingCode::HolderDiffers
        | FindingCode::NotInRegister
        | FindingCode::AmountDiffers
        | FindingCode::SameAccount => Whose::Municipality,
    }
}

/// What stands in the way of a payment and is the applicant's to mend. `form` is that of the record;
/// `sent_back` are fields of this capture of which the municipality answered that the applicant must write
/// them anew.
pub fn mending(case: &Case<'_>, rules: &Rules<'_>, form: &Form, sent_back: &BTreeSet<String>) -> Mending {
    let Verdict::NotYet(obstacles) = settle(case, rules) else { return Mending::Nothing };
    let standing = Standing::of(case.record, case.capture, case.decisions);
    // What was decided since is no longer asked for.
    let escalated = |field: &&String| standing.answer(field) == Some(Answer::Municipality);
    let sent_back: BTreeSet<String> = sent_back.iter().filter(escalated).cloned().collect();
    let mut deficiencies: BTreeSet<Deficiency> = sent_back
        .iter()
        .map(|field| Deficiency::Field { page: page_of(form, field), field: field.clone() })
        .collect();
    let (mut people, mut municipality) = (false, false);
    for obstacle in &obstacles {
        match obstacle {
            Obstacle::Undecided { .. } | Obstacle::OnlyAccepted { .. } => people = true,
            Obstacle::Escalated { field } => municipality |= !sent_back.contains(field),
            Obstacle::ReturnedSince { field } => {
                let page = page_of(form, field);
                let told = |Returned { at, reason }| Deficiency::Returned { page, reason, at };
                deficiencies.extend(case.returned.map(told));
            }
            Obstacle::Finding(finding) => match whose_now(&standing, finding, &sent_back) {
                Some(Whose::Applicant) => deficiencies.extend(of_finding(case, form, finding)),
                Some(Whose::People) => people = true,
                Some(Whose::Municipality) => municipality = true,
                None => {}
            },
            Obstacle::NoAccount | Obstacle::NoAmount | Obstacle::HouseholdApproved => {}
        }
    }
    if people {
        Mending::WaitsForPeople
    } else if municipality {
        Mending::WaitsForMunicipality
    } else if deficiencies.is_empty() {
        Mending::Nothing
    } else {
        let mut deficiencies: Vec<Deficiency> = deficiencies.into_iter().collect();
        deficiencies.sort_by_key(Deficiency::page);
        Mending::Asked(deficiencies)
    }
}

/// None where it says of a field that was sent back what the letter says anyway.
fn whose_now(standing: &Standing, finding: &Finding, sent_back: &BTreeSet<String>) -> Option<Whose> {
    if finding.fields.iter().any(|field| sent_back.contains(field)) {
        return None;
    }
    let open = |wanted| finding.fields.iter().any(|field| standing.answer(field) == Some(wanted));
    if open(Answer::Nobody) {
        Some(Whose::People)
    } else if open(Answer::Municipality) {
        Some(Whose::Municipality)
    } else {
        Some(whose(finding.code))
    }
}

fn of_finding(case: &Case<'_>, form: &Form, finding: &Finding) -> Vec<Deficiency> {
    let on = |page| Deficiency::Finding { page, code: finding.code, defect: finding.defect };
    if finding.code == FindingCode::MissingPage {
        let there = |page: u32| case.record.pages.iter().any(|read| read.page == page);
        return form.pages.iter().map(|page| page.number).filter(|&page| !there(page)).map(on).collect();
    }
    let of_copies =
        [FindingCode::IdentityCopyMissing, FindingCode::IdentityCopyExpired, FindingCode::AccountCopyMissing];
    if of_copies.contains(&finding.code) {
        let has_copies = |page: &&FormPage| !page.copy_areas().is_empty();
        return form.pages.iter().find(has_copies).map(|page| on(page.number)).into_iter().collect();
    }
    vec![on(finding.fields.first().map_or(1, |field| page_of(form, field)))]
}

/// The page that a field stands on; the first where the form has no such field.
fn page_of(form: &Form, field: &str) -> u32 {
    let has = |page: &&FormPage| page.fields.iter().any(|one| one.name == field);
    form.pages.iter().find(has).map_or(1, |page| page.number)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Told, at, right, value};
    use super::*;
    use crate::check::Severity;
    use crate::form::Forms;
    use crate::score::Disposition;
    use crate::settings::Settings;
    use crate::store::field_decisions::{Manner, Outcome};

    fn of(told: &Told, sent_back: &[&str]) -> Mending {
        let settings = Settings::load(None).expect("shipped settings");
        let forms = Forms::load_dir(&settings.paths.forms).expect("the shipped forms");
        let form = forms.find("benefit-2020", "1").expect("shipped");
        let sent_back = sent_back.iter().map(|&field| field.to_owned()).collect();
        told.with_case(|case, rules| mending(case, rules, form, &sent_back))
    }

    fn asked(told: &Told) -> Vec<FindingCode> {
        match of(told, &[]) {
            Mending::Asked(deficiencies) => deficiencies
                .iter()
                .map(|deficiency| match deficiency {
                    Deficiency::Finding { code, .. } => *code,
                    other => panic!("{other:?}"),
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn whoever_left_something_out_is_asked_for_it() {
        assert_eq!(of(&right(), &[]), Mending::Nothing);
        let unsigned = right().read("signature", None, Disposition::Blank);
        assert_eq!(asked(&unsigned), [FindingCode::SignatureMissing]);
        let mut much = right()
            .read("account_number", None, Disposition::Blank)
            .read("signature", None, Disposition::Blank)
            .read("account_holder_kana", None, Disposition::Blank);
        assert_eq!(
            asked(&much),
            [FindingCode::SignatureMissing, FindingCode::AccountRoute, FindingCode::HolderBlank]
        );
        // The record has no page at all: both must come again.
        much.record.findings = vec![Finding {
            code: FindingCode::MissingPage,
            severity: Severity::Warning,
            message: "a page of the form is missing".to_owned(),
            message_ja: String::new(),
            defect: None,
            fields: Vec::new(),
            case: None,
        }];
        let Mending::Asked(deficiencies) = of(&much, &[]) else { panic!("{:?}", of(&much, &[])) };
        assert_eq!(deficiencies.iter().map(Deficiency::page).collect::<Vec<_>>(), [1, 1, 1, 1, 2]);
    }

    #[test]
    fn nobody_is_asked_while_people_still_have_to_look() {
        let unsigned = right().read("signature", None, Disposition::Blank);
        let doubtful = unsigned.read("account_number", Some("0123456"), Disposition::Verify);
        assert_eq!(of(&doubtful, &[]), Mending::WaitsForPeople);
        // Nor about a date that may only be misread.
        let date = right().read("application_date", Some("029901"), Disposition::Verify);
        assert_eq!(of(&date, &[]), Mending::WaitsForPeople);
        let unsigned = date.read("signature", None, Disposition::Blank);
        assert_eq!(of(&unsigned, &[]), Mending::WaitsForPeople);
        let decided = unsigned.decided("application_date", value("029901"), Manner::Verified);
        assert_eq!(asked(&decided), [FindingCode::SignatureMissing], "who decided it answers for the date");
        let mut twice = right().read("signature", None, Disposition::Blank);
        twice.duplicate = true;
        assert_eq!(of(&twice, &[]), Mending::WaitsForPeople);
    }

    #[test]
    fn another_holder_is_asked_about_when_the_municipality_says_so() {
        let holder = "account_holder_kana";
        let wife = right().decided(holder, value("ｻﾄｳ ﾊﾅｺ"), Manner::TwoKeys);
        assert_eq!(of(&wife, &[]), Mending::WaitsForMunicipality);
        let asked = right().decided(holder, Outcome::Escalated, Manner::Verified);
        assert_eq!(of(&asked, &[]), Mending::WaitsForMunicipality);
        let expected = Deficiency::Field { page: 1, field: holder.to_owned() };
        assert_eq!(of(&asked, &[holder]), Mending::Asked(vec![expected]));
    }

    #[test]
    fn whoever_could_not_be_paid_is_asked_for_the_account() {
        let mut told = right();
        told.returned = Some(Returned { at: at(5), reason: ReturnReason::Closed });
        let expected = Deficiency::Returned { page: 1, reason: ReturnReason::Closed, at: at(5) };
        assert_eq!(of(&told, &[]), Mending::Asked(vec![expected]));
        let decided = told.decided("account_number", value("0123456"), Manner::Verified);
        assert_eq!(of(&decided, &[]), Mending::Nothing, "it is paid again");
    }
}
