//! Data of the register as it is printed.

use chrono::{Datelike, NaiveDate};

use crate::form::{Datum, Piece};
use crate::register::Household;

/// The text of `pieces` for a household.
pub(super) fn text_of(pieces: &[Piece], household: &Household) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Data(datum) => tidy(&value(*datum, household)),
        })
        .collect()
}

fn value(datum: Datum, household: &Household) -> String {
    match datum {
        Datum::ApplicationId => household.application_id.to_string(),
        Datum::HeadName => household.head_name.clone(),
        Datum::HeadKana => household.head_kana.clone(),
        Datum::PostalCode => postal_code(&household.postal_code),
        Datum::Address => household.address.clone(),
        Datum::BirthDate => birth_date(&household.birth_date),
        Datum::Members => household.members.to_string(),
        Datum::Amount => grouped(household.amount),
    }
}

/// What a font can show: a voiced mark is joined to its kana (か + ゛ to が), selectors of glyph
/// variants are dropped, and other control characters become spaces. Kanji stay as they are: a
/// normalisation of Unicode would turn the name's variant (神) into another character.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{3099}' | '\u{309a}' => {
                let joined = out
                    .chars()
                    .next_back()
                    .and_then(|base| unicode_normalization::char::compose(base, character));
                match joined {
                    Some(joined) => {
                        out.pop();
                        out.push(joined);
                    }
                    None => out.push(if character == '\u{3099}' { '゛' } else { '゜' }),
                }
            }
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {}
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

fn postal_code(text: &str) -> String {
    match text.split_at_checked(3) {
        Some((area, town)) if text.len() == 7 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{area}-{town}")
        }
        _ => text.to_owned(),
    }
}

/// First days of the eras since 1868.
const ERAS: [(&str, i32, u32, u32); 5] = [
    ("令和", 2019, 5, 1),
    ("平成", 1989, 1, 8),
    ("昭和", 1926, 12, 25),
    ("大正", 1912, 7, 30),
    ("明治", 1868, 1, 25),
];

/// `1970-01-31` as 昭和45年1月31日; anything else as it is.
fn birth_date(text: &str) -> String {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_or_else(|_| text.to_owned(), era_date)
}

/// With the year of the era, as 昭和45年1月31日.
pub fn era_date(date: NaiveDate) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let era = ERAS.iter().find(|(_, y, m, d)| (year, month, day) >= (*y, *m, *d));
    match era {
        Some((name, first, ..)) if year == *first => format!("{name}元年{month}月{day}日"),
        Some((name, first, ..)) => format!("{name}{}年{month}月{day}日", year - first + 1),
        None => format!("{year}年{month}月{day}日"),
    }
}

/// With a comma every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_in_eras() {
        for (date, printed) in [
            ("1970-01-31", "昭和45年1月31日"),
            ("1989-01-07", "昭和64年1月7日"),
            ("1989-01-08", "平成元年1月8日"),
            ("2019-04-30", "平成31年4月30日"),
            ("2020-05-01", "令和2年5月1日"),
            ("1912-07-29", "明治45年7月29日"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(birth_date(date), printed);
        }
    }

    #[test]
    fn amounts_are_grouped() {
        assert_eq!(["0", "999", "1,000", "12,600,000"], [0, 999, 1000, 12_600_000].map(grouped)[..]);
    }

    #[test]
    fn kana_are_joined_and_kanji_left_alone() {
        assert_eq!(tidy("か\u{3099}ハ\u{309a} 神 辻\u{e0100}\n"), "がパ 神 辻 ");
    }
}
