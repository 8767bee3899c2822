//! ISO 2859-1:1999, sampling by attributes: single sampling, normal inspection, general inspection level II. How
//! many of a lot are looked at, and how many of these may be wrong (tables 1 and 2-A; the same stand in MIL-STD-105E,
//! tables I and II-A).

/// An acceptance quality limit of the standard: its column in table 2-A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aql(usize);

/// Columns of table 2-A up to 10 % nonconforming; beyond, the standard counts nonconformities, not items.
const AQLS: [f64; 16] =
    [0.010, 0.015, 0.025, 0.040, 0.065, 0.10, 0.15, 0.25, 0.40, 0.65, 1.0, 1.5, 2.5, 4.0, 6.5, 10.0];

/// Rows of table 2-A: code letter and sample size.
const ROWS: [(char, u64); 16] = [
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
];

/// Table 1, level II: the largest lot of each row but the last one of that level.
const LARGEST_LOTS: [u64; 14] =
    [8, 15, 25, 50, 90, 150, 280, 500, 1_200, 3_200, 10_000, 35_000, 150_000, 500_000];

/// What table 2-A says at a place.
enum Cell {
    Accept(u64),
    /// ↑: the first plan above.
    Up,
    /// ↓: the first plan below.
    Down,
}

/// Table 2-A repeats one row, shifted by a column from row to row: ↓ … ↓ 0 ↑ ↓ 1 2 3 5 7 10 14 21 ↑ … ↑. Row K has
/// its 0 at 0.10. Row A has no plan above it: right of its 0 stands ↓.
fn cell(row: usize, column: usize) -> Cell {
    const ZERO: usize = 14;
    const ACCEPTED: [u64; 8] = [1, 2, 3, 5, 7, 10, 14, 21];
    match (row + column).checked_sub(ZERO) {
        None => Cell::Down,
        Some(0) => Cell::Accept(0),
        Some(1) if row > 0 => Cell::Up,
        Some(1 | 2) => Cell::Down,
        Some(place) => ACCEPTED.get(place - 3).map_or(Cell::Up, |&accepted| Cell::Accept(accepted)),
    }
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
    pub fn of_lot(size: u64, Aql(column): Aql) -> Self {
        let row = LARGEST_LOTS.iter().position(|&largest| size <= largest).unwrap_or(LARGEST_LOTS.len());
        let (row, acceptance) = follow(row, column);
        let (letter, sample) = ROWS[row];
        Self { letter, sample: sample.min(size), acceptance }
    }
}

/// The row of the plan that the arrows lead to, and its acceptance number. They lead up or down, never back.
fn follow(row: usize, column: usize) -> (usize, u64) {
    match cell(row, column) {
        Cell::Accept(acceptance) => (row, acceptance),
        Cell::Up => follow(row - 1, column),
        Cell::Down => follow(row + 1, column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: u64, percent: f64) -> (char, u64, u64) {
        let plan = SamplingPlan::of_lot(size, Aql::of_percent(percent).expect("a preferred value"));
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
            assert_eq!(plan(size, percent), expected, "a lot of {size} at {percent} %");
        }
    }

    #[test]
    fn every_lot_has_a_plan_at_every_aql() {
        for percent in AQLS {
            for size in (0..20).map(|power| 1 << power) {
                let (_, sample, acceptance) = plan(size, percent);
                assert!(sample <= size && acceptance < 22);
            }
        }
        assert_eq!(Aql::of_percent(0.5), None);
        assert_eq!(Aql::of_percent(0.65).map(Aql::percent), Some(0.65));
    }
}
