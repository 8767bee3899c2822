//! The cells of a comb of digits to one value.

use super::fuse::{candidates, ranked};
use super::{CellState, CharacterReading, InkState};

/// What the cells say together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Joined {
    pub value: Option<String>,
    pub state: InkState,
    /// The product of the written characters' confidences.
    pub score: f64,
}

/// How a field's digits become its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// As written.
    None,
    /// Zeros in front, up to so many digits; right- or left-aligned writing alike.
    Whole(usize),
    /// Each group of boxes on its own (a month of one digit).
    Groups,
    /// None: a code has a digit in each box, or is none.
    Complete,
}

/// What digits mean side by side, where not every combination has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Year, month and day, in a group of boxes each.
    Date,
    /// A telephone number within Japan: 0 first; eleven digits are 0x0 and eight more.
    Telephone,
}

/// How much rarer a person means what has no meaning: clear ink stays what it is.
const MEANINGLESS: f64 = 0.02;

/// How much rarer a person leaves a box between digits empty, with something in it that looks like the
/// rest of a line, than the rest of a digit does.
const GAP: f64 = 0.01;

/// Which boxes of a group are written in, if any is, beside those between two digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reaches {
    pub first: bool,
    pub last: bool,
}

/// Reads ink between two digits of a group as a digit, where it may be one: no number has a gap.
pub(super) fn without_gaps(cells: &mut [CharacterReading], groups: &[usize], reaches: Reaches) {
    let mut rest = cells;
    for &length in groups {
        let (group, after) = rest.split_at_mut(length.min(rest.len()));
        rest = after;
        let is_written = |cell: &CharacterReading| cell.state == CellState::Written && !cell.value.is_empty();
        let (Some(first), Some(last)) =
            (group.iter().position(is_written), group.iter().rposition(is_written))
        else {
            continue;
        };
        let first = if reaches.first { 0 } else { first };
        let last = if reaches.last { group.len() - 1 } else { last };
        for cell in &mut group[first..=last] {
            let blank = GAP * cell.confidence;
            let digits: Vec<(String, f64)> =
                candidates(cell).map(|(digit, posterior)| (digit.to_owned(), posterior)).collect();
            let likeliest = digits.iter().map(|(_, posterior)| *posterior).fold(0.0, f64::max);
            if cell.state != CellState::Blank || likeliest <= blank {
                continue;
            }
            let total = blank + digits.iter().map(|(_, posterior)| posterior).sum::<f64>();
            let shares = digits.into_iter().map(|(digit, posterior)| (digit, posterior / total));
            *cell = ranked(shares.collect(), CellState::Written);
        }
    }
}

/// The cells with the posteriors that they have once it is known what they mean together. A group
/// with anything else than single characters in it is left alone.
pub(super) fn weighed(cells: &mut [CharacterReading], groups: &[usize], meaning: Meaning) {
    let is_digit = |cell: &CharacterReading| cell.state == CellState::Written && !cell.value.is_empty();
    match meaning {
        Meaning::Date => {
            let mut start = 0;
            for (group, &length) in groups.iter().enumerate() {
                let end = (start + length).min(cells.len());
                let written: Vec<usize> =
                    (start..end).filter(|&cell| !cells[cell].value.is_empty()).collect();
                start = end;
                let most = match group {
                    1 => 12,
                    2 => 31,
                    _ => continue,
                };
                if written.iter().all(|&cell| is_digit(&cells[cell])) {
                    weigh(cells, &written, |text| {
                        text.parse().is_ok_and(|part: u32| (1..=most).contains(&part))
                    });
                }
            }
        }
        Meaning::Telephone => {
            let written: Vec<usize> =
                (0..cells.len()).filter(|&cell| !cells[cell].value.is_empty()).collect();
            if !written.iter().all(|&cell| is_digit(&cells[cell])) {
                return;
            }
            let (mobile, start) = (written.len() == 11, &written[..written.len().min(3)]);
            weigh(cells, start, |text| {
                text.starts_with('0') && !text.starts_with("00") && (!mobile || text.ends_with('0'))
            });
        }
    }
}

/// Gives `places` the marginal posteriors of their digits when texts without a meaning are rarer.
fn weigh(cells: &mut [CharacterReading], places: &[usize], means_something: impl Fn(&str) -> bool) {
    let mut texts = vec![(String::new(), 1.0)];
    for &place in places {
        let longer = texts.iter().flat_map(|(text, likely)| {
            candidates(&cells[place])
                .map(move |(digit, posterior)| (format!("{text}{digit}"), likely * posterior))
        });
        texts = longer.collect();
    }
    for (text, likely) in &mut texts {
        *likely *= if means_something(text) { 1.0 } else { MEANINGLESS };
    }
    let total: f64 = texts.iter().map(|(_, likely)| likely).sum();
    if total <= 0.0 {
        return;
    }
    for (index, &place) in places.iter().enumerate() {
        // What the reader left to digits that it does not name stays with them.
        let named: f64 = candidates(&cells[place]).map(|(_, posterior)| posterior).sum();
        let mut marginal: Vec<(String, f64)> = Vec::new();
        for (text, likely) in &texts {
            let (digit, share) = (text[index..=index].to_owned(), named * likely / total);
            match marginal.iter_mut().find(|(known, _)| *known == digit) {
                Some((_, sum)) => *sum += share,
                None => marginal.push((digit, share)),
            }
        }
        cells[place] = ranked(marginal, cells[place].state);
    }
}

/// Joins `cells` (an empty value is a blank cell). `groups` are the lengths of the comb's groups of
/// boxes, in order; between groups blanks are no gap. `legible` is false where a cell holds ink
/// that is no digit.
pub(super) fn join(cells: &[CharacterReading], groups: &[usize], padding: Padding, legible: bool) -> Joined {
    let score = cells.iter().filter(|cell| !cell.value.is_empty()).map(|cell| cell.confidence).product();
    if cells.iter().all(|cell| cell.value.is_empty()) {
        return match legible {
            true => Joined { value: None, state: InkState::Blank, score: 1.0 },
            false => Joined { value: None, state: InkState::Ambiguous, score: 0.0 },
        };
    }
    let ambiguous = Joined { value: None, state: InkState::Ambiguous, score };
    if !legible {
        return ambiguous;
    }
    let mut value = String::new();
    let mut rest = cells;
    for &length in groups {
        let (group, after) = rest.split_at(length.min(rest.len()));
        rest = after;
        let digits: Vec<&str> = trimmed(group).iter().map(|cell| cell.value.as_str()).collect();
        if digits.contains(&"") || (digits.is_empty() && padding == Padding::Groups) {
            return ambiguous;
        }
        if padding == Padding::Groups {
            value.extend(std::iter::repeat_n('0', length - digits.len()));
        }
        value.extend(digits);
    }
    if padding == Padding::Complete && value.len() < cells.len() {
        return ambiguous;
    }
    if let Padding::Whole(length) = padding {
        let missing = length.saturating_sub(value.len());
        value.insert_str(0, &"0".repeat(missing));
    }
    Joined { value: Some(value), state: InkState::Written, score }
}

/// Without the blank cells at either end.
fn trimmed(cells: &[CharacterReading]) -> &[CharacterReading] {
    let written = |cell: &CharacterReading| !cell.value.is_empty();
    match (cells.iter().position(written), cells.iter().rposition(written)) {
        (Some(first), Some(last)) => &cells[first..=last],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::CellState;

    fn cells(text: &str) -> Vec<CharacterReading> {
        let cell = |value: char| CharacterReading {
            value: if value == '_' { String::new() } else { value.to_string() },
            state: if value == '_' { CellState::Blank } else { CellState::Written },
            confidence: 0.9,
            alternatives: Vec::new(),
        };
        text.chars().map(cell).collect()
    }

    fn value(text: &str, padding: Padding) -> Option<String> {
        join(&cells(text), &[text.len()], padding, true).value
    }

    fn doubtful(readings: &[&[(&str, f64)]]) -> Vec<CharacterReading> {
        let cell = |posteriors: &&[(&str, f64)]| {
            ranked(
                posteriors.iter().map(|(digit, p)| ((*digit).to_owned(), *p)).collect(),
                CellState::Written,
            )
        };
        readings.iter().map(cell).collect()
    }

    fn text(cells: &[CharacterReading]) -> String {
        cells.iter().map(|cell| cell.value.as_str()).collect()
    }

    #[test]
    fn ink_in_a_gap_is_a_digit_where_it_may_be_one() {
        let dubious = |blank: f64, others: &[(&str, f64)]| CharacterReading {
            value: String::new(),
            state: CellState::Blank,
            confidence: blank,
            alternatives: ranked(
                others.iter().map(|(digit, p)| ((*digit).to_owned(), *p)).collect(),
                CellState::Written,
            )
            .alternatives,
        };
        // The first of the alternatives is not one of `ranked`'s.
        let broken = |blank, nine, four| dubious(blank, &[("0", 1.0), ("9", nine), ("4", four)]);
        let mut cells = cells("_1_3_");
        cells[0] = broken(0.7, 0.2, 0.05);
        cells[2] = broken(0.7, 0.2, 0.05);
        let between = Reaches { first: false, last: false };
        let mut code = cells.clone();
        without_gaps(&mut cells, &[5], between);
        assert_eq!(text(&cells), "193", "only between digits");
        assert!((cells[2].confidence - 0.2 / 0.257).abs() < 1e-9, "{:?}", cells[2]);
        cells[2] = broken(0.99, 0.002, 0.001);
        without_gaps(&mut cells, &[5], between);
        assert_eq!(text(&cells), "13", "a rest is a rest");
        without_gaps(&mut code, &[5], Reaches { first: true, last: true });
        assert_eq!(text(&code), "9193", "a code begins in its first box; nothing is in its last");
    }

    #[test]
    fn a_code_with_an_empty_box_is_none() {
        assert_eq!(value("0138", Padding::Complete).as_deref(), Some("0138"));
        assert_eq!(value("013_", Padding::Complete), None);
        assert_eq!(join(&cells("____"), &[4], Padding::Complete, true).state, InkState::Blank);
    }

    #[test]
    fn there_is_no_month_96_unless_it_clearly_says_so() {
        let year = [("0", 0.99)].as_slice();
        let mut cells = doubtful(&[year, year, &[("9", 0.7), ("0", 0.3)], &[("6", 0.99)], year, year]);
        weighed(&mut cells, &[2, 2, 2], Meaning::Date);
        assert_eq!(text(&cells), "000600");
        let mut clear = doubtful(&[year, year, &[("9", 0.9999), ("0", 0.0001)], &[("6", 0.99)], year, year]);
        weighed(&mut clear, &[2, 2, 2], Meaning::Date);
        assert_eq!(text(&clear), "009600");
    }

    #[test]
    fn a_telephone_number_begins_with_0_and_a_mobile_one_with_0x0() {
        let mut cells = cells("09012345678");
        cells[0] = doubtful(&[&[("6", 0.8), ("0", 0.2)]]).remove(0);
        cells[2] = doubtful(&[&[("9", 0.6), ("0", 0.4)]]).remove(0);
        weighed(&mut cells, &[11], Meaning::Telephone);
        assert_eq!(text(&cells), "09012345678");
    }

    #[test]
    fn an_account_number_has_seven_digits_however_it_is_aligned() {
        let padding = Padding::Whole(7);
        assert_eq!(value("1234567", padding).as_deref(), Some("1234567"));
        assert_eq!(value("__12345", padding).as_deref(), Some("0012345"));
        assert_eq!(value("12345__", padding).as_deref(), Some("0012345"));
    }

    #[test]
    fn a_gap_is_not_closed() {
        let joined = join(&cells("12_4567"), &[7], Padding::Whole(7), true);
        assert_eq!((joined.value, joined.state), (None, InkState::Ambiguous));
    }

    #[test]
    fn a_telephone_number_stays_as_written() {
        let joined = join(&cells("03_12345678"), &[3, 4, 4], Padding::None, true);
        assert_eq!(joined.value.as_deref(), Some("0312345678"));
    }

    #[test]
    fn a_month_of_one_digit_is_padded_on_its_own() {
        let joined = |text| join(&cells(text), &[2, 2, 2], Padding::Groups, true);
        assert_eq!(joined("02_527").value.as_deref(), Some("020527"));
        assert_eq!(joined("2_5_27").value.as_deref(), Some("020527"));
        assert_eq!(joined("02__27").state, InkState::Ambiguous);
    }

    #[test]
    fn blank_and_illegible_are_told_apart() {
        assert_eq!(join(&cells("___"), &[3], Padding::None, true).state, InkState::Blank);
        assert_eq!(join(&cells("1_"), &[2], Padding::None, false).state, InkState::Ambiguous);
        let joined = join(&cells("12"), &[2], Padding::None, true);
        assert!((joined.score - 0.81).abs() < 1e-9);
    }
}
