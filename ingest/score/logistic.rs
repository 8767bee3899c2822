//! Logistic regression with a quadratic penalty, by Newton's method (iteratively reweighted least
//! squares). Deterministic: no chance, no order of threads.

/// Steps until which the optimum is found; a handful suffice on real data.
const MOST_STEPS: usize = 100;
/// No weight moves by more than this in the last step.
const TOLERANCE: f64 = 1e-9;
/// Penalty of the intercept: only there so that data without a single error have an optimum.
const INTERCEPT_RIDGE: f64 = 0.01;
/// Log odds beyond this are not told apart; `exp` of it is still exact enough.
const MOST_LOG_ODDS: f64 = 30.0;

/// `log odds = intercept + weights · row`.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    pub intercept: f64,
    pub weights: Vec<f64>,
}

impl Logistic {
    pub fn log_odds(&self, row: &[f64]) -> f64 {
        let sum: f64 = self.weights.iter().zip(row).map(|(weight, value)| weight * value).sum();
        (self.intercept + sum).clamp(-MOST_LOG_ODDS, MOST_LOG_ODDS)
    }
}

/// The probability of log odds.
pub fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// An observation: what is known, log odds that are known beforehand, and the outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    pub row: Vec<f64>,
    pub offset: f64,
    pub outcome: bool,
}

/// The weights of the largest likelihood less `ridge / 2 · |weights|²`. Rows must be as long as
/// each other and standardised, or the penalty weighs them unequally.
pub fn fit(observations: &[Observation], ridge: f64) -> Logistic {
    let width = observations.first().map_or(0, |first| first.row.len()) + 1;
    // The intercept is the last weight, of a row's own 1.
    let mut weights = vec![0.0; width];
    let penalty: Vec<f64> =
        (0..width).map(|place| if place + 1 == width { INTERCEPT_RIDGE } else { ridge }).collect();
    let mut loss = loss_of(observations, &weights, &penalty);
    for _ in 0..MOST_STEPS {
        let (gradient, mut curvature) = derivatives(observations, &weights, &penalty);
        let Some(step) = solve(&mut curvature, &gradient) else { break };
        // Newton may overshoot far from the optimum: halve until the loss falls.
        let mut share = 1.0;
        let (next, next_loss) = loop {
            let next: Vec<f64> =
                weights.iter().zip(&step).map(|(weight, step)| weight + share * step).collect();
            let next_loss = loss_of(observations, &next, &penalty);
            if next_loss <= loss || share < 1e-6 {
                break (next, next_loss);
            }
            share /= 2.0;
        };
        if next_loss > loss {
            break;
        }
        let moved = step.iter().map(|step| (step * share).abs()).fold(0.0, f64::max);
        (weights, loss) = (next, next_loss);
        if moved < TOLERANCE {
            break;
        }
    }
    let intercept = weights.pop().unwrap_or_default();
    Logistic { intercept, weights }
}

fn log_odds(observation: &Observation, weights: &[f64]) -> f64 {
    let sum: f64 = observation.row.iter().zip(weights).map(|(value, weight)| value * weight).sum();
    let intercept = weights.last().copied().unwrap_or_default();
    observation.offset + sum + intercept
}

/// Negative log likelihood with its penalty.
fn loss_of(observations: &[Observation], weights: &[f64], penalty: &[f64]) -> f64 {
    let data: f64 = observations
        .iter()
        .map(|observation| {
            let log_odds = log_odds(observation, weights);
            let against = if observation.outcome { -log_odds } else { log_odds };
            // ln(1 + e^x), without overflow.
            against.max(0.0) + (-against.abs()).exp().ln_1p()
        })
        .sum();
    let size: f64 = weights.iter().zip(penalty).map(|(weight, penalty)| penalty * weight * weight).sum();
    data + size / 2.0
}

/// The gradient of the likelihood and the (negative, positive definite) matrix of second
/// derivatives, row by row, both with the penalty.
fn derivatives(observations: &[Observation], weights: &[f64], penalty: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let width = weights.len();
    let mut gradient: Vec<f64> =
        weights.iter().zip(penalty).map(|(weight, penalty)| -weight * penalty).collect();
    let mut curvature = vec![vec![0.0; width]; width];
    let mut row = vec![1.0; width];
    for observation in observations {
        row[..width - 1].copy_from_slice(&observation.row);
        let probability = sigmoid(log_odds(observation, weights));
        let residual = f64::from(observation.outcome) - probability;
        let spread = probability * (1.0 - probability);
        for place in 0..width {
            gradient[place] += residual * row[place];
            let weighed = spread * row[place];
            for other in 0..=place {
                curvature[place][other] += weighed * row[other];
            }
        }
    }
    for place in 0..width {
        curvature[place][place] += penalty[place];
    }
    (gradient, curvature)
}

/// Solves `matrix · x = right` for a positive definite matrix of which the lower half is given
/// (Cholesky, in place). None where it is not positive definite.
fn solve(matrix: &mut [Vec<f64>], right: &[f64]) -> Option<Vec<f64>> {
    let width = right.len();
    for row in 0..width {
        for column in 0..=row {
            let known: f64 = (0..column).map(|place| matrix[row][place] * matrix[column][place]).sum();
            let rest = matrix[row][column] - known;
            matrix[row][column] = if row == column {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / matrix[column][column]
            };
        }
    }
    let mut solution = right.to_vec();
    for row in 0..width {
        let known: f64 = (0..row).map(|place| matrix[row][place] * solution[place]).sum();
        solution[row] = (solution[row] - known) / matrix[row][row];
    }
    for row in (0..width).rev() {
        let known: f64 = (row + 1..width).map(|place| matrix[place][row] * solution[place]).sum();
        solution[row] = (solution[row] - known) / matrix[row][row];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn drawn(count: usize, truth: &Logistic, seed: u64) -> Vec<Observation> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        (0..count)
            .map(|_| {
                let row: Vec<f64> = truth.weights.iter().map(|_| random.random_range(-2.0..2.0)).collect();
                let outcome = random.random_bool(sigmoid(truth.log_odds(&row)));
                Observation { row, offset: 0.0, outcome }
            })
            .collect()
    }

    #[test]
    fn known_weights_are_found_again() {
        let truth = Logistic { intercept: 0.7, weights: vec![1.5, -0.8, 0.0] };
        let found = fit(&drawn(40_000, &truth, 3), 1.0);
        assert!((found.intercept - 0.7).abs() < 0.05, "{found:?}");
        for (found, truth) in found.weights.iter().zip(&truth.weights) {
            assert!((found - truth).abs() < 0.05, "{found} for {truth}");
        }
    }

    #[test]
    fn at_the_optimum_the_gradient_is_nothing() {
        let observations = drawn(500, &Logistic { intercept: -1.0, weights: vec![2.0, 1.0] }, 9);
        let found = fit(&observations, 2.0);
        let weights = [found.weights[0], found.weights[1], found.intercept];
        let (gradient, _) = derivatives(&observations, &weights, &[2.0, 2.0, INTERCEPT_RIDGE]);
        assert!(gradient.iter().all(|slope| slope.abs() < 1e-5), "{gradient:?}");
    }

    #[test]
    fn data_without_an_error_and_features_that_never_vary_have_an_optimum() {
        let sure = |value: f64| Observation { row: vec![value, 0.0], offset: 0.0, outcome: true };
        let found = fit(&(-100..100).map(|value| sure(f64::from(value))).collect::<Vec<_>>(), 1.0);
        assert!(found.intercept > 4.0 && found.intercept.is_finite(), "{found:?}");
        assert_eq!(found.weights[1], 0.0);
        assert_eq!(fit(&[], 1.0), Logistic { intercept: 0.0, weights: Vec::new() });
    }

    #[test]
    fn separable_data_do_not_run_away() {
        let one = |value: f64| Observation { row: vec![value], offset: 0.0, outcome: value > 0.0 };
        let found = fit(&(-50..50).map(|value| one(f64::from(value) + 0.5)).collect::<Vec<_>>(), 1.0);
        assert!(found.weights[0] > 0.0 && found.weights[0] < 100.0, "{found:?}");
    }
}
