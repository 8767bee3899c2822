//! The cells of a comb of digits to one value.

use super::{CharacterReading, InkState};

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
