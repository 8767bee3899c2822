//! What goes wrong while an applicant fills in a form, beside the slips that are put right above the
//! box: a character struck out or written over, two in one box, a block begun by mistake, the wrong
//! option marked. What is meant stays what it is; the truth says what became of each box.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::answers::{DIGITS, KANA};
use super::applicant::{Correction, Entry, Outcome, Written};
use super::random;
use crate::form::{Align, Field, FieldKind};

/// How often something goes wrong with one applicant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clumsiness {
    /// Chance for a box.
    per_box: f64,
    /// Chance for a mark, or for a block that was to stay empty.
    per_field: f64,
}

/// Share of applicants with whom much goes wrong, and how much.
const VERY_CLUMSY: f64 = 0.02;
const MUCH_PER_BOX: f64 = 0.12;
/// Of the chance for a slip that is put right above.
const PER_SLIP: f64 = 0.4;
/// A field is gone about less often than its boxes, and with more thought.
const FIELDS_PER_BOX: f64 = 1.5;

impl Clumsiness {
    /// `slips` is the chance of a slip that is put right above the box.
    pub(super) fn of_chance(slips: f64, source: &mut impl Rng) -> Self {
        let per_box = if source.random_bool(VERY_CLUMSY) { MUCH_PER_BOX } else { PER_SLIP * slips };
        Self { per_box, per_field: FIELDS_PER_BOX * per_box }
    }
}

/// Lets something happen to what was to be written into `field`.
pub(super) fn befall(field: &Field, entry: &mut Entry, clumsiness: Clumsiness, source: &mut impl Rng) {
    let Entry { written, corrected, .. } = entry;
    match (written, field.kind) {
        (Written::Cells(cells), FieldKind::Digits) if cells.iter().all(String::is_empty) => {
            let happens = source.random_bool(clumsiness.per_field);
            if happens {
                begin_by_mistake(cells.len(), corrected, source);
            }
        }
        (Written::Cells(cells), FieldKind::Digits | FieldKind::Kana) => {
            let instead: &[&str] = if field.kind == FieldKind::Digits { &DIGITS } else { &KANA };
            // Year, month and day have boxes of their own, which nothing is pushed out of.
            let may_shift = field.name != "application_date";
            let mut comb = Comb { cells, corrected, is_reversed: false };
            comb.reverse_if(field.align);
            comb.befall(clumsiness.per_box, instead, may_shift, source);
            comb.restore();
        }
        (Written::Line(option), FieldKind::Mark) => {
            let happens = source.random_bool(clumsiness.per_field);
            if happens {
                mark_another(field, option, corrected, source);
            }
        }
        _ => {}
    }
}

/// A block of boxes that is none of the applicant's: some are filled in, and all of these struck out.
fn begin_by_mistake(boxes: usize, corrected: &mut Vec<Correction>, source: &mut impl Rng) {
    for cell in 0..source.random_range(1..=boxes.max(1)).min(boxes) {
        let struck = DIGITS.choose(source).copied().unwrap_or_default().to_owned();
        corrected.push(Correction { cell, struck, outcome: Outcome::StruckOut });
    }
}

/// Another option than the meant one is marked, and struck out. A lone option is meant by few, and is
/// marked by mistake by fewer.
fn mark_another(field: &Field, meant: &str, corrected: &mut Vec<Correction>, source: &mut impl Rng) {
    let others: Vec<usize> =
        (0..field.options.len()).filter(|&place| field.options[place].value != meant).collect();
    let is_lone = field.options.len() == 1;
    if is_lone && !source.random_bool(0.1) || !is_lone && meant.is_empty() {
        return;
    }
    if let Some(&cell) = others.choose(source) {
        let struck = field.options[cell].value.clone();
        corrected.push(Correction { cell, struck, outcome: Outcome::StruckOut });
    }
}

/// The boxes of a field, turned around where they are filled from the right.
struct Comb<'a> {
    cells: &'a mut Vec<String>,
    corrected: &'a mut Vec<Correction>,
    is_reversed: bool,
}

impl Comb<'_> {
    /// Brings the end with room, if any, to the back.
    fn reverse_if(&mut self, align: Option<Align>) {
        let is_empty = |cell: Option<&String>| cell.is_some_and(String::is_empty);
        let from_right = match (is_empty(self.cells.first()), is_empty(self.cells.last())) {
            (true, false) => true,
            (false, true) => false,
            _ => align == Some(Align::Right),
        };
        if from_right {
            self.reverse();
        }
    }

    fn reverse(&mut self) {
        self.cells.reverse();
        for correction in self.corrected.iter_mut() {
            correction.cell = self.cells.len() - 1 - correction.cell;
        }
        self.is_reversed = !self.is_reversed;
    }

    /// Back to the order on paper.
    fn restore(&mut self) {
        if self.is_reversed {
            self.reverse();
        }
        self.corrected.sort_by_key(|correction| correction.cell);
    }

    fn befall(&mut self, chance: f64, instead: &[&str], may_shift: bool, source: &mut impl Rng) {
        let mut cell = 0;
        while cell < self.cells.len() {
            let outcome = random::weighted(
                source,
                &[(Outcome::StruckOut, 0.45), (Outcome::Overwritten, 0.35), (Outcome::Several, 0.2)],
            );
            let wrong = instead.choose(source).copied().unwrap_or_default();
            if source.random_bool(chance) && self.is_plain(cell) && self.cells[cell] != wrong {
                let struck = wrong.to_owned();
                match outcome {
                    Outcome::StruckOut if may_shift => self.strike_out(cell, struck),
                    Outcome::Overwritten => self.note(cell, struck, Outcome::Overwritten),
                    Outcome::Several if may_shift => self.join(cell),
                    _ => {}
                }
            }
            cell += 1;
        }
    }

    /// Written, and nothing wrong with it yet.
    fn is_plain(&self, cell: usize) -> bool {
        self.cells.get(cell).is_some_and(|text| !text.is_empty())
            && self.corrected.iter().all(|correction| correction.cell != cell)
    }

    fn note(&mut self, cell: usize, struck: String, outcome: Outcome) {
        self.corrected.push(Correction { cell, struck, outcome });
    }

    /// A wrong character is struck out and what is meant goes on in the next box, if there is room.
    fn strike_out(&mut self, cell: usize, struck: String) {
        let has_room = self.cells.last().is_some_and(String::is_empty);
        if !has_room {
            return;
        }
        self.cells.pop();
        self.cells.insert(cell, String::new());
        for correction in self.corrected.iter_mut().filter(|correction| correction.cell >= cell) {
            correction.cell += 1;
        }
        self.note(cell, struck, Outcome::StruckOut);
    }

    /// This box's and the next one's character both stand in this box.
    fn join(&mut self, cell: usize) {
        let next = cell + 1;
        // A sound mark beside its kana is one character in one box.
        let is_mark = |text: &String| text == "゛" || text == "゜";
        if !self.is_plain(next) || is_mark(&self.cells[cell]) || is_mark(&self.cells[next]) {
            return;
        }
        let moved = self.cells.remove(next);
        let both = &mut self.cells[cell];
        *both = if self.is_reversed { moved + both } else { format!("{both}{moved}") };
        self.cells.push(String::new());
        for correction in self.corrected.iter_mut().filter(|correction| correction.cell > cell) {
            correction.cell -= 1;
        }
        self.note(cell, String::new(), Outcome::Several);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::MarkOption;
    use crate::geometry::RectMm;
    use proptest::prelude::*;

    const MUCH: Clumsiness = Clumsiness { per_box: 0.3, per_field: 0.6 };

    fn field(kind: FieldKind, cells: usize, align: Align, options: &[&str]) -> Field {
        let area = RectMm { x: 0.0, y: 0.0, w: 6.0, h: 8.0 };
        let option = |value: &&str| MarkOption { value: (*value).to_owned(), area };
        Field {
            name: "a_field".to_owned(),
            kind,
            printed: false,
            align: Some(align),
            cells: vec![area; cells],
            options: options.iter().map(option).collect(),
        }
    }

    fn entry(written: Written) -> Entry {
        Entry { written, value: None, corrected: Vec::new() }
    }

    proptest! {
        #[test]
        fn what_is_meant_stays_whatever_goes_wrong(
            digits in "[0-9]{1,8}",
            room in 0usize..5,
            from_right: bool,
            seed: u64,
        ) {
            let width = digits.len() + room;
            let mut cells: Vec<String> = digits.chars().map(String::from).collect();
            let place = if from_right { 0 } else { cells.len() };
            cells.splice(place..place, vec![String::new(); room]);
            let align = if from_right { Align::Right } else { Align::Left };
            let mut entry = entry(Written::Cells(cells));
            let mut source = random::source(seed, "mishaps");
            befall(&field(FieldKind::Digits, width, align, &[]), &mut entry, MUCH, &mut source);

            let Written::Cells(cells) = &entry.written else { panic!("a comb has cells") };
            prop_assert_eq!(cells.len(), width);
            prop_assert_eq!(cells.concat(), digits);
            for correction in &entry.corrected {
                let text = &cells[correction.cell];
                match correction.outcome {
                    Outcome::StruckOut => prop_assert!(text.is_empty() && !correction.struck.is_empty()),
                    Outcome::Several => prop_assert!(text.len() == 2 && correction.struck.is_empty()),
                    Outcome::Overwritten | Outcome::WrittenAbove => prop_assert!(text.len() == 1),
                }
            }
            let places: std::collections::BTreeSet<usize> =
                entry.corrected.iter().map(|correction| correction.cell).collect();
            prop_assert_eq!(places.len(), entry.corrected.len());
            let several = cells.iter().filter(|text| text.len() > 1).count();
            let noted = entry.corrected.iter().filter(|one| one.outcome == Outcome::Several).count();
            prop_assert_eq!(several, noted);
        }
    }

    #[test]
    fn the_wrong_option_is_struck_out_and_an_empty_block_stays_empty() {
        let marks = field(FieldKind::Mark, 0, Align::Left, &["bank", "yucho"]);
        let block = field(FieldKind::Digits, 5, Align::Left, &[]);
        let (mut struck_marks, mut struck_blocks) = (0, 0);
        for seed in 0..200 {
            let mut source = random::source(seed, "mishaps");
            let mut mark = entry(Written::Line("yucho".to_owned()));
            befall(&marks, &mut mark, MUCH, &mut source);
            assert!(mark.written == Written::Line("yucho".to_owned()));
            for correction in &mark.corrected {
                assert_eq!((correction.cell, correction.struck.as_str()), (0, "bank"));
                struck_marks += 1;
            }
            let mut empty = entry(Written::Cells(vec![String::new(); 5]));
            befall(&block, &mut empty, MUCH, &mut source);
            assert!(empty.written == Written::Cells(vec![String::new(); 5]));
            struck_blocks += usize::from(!empty.corrected.is_empty());
        }
        assert!(struck_marks > 50 && struck_blocks > 50, "{struck_marks} {struck_blocks}");
    }
}
