//! May this application be paid, and to whom? Every field that says where the money goes was accepted
//! under a certificate or decided by people, the rules find nothing in what holds now that nobody has
//! answered for, and a second capture is never paid without people.

use super::standing::Answer;
use super::{Approved, Case, Obstacle, ReturnReason, Returned, Standing, Verdict};
use crate::check::{self, Circumstances, Finding, FindingCode, Route, Rules, Severity};
use crate::export::Yen;
use crate::form::standard::{
    ACCOUNT_NUMBER, ACCOUNT_TYPE, BANK_CODE, BANK_NAME, BRANCH_CODE, BRANCH_NAME, DECLINED, HOLDER,
    SIGNATURE, YUCHO_NUMBER, YUCHO_SYMBOL,
};
use crate::kana::ZenginName;
use crate::publish::Record;
use crate::read::InkState;
use crate::store::field_decisions::Manner;

pub fn settle(case: &Case<'_>, rules: &Rules<'_>) -> Verdict {
    let standing = Standing::of(case.record, case.capture, case.decisions);
    let answer = standing.answer(DECLINED);
    if matches!(answer, Some(Answer::Person(_))) && standing.values.has_ink(DECLINED) {
        return Verdict::Declined;
    }
    let circumstances = Circumstances {
        household: case.household.cloned(),
        duplicate: case.duplicate,
        received_at: case.record.captured_at,
    };
    let (of_values, account) = check::check_values(&standing.values, &circumstances, rules);
    let required = required(case.record, &standing, account.route);
    let mut obstacles = fields_in_the_way(case, &standing, &required);
    let all_by_people = required.iter().all(|field| is_by_people(&standing, field));
    let of_pages = case.record.findings.iter().filter(|finding| is_of_pages(finding.code)).cloned();
    let copy = case.record.pages.iter().find_map(|page| page.copies.as_ref()?.account.as_ref());
    let of_copy = copy.and_then(|copy| check::copy_differs(&standing.values, copy, rules.banks));
    let findings = check::check_circumstances(&circumstances)
        .into_iter()
        .chain(of_pages)
        .chain(of_values)
        .chain(of_copy);
    let open = findings.filter(|finding| match finding.code {
        // What its page would have told was keyed by people, or is still in the way.
        FindingCode::NotRegistered => false,
        FindingCode::DuplicateApplication => !all_by_people && !case.waived.contains(&finding.code),
        // Only the field itself can be decided.
        FindingCode::Declined => true,
        code => !case.waived.contains(&code) && !is_answered(&standing, finding),
    });
    obstacles.extend(open.map(|finding| Obstacle::Finding(Box::new(finding))));
    let payee = standing.values.value(HOLDER).and_then(|written| ZenginName::of(written).ok());
    let amount = case.household.and_then(|household| Yen::new(household.amount));
    match (account.account, payee, amount) {
        (Some(account), Some(payee), Some(amount)) if obstacles.is_empty() => {
            Verdict::Approved(Approved { account, payee, amount })
        }
        (account, _, amount) => {
            if obstacles.is_empty() {
                obstacles.extend(account.is_none().then_some(Obstacle::NoAccount));
                obstacles.extend(amount.is_none().then_some(Obstacle::NoAmount));
            }
            Verdict::NotYet(obstacles)
        }
    }
}

/// The fields that somebody must answer for.
fn required(record: &Record, standing: &Standing, route: Option<Route>) -> Vec<&'static str> {
    let mut required = vec![DECLINED, HOLDER];
    match route {
        // That the other block is blank is as much a statement as what stands in this one.
        Some(Route::Bank) => {
            required.extend([ACCOUNT_NUMBER, ACCOUNT_TYPE, YUCHO_SYMBOL, YUCHO_NUMBER]);
            for (code, name) in [(BANK_CODE, BANK_NAME), (BRANCH_CODE, BRANCH_NAME)] {
                required.push(code);
                // A code that its name does not contradict is enough.
                if standing.values.value(code).is_none() {
                    required.push(name);
                }
            }
        }
        Some(Route::Yucho) => required.extend([YUCHO_SYMBOL, YUCHO_NUMBER, ACCOUNT_NUMBER]),
        None => {}
    }
    // Whether there is ink is all that a signature says.
    let signed = record.fields.get(SIGNATURE).is_some_and(|field| field.ink == Some(InkState::Written));
    if !signed {
        required.push(SIGNATURE);
    }
    required.retain(|field| standing.answer(field).is_some());
    required
}

fn fields_in_the_way(case: &Case<'_>, standing: &Standing, required: &[&str]) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    for &name in required {
        let field = name.to_owned();
        match standing.answer(name) {
            Some(Answer::Nobody) => obstacles.push(Obstacle::Undecided { field }),
            Some(Answer::Municipality) => obstacles.push(Obstacle::Escalated { field }),
            Some(Answer::Machine)
                if case.duplicate && !case.waived.contains(&FindingCode::DuplicateApplication) =>
            {
                obstacles.push(Obstacle::OnlyAccepted { field });
            }
            Some(Answer::Machine | Answer::Person(_)) | None => {}
        }
    }
    if let Some(Returned { at, reason }) = case.returned {
        let looked_at: &[&str] = match reason {
            ReturnReason::Holder => &[HOLDER],
            ReturnReason::Number | ReturnReason::Closed | ReturnReason::Other => {
                &[ACCOUNT_NUMBER, YUCHO_NUMBER]
            }
        };
        let since = |field: &&str| standing.decided_at(field).is_some_and(|decided| decided > at);
        if !looked_at.iter().any(since) {
            obstacles.push(Obstacle::ReturnedSince { field: looked_at[0].to_owned() });
        }
    }
    obstacles
}

fn is_by_people(standing: &Standing, field: &str) -> bool {
    matches!(standing.answer(field), None | Some(Answer::Person(_)))
}

/// Those that a record has beside what its fields and the register say.
fn is_of_pages(code: FindingCode) -> bool {
    use FindingCode::{
        AccountCopyMissing, AccountCopyUnreadable, CopyBlackedOut, IdentityCopyDiffers, IdentityCopyExpired,
        IdentityCopyMissing, IdentityCopyUnreadable, MissingPage, NotRegistered, SensitiveNumberRemoved,
        SheetSidesDisagree, SingleSymbol, Unconfirmed,
    };
    matches!(
        code,
        MissingPage
            | SheetSidesDisagree
            | NotRegistered
            | SingleSymbol
            | Unconfirmed
            | SensitiveNumberRemoved
            | CopyBlackedOut
            | IdentityCopyMissing
            | IdentityCopyUnreadable
            | IdentityCopyExpired
            | IdentityCopyDiffers
            | AccountCopyMissing
            | AccountCopyUnreadable
    )
}

/// A person who decided the fields has seen what a warning is about; an error is the municipality's.
fn is_answered(standing: &Standing, finding: &Finding) -> bool {
    let all = |wanted: fn(Option<Answer>) -> bool| {
        let mut fields =
            finding.fields.iter().map(|field| standing.answer(field)).filter(Option::is_some).peekable();
        fields.peek().is_some() && fields.all(wanted)
    };
    match finding.severity {
        Severity::Info => true,
        Severity::Warning => all(|answer| matches!(answer, Some(Answer::Person(_)))),
        Severity::Error => all(|answer| answer == Some(Answer::Person(Manner::Municipality))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, id, right, value};
    use super::*;
    use crate::bank_account::BankAccount;
    use crate::digest::Sha256;
    use crate::score::Disposition;
    use crate::store::captures::CaptureId;
    use crate::store::field_decisions::Outcome;

    #[test]
    fn what_is_accepted_throughout_is_paid_to_the_account_that_was_written() {
        let Verdict::Approved(approved) = right().verdict() else { panic!("{:?}", right().obstacles()) };
        let BankAccount { bank, branch, kind, number } = approved.account;
        assert_eq!(format!("{bank} {branch} {} {number}", kind.code()), "0138 310 1 0123456");
        assert_eq!((approved.payee.as_str(), approved.amount.get()), ("ｻﾄｳ ｼﾞﾖｳｼﾞ", 200_000));
        assert_eq!(format!("{approved:?}"), "Approved(***)");
    }

    #[test]
    fn every_field_that_says_where_money_goes_is_answered_for() {
        let to_verify = [
            "declined",
            "account_holder_kana",
            "account_number",
            "account_type",
            "yucho_symbol",
            "yucho_number",
            "bank_code",
            "branch_code",
        ];
        for name in to_verify {
            let read = right().record.fields[name].value.clone();
            let told = right().read(name, read.as_deref(), Disposition::Verify);
            assert_eq!(told.obstacles(), [format!("{name} is neither accepted nor decided")]);
            let outcome = read.map_or(Outcome::Blank, |read| value(&read));
            assert!(told.decided(name, outcome, Manner::Verified).is_approved(), "{name}");
        }
        // What says nothing of the money need not be.
        for name in ["application_date", "account_route", "signature", "bank_name", "branch_name"] {
            let read = right().record.fields[name].value.clone();
            assert!(right().read(name, read.as_deref(), Disposition::Verify).is_approved(), "{name}");
        }
    }

    #[test]
    fn the_rules_look_at_what_people_decided() {
        // Read wrong and accepted; a person finds the mistake, and the holder is the head after all.
        let misread = right().read("account_holder_kana", Some("ｻﾄｳ ｼﾞﾖｳｼ"), Disposition::Accepted);
        assert_eq!(misread.obstacles().len(), 1);
        assert!(
            misread.decided("account_holder_kana", value("サトウ ジョウジ"), Manner::TwoKeys).is_approved()
        );
        // A person who keys another bank than the name says brings an error in.
        assert!(!right().decided("bank_code", value("0005"), Manner::Verified).is_approved());
        assert!(!right().decided("account_number", Outcome::Illegible, Manner::Verified).is_approved());
        assert_eq!(
            right().decided("account_number", Outcome::Escalated, Manner::Verified).obstacles()[0],
            "account_number was escalated to the municipality"
        );
    }

    #[test]
    fn an_error_is_for_the_municipality_and_a_warning_for_any_person() {
        let wife = right().read("account_holder_kana", Some("ｻﾄｳ ﾊﾅｺ"), Disposition::Accepted);
        assert!(!wife.is_approved());
        let wife = wife.decided("account_holder_kana", value("ｻﾄｳ ﾊﾅｺ"), Manner::TwoKeys);
        assert!(!wife.is_approved(), "two people keyed it, and she is still not the head");
        assert!(wife.decided("account_holder_kana", value("ｻﾄｳ ﾊﾅｺ"), Manner::Municipality).is_approved());
        let swapped = right().read("account_holder_kana", Some("ｼﾞﾖｳｼﾞ ｻﾄｳ"), Disposition::Accepted);
        assert!(!swapped.is_approved());
        assert!(swapped.decided("account_holder_kana", value("ｼﾞﾖｳｼﾞ ｻﾄｳ"), Manner::Verified).is_approved());
    }

    #[test]
    fn who_wants_no_payment_is_asked_and_gets_none() {
        let marked = right().read("declined", Some("declined"), Disposition::Verify);
        assert!(matches!(marked.verdict(), Verdict::NotYet(_)));
        let by_machine = right().read("declined", Some("declined"), Disposition::Accepted);
        assert!(matches!(by_machine.verdict(), Verdict::NotYet(_)), "never by the machine");
        let mut waived = right().read("declined", Some("declined"), Disposition::Accepted);
        waived.waived.insert(FindingCode::Declined);
        assert!(matches!(waived.verdict(), Verdict::NotYet(_)), "the field is decided, not the finding");
        let meant = right().read("declined", Some("declined"), Disposition::Verify);
        assert_eq!(
            meant.decided("declined", value("declined"), Manner::Verified).verdict(),
            Verdict::Declined
        );
        assert!(marked.decided("declined", Outcome::Blank, Manner::Municipality).is_approved());
    }

    #[test]
    fn an_application_that_came_twice_is_never_paid_by_the_machine_alone() {
        let mut told = right();
        told.duplicate = true;
        assert!(!told.is_approved());
        let names: Vec<String> = told.record.fields.keys().cloned().collect();
        for name in names {
            let outcome = told.record.fields[&name].value.clone().map_or(Outcome::Blank, |read| value(&read));
            if name != "signature" {
                told = told.decided(&name, outcome, Manner::Verified);
            }
        }
        assert!(told.is_approved(), "{:?}", told.obstacles());
        // Decisions about the other capture's picture do not count.
        for decided in told.decisions.values_mut() {
            decided.decision.capture = CaptureId::of(Sha256::of(b"other"), id(), 0);
        }
        assert!(!told.is_approved());
    }

    #[test]
    fn after_a_return_somebody_looks_at_what_was_wrong() {
        let mut told = right();
        told.returned = Some(Returned { at: at(5), reason: ReturnReason::Holder });
        assert_eq!(told.obstacles(), ["account_holder_kana was not looked at since the payment came back"]);
        assert!(told.decided("account_holder_kana", value("ｻﾄｳｼﾞﾖｳｼﾞ"), Manner::Verified).is_approved());
        let mut told = right().decided("account_number", value("0123456"), Manner::Verified);
        told.returned = Some(Returned { at: at(20), reason: ReturnReason::Closed });
        assert!(!told.is_approved(), "decided before it came back");
    }

    #[test]
    fn what_no_field_settles_somebody_waives() {
        let mut told = right();
        told.record.findings = vec![Finding {
            code: FindingCode::MissingPage,
            severity: Severity::Warning,
            message: "page 2 of the form is missing".to_owned(),
            message_ja: String::new(),
            defect: None,
            fields: Vec::new(),
            case: None,
        }];
        assert_eq!(told.obstacles(), ["page 2 of the form is missing"]);
        told.waived.insert(FindingCode::MissingPage);
        assert!(told.is_approved());
        let mut unknown = right();
        unknown.household = None;
        unknown.waived.insert(FindingCode::NotInRegister);
        assert!(!unknown.is_approved(), "nobody knows how much");
        let mut nothing = right();
        nothing.household.as_mut().expect("there is one").amount = 0;
        nothing.household.as_mut().expect("there is one").members = 0;
        assert_eq!(nothing.obstacles(), ["the register's amount cannot be paid"]);
    }
}
