//! How often fields and cells are read as what stands in them.

use serde::Serialize;

use super::judge::{Judged, normal};
use super::rate::Rate;
use crate::form::FieldKind;
use crate::read::{CellState, InkState};

/// Of the fields of one kind, of one form, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub fields: u64,
    /// Something is written in them.
    pub written: u64,
    pub blank: u64,
    /// A value was published.
    pub read: u64,
    /// Of the written fields: the published value is the true one.
    pub exact: Rate,
    /// Of the published values: it is the true one.
    pub right: Rate,
    /// Of the written fields: there is ink, but no value was published of it.
    pub unread: Rate,
    /// Of the written fields: no ink was seen.
    pub taken_for_blank: Rate,
    /// Of the blank fields: a value was published.
    pub taken_for_written: Rate,
    /// Combs: of the boxes with one character, those read as it. Texts: 1 − edit distance / length,
    /// summed over all texts; the hits are the characters that need no edit.
    pub characters: Rate,
    pub cells: Cells,
}

/// Boxes of combs by what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cells {
    /// Of the empty boxes: a character was read there.
    pub blank_taken_for_character: Rate,
    /// Of the boxes with one character: taken for empty.
    pub written_taken_for_blank: Rate,
    /// Of the boxes with one character: taken for struck out, overwritten or several.
    pub written_taken_for_irregular: Rate,
    pub struck_out: Irregular,
    pub overwritten: Irregular,
    pub several: Irregular,
}

/// What became of boxes that hold something else than one character.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Irregular {
    /// Told as struck out, overwritten or several, whichever of them.
    pub noticed: Rate,
    pub taken_for_character: Rate,
    pub taken_for_blank: Rate,
}

/// One box of a comb: what is in it, and what was read.
pub(super) struct Cell<'a> {
    /// Empty for an empty box.
    pub truth: &'a str,
    pub true_state: CellState,
    pub read: &'a str,
    pub read_state: CellState,
    pub right: bool,
}

impl Counts {
    pub fn add(&mut self, judged: &Judged) {
        let published = &judged.published;
        let (written, read) = (judged.truth.is_written(), published.value.is_some());
        self.fields += 1;
        self.read += u64::from(read);
        if written {
            self.written += 1;
            let no_ink = published.ink == Some(InkState::Blank);
            self.exact.add(judged.right);
            self.unread.add(!read && !no_ink);
            self.taken_for_blank.add(!read && no_ink);
        } else {
            self.blank += 1;
            self.taken_for_written.add(read);
        }
        if read {
            self.right.add(judged.right);
        }
        match judged.kind {
            FieldKind::Digits | FieldKind::Kana => cells(judged).for_each(|cell| self.add_cell(&cell)),
            FieldKind::Text => self.characters += text_characters(judged),
            FieldKind::Mark | FieldKind::Signature => {}
        }
    }

    fn add_cell(&mut self, cell: &Cell<'_>) {
        if cell.true_state == CellState::Written {
            self.characters.add(cell.right);
        }
        self.cells.add(cell);
    }
}

impl<'a> FromIterator<&'a Judged> for Counts {
    fn from_iter<T: IntoIterator<Item = &'a Judged>>(all: T) -> Self {
        let mut counts = Self::default();
        all.into_iter().for_each(|judged| counts.add(judged));
        counts
    }
}

impl Cells {
    fn add(&mut self, cell: &Cell<'_>) {
        let read = cell.read_state;
        match cell.true_state {
            CellState::Blank => self.blank_taken_for_character.add(read == CellState::Written),
            CellState::Written => {
                self.written_taken_for_blank.add(read == CellState::Blank);
                self.written_taken_for_irregular.add(is_irregular(read));
            }
            CellState::StruckOut => self.struck_out.add(read),
            CellState::Overwritten => self.overwritten.add(read),
            CellState::Several => self.several.add(read),
        }
    }
}

impl Irregular {
    fn add(&mut self, read: CellState) {
        self.noticed.add(is_irregular(read));
        self.taken_for_character.add(read == CellState::Written);
        self.taken_for_blank.add(read == CellState::Blank);
    }
}

pub(super) fn is_irregular(state: CellState) -> bool {
    matches!(state, CellState::StruckOut | CellState::Overwritten | CellState::Several)
}

/// The boxes of a comb. Where fewer were published than there are, as behind the end of a name, the
/// others were read as empty.
pub(super) fn cells(judged: &Judged) -> impl Iterator<Item = Cell<'_>> {
    judged.truth.cells.iter().enumerate().map(|(index, truth)| {
        let truth = truth.trim();
        let irregular = judged.truth.irregular.get(&index).copied();
        let regular = if truth.is_empty() { CellState::Blank } else { CellState::Written };
        let (read, read_state) = match judged.published.characters.get(index) {
            Some(read) if !read.value.trim().is_empty() || read.state != CellState::Written => {
                (read.value.trim(), read.state)
            }
            _ => ("", CellState::Blank),
        };
        let true_state = irregular.unwrap_or(regular);
        let same = normal(judged.kind, truth) == normal(judged.kind, read);
        Cell { truth, true_state, read, read_state, right: read_state == true_state && same }
    })
}

/// Characters of a text that need no edit, of all of its characters. Where two spellings may be
/// published, the nearer one counts.
fn text_characters(judged: &Judged) -> Rate {
    let read = judged.published.value.as_deref().map(|value| normal(judged.kind, value));
    let read: Vec<char> = read.unwrap_or_default().chars().collect();
    let spellings = [&judged.truth.value, &judged.truth.also];
    let rates = spellings.into_iter().flatten().map(|spelling| {
        let spelling: Vec<char> = spelling.chars().collect();
        let length = spelling.len() as u64;
        Rate::new(length.saturating_sub(edit_distance(&spelling, &read)), length)
    });
    rates.max_by(|a, b| a.share().unwrap_or(0.0).total_cmp(&b.share().unwrap_or(0.0))).unwrap_or_default()
}

/// Levenshtein's: how many characters must be put in, left out or changed.
fn edit_distance(a: &[char], b: &[char]) -> u64 {
    let mut row: Vec<u64> = (0..=b.len() as u64).collect();
    for (above, from) in (1..).zip(a) {
        let mut diagonal = std::mem::replace(&mut row[0], above);
        for (index, to) in b.iter().enumerate() {
            let change = diagonal + u64::from(from != to);
            diagonal = row[index + 1];
            row[index + 1] = change.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::example::{account, judged};

    #[test]
    fn fields_are_exact_unread_or_blank() {
        let all = [
            account("1234567", "1234567", 0.9),
            account("1234567", "1234561", 0.9),
            account("1234567", "123456#", 0.1),
            account("1234567", "_______", 0.9),
            account("_______", "_______", 0.9),
            account("_______", "1______", 0.3),
        ];
        let counts: Counts = all.iter().collect();
        assert_eq!((counts.fields, counts.written, counts.blank, counts.read), (6, 4, 2, 3));
        assert_eq!(counts.exact, Rate::new(1, 4));
        assert_eq!(counts.right, Rate::new(1, 3));
        assert_eq!((counts.unread, counts.taken_for_blank), (Rate::new(1, 4), Rate::new(1, 4)));
        assert_eq!(counts.taken_for_written, Rate::new(1, 2));
        // 7 + 6 + 6 + 0 of 28.
        assert_eq!(counts.characters, Rate::new(19, 28));
        assert_eq!(counts.cells.blank_taken_for_character, Rate::new(1, 14));
        assert_eq!(counts.cells.written_taken_for_blank, Rate::new(7, 28));
        assert_eq!(counts.cells.written_taken_for_irregular, Rate::new(1, 28));
    }

    #[test]
    fn struck_out_boxes_are_counted_by_what_became_of_them() {
        let read = ["12#4567", "1254567", "12_4567"];
        let counts: Counts = read.map(|read| account("12#4567", read, 0.9)).iter().collect();
        let struck = counts.cells.struck_out;
        assert_eq!(struck.noticed, Rate::new(1, 3));
        assert_eq!((struck.taken_for_character, struck.taken_for_blank), (Rate::new(1, 3), Rate::new(1, 3)));
        assert_eq!(counts.characters, Rate::new(18, 18), "they are no ordinary characters");
        assert_eq!(counts.cells.several, Irregular::default());
    }

    #[test]
    fn kana_are_the_same_however_large_and_published_up_to_their_last() {
        let kana = |written, read| judged("account_holder_kana", FieldKind::Kana, written, read, 0.9);
        let all = [kana("ショウ_ン__", "シヨウ_ソ"), kana("サトー", "サト")];
        let counts: Counts = all.iter().collect();
        assert_eq!(counts.characters, Rate::new(5, 7));
        assert_eq!(counts.cells.written_taken_for_blank, Rate::new(1, 7));
        assert_eq!(counts.cells.blank_taken_for_character, Rate::new(0, 3));
    }

    #[test]
    fn texts_lose_a_character_an_edit() {
        let text = |written, read| judged("bank_name", FieldKind::Text, written, read, 0.9);
        let all = [text("横浜銀行", "横浜 根行"), text("京都", "東京都庁前"), text("", "")];
        let counts: Counts = all.iter().collect();
        // One of four is wrong; two are put in and one added: none of two is left.
        assert_eq!(counts.characters, Rate::new(3, 6));
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        let distance =
            |a: &str, b: &str| edit_distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("abc", "")), (3, 3, 3));
    }
}
