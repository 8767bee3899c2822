//! The account that is written on the form against the one that the enclosed copy shows. Print is read
//! far more surely than writing: where the two differ, a person must look, whatever the confidence.

use std::collections::BTreeMap;

use super::account::tidy;
use super::holder::{self, HolderCase};
use super::values::Values;
use super::{Defect, Finding, FindingCode, Severity};
use crate::bank_account::BankAccount;
use crate::form::standard::{
    ACCOUNT_NUMBER, ACCOUNT_TYPE, BANK_CODE, BANK_NAME, BRANCH_CODE, BRANCH_NAME, HOLDER, YUCHO_NUMBER,
    YUCHO_SYMBOL,
};
use crate::kana::ZenginName;
use crate::read::{AccountCopy, CopiedValue};
use crate::reference::{Bank, BankCode, BankTable, BranchCode};

/// What a copy says of a field in which something is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Comparison {
    pub agrees: bool,
    /// What the copy shows.
    pub copied: String,
}

/// By field; fields that the copy says nothing clear about are left out.
pub fn compare_with_copy(
    values: &Values,
    copy: &AccountCopy,
    banks: Option<&BankTable>,
) -> BTreeMap<&'static str, Comparison> {
    let mut found = BTreeMap::new();
    let copied = |field: &str| copy.get(field).map(|copied| copied.value.as_str());
    let mut compare = |field: &'static str, agrees: Option<bool>, copied: &str| {
        found.extend(agrees.map(|agrees| (field, Comparison { agrees, copied: copied.to_owned() })));
    };
    for field in [BANK_CODE, BRANCH_CODE, ACCOUNT_TYPE, ACCOUNT_NUMBER, YUCHO_SYMBOL, YUCHO_NUMBER] {
        if let (Some(written), Some(copied)) = (values.value(field), copied(field)) {
            let digits =
                |text: &str| if field == YUCHO_NUMBER { without_zeros(text) } else { text.to_owned() };
            compare(field, Some(digits(written) == digits(copied)), copied);
        }
    }
    let bank = copied(BANK_CODE).and_then(BankCode::parse).and_then(|code| banks?.bank(code));
    if let (Some(written), Some(bank)) = (values.value(BANK_NAME), bank) {
        let is_of = |bank: &Bank| bank.spellings.iter().any(|spelling| spelling.text == tidy(written));
        let is_anothers = || banks.is_some_and(|banks| banks.banks().iter().any(is_of));
        compare(BANK_NAME, named(is_of(bank), is_anothers), &bank.name);
    }
    let branch = copied(BRANCH_CODE).and_then(BranchCode::parse).and_then(|code| bank?.branch(code));
    if let (Some(written), Some(bank), Some(branch)) = (values.value(BRANCH_NAME), bank, branch) {
        let is_of = |branch: &crate::reference::Branch| {
            branch.spellings().iter().any(|spelling| spelling.text == tidy(written))
        };
        let is_anothers = || bank.branches().iter().any(is_of);
        compare(BRANCH_NAME, named(is_of(branch), is_anothers), &branch.name);
    }
    if let (Some(written), Some(copied)) = (values.value(HOLDER), copy.get(HOLDER)) {
        compare(HOLDER, same_holder(written, copied), &copied.value);
    }
    // A giro account against a copy that shows it as other banks pay to it, or one of another bank.
    let giro = values.value(YUCHO_SYMBOL).zip(values.value(YUCHO_NUMBER));
    let giro = giro.and_then(|(symbol, number)| BankAccount::of_yucho(symbol, number));
    if let (Some(account), None) = (giro, copied(YUCHO_SYMBOL)) {
        let parts = [
            (copied(BANK_CODE), account.bank.to_string()),
            (copied(BRANCH_CODE), account.branch.to_string()),
            (copied(ACCOUNT_NUMBER), account.number.to_string()),
        ];
        let differs = parts.iter().any(|(copied, written)| copied.is_some_and(|copied| copied != written));
        if let (Some(number), Some(_)) = (copied(ACCOUNT_NUMBER), copied(BANK_CODE)) {
            compare(YUCHO_SYMBOL, Some(!differs), number);
            compare(YUCHO_NUMBER, Some(!differs), number);
        }
    }
    found
}

/// A name that is neither the copy's nor that of another is misread or unusual: it says nothing.
fn named(is_same: bool, is_anothers: impl FnOnce() -> bool) -> Option<bool> {
    if is_same { Some(true) } else { is_anothers().then_some(false) }
}

/// Below this a letter of the copy was guessed. Of narrow print others are wrong then, too.
const GUESSED: f64 = 0.7;
/// Less than this of a name may differ where a letter was guessed: another family or given name is so much of it.
const MISREAD: f64 = 0.4;

/// Names that differ by so little that either may be misread say nothing.
fn same_holder(written: &str, copied: &CopiedValue) -> Option<bool> {
    let (written, name) = (ZenginName::of(written).ok()?, ZenginName::of(&copied.value).ok()?);
    if is_same_with_dashes(&written, &name) {
        return Some(true);
    }
    match holder::compare(&written, &name, &[]) {
        HolderCase::Exact => Some(true),
        HolderCase::Soft | HolderCase::Near | HolderCase::Swapped => None,
        _ if is_left_of(&name, &written) => None,
        _ if copied.confidence < GUESSED && holder::share_that_differs(&written, &name) < MISREAD => None,
        _ => Some(false),
    }
}

/// Whether the names are the same but for dashes that the written one does not have: the blank between names is read
/// as one in narrow print.
fn is_same_with_dashes(written: &ZenginName, copied: &ZenginName) -> bool {
    copied.key().replace('-', "") == written.key()
}

/// What is left of a name where letters of it were not read, as happens to narrow print: those of `copied`,
/// sound marks aside, stand in `written` in the same order.
fn is_left_of(copied: &ZenginName, written: &ZenginName) -> bool {
    let (copied, written) = (copied.key(), written.key());
    let mut written = written.chars();
    let mut letters = copied.chars().filter(|letter| !matches!(letter, 'ﾞ' | 'ﾟ' | '-'));
    letters.all(|letter| written.any(|other| other == letter))
}

fn without_zeros(number: &str) -> String {
    number.trim_start_matches('0').to_owned()
}

/// What is told where copy and form differ.
pub fn copy_differs(values: &Values, copy: &AccountCopy, banks: Option<&BankTable>) -> Option<Finding> {
    let compared = compare_with_copy(values, copy, banks);
    let fields: Vec<&str> =
        compared.iter().filter(|(_, comparison)| !comparison.agrees).map(|(field, _)| *field).collect();
    let finding = Finding::new(
        FindingCode::AccountCopyDiffers,
        Severity::Error,
        "the enclosed copy shows another account than the form, or one of them is misread",
        "通帳等の写しと記入された口座が一致しません",
    );
    (!fields.is_empty()).then(|| finding.of_defect(Defect::D11).about(&fields))
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::*;
    use crate::settings::Settings;

    fn banks() -> BankTable {
        let settings = Settings::load(None).expect("shipped settings");
        BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup has run")
    }

    fn told(written: &[(&str, &str)], copied: &[(&str, &str)]) -> (Vec<&'static str>, Vec<&'static str>) {
        let values: Values = written
            .iter()
            .map(|(field, value)| ((*field).to_owned(), Content::Value((*value).to_owned())))
            .collect();
        let value = |value: &str| CopiedValue { value: value.to_owned(), confidence: 0.9 };
        let copy: AccountCopy =
            copied.iter().map(|(field, copied)| ((*field).to_owned(), value(copied))).collect();
        let compared = compare_with_copy(&values, &copy, Some(&banks()));
        let of = |agrees: bool| {
            let fields = compared.iter().filter(|(_, comparison)| comparison.agrees == agrees);
            fields.map(|(field, _)| *field).collect()
        };
        (of(true), of(false))
    }

    const COPY: [(&str, &str); 5] = [
        ("bank_code", "0138"),
        ("branch_code", "310"),
        ("account_type", "ordinary"),
        ("account_number", "0123456"),
        ("account_holder_kana", "ｻﾄｳ ｼﾞﾕﾝ"),
    ];

    #[test]
    fn what_the_copy_shows_agrees_or_differs_field_by_field() {
        let written = [
            ("bank_name", "はまぎん"),
            ("bank_code", "0138"),
            ("branch_name", "上大岡"),
            ("account_type", "ordinary"),
            ("account_number", "0123457"),
            ("account_holder_kana", "サトウ ジュン"),
        ];
        let agree = vec!["account_holder_kana", "account_type", "bank_code", "bank_name"];
        assert_eq!(told(&written, &COPY), (agree, vec!["account_number", "branch_name"]));
    }

    #[test]
    fn what_may_be_misread_says_nothing() {
        let written = [("bank_name", "横兵銀行"), ("account_holder_kana", "サトウ シュン")];
        assert_eq!(told(&written, &COPY), (vec![], vec![]));
        assert_eq!(told(&[("account_holder_kana", "スズキ ハナコ")], &COPY).1, ["account_holder_kana"]);
        let part =
            |copied| told(&[("account_holder_kana", "コンドウ ノリコ")], &[("account_holder_kana", copied)]);
        for copied in ["ｺﾝﾄｳﾉｺ", "ﾉﾘｺ", "ｺﾝﾄｳ-ﾉｺ"] {
            assert_eq!(part(copied), (vec![], vec![]), "{copied}");
        }
        assert_eq!(part("ｺﾝﾄﾞｳ-ﾉﾘｺ"), (vec!["account_holder_kana"], vec![]), "the blank was read as a dash");
        for copied in ["ﾉﾘｺｺﾝﾄﾞ", "ｺﾝﾄﾞｳｹﾝ", "JOHN SMITH"] {
            assert_eq!(part(copied), (vec![], vec!["account_holder_kana"]), "{copied}");
        }
    }

    #[test]
    fn a_name_with_a_guessed_letter_contradicts_only_another_name() {
        let same = |copied: &str, confidence: f64| {
            same_holder("マエダ ケイコ", &CopiedValue { value: copied.to_owned(), confidence })
        };
        assert_eq!(same("ﾏｴﾀﾞｸｲﾛ", 0.55), None);
        assert_eq!(same("ﾏｴﾀﾞｸｲﾛ", 0.9), Some(false));
        for another in ["ﾏｴﾀﾞ ｼﾞﾛｳ", "ﾏｴﾀﾞ ｸﾆｵ", "ｽｽﾞｷ ｹｲｺ", "ﾀﾅｶ ｼﾞﾕﾝ"]
        {
            assert_eq!(same(another, 0.55), Some(false), "{another}");
        }
        let short = CopiedValue { value: "ｻﾄｳ ﾘｴ".to_owned(), confidence: 0.55 };
        assert_eq!(same_holder("サトウ ケン", &short), Some(false));
    }

    #[test]
    fn a_giro_account_is_compared_however_the_copy_shows_it() {
        let written = [("yucho_symbol", "10980"), ("yucho_number", "12345671")];
        let both = vec!["yucho_number", "yucho_symbol"];
        let as_paid = [("bank_code", "9900"), ("branch_code", "098"), ("account_number", "1234567")];
        assert_eq!(told(&written, &as_paid), (both.clone(), vec![]));
        assert_eq!(told(&written, &COPY), (vec![], both.clone()));
        let own = [("yucho_symbol", "10980"), ("yucho_number", "12345671"), ("bank_code", "9900")];
        assert_eq!(told(&written, &own), (both, vec![]));
    }
}
