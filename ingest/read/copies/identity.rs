//! What the copy of a proof of identity says of itself: until when it holds, and whether it names the head of
//! the household. Whom else it names never leaves this module.

use chrono::{Datelike, Days, NaiveDate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// What was read of a proof of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IdentityCopy {
    /// The last day on which it holds; none where no such day was read.
    pub valid_until: Option<NaiveDate>,
    /// Whether it names the head of the household; none where no name was read for sure, or nobody knows the
    /// head's.
    pub is_heads: Option<bool>,
}

/// Below this a row says nothing of a day: one of its characters is a guess.
const LEGIBLE: f64 = 0.5;
/// Below this a line does not say that somebody else is named.
const SURE: f64 = 0.9;

/// Of rows of lines from left to right, each with the probability of its least sure character, and the head of
/// the household as the register has them, family and given name parted by a blank.
pub(super) fn identity(rows: &[Vec<(&str, f64)>], head: Option<&str>) -> IdentityCopy {
    let rows: Vec<Vec<(String, f64)>> = rows
        .iter()
        .map(|row| row.iter().map(|&(text, confidence)| (letters(text), confidence)).collect())
        .collect();
    let text = |row: &[(String, f64)]| row.iter().map(|(text, _)| text.as_str()).collect::<String>();
    let is_legible = |row: &&Vec<(String, f64)>| row.iter().all(|(_, confidence)| *confidence >= LEGIBLE);
    IdentityCopy {
        valid_until: rows.iter().filter(is_legible).find_map(|row| last_day(&text(row))),
        is_heads: head.and_then(|head| {
            if rows.iter().any(|row| names(&text(row), head)) {
                return Some(true);
            }
            let (_, confidence) = rows.iter().find_map(|row| labelled(row))?;
            (confidence >= SURE).then_some(false)
        }),
    }
}

/// Of one width, without blanks.
fn letters(text: &str) -> String {
    text.nfkc().filter(|letter| !letter.is_whitespace()).collect()
}

/// The line behind the label for names.
fn labelled(row: &[(String, f64)]) -> Option<(&str, f64)> {
    const LABEL: &str = "氏名";
    let label = row.iter().position(|(text, _)| text.contains(LABEL))?;
    let behind = row[label].0.split_once(LABEL).map(|(_, rest)| (rest, row[label].1));
    let further = row[label + 1..].iter().map(|(text, confidence)| (text.as_str(), *confidence));
    behind.into_iter().chain(further).find(|(text, _)| kanji(text) >= 2)
}

fn kanji(text: &str) -> usize {
    text.chars().filter(|letter| ('\u{4e00}'..='\u{9fff}').contains(letter)).count()
}

/// Whether a row carries family and given name, each but for less than half of its letters.
fn names(row: &str, head: &str) -> bool {
    let row: Vec<char> = row.chars().collect();
    let parts: Vec<Vec<char>> =
        head.nfkc().collect::<String>().split_whitespace().map(|part| part.chars().collect()).collect();
    let is_there = |part: &Vec<char>| {
        let right = |window: &[char]| window.iter().zip(part).filter(|(a, b)| a == b).count();
        row.windows(part.len()).any(|window| 2 * right(window) > part.len())
    };
    !parts.is_empty() && parts.iter().all(is_there)
}

/// The last day on which a document holds, of a row that says so: `2024年(令和06年)06月10日まで有効`,
/// `有効期限2024.6.10`, `2025年まで有効` (the end of that year: it ends on a birthday).
fn last_day(row: &str) -> Option<NaiveDate> {
    let (before, after) = row.split_once("有効")?;
    let text = if after.starts_with("期") { after } else { before };
    let numbers = numbers(text);
    let western = numbers.iter().rposition(|number| number.digits == 4 && number.begins_a_date());
    let era = numbers.iter().rposition(|number| number.era().is_some());
    let first = western.or(era)?;
    let year = match western {
        Some(western) => numbers[western].value,
        None => numbers[first].era()?,
    };
    // The same year by another count: else one of the two was misread.
    let of_era = numbers[first..].iter().find_map(Number::era);
    let year = i32::try_from(year).ok()?;
    if of_era.is_some_and(|of_era| i32::try_from(of_era) != Ok(year)) || !(1990..2100).contains(&year) {
        return None;
    }
    let rest = numbers[first + 1..].iter().filter(|number| number.era().is_none());
    match rest.map(|number| number.value).collect::<Vec<_>>()[..] {
        [] => NaiveDate::from_ymd_opt(year, 12, 31),
        [month] => {
            let first = NaiveDate::from_ymd_opt(year, month, 1)?;
            let next = first.checked_add_days(Days::new(31))?.with_day(1)?;
            next.pred_opt()
        }
        [month, day, ..] => NaiveDate::from_ymd_opt(year, month, day),
    }
}

/// Digits, with what stands on both sides of them.
struct Number {
    value: u32,
    digits: usize,
    before: String,
    after: Option<char>,
}

impl Number {
    fn begins_a_date(&self) -> bool {
        matches!(self.after, Some('年' | '.' | '/' | '-'))
    }

    /// The year of our era, of a year of 平成 or 令和.
    fn era(&self) -> Option<u32> {
        let first =
            [("令和", 2019), ("平成", 1989)].into_iter().find(|(era, _)| self.before.ends_with(era))?.1;
        (self.after == Some('年') && self.digits <= 2).then(|| first + self.value - 1)
    }
}

fn numbers(text: &str) -> Vec<Number> {
    let letters: Vec<char> = text.chars().collect();
    let mut numbers = Vec::new();
    let mut place = 0;
    while place < letters.len() {
        let digits = letters[place..].iter().take_while(|letter| letter.is_ascii_digit()).count();
        if digits > 0 {
            let value = letters[place..place + digits].iter().collect::<String>().parse();
            numbers.extend(value.ok().map(|value| Number {
                value,
                digits,
                before: letters[place.saturating_sub(2)..place].iter().collect(),
                after: letters.get(place + digits).copied(),
            }));
        }
        place += digits.max(1);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> Option<NaiveDate> {
        text.parse().ok()
    }

    #[test]
    fn the_last_day_is_told_however_a_document_writes_it() {
        for (row, expected) in [
            ("2024年(令和06年)06月10日まで有効", "2024-06-10"),
            ("令和06年06月10日まで有効", "2024-06-10"),
            ("平成31年04月05日まで有効", "2019-04-05"),
            ("昭和45年1月31日生 2025年1月31日まで有効", "2025-01-31"),
            ("1970年1月31日生 性別 男 2025年1月31日まで有効", "2025-01-31"),
            ("平成5年1月31日生 2025年1月31日まで有効", "2025-01-31"),
            ("有効期限 2024.6.10", "2024-06-10"),
            ("有効期限 令和6年7月31日", "2024-07-31"),
            ("有効期限  2024年 誕生日まで", "2024-12-31"),
            ("2025年まで有効", "2025-12-31"),
            ("有効期限 2024年2月", "2024-02-29"),
        ] {
            assert_eq!(identity(&[vec![(row, 0.99)]], None).valid_until, day(expected), "{row}");
        }
        for row in [
            "2024年06月10日交付",
            "2024年(令和16年)06月10日まで有効",
            "2024年16月10日まで有効",
            "この証明書は有効です",
            "有効期限",
            "9024年06月10日まで有効",
        ] {
            assert_eq!(identity(&[vec![(row, 0.99)]], None).valid_until, None, "{row}");
        }
        let guessed = vec![("2024年06月10日まで有効", 0.3)];
        assert_eq!(identity(&[guessed], None).valid_until, None);
    }

    #[test]
    fn another_person_is_told_from_the_head_only_where_the_name_was_read_for_sure() {
        let told = |row: &[(&str, f64)]| {
            identity(&[vec![("運転免許証", 0.99)], row.to_vec()], Some("佐々木　花子")).is_heads
        };
        assert_eq!(told(&[("氏名 佐々木 花子 昭和45年1月31日生", 0.99)]), Some(true));
        assert_eq!(told(&[("氏名佐々本花子", 0.4)]), Some(true), "one letter of three is misread");
        assert_eq!(told(&[("氏名 佐々木 太郎", 0.99)]), Some(false), "another of the family");
        assert_eq!(told(&[("氏名", 0.6), ("佐々木 太郎", 0.99), ("1970年1月3日生", 0.2)]), Some(false));
        assert_eq!(told(&[("氏名", 0.99), ("佐々木 太郎", 0.8)]), None);
        assert_eq!(told(&[("佐々木 太郎", 0.99)]), None, "nothing says that it is the name");
        assert_eq!(told(&[("氏名", 0.99)]), None);
        let short = [vec![("氏名 林 純", 0.99)]];
        assert_eq!(identity(&short, Some("林　純")).is_heads, Some(true));
        assert_eq!(identity(&short, None).is_heads, None, "nobody knows the head");
    }

    proptest! {
        #[test]
        fn whatever_is_printed_nothing_breaks(row in ".{0,40}有効.{0,40}", head in ".{0,8}") {
            identity(&[vec![(row.as_str(), 1.0)]], Some(&head));
        }
    }
}
