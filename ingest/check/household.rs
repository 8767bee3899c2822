//! What the form says against what the register knows of the household: who signs, who holds the
//! account, whether they want the money, when, and how much.

use chrono::NaiveDate;

use super::holder::{self, HolderCase};
use super::values::{Content, Values};
use super::{Defect, Finding, FindingCode, Rules, Severity};
use crate::export::PartyName;
use crate::form::standard::{APPLICATION_DATE, DECLINED, HOLDER, SIGNATURE};
use crate::kana::ZenginName;
use crate::read::FieldReading;
use crate::register::Household;

/// A column of the register that need not be there: other names of the head in kana (通称, 旧氏), with
/// `;` between them.
pub const ALIASES: &str = "alias_kana";

pub(super) fn signature(values: &Values) -> Option<Finding> {
    let finding = Finding::new(
        FindingCode::SignatureMissing,
        Severity::Error,
        "the signature is missing",
        "署名または押印がありません",
    );
    values.is_blank(SIGNATURE).then(|| finding.of_defect(Defect::D01).about(&[SIGNATURE]))
}

/// Any ink: who meant to refuse, and who did not, is told by a person.
pub(super) fn declined(values: &Values) -> Option<Finding> {
    let finding = Finding::new(
        FindingCode::Declined,
        Severity::Error,
        "the mark for no payment has ink",
        "「希望しない」欄に記入があります",
    );
    values.has_ink(DECLINED).then(|| finding.of_defect(Defect::D14).about(&[DECLINED]))
}

/// The date of application lies between the first day and the receipt.
pub(super) fn date(values: &Values, received_on: NaiveDate, rules: &Rules<'_>) -> Option<Finding> {
    let wrong = |message: &str, ja: &str| {
        Finding::new(FindingCode::DateImplausible, Severity::Warning, message, ja)
            .of_defect(Defect::D02)
            .about(&[APPLICATION_DATE])
    };
    match values.get(APPLICATION_DATE)? {
        Content::Blank => Some(wrong("the date of application is blank", "申請日が記入されていません")),
        Content::Unreadable => Some(wrong("the date of application cannot be read", "申請日が読めません")),
        Content::Value(written) => match date_of(written) {
            None => Some(wrong("the date of application is no date", "申請日が日付ではありません")),
            Some(date) if date > received_on => {
                Some(wrong("the date of application is after the receipt", "申請日が受付日より後です"))
            }
            Some(date) if date < rules.first_day => {
                Some(wrong("the date of application is before the first day", "申請日が受付開始日より前です"))
            }
            Some(_) => None,
        },
    }
}

/// The date of application; none where anything is wrong with it.
pub(super) fn applied_on(values: &Values, received_on: NaiveDate, rules: &Rules<'_>) -> Option<NaiveDate> {
    let written = values.value(APPLICATION_DATE).and_then(date_of);
    written.filter(|_| date(values, received_on, rules).is_none())
}

/// Whether what was read as the date of application is no day of the calendar.
pub fn is_no_day(reading: &FieldReading) -> bool {
    reading.field == APPLICATION_DATE
        && reading.value.as_deref().is_some_and(|written| date_of(written).is_none())
}

/// Year of Reiwa, month and day, two digits each; or eight digits with the year of our era.
fn date_of(written: &str) -> Option<NaiveDate> {
    let number = |from: usize, to: usize| written.get(from..to)?.parse::<u32>().ok();
    match written.len() {
        6 => NaiveDate::from_ymd_opt(2018 + i32::try_from(number(0, 2)?).ok()?, number(2, 4)?, number(4, 6)?),
        8 => NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(4, 6)?, number(6, 8)?),
        _ => None,
    }
}

/// The name of the account holder: legal, and that of the head.
pub(super) fn holder(values: &Values, household: Option<&Household>) -> Option<Finding> {
    let found = |code, severity, message: String, ja: String| {
        Finding::new(code, severity, message, ja).about(&[HOLDER])
    };
    let not_legal = |message: &str, ja: &str| {
        found(FindingCode::HolderNotLegal, Severity::Error, message.to_owned(), ja.to_owned())
            .of_defect(Defect::D06)
    };
    let written = match values.get(HOLDER)? {
        Content::Blank => {
            let (message, ja) = ("the account holder is blank", "口座名義(カナ)が記入されていません");
            let finding = found(FindingCode::HolderBlank, Severity::Error, message.to_owned(), ja.to_owned());
            return Some(finding.of_defect(Defect::D06));
        }
        Content::Unreadable => {
            return Some(not_legal("the account holder cannot be read", "口座名義(カナ)が読めません"));
        }
        Content::Value(written) => written,
    };
    let Ok(name) = ZenginName::of(written) else {
        return Some(not_legal(
            "the holder's name has a character that no transfer file may hold",
            "口座名義に振込データで使えない文字があります",
        ));
    };
    if name.bytes() > PartyName::PAYEE_BYTES {
        return Some(not_legal(
            "the holder's name has more than 30 bytes",
            "口座名義が30文字(濁点を含む)を超えています",
        ));
    }
    let case = case(&name, household?);
    if case.is_match() {
        return None;
    }
    // The same names in another order are for a person to confirm; the rest is the municipality's.
    let severity = if case == HolderCase::Swapped { Severity::Warning } else { Severity::Error };
    let message = "the account holder is not the head of the household as the register has them".to_owned();
    let ja = format!("口座名義が世帯主と一致しません: {}", case.japanese());
    let finding = found(FindingCode::HolderDiffers, severity, message, ja).of_defect(Defect::D07);
    Some(Finding { case: Some(case), ..finding })
}

/// A register's kana that no transfer file could hold compares with nothing.
fn case(name: &ZenginName, household: &Household) -> HolderCase {
    let aliases: Vec<ZenginName> = household
        .further
        .get(ALIASES)
        .into_iter()
        .flat_map(|aliases| aliases.split(';'))
        .filter_map(|alias| ZenginName::of(alias).ok())
        .collect();
    match ZenginName::of(&household.head_kana) {
        Ok(head) => holder::compare(name, &head, &aliases),
        Err(_) if aliases.iter().any(|alias| alias.key() == name.key()) => HolderCase::Alias,
        Err(_) => HolderCase::Other,
    }
}

/// The register's amount is so much for each member.
pub(super) fn amount(household: &Household, rules: &Rules<'_>) -> Option<Finding> {
    let each = rules.yen_per_member?;
    let right = u64::from(household.members).checked_mul(each.get()) == Some(household.amount);
    let finding = Finding::new(
        FindingCode::AmountDiffers,
        Severity::Error,
        "the register's amount is not what its number of members comes to",
        "台帳の金額が人数と合いません",
    );
    (!right).then(|| finding.of_defect(Defect::D17))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU64;

    use super::*;
    use crate::application_id::ApplicationId;

    fn household(kana: &str, aliases: &str) -> Household {
        Household {
            application_id: ApplicationId::from_serial(1).expect("in range"),
            head_name: "佐藤 譲二".to_owned(),
            head_kana: kana.to_owned(),
            postal_code: "231-0005".to_owned(),
            address: "横浜市中区本町1-1".to_owned(),
            birth_date: "1970-01-31".to_owned(),
            members: 2,
            amount: 200_000,
            further: BTreeMap::from([(ALIASES.to_owned(), aliases.to_owned())]),
        }
    }

    fn rules() -> Rules<'static> {
        let first_day = NaiveDate::from_ymd_opt(2020, 4, 27).expect("a date");
        Rules { banks: None, yen_per_member: NonZeroU64::new(100_000), first_day }
    }

    fn values(field: &str, content: Content) -> Values {
        [(field.to_owned(), content)].into_iter().collect()
    }

    fn holder_of(written: &str) -> Option<(FindingCode, Option<HolderCase>)> {
        let values = values(HOLDER, Content::Value(written.to_owned()));
        let household = household("サトウ ジョウジ", "ALLEN JACKSON; スズキ　ジョウジ");
        holder(&values, Some(&household)).map(|finding| (finding.code, finding.case))
    }

    #[test]
    fn only_the_heads_own_names_are_a_match() {
        for same in ["ｻﾄｳ ｼﾞﾖｳｼﾞ", "サトウジョウジ", "スズキジョウジ", "allen jackson"]
        {
            assert_eq!(holder_of(same), None, "{same}");
        }
        assert_eq!(holder_of("サトウ ハナコ"), Some((FindingCode::HolderDiffers, Some(HolderCase::Family))));
        assert_eq!(holder_of("佐藤"), Some((FindingCode::HolderNotLegal, None)));
        assert_eq!(holder_of(&"ガ".repeat(16)), Some((FindingCode::HolderNotLegal, None)));
        let blank = holder(&values(HOLDER, Content::Blank), None).map(|finding| finding.code);
        assert_eq!(blank, Some(FindingCode::HolderBlank));
    }

    #[test]
    fn a_date_lies_between_the_first_day_and_the_receipt() {
        let received_on = NaiveDate::from_ymd_opt(2020, 6, 30).expect("a date");
        let wrong = |written: &str| {
            date(&values(APPLICATION_DATE, Content::Value(written.to_owned())), received_on, &rules())
                .is_some()
        };
        for good in ["020427", "020630", "20200601"] {
            assert!(!wrong(good), "{good}");
        }
        for bad in ["020426", "020701", "023101", "0206", "20210101", "０２０６０１"] {
            assert!(wrong(bad), "{bad}");
        }
        assert_eq!(date(&Values::default(), received_on, &rules()), None, "the form has no date");
    }

    #[test]
    fn the_amount_is_that_of_all_members() {
        let right = household("サトウ", "");
        assert_eq!(amount(&right, &rules()), None);
        let wrong = Household { amount: 100_000, ..right };
        assert_eq!(amount(&wrong, &rules()).map(|finding| finding.code), Some(FindingCode::AmountDiffers));
        assert_eq!(amount(&wrong, &Rules { yen_per_member: None, ..rules() }), None);
    }
}
