//! What the fields of a page say of each other, by the table of banks and the rules of ゆうちょ:
//! evidence beside what was read, which stays as it is.

use super::bank_names::DECISIVE;
use super::{CroppedReading, Evidence, EvidenceSource, InkState};
use crate::form::standard::{
    ACCOUNT_NUMBER, ACCOUNT_ROUTE, ACCOUNT_TYPE, BANK_CODE, BANK_NAME, BRANCH_CODE, BRANCH_NAME, ROUTE_YUCHO,
    YUCHO_NUMBER, YUCHO_SYMBOL,
};
use crate::reference::{self, Bank, BankCode, BankTable, BranchCode};

/// What every account at another bank than ゆうちょ has.
const BANK_ACCOUNT: [&str; 2] = [BANK_NAME, ACCOUNT_NUMBER];

/// Adds to codes whether they exist and agree with the names ([`EvidenceSource::ReferenceData`]:
/// the value is `CODE NAME`, none for a code that does not exist; the score 0 for that, 0.5 where
/// there is no name to compare with, more where it says the same and less where it says something
/// else). Adds to ゆうちょ's symbol and number whether the check digit holds, and to the symbol its
/// branch. A type of account beside the mark for an account at ゆうちょ, which has none, or without any account, is
/// a stroke of something else more often than a type ([`EvidenceSource::Contradiction`]).
pub(super) fn settle(readings: &mut [CroppedReading], table: Option<&BankTable>) {
    let mut found: Vec<(&'static str, Evidence)> = type_evidence(readings).into_iter().collect();
    if let Some(table) = table {
        found.extend(bank_evidence(readings, table));
        found.extend(yucho_evidence(readings, table));
    }
    for (field, evidence) in found {
        let reading = readings.iter_mut().map(|cropped| &mut cropped.reading);
        reading.filter(|reading| reading.field == field).for_each(|reading| {
            reading.evidence.push(evidence.clone());
        });
    }
}

fn value<'a>(readings: &'a [CroppedReading], field: &str) -> Option<&'a str> {
    readings.iter().find(|cropped| cropped.reading.field == field)?.reading.value.as_deref()
}

/// What a line names: the code, and its posterior.
fn named<'a>(readings: &'a [CroppedReading], field: &str) -> Option<(&'a str, f64)> {
    let reading = &readings.iter().find(|cropped| cropped.reading.field == field)?.reading;
    let evidence = reading.evidence.iter().find(|one| one.source == EvidenceSource::ReferenceData)?;
    let (code, _) = evidence.value.as_deref()?.split_once(' ')?;
    Some((code, evidence.score))
}

fn bank_evidence(readings: &[CroppedReading], table: &BankTable) -> Vec<(&'static str, Evidence)> {
    let mut found = Vec::new();
    let by_name = named(readings, BANK_NAME);
    let mut bank: Option<&Bank> = by_name
        .filter(|(_, posterior)| *posterior >= DECISIVE)
        .and_then(|(code, _)| table.bank(BankCode::parse(code)?));
    if let Some(code) = value(readings, BANK_CODE) {
        let by_code = BankCode::parse(code).and_then(|code| table.bank(code));
        found.push((BANK_CODE, existing(by_code.map(Bank::label), code, by_name)));
        bank = by_code.or(bank);
    }
    if let (Some(code), Some(bank)) = (value(readings, BRANCH_CODE), bank) {
        // The branch's name was looked for among those of the bank that is named.
        let is_same = by_name.is_some_and(|(named, _)| named == bank.code.to_string());
        let by_name = named(readings, BRANCH_NAME).filter(|_| is_same);
        let branch = BranchCode::parse(code).and_then(|code| bank.branch(code));
        found.push((BRANCH_CODE, existing(branch.map(|branch| branch.label()), code, by_name)));
    }
    found
}

fn existing(label: Option<String>, code: &str, by_name: Option<(&str, f64)>) -> Evidence {
    let score = match (&label, by_name) {
        (None, _) => 0.0,
        (Some(_), None) => 0.5,
        (Some(_), Some((named, posterior))) if named == code => 0.5 + posterior / 2.0,
        (Some(_), Some((_, posterior))) => 0.5 - posterior / 2.0,
    };
    Evidence::whole(EvidenceSource::ReferenceData, label, score)
}

fn yucho_evidence(readings: &[CroppedReading], table: &BankTable) -> Vec<(&'static str, Evidence)> {
    let mut found = Vec::new();
    let Some(symbol) = value(readings, YUCHO_SYMBOL) else { return found };
    let branch =
        reference::transfer_branch(symbol).and_then(|code| table.bank(BankCode::YUCHO)?.branch(code));
    let exists = f64::from(u8::from(branch.is_some()));
    let label = branch.map(|branch| branch.label());
    found.push((YUCHO_SYMBOL, Evidence::whole(EvidenceSource::ReferenceData, label, exists)));
    if let Some(number) = value(readings, YUCHO_NUMBER) {
        let holds = f64::from(u8::from(reference::check_digit_holds(symbol, number)));
        for field in [YUCHO_SYMBOL, YUCHO_NUMBER] {
            found.push((field, Evidence::whole(EvidenceSource::CheckDigit, None, holds)));
        }
    }
    found
}

fn type_evidence(readings: &[CroppedReading]) -> Option<(&'static str, Evidence)> {
    value(readings, ACCOUNT_TYPE)?;
    let route = value(readings, ACCOUNT_ROUTE).filter(|route| *route == ROUTE_YUCHO);
    let is_blank = |field: &str| {
        readings.iter().any(|read| read.reading.field == field && read.reading.state == InkState::Blank)
    };
    let has_no_account = BANK_ACCOUNT.into_iter().all(is_blank);
    let against = || Evidence::whole(EvidenceSource::Contradiction, route.map(str::to_owned), 0.0);
    (route.is_some() || has_no_account).then(|| (ACCOUNT_TYPE, against()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::FieldReading;
    use crate::settings::Settings;

    fn table() -> BankTable {
        let settings = Settings::load(None).expect("shipped settings");
        BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup has run")
    }

    fn read(field: &str, value: &str, names: Option<(&str, f64)>) -> CroppedReading {
        let evidence = names.map(|(label, posterior)| {
            Evidence::whole(EvidenceSource::ReferenceData, Some(label.to_owned()), posterior)
        });
        let reading = FieldReading {
            field: field.to_owned(),
            value: (!value.is_empty()).then(|| value.to_owned()),
            score: 1.0,
            state: if value.is_empty() { InkState::Blank } else { InkState::Written },
            characters: Vec::new(),
            evidence: evidence.into_iter().collect(),
        };
        CroppedReading { reading, crop_png: Vec::new() }
    }

    /// Field, value, and what its line names.
    type Given<'a> = (&'a str, &'a str, Option<(&'a str, f64)>);

    /// The evidence of `source` about `field` among others.
    fn settled(fields: &[Given<'_>], field: &str, source: EvidenceSource) -> Vec<(Option<String>, f64)> {
        let mut readings: Vec<CroppedReading> =
            fields.iter().map(|&(field, value, names)| read(field, value, names)).collect();
        settle(&mut readings, Some(&table()));
        let reading = readings.into_iter().find(|cropped| cropped.reading.field == field);
        let evidence = reading.expect("given").reading.evidence.into_iter();
        evidence.filter(|one| one.source == source).map(|one| (one.value, one.score)).collect()
    }

    const YOKOHAMA: Given<'_> = (BANK_NAME, "横浜銀行", Some(("0138 横浜銀行", 0.98)));

    #[test]
    fn a_code_agrees_with_the_name_or_not() {
        let score = |fields: &[_], field| settled(fields, field, EvidenceSource::ReferenceData)[0].clone();
        let agrees = score(&[YOKOHAMA, (BANK_CODE, "0138", None)], BANK_CODE);
        assert_eq!(agrees, (Some("0138 横浜銀行".to_owned()), 0.99));
        let disagrees = score(&[YOKOHAMA, (BANK_CODE, "0133", None)], BANK_CODE);
        assert!(disagrees.0.is_some() && disagrees.1 < 0.02);
        assert_eq!(score(&[YOKOHAMA, (BANK_CODE, "0139", None)], BANK_CODE), (None, 0.0));
        let alone = score(&[(BANK_CODE, "0138", None)], BANK_CODE);
        assert_eq!(alone.1, 0.5);
    }

    #[test]
    fn a_branch_code_is_one_of_its_bank() {
        let score = |fields: &[_]| settled(fields, BRANCH_CODE, EvidenceSource::ReferenceData);
        let name = (BRANCH_NAME, "関内", Some(("310 関内", 0.9)));
        let agrees = score(&[YOKOHAMA, name, (BRANCH_CODE, "310", None)]);
        assert_eq!(agrees, [(Some("310 関内".to_owned()), 0.95)]);
        assert_eq!(score(&[YOKOHAMA, name, (BRANCH_CODE, "001", None)]), [(None, 0.0)]);
        assert_eq!(score(&[(BRANCH_CODE, "310", None)]), []);
    }

    #[test]
    fn an_account_at_yucho_or_none_has_no_type() {
        let against = |route, bank, number| {
            let fields = [
                (ACCOUNT_ROUTE, route, None),
                (BANK_NAME, bank, None),
                ("account_number", number, None),
                (ACCOUNT_TYPE, "ordinary", None),
            ];
            settled(&fields, ACCOUNT_TYPE, EvidenceSource::Contradiction)
        };
        assert_eq!(against("yucho", "", ""), [(Some("yucho".to_owned()), 0.0)]);
        assert_eq!(against("", "", ""), [(None, 0.0)]);
        assert_eq!(against("bank", "横浜銀行", ""), []);
        assert_eq!(against("", "", "1234567"), []);
    }

    #[test]
    fn yuchos_numbers_have_their_check_digit_and_branch() {
        let fields = |number| [(YUCHO_SYMBOL, "00190", None), (YUCHO_NUMBER, number, None)];
        for field in [YUCHO_SYMBOL, YUCHO_NUMBER] {
            assert_eq!(settled(&fields("31000"), field, EvidenceSource::CheckDigit), [(None, 1.0)]);
            assert_eq!(settled(&fields("37000"), field, EvidenceSource::CheckDigit), [(None, 0.0)]);
        }
        let branch = settled(&fields("31000"), YUCHO_SYMBOL, EvidenceSource::ReferenceData);
        assert_eq!(branch, [(Some("019 〇一九".to_owned()), 1.0)]);
    }
}
