//! How much two readers of the same cells should count: the exponents under which the true
//! characters are the likeliest.

use super::Judged;
use crate::form::FieldKind;
use crate::kana::ZenginName;
use crate::read::{self, CellState, CharacterReading, Evidence, EvidenceSource, Fusion, FusionWeights};

/// Pull towards the default weights, in cells.
const RIDGE: f64 = 1.0;

/// With fewer cells the default weights stay.
const LEAST_CELLS: usize = 200;

/// A conditional logit in two numbers is solved in a handful of steps.
const MOST_STEPS: usize = 50;
const TOLERANCE: f64 = 1e-9;

/// Cells that both readers read and whose character is known, by kind of comb. Cells whose character
/// neither names say nothing about the weights and are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FusionCells {
    digits: Vec<Cell>,
    kana: Vec<Cell>,
}

/// The log posteriors of each candidate by the cell and the line model; the true one first.
type Cell = Vec<[f64; 2]>;

impl FusionCells {
    /// Takes up the cells of the combs among `judged`.
    pub fn extend(&mut self, judged: &[Judged]) {
        for judged in judged {
            let cells = match judged.kind {
                FieldKind::Digits => &mut self.digits,
                FieldKind::Kana => &mut self.kana,
                FieldKind::Text | FieldKind::Mark | FieldKind::Signature => continue,
            };
            cells.extend(cells_of(judged));
        }
    }

    /// The weights of the least log loss, none negative; the default ones for a kind with too few
    /// cells.
    pub fn fit(&self) -> Fusion {
        Fusion { digits: fit(&self.digits), kana: fit(&self.kana) }
    }

    /// Cells of digits and of kana.
    pub fn counts(&self) -> [usize; 2] {
        [self.digits.len(), self.kana.len()]
    }
}

fn cells_of(judged: &Judged) -> impl Iterator<Item = Cell> {
    let characters = |source| {
        let found = judged.reading.evidence.iter().find(|evidence: &&Evidence| evidence.source == source);
        found.map_or(&[][..], |evidence| evidence.characters.as_slice())
    };
    let (cell, line) = (characters(EvidenceSource::CellModel), characters(EvidenceSource::LineModel));
    let regular = move |place: &usize| !judged.truth.irregular.contains_key(place);
    judged
        .truth
        .cells
        .iter()
        .zip(cell.iter().zip(line))
        .enumerate()
        .filter(move |(place, _)| regular(place))
        .filter_map(|(_, (truth, (cell, line)))| candidates(&folded(truth), cell, line))
}

/// None for an empty cell, one that a reader did not read, or a truth that neither names.
fn candidates(truth: &str, cell: &CharacterReading, line: &CharacterReading) -> Option<Cell> {
    let read = |reading: &CharacterReading| reading.state == CellState::Written && !reading.value.is_empty();
    if truth.is_empty() || !read(cell) || !read(line) {
        return None;
    }
    let (rest_of_cell, rest_of_line) = (read::unnamed(cell), read::unnamed(line));
    let (cell, line) = (posteriors(cell), posteriors(line));
    let mut names: Vec<&str> = cell.iter().chain(&line).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let place = names.iter().position(|name| *name == truth)?;
    names.swap(0, place);
    let of = |posteriors: &[(String, f64)], name: &str, rest: f64| {
        let sum: f64 = posteriors.iter().filter(|(other, _)| other == name).map(|(_, share)| share).sum();
        if sum > 0.0 { sum.ln() } else { rest.ln() }
    };
    Some(
        names
            .into_iter()
            .map(|name| [of(&cell, name, rest_of_cell), of(&line, name, rest_of_line)])
            .collect(),
    )
}

fn posteriors(reading: &CharacterReading) -> Vec<(String, f64)> {
    let first = (folded(&reading.value), reading.confidence);
    let others = reading.alternatives.iter().map(|other| (folded(&other.value), other.confidence));
    std::iter::once(first).chain(others).collect()
}

/// Small and large kana, and the dashes, are one character to a bank.
fn folded(text: &str) -> String {
    ZenginName::of(text).map_or_else(|_| text.to_owned(), |name| name.as_str().to_owned())
}

/// Newton's method on a convex function of two numbers; where one would be negative it is 0 and the
/// other is fitted alone.
fn fit(cells: &[Cell]) -> FusionWeights {
    if cells.len() < LEAST_CELLS {
        return FusionWeights::default();
    }
    let both = minimise(cells, [true, true]);
    let [cell, line] = match (both[0] >= 0.0, both[1] >= 0.0) {
        (true, true) => both,
        (true, false) => minimise(cells, [true, false]),
        (false, _) => minimise(cells, [false, true]),
    };
    FusionWeights { cell: cell.max(0.0), line: line.max(0.0) }
}

/// The weights that are `free`; the others are 0.
fn minimise(cells: &[Cell], free: [bool; 2]) -> [f64; 2] {
    let FusionWeights { cell, line } = FusionWeights::default();
    let prior = [cell, line];
    let keep = |weights: [f64; 2]| [0, 1].map(|place| if free[place] { weights[place] } else { 0.0 });
    let mut weights = keep(prior);
    let mut loss = loss_of(cells, weights, prior);
    for _ in 0..MOST_STEPS {
        let (mut slope, mut curve) =
            ([0, 1].map(|place| RIDGE * (weights[place] - prior[place])), [[RIDGE, 0.0], [0.0, RIDGE]]);
        for cell in cells {
            let shares = shares(cell, weights);
            let mean = [0, 1].map(|place| weighed(cell, &shares, |logs| logs[place]));
            for place in 0..2 {
                slope[place] += mean[place] - cell[0][place];
                for other in 0..2 {
                    let product = weighed(cell, &shares, |logs| logs[place] * logs[other]);
                    curve[place][other] += product - mean[place] * mean[other];
                }
            }
        }
        let step = match free {
            [true, true] => {
                let determinant = curve[0][0] * curve[1][1] - curve[0][1] * curve[1][0];
                [
                    (slope[0] * curve[1][1] - slope[1] * curve[0][1]) / determinant,
                    (slope[1] * curve[0][0] - slope[0] * curve[1][0]) / determinant,
                ]
            }
            [first, second] => keep([
                if first { slope[0] / curve[0][0] } else { 0.0 },
                if second { slope[1] / curve[1][1] } else { 0.0 },
            ]),
        };
        let mut share = 1.0;
        let (next, next_loss) = loop {
            let next = [0, 1].map(|place| weights[place] - share * step[place]);
            let next_loss = loss_of(cells, next, prior);
            if next_loss <= loss || share < 1e-6 {
                break (next, next_loss);
            }
            share /= 2.0;
        };
        if next_loss > loss {
            break;
        }
        (weights, loss) = (next, next_loss);
        if step.iter().all(|step| (step * share).abs() < TOLERANCE) {
            break;
        }
    }
    weights
}

fn loss_of(cells: &[Cell], weights: [f64; 2], prior: [f64; 2]) -> f64 {
    let data: f64 = cells.iter().map(|cell| -shares(cell, weights)[0].max(f64::MIN_POSITIVE).ln()).sum();
    data + RIDGE / 2.0 * ((weights[0] - prior[0]).powi(2) + (weights[1] - prior[1]).powi(2))
}

/// The fused posterior of each candidate.
fn shares(cell: &Cell, weights: [f64; 2]) -> Vec<f64> {
    let logs: Vec<f64> = cell.iter().map(|logs| weights[0] * logs[0] + weights[1] * logs[1]).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|share| share / sum).collect()
}

fn weighed(cell: &Cell, shares: &[f64], value: impl Fn(&[f64; 2]) -> f64) -> f64 {
    cell.iter().zip(shares).map(|(logs, share)| share * value(logs)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Alternative;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn cell(value: &str, confidence: f64, other: &str) -> CharacterReading {
        CharacterReading {
            value: value.to_owned(),
            state: CellState::Written,
            confidence,
            alternatives: vec![Alternative { value: other.to_owned(), confidence: 1.0 - confidence }],
        }
    }

    /// Cells whose truth is drawn from the posterior that `truth` fuses.
    fn drawn(count: usize, truth: [f64; 2]) -> Vec<Cell> {
        let mut random = ChaCha8Rng::seed_from_u64(8);
        (0..count)
            .map(|_| {
                let mut reader = || {
                    let share: f64 = random.random_range(0.02..0.98);
                    [share.ln(), (1.0 - share).ln()]
                };
                let (one, other) = (reader(), reader());
                let mut cell = vec![[one[0], other[0]], [one[1], other[1]]];
                let first = shares(&cell, truth)[0];
                if !random.random_bool(first) {
                    cell.swap(0, 1);
                }
                cell
            })
            .collect()
    }

    #[test]
    fn known_weights_are_found_again() {
        let FusionWeights { cell, line } = fit(&drawn(30_000, [1.3, 0.4]));
        assert!((cell - 1.3).abs() < 0.06 && (line - 0.4).abs() < 0.06, "{cell} {line}");
    }

    #[test]
    fn a_reader_that_misleads_counts_nothing() {
        let FusionWeights { cell, line } = fit(&drawn(10_000, [1.0, -0.3]));
        assert_eq!(line, 0.0);
        assert!((cell - 1.0).abs() < 0.15, "{cell}");
    }

    #[test]
    fn few_cells_change_nothing() {
        assert_eq!(fit(&drawn(100, [3.0, 3.0])), FusionWeights::default());
        assert_eq!(FusionCells::default().fit(), Fusion::default());
    }

    #[test]
    fn the_true_character_comes_first_and_kana_are_those_of_banks() {
        let found = candidates(&folded("ャ"), &cell("ヤ", 0.8, "マ"), &cell("ャ", 0.6, "ヤ"));
        let found = found.expect("both name it");
        assert_eq!(found.len(), 2, "ャ and ヤ are one");
        assert!((found[0][0] - 0.8f64.ln()).abs() < 1e-12 && found[0][1].abs() < 1e-12, "{found:?}");
        assert_eq!(candidates("9", &cell("1", 0.8, "7"), &cell("1", 0.6, "7")), None);
        assert_eq!(candidates("", &cell("1", 0.8, "7"), &cell("1", 0.6, "7")), None);
    }
}
