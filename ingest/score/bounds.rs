//! What a number of errors among a number of readings proves: exact binomial bounds (Clopper and
//! Pearson, Biometrika 26, 1934), one-sided.

use statrs::function::beta::checked_beta_reg;

/// Halvings until a bound is exact to the last bits.
const HALVINGS: u32 = 60;

/// The chance of at most `errors` errors among `readings` if each is wrong with the chance `risk`:
/// the p-value of "the risk is `risk` or more". 1 where nothing was read.
pub fn chance_of_at_most(errors: u64, readings: u64, risk: f64) -> f64 {
    if errors >= readings || risk <= 0.0 {
        return 1.0;
    }
    if risk >= 1.0 {
        return 0.0;
    }
    let (right, errors) = ((readings - errors) as f64, errors as f64);
    // Never an error: both parameters are positive, the place is inside (0, 1).
    checked_beta_reg(right, errors + 1.0, 1.0 - risk).unwrap_or(1.0)
}

/// The largest risk that `errors` among `readings` do not rule out with the confidence
/// `1 - alpha`; 1 where nothing was read.
pub fn upper_bound(errors: u64, readings: u64, alpha: f64) -> f64 {
    if errors >= readings {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if chance_of_at_most(errors, readings, middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// How many readings with `errors` errors prove a risk below `target`: for no errors,
/// `ln(alpha) / ln(1 - target)`. At most `u32::MAX`.
pub fn readings_needed(errors: u64, target: f64, alpha: f64) -> u64 {
    let proves = |readings| chance_of_at_most(errors, readings, target) <= alpha;
    let (mut low, mut high) = (errors, u64::from(u32::MAX));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if proves(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readings that prove a risk at 95 %, for 0, 1, 2 and 5 errors; published tables of one-sided
    /// Clopper-Pearson bounds.
    #[test]
    fn numbers_of_readings_are_those_of_the_tables() {
        for (target, expected) in [
            (0.01, [299, 473, 628, 1049]),
            (0.0029, [1032, 1634, 2169, 3623]),
            (0.0014, [2139, 3387, 4495, 7507]),
            (0.001, [2995, 4742, 6294, 10_511]),
            (0.0001, [29_956, 47_437, 62_956, 105_128]),
        ] {
            for (errors, expected) in [0, 1, 2, 5].into_iter().zip(expected) {
                assert_eq!(readings_needed(errors, target, 0.05), expected, "{target}, {errors} errors");
                assert!(upper_bound(errors, expected, 0.05) <= target);
                assert!(upper_bound(errors, expected - 1, 0.05) > target);
            }
        }
    }

    #[test]
    fn without_an_error_the_bound_is_a_logarithm() {
        for (readings, alpha) in [(10, 0.05), (2139, 0.05), (500, 0.01)] {
            let closed = 1.0 - f64::powf(alpha, 1.0 / readings as f64);
            assert!((upper_bound(0, readings, alpha) - closed).abs() < 1e-12);
        }
        assert_eq!(readings_needed(0, 0.0014, 0.05), (0.05f64.ln() / (1.0 - 0.0014f64).ln()).ceil() as u64);
    }

    #[test]
    fn nothing_read_proves_nothing() {
        assert_eq!(upper_bound(0, 0, 0.05), 1.0);
        assert_eq!(upper_bound(3, 3, 0.05), 1.0);
        assert_eq!(chance_of_at_most(0, 0, 0.5), 1.0);
        // P(X <= 1), X binomial with n = 3, p = 1/2.
        assert!((chance_of_at_most(1, 3, 0.5) - 0.5).abs() < 1e-12);
    }
}
