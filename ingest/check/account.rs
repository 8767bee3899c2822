//! The account that a form names: exactly one, at a bank and branch that exist and that code and name
//! agree on, with a number that can be one.

use super::values::{Content, Values};
use super::{Defect, Finding, FindingCode, Severity};
use crate::bank_account::{AccountNumber, AccountType, BankAccount};
use crate::form::standard::{
    ACCOUNT_NUMBER, ACCOUNT_ROUTE, ACCOUNT_TYPE, BANK_CODE, BANK_NAME, BRANCH_CODE, BRANCH_NAME, ROUTE_BANK,
    ROUTE_YUCHO, YUCHO_NUMBER, YUCHO_SYMBOL,
};
use crate::reference::{self, BankCode, BankTable, Branch, Spelling};

/// Which of the form's two blocks is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Bank,
    Yucho,
}

impl Route {
    /// Every field that says where the money goes, the holder and the mark aside.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Bank => &[BANK_NAME, BANK_CODE, BRANCH_NAME, BRANCH_CODE, ACCOUNT_TYPE, ACCOUNT_NUMBER],
            Self::Yucho => &[YUCHO_SYMBOL, YUCHO_NUMBER],
        }
    }
}

/// What was found of the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// None where neither or both are filled in.
    pub route: Option<Route>,
    /// Where the money would go; none while something is missing or wrong.
    pub account: Option<BankAccount>,
    pub findings: Vec<Finding>,
}

/// Looks at the account's fields, where the form has both blocks. Without a table of banks nothing is
/// said of banks and branches, and no account comes out.
pub fn account(values: &Values, banks: Option<&BankTable>) -> Account {
    let has = |fields: &[&str]| fields.iter().any(|field| values.has(field));
    if !has(&[ACCOUNT_NUMBER]) || !has(&[YUCHO_SYMBOL, YUCHO_NUMBER]) {
        return Account::default();
    }
    let mut findings = Vec::new();
    let route = route(values, &mut findings);
    let account = match route {
        Some(Route::Bank) => bank_account(values, banks, &mut findings),
        Some(Route::Yucho) => yucho_account(values, banks, &mut findings),
        None => None,
    };
    Account { route, account, findings }
}

fn route(values: &Values, findings: &mut Vec<Finding>) -> Option<Route> {
    let filled = |fields: &[&str]| fields.iter().any(|field| values.has_ink(field));
    let mark = values.value(ACCOUNT_ROUTE);
    let (route, found) = match (filled(&[ACCOUNT_NUMBER]), filled(&[YUCHO_SYMBOL, YUCHO_NUMBER]), mark) {
        (false, false, _) => {
            (None, Some(("no account is filled in", "口座が記入されていません", Defect::D03)))
        }
        (true, true, _) => {
            (None, Some(("two accounts are filled in", "口座が二つ記入されています", Defect::D12)))
        }
        (true, false, Some(ROUTE_YUCHO)) => (
            Some(Route::Bank),
            Some((
                "the mark says Japan Post, the bank account is filled in",
                "ゆうちょ銀行に印がありますが、他の金融機関の口座が記入されています",
                Defect::D12,
            )),
        ),
        (false, true, Some(ROUTE_BANK)) => (
            Some(Route::Yucho),
            Some((
                "the mark says bank, the Japan Post account is filled in",
                "金融機関に印がありますが、ゆうちょ銀行の口座が記入されています",
                Defect::D12,
            )),
        ),
        (true, false, _) => (Some(Route::Bank), None),
        (false, true, _) => (Some(Route::Yucho), None),
    };
    findings.extend(found.map(|(message, ja, defect)| {
        Finding::new(FindingCode::AccountRoute, Severity::Error, message, ja).of_defect(defect).about(&[
            ACCOUNT_ROUTE,
            ACCOUNT_NUMBER,
            YUCHO_SYMBOL,
            YUCHO_NUMBER,
        ])
    }));
    route
}

fn yucho_account(
    values: &Values,
    banks: Option<&BankTable>,
    findings: &mut Vec<Finding>,
) -> Option<BankAccount> {
    let fields = [YUCHO_SYMBOL, YUCHO_NUMBER];
    let account = values
        .value(YUCHO_SYMBOL)
        .zip(values.value(YUCHO_NUMBER))
        .and_then(|(symbol, number)| BankAccount::of_yucho(symbol, number));
    let wrong = |message: &str, ja: &str| {
        Finding::new(FindingCode::YuchoNumber, Severity::Error, message, ja)
            .of_defect(Defect::D05)
            .about(&fields)
    };
    let Some(account) = account else {
        findings.push(wrong(
            "symbol and number are none of Japan Post's",
            "通帳記号・番号がゆうちょ銀行の形式ではありません",
        ));
        return None;
    };
    if let (Some(symbol), Some(number)) = (values.value(YUCHO_SYMBOL), values.value(YUCHO_NUMBER))
        && !reference::check_digit_holds(symbol, &format!("{number:0>8}"))
    {
        let finding = Finding::new(
            FindingCode::YuchoCheckDigit,
            Severity::Warning,
            "the check digit of the symbol is wrong: a digit is misread or miswritten",
            "通帳記号の検査数字が合いません。数字の誤りがないか確認してください",
        );
        findings.push(finding.of_defect(Defect::D05).about(&fields));
    }
    let bank = banks?.bank(BankCode::YUCHO)?;
    if bank.branch(account.branch).is_none() {
        findings.push(wrong(
            "the symbol leads to a branch that Japan Post does not have",
            "通帳記号から求めた店番がゆうちょ銀行にありません",
        ));
        return None;
    }
    Some(account)
}

fn bank_account(
    values: &Values,
    banks: Option<&BankTable>,
    findings: &mut Vec<Finding>,
) -> Option<BankAccount> {
    let kind = values.value(ACCOUNT_TYPE).and_then(AccountType::of_mark);
    if kind.is_none() && values.has(ACCOUNT_TYPE) {
        let finding = Finding::new(
            FindingCode::AccountTypeMissing,
            Severity::Error,
            "neither ordinary nor current is marked",
            "預金種目(普通・当座)に印がありません",
        );
        findings.push(finding.of_defect(Defect::D03).about(&[ACCOUNT_TYPE]));
    }
    let number = values.value(ACCOUNT_NUMBER).and_then(AccountNumber::parse);
    if number.is_none() {
        let finding = Finding::new(
            FindingCode::AccountNumber,
            Severity::Error,
            "the account number is no seven digits that could be an account",
            "口座番号が7桁の数字として読めません",
        );
        findings.push(finding.of_defect(Defect::D05).about(&[ACCOUNT_NUMBER]));
    }
    let bank = settle(
        values,
        &BANK,
        findings,
        banks?.banks(),
        |bank| bank.code.to_string(),
        |bank| bank.spellings.clone(),
    )?;
    let branch = settle(
        values,
        &BRANCH,
        findings,
        bank.branches(),
        |branch| branch.code.to_string(),
        Branch::spellings,
    )?;
    Some(BankAccount { bank: bank.code, branch: branch.code, kind: kind?, number: number? })
}

/// What is named by a code and a name.
struct Named {
    code: &'static str,
    name: &'static str,
    unknown: FindingCode,
    disagrees: FindingCode,
    what: &'static str,
    ja: &'static str,
}

const BANK: Named = Named {
    code: BANK_CODE,
    name: BANK_NAME,
    unknown: FindingCode::BankUnknown,
    disagrees: FindingCode::BankNameDisagrees,
    what: "bank",
    ja: "金融機関",
};

const BRANCH: Named = Named {
    code: BRANCH_CODE,
    name: BRANCH_NAME,
    unknown: FindingCode::BranchUnknown,
    disagrees: FindingCode::BranchNameDisagrees,
    what: "branch",
    ja: "支店",
};

/// The one that code and name agree on, or the one that one of them says where the other is blank.
/// A code that disagrees with its name names nothing: somebody would be paid at the wrong place.
fn settle<'t, T>(
    values: &Values,
    named: &Named,
    findings: &mut Vec<Finding>,
    all: &'t [T],
    code_of: impl Fn(&T) -> String,
    spellings: impl Fn(&T) -> Vec<Spelling>,
) -> Option<&'t T> {
    let Named { code, name, what, ja, .. } = *named;
    let mut add = |finding_code, severity, message: String, japanese: String| {
        let finding = Finding::new(finding_code, severity, message, japanese);
        findings.push(finding.of_defect(Defect::D04).about(&[code, name]));
    };
    let by_code = match values.get(code) {
        Some(Content::Value(written)) => match all.iter().find(|one| code_of(one) == *written) {
            Some(found) => Some(found),
            None => {
                let message = format!("the {what}'s code is none that there is");
                add(named.unknown, Severity::Error, message, format!("{ja}コードに該当がありません"));
                return None;
            }
        },
        Some(Content::Unreadable) => {
            let message = format!("the {what}'s code cannot be read");
            add(named.unknown, Severity::Error, message, format!("{ja}コードが読めません"));
            return None;
        }
        Some(Content::Blank) | None => None,
    };
    let written = values.value(name).map(tidy);
    let by_name: Vec<&T> = written.as_ref().map_or_else(Vec::new, |written| {
        let names = |one: &&T| spellings(one).iter().any(|spelling| spelling.text == *written);
        all.iter().filter(names).collect()
    });
    match (by_code, &by_name[..]) {
        (Some(found), names) if names.iter().any(|&one| code_of(one) == code_of(found)) => Some(found),
        (Some(found), []) if written.is_none() && !values.has_ink(name) => Some(found),
        (Some(found), []) => {
            let message = format!("the {what}'s name is none that is known; its code is");
            add(
                named.disagrees,
                Severity::Warning,
                message,
                format!("{ja}名が照合できません(コードは有効です)"),
            );
            Some(found)
        }
        (Some(_), _) => {
            let message = format!("the {what}'s code and name say different ones");
            add(named.disagrees, Severity::Error, message, format!("{ja}名とコードが一致しません"));
            None
        }
        (None, &[found]) => Some(found),
        (None, _) => {
            let message = format!("neither code nor name says which {what} it is");
            add(named.unknown, Severity::Error, message, format!("{ja}を特定できません"));
            None
        }
    }
}

/// As the table has names: width variants as they are mostly written, no blanks.
pub(super) fn tidy(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    name.nfkc().filter(|character| !character.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn banks() -> BankTable {
        let settings = Settings::load(None).expect("shipped settings");
        BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup has run")
    }

    const BANK: [(&str, &str); 6] = [
        ("bank_name", "横浜銀行"),
        ("bank_code", "0138"),
        ("branch_name", "関内"),
        ("branch_code", "310"),
        ("account_type", "ordinary"),
        ("account_number", "0123456"),
    ];

    fn found(changes: &[(&str, &str)]) -> Account {
        let mut fields: Vec<(&str, &str)> =
            [("account_route", ""), ("yucho_symbol", ""), ("yucho_number", "")].to_vec();
        fields.extend(BANK);
        for &(field, value) in changes {
            fields.iter_mut().filter(|(name, _)| *name == field).for_each(|entry| entry.1 = value);
        }
        let content = |value: &str| match value {
            "" => Content::Blank,
            "?" => Content::Unreadable,
            value => Content::Value(value.to_owned()),
        };
        let values: Values = fields.iter().map(|&(name, value)| (name.to_owned(), content(value))).collect();
        account(&values, Some(&banks()))
    }

    fn codes(changes: &[(&str, &str)]) -> Vec<FindingCode> {
        found(changes).findings.iter().map(|finding| finding.code).collect()
    }

    fn paid_to(changes: &[(&str, &str)]) -> Option<String> {
        let BankAccount { bank, branch, kind, number } = found(changes).account?;
        Some(format!("{bank}-{branch}-{}-{number}", kind.code()))
    }

    #[test]
    fn code_and_name_agree_or_one_of_them_is_blank() {
        let expected = Some("0138-310-1-0123456");
        for changes in [
            &[][..],
            &[("bank_name", "はまぎん"), ("branch_name", "関内支店")],
            &[("bank_code", ""), ("branch_code", "")],
            &[("bank_name", ""), ("branch_name", "")],
            &[("account_route", "bank")],
        ] {
            assert_eq!(paid_to(changes).as_deref(), expected, "{changes:?}");
            assert_eq!(codes(changes), [], "{changes:?}");
        }
    }

    #[test]
    fn a_bank_or_branch_that_is_not_sure_is_found() {
        use FindingCode::{BankNameDisagrees, BankUnknown, BranchNameDisagrees, BranchUnknown};
        for (changes, code, paid) in [
            (&[("bank_code", "9999")][..], BankUnknown, false),
            (&[("bank_code", "?")], BankUnknown, false),
            (&[("bank_code", "0005")], BankNameDisagrees, false),
            (&[("bank_name", "横兵銀行")], BankNameDisagrees, true),
            (&[("bank_code", ""), ("bank_name", "横兵銀行")], BankUnknown, false),
            (&[("bank_code", ""), ("bank_name", "")], BankUnknown, false),
            (&[("branch_code", "999")], BranchUnknown, false),
            (&[("branch_name", "横浜駅前")], BranchNameDisagrees, false),
            (&[("branch_code", ""), ("branch_name", "関円")], BranchUnknown, false),
        ] {
            assert_eq!(codes(changes), [code], "{changes:?}");
            assert_eq!(paid_to(changes).is_some(), paid, "{changes:?}");
        }
    }

    #[test]
    fn numbers_and_types_are_what_they_must_be() {
        assert_eq!(codes(&[("account_number", "123456")]), [FindingCode::AccountNumber]);
        assert_eq!(codes(&[("account_number", "?")]), [FindingCode::AccountNumber]);
        assert_eq!(codes(&[("account_type", "")]), [FindingCode::AccountTypeMissing]);
        assert_eq!(paid_to(&[("account_type", "current")]).as_deref(), Some("0138-310-2-0123456"));
    }

    #[test]
    fn exactly_one_account_is_filled_in() {
        let yucho = [("account_number", ""), ("yucho_symbol", "10980"), ("yucho_number", "12345671")];
        assert_eq!(codes(&[("account_number", "")]), [FindingCode::AccountRoute]);
        assert_eq!(codes(&[("yucho_number", "1")]), [FindingCode::AccountRoute]);
        assert_eq!(codes(&[("account_route", "yucho")]), [FindingCode::AccountRoute]);
        let wrong_mark: Vec<_> = yucho.into_iter().chain([("account_route", "bank")]).collect();
        assert_eq!(codes(&wrong_mark).first(), Some(&FindingCode::AccountRoute));
        assert_eq!(account(&Values::default(), None), Account::default());
    }

    #[test]
    fn a_giro_account_is_converted_and_its_check_digit_and_branch_looked_at() {
        let giro =
            |symbol, number| [("account_number", ""), ("yucho_symbol", symbol), ("yucho_number", number)];
        // Japan Committee for UNICEF.
        assert_eq!(paid_to(&giro("00190", "31000")).as_deref(), Some("9900-019-2-0031000"));
        assert_eq!(codes(&giro("00190", "31000")), []);
        assert_eq!(codes(&giro("00190", "31001")), [FindingCode::YuchoCheckDigit]);
        assert_eq!(codes(&giro("00190", "")), [FindingCode::YuchoNumber]);
        assert_eq!(codes(&giro("20190", "31000")), [FindingCode::YuchoNumber]);
        // 508: no such branch.
        assert!(codes(&giro("15080", "12345671")).contains(&FindingCode::YuchoNumber));
    }
}
