//! Which character is taken for which. Boxes of combs with one character or none; what was struck
//! out or written over is counted elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counts::{Cell, cells, is_irregular};
use super::judge::Judged;
use crate::form::FieldKind;
use crate::read::CellState;

/// What stands in a box against what was read there, of all combs of digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigitConfusion {
    /// Rows: what is written, 0 to 9, then an empty box. Columns: what was read, 0 to 9, blank, then
    /// "no digit" (struck out, overwritten, several).
    pub counts: [[u64; DigitConfusion::COLUMNS]; DigitConfusion::ROWS],
}

/// Kana that were taken for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KanaConfusion {
    written: BTreeMap<String, u64>,
    wrong: BTreeMap<(String, Option<String>), u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KanaPair {
    /// As it was written; empty for an empty box.
    pub written: String,
    /// Empty for blank; null for "no kana" (struck out, overwritten, several).
    pub read: Option<String>,
    pub count: u64,
    /// How often `written` stands in a box.
    pub of: u64,
}

/// A page has no room for more, and pairs behind these are single cases.
const MOST_PAIRS: usize = 40;

impl DigitConfusion {
    pub const ROWS: usize = 11;
    pub const COLUMNS: usize = 12;
    const BLANK: usize = 10;
    const NO_DIGIT: usize = 11;

    pub fn add(&mut self, judged: &Judged) {
        if judged.kind != FieldKind::Digits {
            return;
        }
        for cell in cells(judged).filter(|cell| !is_irregular(cell.true_state)) {
            let row = digit(cell.truth).unwrap_or(Self::BLANK);
            let column = match cell.read_state {
                CellState::Blank => Self::BLANK,
                CellState::Written => digit(cell.read).unwrap_or(Self::NO_DIGIT),
                CellState::StruckOut | CellState::Overwritten | CellState::Several => Self::NO_DIGIT,
            };
            self.counts[row][column] += 1;
        }
    }
}

impl Default for DigitConfusion {
    fn default() -> Self {
        Self { counts: [[0; Self::COLUMNS]; Self::ROWS] }
    }
}

fn digit(text: &str) -> Option<usize> {
    let [byte @ b'0'..=b'9'] = text.as_bytes() else { return None };
    Some(usize::from(byte - b'0'))
}

impl KanaConfusion {
    pub fn add(&mut self, judged: &Judged) {
        if judged.kind != FieldKind::Kana {
            return;
        }
        for cell in cells(judged).filter(|cell| !is_irregular(cell.true_state)) {
            *self.written.entry(cell.truth.to_owned()).or_default() += 1;
            if !cell.right {
                *self.wrong.entry((cell.truth.to_owned(), read(&cell))).or_default() += 1;
            }
        }
    }

    /// The most frequent pairs, the most frequent first.
    pub fn pairs(&self) -> Vec<KanaPair> {
        let pair = |((written, read), &count): (&(String, Option<String>), &u64)| KanaPair {
            written: written.clone(),
            read: read.clone(),
            count,
            of: self.written.get(written).copied().unwrap_or(count),
        };
        let mut pairs: Vec<KanaPair> = self.wrong.iter().map(pair).collect();
        // Stable: pairs of one count stay in the order of their characters.
        pairs.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        pairs.truncate(MOST_PAIRS);
        pairs
    }
}

fn read(cell: &Cell<'_>) -> Option<String> {
    (!is_irregular(cell.read_state)).then(|| cell.read.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::example::{account, judged};

    #[test]
    fn a_digit_stands_in_its_row_and_column() {
        let mut confusion = DigitConfusion::default();
        confusion.add(&account("17_4#", "71_#5", 0.9));
        confusion.add(&account("1____", "17___", 0.9));
        let at = |row: usize, column: usize| confusion.counts[row][column];
        assert_eq!((at(1, 7), at(7, 1), at(1, 1)), (1, 1, 1));
        assert_eq!((at(10, 10), at(10, 7), at(4, 11)), (4, 1, 1));
        let all: u64 = confusion.counts.iter().flatten().sum();
        assert_eq!(all, 9, "the struck-out box is not among them");
    }

    #[test]
    fn the_most_frequent_pairs_come_first_and_large_kana_are_no_error() {
        let mut confusion = KanaConfusion::default();
        for (written, read) in [("シンャ", "ツソヤ"), ("シ_ン", "ツア#"), ("シ", "シ")] {
            confusion.add(&judged("account_holder_kana", FieldKind::Kana, written, read, 0.9));
        }
        let pairs = confusion.pairs();
        let found: Vec<_> = pairs
            .iter()
            .map(|pair| (pair.written.as_str(), pair.read.as_deref(), pair.count, pair.of))
            .collect();
        assert_eq!(
            found,
            [("シ", Some("ツ"), 2, 3), ("", Some("ア"), 1, 1), ("ン", None, 1, 2), ("ン", Some("ソ"), 1, 2)]
        );
    }
}
