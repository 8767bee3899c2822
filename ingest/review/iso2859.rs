//! ISO 2859-1:1999, sampling by attributes: single sampling, normal and tightened inspection, general inspection level
//! II. How many of a lot are looked at, and how many of these may be wrong (tables 1, 2-A and 2-B; the same stand in
//! MIL-STD-105E, tables I, II-A and II-B).

use super::switching::Severity;

/// An acceptance quality limit of the standard: its column in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aql(usize);

/// Columns of the tables up to 10 % nonconforming; beyond, the standard counts nonconformities, not items.
const AQLS: [f64; 16] =
    [0.010, 0.015, 0.025, 0.040, 0.065, 0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0];

/// Rows of the tables: code letter and sample size. S is reached from table 2-B alone, at 0.025.
const ROWS: [(char, u64); 17] = [
    ('A', 2),
    ('B', 3),
    ('C', 5),
    ('D', 8),
    ('E', 13),
    ('F', 20),
    ('G', 32),
    ('H', 50),
    ('J', 80),
    ('K', 125),
    ('L', 200),
    ('M', 315),
    ('N', 500),
    ('P', 800),
    ('Q', 1250),
    ('R', 2000),
    ('S', 3150),
];

/// Table 1, level II: the largest lot of each row but the last one of that level.
const LARGEST_LOTS: [u64; 14] =
    [8, 15, 25, 50, 90, 150, 280, 500, 1_200, 3_200, 10_000, 35_000, 150_000, 500_000];

/// What a table says at a place.
enum Cell {
    Accept(u64),
    /// ↑: the first plan above.
    Up,
    /// ↓: the first plan below.
    Down,
}

fn cell(severity: Severity, row: usize, column: usize) -> Cell {
    match severity {
        Severity::Normal => normal(row, column),
        Severity::Tightened => tightened(row, column),
    }
}

/// Table 2-A repeats one row, shifted by a column from row to row: ↓ … ↓ 0 ↑ ↓ 1 2 3 5 7 10 14 21 ↑ … ↑. Row K has
/// its 0 at 0.10. Row A has no plan above it: right of its 0 stands ↓.
fn normal(row: usize, column: usize) -> Cell {
    const ZERO: usize = 14;
    match (row + column).checked_sub(ZERO) {
        None => Cell::Down,
        Some(0) => Cell::Accept(0),
        Some(1) if row > 0 => Cell::Up,
        Some(1 | 2) => Cell::Down,
        Some(place) => accept(&[1, 2, 3, 5, 7, 10, 14, 21], place - 3),
    }
}

/// Table 2-B does the same, a column further right: ↓ … ↓ 0 ↓ ↓ 1 2 3 5 8 12 18 ↑ … ↑. Row K has its 0 at 0.15. Row A
/// has none. The columns from 0.65 on were compared with MIL-STD-105E, table II-B, as the inspection tables at
/// nibs.org (FMOC/DPW_AC/AC-TABLE.ASC, table 1-B) print them.
fn tightened(row: usize, column: usize) -> Cell {
    const ZERO: usize = 15;
    match (row + column).checked_sub(ZERO) {
        Some(0) if row > 0 => Cell::Accept(0),
        None | Some(0..=2) => Cell::Down,
        Some(place) => accept(&[1, 2, 3, 5, 8, 12, 18], place - 3),
    }
}

fn accept(numbers: &[u64], place: usize) -> Cell {
    numbers.get(place).map_or(Cell::Up, |&number| Cell::Accept(number))
}

impl Aql {
    /// In percent nonconforming; none where it is no preferred value of the standard.
    pub fn of_percent(percent: f64) -> Option<Self> {
        AQLS.iter().position(|aql| (aql - percent).abs() < 1e-9).map(Self)
    }

    pub fn percent(self) -> f64 {
        AQLS[self.0]
    }
}

/// How a lot is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplingPlan {
    /// Of the plan that is used: arrows are followed.
    pub letter: char,
    /// All of the lot, where the plan asks for as many or more.
    pub sample: u64,
    /// Ac: the lot is accepted with so many wrong, and rejected with one more (Re).
    pub acceptance: u64,
}

impl SamplingPlan {
    pub fn of_lot(size: u64, Aql(column): Aql, severity: Severity) -> Self {
        let row = LARGEST_LOTS.iter().position(|&largest| size <= largest).unwrap_or(LARGEST_LOTS.len());
        let (row, acceptance) = follow(severity, row, column);
        let (letter, sample) = ROWS[row];
        Self { letter, sample: sample.min(size), acceptance }
    }
}

/// The row of the plan that the arrows lead to, and its acceptance number. They lead up or down, never back.
fn follow(severity: Severity, row: usize, column: usize) -> (usize, u64) {
    match cell(severity, row, column) {
        Cell::Accept(acceptance) => (row, acceptance),
        Cell::Up => follow(severity, row - 1, column),
        Cell::Down => follow(severity, row + 1, column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(severity: Severity, size: u64, percent: f64) -> (char, u64, u64) {
        let aql = Aql::of_percent(percent).expect("a preferred value");
        let plan = SamplingPlan::of_lot(size, aql, severity);
        (plan.letter, plan.sample, plan.acceptance)
    }

    #[test]
    fn plans_are_those_of_the_standard() {
        for (size, percent, expected) in [
            // Lots of 1,201 to 3,200: letter K.
            (1_201, 0.65, ('K', 125, 2)),
            (3_200, 0.65, ('K', 125, 2)),
            (3_200, 1.0, ('K', 125, 3)),
            (3_200, 10.0, ('K', 125, 21)),
            (3_200, 0.10, ('K', 125, 0)),
            // Up to J, down to L.
            (3_200, 0.15, ('J', 80, 0)),
            (3_200, 0.25, ('L', 200, 1)),
            (3_201, 0.65, ('L', 200, 3)),
            (1_200, 0.65, ('J', 80, 1)),
            (500, 0.65, ('J', 80, 1)),
            (500, 1.0, ('H', 50, 1)),
            (280, 2.5, ('G', 32, 2)),
            (280, 4.0, ('G', 32, 3)),
            (280, 0.65, ('F', 20, 0)),
            (100_000, 0.10, ('N', 500, 1)),
            (35_000, 1.0, ('M', 315, 7)),
            (500_001, 0.010, ('Q', 1250, 0)),
            (500_001, 0.015, ('P', 800, 0)),
            (500_001, 0.025, ('R', 2000, 1)),
            (10_001, 10.0, ('K', 125, 21)),
            (8, 10.0, ('C', 5, 1)),
            (8, 6.5, ('A', 2, 0)),
            // As many as the plan asks for, or more: all of the lot.
            (20, 0.65, ('F', 20, 0)),
            (13, 0.65, ('F', 13, 0)),
            (1, 0.65, ('F', 1, 0)),
        ] {
            assert_eq!(plan(Severity::Normal, size, percent), expected, "a lot of {size} at {percent} %");
        }
    }

    #[test]
    fn tightened_plans_are_those_of_the_standard() {
        for (size, percent, expected) in [
            // Letter K.
            (3_200, 0.15, ('K', 125, 0)),
            (3_200, 0.65, ('K', 125, 1)),
            (3_200, 1.0, ('K', 125, 2)),
            (3_200, 1.5, ('K', 125, 3)),
            (3_200, 2.5, ('K', 125, 5)),
            (3_200, 4.0, ('K', 125, 8)),
            (3_200, 6.5, ('K', 125, 12)),
            (3_200, 10.0, ('K', 125, 18)),
            // Down to L and M, never up to a smaller sample.
            (3_200, 0.40, ('L', 200, 1)),
            (3_200, 0.25, ('M', 315, 1)),
            (3_200, 0.10, ('L', 200, 0)),
            // Letter J.
            (1_200, 0.25, ('J', 80, 0)),
            (1_200, 0.65, ('K', 125, 1)),
            (1_200, 1.0, ('J', 80, 1)),
            (1_200, 10.0, ('J', 80, 12)),
            // Letter L, and past its last number.
            (10_000, 6.5, ('L', 200, 18)),
            (10_000, 10.0, ('K', 125, 18)),
            (500, 0.65, ('K', 125, 1)),
            (280, 0.65, ('G', 32, 0)),
            (150, 1.0, ('F', 20, 0)),
            (50, 2.5, ('D', 8, 0)),
            (8, 6.5, ('B', 3, 0)),
            (8, 10.0, ('D', 8, 1)),
            (500_001, 0.010, ('R', 2000, 0)),
            (500_001, 0.025, ('S', 3150, 1)),
            (20, 0.65, ('G', 20, 0)),
        ] {
            assert_eq!(plan(Severity::Tightened, size, percent), expected, "a lot of {size} at {percent} %");
        }
    }

    /// The chance that a sample has no more wrong than may be, where that part of everything is wrong.
    fn accepted(sample: u64, acceptance: u64, wrong: f64) -> f64 {
        let none = (1.0 - wrong).powf(sample as f64);
        let terms = (0..acceptance).scan(none, |term, found| {
            *term *= (sample.saturating_sub(found)) as f64 / (found + 1) as f64 * wrong / (1.0 - wrong);
            Some(*term)
        });
        none + terms.sum::<f64>()
    }

    #[test]
    fn a_tightened_plan_never_accepts_more_easily() {
        for percent in AQLS {
            for size in (0..20).map(|power| 1 << power) {
                let at = |severity| {
                    let (_, sample, acceptance) = plan(severity, size, percent);
                    accepted(sample, acceptance, percent / 100.0)
                };
                let (normal, tightened) = (at(Severity::Normal), at(Severity::Tightened));
                assert!(
                    tightened <= normal + 1e-12,
                    "a lot of {size} at {percent} %: {tightened} > {normal}"
                );
            }
        }
    }

    #[test]
    fn every_lot_has_a_plan_at_every_aql() {
        for percent in AQLS {
            for size in (0..20).map(|power| 1 << power) {
                for severity in Severity::ALL {
                    let (_, sample, acceptance) = plan(severity, size, percent);
                    assert!(sample <= size && acceptance < 22);
                }
            }
        }
        assert_eq!(Aql::of_percent(0.5), None);
        assert_eq!(Aql::of_percent(0.65).map(Aql::percent), Some(0.65));
    }
}
