//! A share of cases, with how sure so many cases make it.

use serde::Serialize;

/// How many of how many; in JSON also the share and its interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(into = "RateJson")]
pub struct Rate {
    pub hits: u64,
    pub of: u64,
}

/// A 95 % interval reaches so many standard deviations to both sides.
const Z: f64 = 1.959_963_984_540_054;

impl Rate {
    pub fn new(hits: u64, of: u64) -> Self {
        Self { hits, of }
    }

    /// Counts one case.
    pub fn add(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }

    /// None of no case.
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// Wilson's 95 % score interval (Wilson 1927): where the true share plausibly lies. For display;
    /// it promises nothing about a risk, as a certificate does.
    pub fn interval(self) -> Option<[f64; 2]> {
        let share = self.share()?;
        let n = self.of as f64;
        let middle = share + Z * Z / (2.0 * n);
        let reach = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Some([((middle - reach) / scale).max(0.0), ((middle + reach) / scale).min(1.0)])
    }
}

impl std::ops::AddAssign for Rate {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.of += other.of;
    }
}

/// As JSON shows a [`Rate`]; `rate`, `low` and `high` are null where `of` is 0.
#[derive(Serialize)]
struct RateJson {
    hits: u64,
    of: u64,
    rate: Option<f64>,
    /// Of Wilson's 95 % interval.
    low: Option<f64>,
    high: Option<f64>,
}

impl From<Rate> for RateJson {
    fn from(rate: Rate) -> Self {
        let interval = rate.interval();
        Self {
            hits: rate.hits,
            of: rate.of,
            rate: rate.share(),
            low: interval.map(|[low, _]| low),
            high: interval.map(|[_, high]| high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_textbook() {
        // 8 of 10: (0.8 + 0.19207 ± 1.96 √(0.016 + 0.0096)) / 1.38415, computed by hand.
        let [low, high] = Rate::new(8, 10).interval().expect("ten cases");
        assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4, "{low} {high}");
        // All of n: the lower end is n / (n + z²).
        let [low, high] = Rate::new(100, 100).interval().expect("a hundred cases");
        assert!((low - 100.0 / 103.841).abs() < 1e-4 && high > 0.999_999, "{low} {high}");
        assert_eq!((Rate::default().share(), Rate::default().interval()), (None, None));
    }
}
