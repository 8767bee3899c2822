//! From the log odds of a regression to a probability that holds: monotone, fitted on readings
//! that the regression has not seen.

use serde::{Deserialize, Serialize};

use super::logistic::{self, Observation, sigmoid};

/// From so many readings on, the shape is left to the data (isotonic); fewer only shift and
/// stretch the log odds (Platt), which two numbers can be fitted for.
const ENOUGH_FOR_ISOTONIC: usize = 300;

/// Pull of Platt's two numbers towards "the regression is right", in readings.
const PLATT_RIDGE: f64 = 4.0;
/// Log odds never turn around.
const LEAST_SLOPE: f64 = 0.05;

/// So much of the regression's own probability is mixed in, so that readings that the data cannot
/// tell apart keep their order. It moves a confidence by at most this, in fact far less.
const OWN_ORDER: f64 = 0.005;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "method")]
pub enum Recalibration {
    /// Probabilities at log odds, both rising; straight lines between, level outside.
    Isotonic { knots: Vec<Knot> },
    /// `probability = sigmoid(intercept + slope · log odds)`.
    Platt { intercept: f64, slope: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Knot {
    pub log_odds: f64,
    pub probability: f64,
}

/// A reading as the regression sees it, and whether it is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    pub log_odds: f64,
    pub right: bool,
}

impl Recalibration {
    pub fn fit(judgements: &[Judgement]) -> Self {
        if judgements.len() < ENOUGH_FOR_ISOTONIC {
            return platt(judgements);
        }
        Self::Isotonic { knots: isotonic(judgements) }
    }

    /// Strictly rising in `log_odds`; above 0 and below 1.
    pub fn probability(&self, log_odds: f64) -> f64 {
        let fitted = match self {
            Self::Isotonic { knots } => interpolated(knots, log_odds),
            Self::Platt { intercept, slope } => sigmoid(intercept + slope * log_odds),
        };
        fitted + OWN_ORDER * (sigmoid(log_odds) - fitted)
    }

    /// Knots rise and are probabilities; numbers are numbers.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Isotonic { knots } => {
                let rising = |pair: &[Knot]| {
                    pair[0].log_odds <= pair[1].log_odds && pair[0].probability <= pair[1].probability
                };
                let proper =
                    |knot: &Knot| knot.log_odds.is_finite() && (0.0..=1.0).contains(&knot.probability);
                !knots.is_empty() && knots.iter().all(proper) && knots.windows(2).all(rising)
            }
            Self::Platt { intercept, slope } => intercept.is_finite() && slope.is_finite() && *slope > 0.0,
        }
    }
}

fn platt(judgements: &[Judgement]) -> Recalibration {
    // The log odds are an offset, so that the penalty pulls towards slope 1 and intercept 0. Both
    // numbers are weights of a row, since the intercept itself has hardly any penalty.
    let observations: Vec<Observation> = judgements
        .iter()
        .map(|judgement| Observation {
            row: vec![1.0, judgement.log_odds],
            offset: judgement.log_odds,
            outcome: judgement.right,
        })
        .collect();
    let fitted = logistic::fit(&observations, PLATT_RIDGE);
    let at = |place: usize| fitted.weights.get(place).copied().unwrap_or_default();
    Recalibration::Platt { intercept: fitted.intercept + at(0), slope: (1.0 + at(1)).max(LEAST_SLOPE) }
}

/// Readings that are pooled because their shares would fall otherwise.
struct Block {
    from: f64,
    to: f64,
    readings: f64,
    right: f64,
}

/// Pool adjacent violators (Ayer et al. 1955). A block is level from its first to its last reading:
/// two knots. Shares of 0 and 1 are those of a sample: they are kept one reading in `n + 2` away.
fn isotonic(judgements: &[Judgement]) -> Vec<Knot> {
    let mut sorted = judgements.to_vec();
    sorted.sort_by(|one, other| one.log_odds.total_cmp(&other.log_odds));
    let mut blocks: Vec<Block> = Vec::new();
    for Judgement { log_odds, right } in sorted {
        let mut block = Block { from: log_odds, to: log_odds, readings: 1.0, right: f64::from(right) };
        while let Some(last) = blocks.last() {
            let falls = last.right / last.readings >= block.right / block.readings;
            if !falls && last.to < block.from {
                break;
            }
            block.from = last.from;
            block.readings += last.readings;
            block.right += last.right;
            blocks.pop();
        }
        blocks.push(block);
    }
    let margin = 1.0 / (judgements.len() as f64 + 2.0);
    let knots = blocks.iter().flat_map(|block| {
        let probability = (block.right / block.readings).clamp(margin, 1.0 - margin);
        [block.from, block.to].map(|log_odds| Knot { log_odds, probability })
    });
    let mut knots: Vec<Knot> = knots.collect();
    knots.dedup();
    knots
}

fn interpolated(knots: &[Knot], log_odds: f64) -> f64 {
    let above = knots.partition_point(|knot| knot.log_odds <= log_odds);
    match (above.checked_sub(1).and_then(|below| knots.get(below)), knots.get(above)) {
        (Some(below), Some(above)) => {
            let share = (log_odds - below.log_odds) / (above.log_odds - below.log_odds);
            below.probability + share * (above.probability - below.probability)
        }
        (Some(knot), None) | (None, Some(knot)) => knot.probability,
        // A file without knots is refused when it is loaded.
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Readings whose regression is too sure of itself: the truth has half its log odds.
    fn overconfident(count: usize, seed: u64) -> Vec<Judgement> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || {
            let log_odds: f64 = random.random_range(-4.0..12.0);
            Judgement { log_odds, right: random.random_bool(sigmoid(log_odds / 2.0)) }
        };
        (0..count).map(|_| draw()).collect()
    }

    /// Over ten bins of equal numbers.
    fn expected_calibration_error(recalibration: &Recalibration, judgements: &[Judgement]) -> f64 {
        let mut points: Vec<(f64, bool)> = judgements
            .iter()
            .map(|judgement| (recalibration.probability(judgement.log_odds), judgement.right))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let gap = |bin: &[(f64, bool)]| {
            let stated: f64 = bin.iter().map(|(probability, _)| probability).sum();
            let right: f64 = bin.iter().map(|(_, right)| f64::from(*right)).sum();
            (stated - right).abs() / points.len() as f64
        };
        points.chunks(points.len().div_ceil(10)).map(gap).sum()
    }

    #[test]
    fn what_was_too_sure_is_calibrated_on_readings_not_seen() {
        let fitted = Recalibration::fit(&overconfident(5000, 1));
        assert!(matches!(fitted, Recalibration::Isotonic { .. }));
        let error = expected_calibration_error(&fitted, &overconfident(50_000, 2));
        assert!(error < 0.01, "{error}");
    }

    #[test]
    fn few_readings_shift_and_stretch_only() {
        let fitted = Recalibration::fit(&overconfident(250, 4));
        let Recalibration::Platt { slope, .. } = fitted else { panic!("{fitted:?}") };
        assert!((0.3..0.75).contains(&slope), "{slope}");
        let none = Recalibration::fit(&[]);
        assert_eq!(none, Recalibration::Platt { intercept: 0.0, slope: 1.0 });
    }

    #[test]
    fn confidence_rises_strictly_and_is_never_certain() {
        for judgements in [overconfident(3000, 5), overconfident(40, 6)] {
            let fitted = Recalibration::fit(&judgements);
            assert!(fitted.is_sound(), "{fitted:?}");
            let steps = (-200..=200).map(|step| fitted.probability(f64::from(step) / 10.0));
            let steps: Vec<f64> = steps.collect();
            assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(steps.iter().all(|probability| (0.0..1.0).contains(probability)));
        }
    }

    #[test]
    fn a_sample_without_an_error_is_no_certainty() {
        let right = Judgement { log_odds: 5.0, right: true };
        let probability = Recalibration::fit(&[right; 1000]).probability(5.0);
        assert!((0.998..0.9995).contains(&probability), "{probability}");
    }
}
