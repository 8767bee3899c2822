//! Numbers that must not be kept: which of a copy's rows of print hold one. Pure functions over text;
//! no number leaves them (domain rules 6).

use unicode_normalization::UnicodeNormalization;

use super::kind::CopyKind;
use crate::reference;

/// How surely a row holds a number that must go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sensitivity {
    /// It may: it could not be read well enough to say that it does not.
    Possible,
    /// It does.
    Certain,
}

/// Digits of an individual number.
const MY_NUMBER: usize = 12;

/// Below this, the surest reading of a character is a guess.
const LEGIBLE: f64 = 0.6;

/// What a row of print holds, given what the copy is of and how surely the row was read (the mean of
/// its characters, 0 to 1). None for a row that may be kept.
pub(super) fn sensitivity(row: &str, kind: Option<CopyKind>, confidence: f64) -> Option<Sensitivity> {
    let text: String = row.nfkc().collect();
    let mut runs = runs(&text);
    if kind.is_some_and(CopyKind::is_of_account) {
        runs.retain(|run| !run.is_giro());
    }
    if runs.iter().any(|run| run.is_my_number() && !is_licence(&text)) {
        return Some(Sensitivity::Certain);
    }
    let named = match kind {
        Some(CopyKind::PensionBook) => {
            runs.iter().any(Run::is_pension) || has_digits(&text, 6) && !is_date(&text)
        }
        Some(CopyKind::InsuranceCard) => has_digits(&text, 2) && !is_date(&text),
        _ => runs.iter().any(|run| run.is_pension() && run.groups() == [4, 6]),
    };
    if named {
        return Some(Sensitivity::Certain);
    }
    let in_doubt = runs.iter().any(|run| run.may_be_my_number()) && !is_licence(&text);
    // A row of which hardly anything was read may be anything, most of all where it was digits.
    let is_illegible = confidence < LEGIBLE && digits(&text) >= 6 && 2 * digits(&text) >= letters(&text);
    (in_doubt || is_illegible).then_some(Sensitivity::Possible)
}

/// Whether a text (a symbol's) holds an individual number anywhere.
pub(crate) fn holds_my_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|character| character.to_digit(10)).collect();
    digits.windows(MY_NUMBER).any(check_digit_holds)
}

/// The check digit of twelve digits (ministerial order 85 of 2014, article 5).
fn check_digit_holds(digits: &[u32]) -> bool {
    let [body @ .., check] = digits else { return false };
    let weighted = body.iter().rev().enumerate().map(|(place, digit)| {
        let weight = if place < 6 { place + 2 } else { place - 4 };
        digit * weight as u32
    });
    let rest = weighted.sum::<u32>() % 11;
    body.len() + 1 == MY_NUMBER && *check == if rest <= 1 { 0 } else { 11 - rest }
}

/// Digits with nothing but blanks and small marks between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Run {
    digits: Vec<u32>,
    /// How many digits stand before each gap.
    gaps: Vec<usize>,
    /// Letters that were taken for digits.
    guessed: usize,
}

impl Run {
    fn is_my_number(&self) -> bool {
        self.digits.len() == MY_NUMBER && check_digit_holds(&self.digits)
    }

    /// A misread digit, one too many or too few: the check digit does not hold then.
    fn may_be_my_number(&self) -> bool {
        let count = self.digits.len();
        let in_fours = self.groups().iter().filter(|&&group| group == 4).count();
        match count {
            // Three groups of four are how cards print it.
            _ if self.is_phone() => false,
            11..=13 => in_fours >= 2 && self.groups().len() <= 4 || self.guessed > 0 && count == MY_NUMBER,
            9 | 10 | 14 => in_fours >= 2 && self.groups().len() == 3,
            _ => false,
        }
    }

    /// ゆうちょ's 記号 and 番号 side by side, twelve digits where the 番号 has seven: one account in ten of these would
    /// pass for an individual number.
    fn is_giro(&self) -> bool {
        let [5, 6..=8] = self.groups()[..] else { return false };
        let text = |digits: &[u32]| digits.iter().map(u32::to_string).collect::<String>();
        let (symbol, number) = self.digits.split_at(5);
        reference::check_digit_holds(&text(symbol), &text(number))
    }

    /// 基礎年金番号: four digits and six.
    fn is_pension(&self) -> bool {
        self.digits.len() == 10 && matches!(self.groups()[..], [4, 6] | [10])
    }

    /// How many digits stand between gaps.
    fn groups(&self) -> Vec<usize> {
        let starts = std::iter::once(0).chain(self.gaps.iter().copied());
        let ends = self.gaps.iter().copied().chain([self.digits.len()]);
        starts.zip(ends).map(|(start, end)| end - start).collect()
    }

    /// 090-1234-5678.
    fn is_phone(&self) -> bool {
        self.groups() == [3, 4, 4] && self.digits.first() == Some(&0)
    }
}

/// The runs of digits of a text.
fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut open = Run::default();
    let mut between = 0;
    for character in text.chars() {
        let guess = lookalike(character).filter(|_| !open.digits.is_empty());
        match (character.to_digit(10), guess) {
            (Some(digit), _) | (None, Some(digit)) => {
                if between > 0 && !open.digits.is_empty() {
                    open.gaps.push(open.digits.len());
                }
                between = 0;
                open.guessed += usize::from(!character.is_ascii_digit());
                open.digits.push(digit);
            }
            _ if is_separator(character) && between < MOST_BETWEEN => between += 1,
            _ => {
                runs.push(std::mem::take(&mut open));
                between = 0;
            }
        }
    }
    runs.push(open);
    // Of few digits and many letters nothing is made.
    runs.retain(|run| run.digits.len() >= 6 && run.guessed <= 3);
    runs
}

/// Blanks and marks in a row that still part nothing.
const MOST_BETWEEN: usize = 4;

fn is_separator(character: char) -> bool {
    character.is_whitespace() || "-‐‑–—―ー−_.,・·･'’:~".contains(character)
}

/// Letters that digits are misread as.
fn lookalike(character: char) -> Option<u32> {
    Some(match character {
        'O' | 'o' | 'D' | 'Q' | '〇' | '○' | 'ロ' | '口' => 0,
        'I' | 'l' | '|' | 'i' | '!' | ']' | '[' => 1,
        'Z' | 'z' => 2,
        'S' | 's' => 5,
        'b' | 'G' => 6,
        'B' => 8,
        'g' | 'q' => 9,
        _ => return None,
    })
}

fn digits(text: &str) -> usize {
    text.chars().filter(char::is_ascii_digit).count()
}

fn letters(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

fn has_digits(text: &str, count: usize) -> bool {
    text.split(|character: char| !character.is_ascii_digit()).any(|run| run.len() >= count)
}

/// A row that says a day, and no number beside it: days of birth and of issue may be seen.
fn is_date(text: &str) -> bool {
    let has_day = ["年", "月", "日"].iter().all(|part| text.contains(part))
        || ["昭和", "平成", "令和"].iter().any(|era| text.contains(era));
    has_day && !["番号", "記号", "保険者番"].iter().any(|label| text.contains(label)) && !has_digits(text, 5)
}

/// A driving licence's own twelve digits stand between 第 and 号.
fn is_licence(text: &str) -> bool {
    text.find('第').is_some_and(|from| text[from..].contains('号'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of PyPI JPMyNumber, and their digits with a gap here and there.
    const VALID: &str = "123456789018";

    #[test]
    fn a_my_number_is_found_whatever_stands_between_its_digits() {
        assert!(holds_my_number(VALID));
        for row in [
            "1234 5678 9018",
            "123456789018",
            "1234-5678-9018",
            "1 2 3 4 5 6 7 8 9 0 1 8",
            "個人番号 １２３４　５６７８　９０１８",
            "1234 5678 9O18",
        ] {
            assert_eq!(sensitivity(row, None, 0.99), Some(Sensitivity::Certain), "{row}");
        }
    }

    #[test]
    fn what_may_be_one_is_no_certainty() {
        for row in ["1234 5678 9019", "1234 5678 901", "123 5678 9018"] {
            assert_eq!(sensitivity(row, None, 0.99), Some(Sensitivity::Possible), "{row}");
        }
        assert_eq!(sensitivity("1?3 5678", None, 0.4), Some(Sensitivity::Possible));
    }

    #[test]
    fn other_numbers_stay() {
        for row in [
            "第 123456789018 号",
            "口座番号 1234567",
            "店番 123 普通 1234567",
            "10980-12345671",
            "昭和45年1月31日生",
            "TEL 045-123-4567",
            "090-1234-5678",
            "2024.01.31",
            "123456789019",
            "横浜市中区本町1-2-3 456号",
            "〒231-0005",
            "記号 12340 番号 12345671",
        ] {
            assert_eq!(sensitivity(row, None, 0.99), None, "{row}");
        }
    }

    #[test]
    fn a_giro_account_that_passes_for_a_my_number_stays_on_a_passbook() {
        let row = (0..90_000).find_map(|place| {
            let (branch, number) = (place % 100, format!("{}1", 100_000 + place));
            let digit = reference::check_digit(&format!("1{branch:02}00"), &number)?;
            let symbol = format!("1{branch:02}{digit}0");
            holds_my_number(&format!("{symbol}{number}")).then(|| format!("{symbol} {number}"))
        });
        let row = row.expect("one in ten");
        assert_eq!(sensitivity(&row, Some(CopyKind::Passbook), 0.99), None, "{row}");
        assert_eq!(sensitivity(&row, None, 0.99), Some(Sensitivity::Certain), "{row}");
        let beside = format!("{VALID} 記号 {row}");
        assert_eq!(sensitivity(&beside, Some(CopyKind::Passbook), 0.99), Some(Sensitivity::Certain));
    }

    #[test]
    fn numbers_of_insurers_and_pensions_go() {
        let of = |row, kind| sensitivity(row, Some(kind), 0.99).is_some();
        for row in ["保険者番号 06123456", "記号 1234 番号 567", "番号 21", "1234567"] {
            assert!(of(row, CopyKind::InsuranceCard), "{row}");
        }
        for row in ["氏名 山田 太郎", "生年月日 昭和45年1月31日", "資格取得年月日 平成12年4月1日"]
        {
            assert!(!of(row, CopyKind::InsuranceCard), "{row}");
        }
        assert!(of("基礎年金番号 1234-567890", CopyKind::PensionBook));
        assert!(of("1234-567890", CopyKind::Passbook), "its shape tells");
        assert!(!of("昭和45年1月31日", CopyKind::PensionBook));
    }

    #[test]
    fn one_wrong_digit_is_noticed() {
        let digits: Vec<u32> = VALID.chars().filter_map(|digit| digit.to_digit(10)).collect();
        for place in 0..11 {
            let mut wrong = digits.clone();
            wrong[place] = (wrong[place] + 1) % 10;
            assert!(!check_digit_holds(&wrong), "{place}");
        }
    }
}
