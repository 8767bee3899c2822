//! What errors among readings say at any time of looking: a confidence sequence. A bound that is looked at
//! every day, and acted upon when it pleases, must hold at all times together; an ordinary interval does not.

use statrs::function::gamma::ln_gamma;

/// Halvings until a bound is exact to some nine digits.
const HALVINGS: u32 = 40;

/// Parameters of the mixture: half an error among a hundred readings, about what is expected. They decide how
/// tight the bounds are, not whether they hold.
const ERRORS: f64 = 0.5;
const RIGHT: f64 = 50.0;

/// Rates of errors that are not ruled out: with the chance `1 - alpha` the true one is within at all times.
///
/// The likelihood of the data under a beta mixture over that under the true rate is a martingale, so by Ville's
/// inequality it ever exceeds `1 / alpha` with the chance `alpha` at most (Robbins, 1970).
pub fn at_any_time(errors: u64, readings: u64, alpha: f64) -> (f64, f64) {
    if readings == 0 {
        return (0.0, 1.0);
    }
    let (wrong, right) = (errors as f64, readings.saturating_sub(errors) as f64);
    let mixture = ln_beta(wrong + ERRORS, right + RIGHT) - ln_beta(ERRORS, RIGHT);
    let ruled_out = |rate: f64| {
        let likelihood = power(rate, wrong) + power(1.0 - rate, right);
        mixture - likelihood > -alpha.ln()
    };
    let best = wrong / (wrong + right);
    // From the best rate, which is never ruled out, towards both ends: ruled out from some place on.
    let edge = |end: f64| {
        let (mut inside, mut outside) = (best, end);
        for _ in 0..HALVINGS {
            let middle = (inside + outside) / 2.0;
            if ruled_out(middle) { outside = middle } else { inside = middle }
        }
        outside
    };
    (if errors == 0 { 0.0 } else { edge(0.0) }, if errors >= readings { 1.0 } else { edge(1.0) })
}

/// The logarithm of `base` to the power of `exponent`; that of nothing to the power of nothing is 0.
fn power(base: f64, exponent: f64) -> f64 {
    if exponent == 0.0 { 0.0 } else { exponent * base.ln() }
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn bounds_close_in_and_never_cross() {
        let mut last = 1.0;
        for readings in [10, 100, 1000, 10_000, 100_000] {
            let (low, high) = at_any_time(0, readings, 0.05);
            assert_eq!(low, 0.0);
            assert!(high < last, "{readings}");
            last = high;
            let (low, high) = at_any_time(readings / 10, readings, 0.05);
            assert!(low < 0.1 && 0.1 < high);
        }
        assert!(last < 0.0002);
        assert_eq!(at_any_time(0, 0, 0.05), (0.0, 1.0));
        assert_eq!(at_any_time(3, 3, 0.05).1, 1.0);
    }

    #[test]
    fn the_true_rate_is_left_out_in_few_of_many_long_watches() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let (watches, rate) = (400, 0.02);
        let left = (0..watches)
            .filter(|_| {
                let mut errors = 0;
                (1..=1500).any(|readings| {
                    errors += u64::from(random.random_bool(rate));
                    let (low, high) = at_any_time(errors, readings, 0.05);
                    !(low..=high).contains(&rate)
                })
            })
            .count();
        // 20 are allowed; three standard deviations beyond that would be a wrong formula.
        assert!(left <= 33, "{left}");
    }
}
