//! Whether confidences that come in are still distributed as those that were certified: a
//! two-sample chi-square test over bins, window by window.
//!
//! A certificate assumes that what is read is like what it was tested on. The truth of incoming
//! mail is not known, but its confidences are: when their distribution has changed, the
//! assumption does not hold and acceptance ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::StratumKey;

/// Bins of a reference, each with about as many of the planning readings as any other.
const BINS: usize = 10;

/// Confidences that differ by less are one bin's: a tenth of the risks that certificates state. Most readings are
/// surer than any recalibration can tell, and lie in an order that another mix of hands changes without being read
/// any worse.
const LEAST_WIDTH: f64 = 1e-4;

/// A bin of which fewer readings than this are expected in the smaller sample is joined with its
/// neighbour: below, the statistic is not distributed as chi-square (Cochran's rule).
const LEAST_EXPECTED: f64 = 5.0;

/// Confidences counted by bin; bin `i` holds those from `edges[i - 1]` up to but not including
/// `edges[i]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Rising; one less than there are bins.
    pub edges: Vec<f64>,
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Empty, with edges just below the tenths of `planning`, so that what is as good as equal to one is in its bin.
    pub fn planned(planning: &[f64]) -> Self {
        let mut sorted = planning.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> =
            (1..BINS).filter_map(|bin| Some(sorted.get(sorted.len() * bin / BINS)? - LEAST_WIDTH)).collect();
        edges.dedup_by(|edge, lower| *edge - *lower < LEAST_WIDTH);
        // Nothing lies below the smallest.
        edges.retain(|edge| sorted.first().is_some_and(|first| edge > first));
        Self { counts: vec![0; edges.len() + 1], edges }
    }

    pub fn bin(&self, confidence: f64) -> usize {
        self.edges.partition_point(|edge| *edge <= confidence)
    }

    pub fn add(&mut self, confidence: f64) {
        let bin = self.bin(confidence);
        self.counts[bin] += 1;
    }

    pub(super) fn is_sound(&self) -> bool {
        self.counts.len() == self.edges.len() + 1
            && self.edges.iter().all(|edge| edge.is_finite())
            && self.edges.windows(2).all(|pair| pair[0] < pair[1])
    }
}

/// What was scored in one scan, by stratum and bin, under one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally(BTreeMap<StratumKey, Vec<u64>>);

impl Tally {
    pub fn add(&mut self, key: StratumKey, reference: &Histogram, confidence: f64) {
        let counts = self.0.entry(key).or_insert_with(|| vec![0; reference.counts.len()]);
        if let Some(count) = counts.get_mut(reference.bin(confidence)) {
            *count += 1;
        }
    }

    /// In the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&StratumKey, &[u64])> {
        self.0.iter().map(|(key, counts)| (key, counts.as_slice()))
    }
}

/// Which windows are tested, and how seldom they may be wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftRule {
    /// Readings of a stratum that make a window.
    pub window: u64,
    /// The chance that any window of any stratum is ever rejected although nothing has changed.
    pub level: f64,
    /// Strata that are watched.
    pub strata: usize,
}

/// The outcome for one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftTest {
    pub statistic: f64,
    /// Degrees of freedom; 0 where there is only one bin, and nothing can be seen.
    pub freedom: usize,
    pub p_value: f64,
    /// Below this the window is rejected.
    pub level: f64,
}

impl DriftTest {
    pub fn shifted(&self) -> bool {
        self.p_value < self.level
    }
}

impl DriftRule {
    /// The level of a stratum's window `number` (from 1): the whole level is divided by the strata
    /// (Bonferroni), and within one spent over all windows there will ever be, as
    /// `1 / (number · (number + 1))`, whose sum is 1.
    pub fn level_of(&self, number: u64) -> f64 {
        let number = number.max(1) as f64;
        self.level / self.strata.max(1) as f64 / (number * (number + 1.0))
    }

    /// Tests window `number` against the certificate's counts.
    pub fn test(&self, reference: &[u64], window: &[u64], number: u64) -> DriftTest {
        let (statistic, bins) = chi_square(&joined(reference, window));
        let freedom = bins.saturating_sub(1);
        let p_value = match ChiSquared::new(freedom as f64) {
            Ok(distribution) => distribution.sf(statistic),
            // No degree of freedom: one bin alone never differs.
            Err(_) => 1.0,
        };
        DriftTest { statistic, freedom, p_value, level: self.level_of(number) }
    }
}

/// Neighbouring bins joined until each expects [`LEAST_EXPECTED`] in the smaller sample.
fn joined(reference: &[u64], window: &[u64]) -> Vec<[f64; 2]> {
    let total = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
    let (all_reference, all_window) = (total(reference), total(window));
    let share = all_reference.min(all_window) / (all_reference + all_window).max(1.0);
    let mut bins: Vec<[f64; 2]> = Vec::new();
    let mut open = [0.0, 0.0];
    for (reference, window) in reference.iter().zip(window) {
        open = [open[0] + *reference as f64, open[1] + *window as f64];
        if (open[0] + open[1]) * share >= LEAST_EXPECTED {
            bins.push(std::mem::take(&mut open));
        }
    }
    match bins.last_mut() {
        Some(last) => *last = [last[0] + open[0], last[1] + open[1]],
        None => bins.push(open),
    }
    bins
}

/// Of two samples whose sizes were fixed beforehand, and how many bins hold anything.
fn chi_square(bins: &[[f64; 2]]) -> (f64, usize) {
    let sum = |sample: usize| bins.iter().map(|bin| bin[sample]).sum::<f64>();
    let (reference, window) = (sum(0), sum(1));
    if reference == 0.0 || window == 0.0 {
        return (0.0, 0);
    }
    let ratio = (window / reference).sqrt();
    let held: Vec<&[f64; 2]> = bins.iter().filter(|bin| bin[0] + bin[1] > 0.0).collect();
    let term = |bin: &&[f64; 2]| (bin[1] / ratio - bin[0] * ratio).powi(2) / (bin[0] + bin[1]);
    (held.iter().map(term).sum(), held.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const RULE: DriftRule = DriftRule { window: 500, level: 0.01, strata: 30 };

    /// Confidences whose smallest are `power` times rarer than uniform ones.
    fn confidences(count: usize, power: f64, random: &mut ChaCha8Rng) -> Vec<f64> {
        (0..count).map(|_| 1.0 - random.random::<f64>().powf(power)).collect()
    }

    fn histogram(edges: &Histogram, confidences: &[f64]) -> Histogram {
        let mut counted = Histogram { counts: vec![0; edges.counts.len()], ..edges.clone() };
        confidences.iter().for_each(|confidence| counted.add(*confidence));
        counted
    }

    #[test]
    fn an_unshifted_stream_is_rejected_as_seldom_as_the_level_says() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let planned = Histogram::planned(&confidences(2500, 3.0, &mut random));
        let (mut rejected, mut suspended, draws) = (0, 0, 4000);
        for _ in 0..draws {
            let reference = histogram(&planned, &confidences(2500, 3.0, &mut random));
            let window = histogram(&planned, &confidences(500, 3.0, &mut random));
            let test = RULE.test(&reference.counts, &window.counts, 1);
            assert_eq!(test.freedom, 9);
            rejected += u32::from(test.p_value < 0.05);
            suspended += u32::from(test.shifted());
        }
        let share = f64::from(rejected) / f64::from(draws);
        assert!((0.038..0.062).contains(&share), "{share}");
        // At the level of a first window, 1 in 6000.
        assert!(suspended <= 4, "{suspended} of {draws}");
    }

    #[test]
    fn a_shifted_stream_is_rejected_in_its_first_windows() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let planned = Histogram::planned(&confidences(2500, 3.0, &mut random));
        let reference = histogram(&planned, &confidences(5000, 3.0, &mut random));
        let window = histogram(&planned, &confidences(500, 1.5, &mut random));
        for number in [1, 100] {
            let test = RULE.test(&reference.counts, &window.counts, number);
            assert!(test.shifted(), "{number}: {test:?}");
        }
    }

    #[test]
    fn the_levels_of_all_windows_add_up_to_the_level() {
        let of_one: f64 = (1..100_000).map(|number| RULE.level_of(number)).sum();
        let all = of_one * RULE.strata as f64;
        assert!(all <= RULE.level && all > 0.99 * RULE.level, "{all}");
    }

    #[test]
    fn the_statistic_is_that_of_the_textbook() {
        // Two samples of 100: (50, 50) and (60, 40); chi-square of the 2 × 2 table is 2.0202.
        let test = RULE.test(&[50, 50], &[60, 40], 1);
        assert!((test.statistic - 2.0202).abs() < 1e-4, "{test:?}");
        assert_eq!(test.freedom, 1);
        assert!((test.p_value - 0.1552).abs() < 1e-3, "{test:?}");
    }

    #[test]
    fn one_value_alone_has_one_bin_and_shows_nothing() {
        let planned = Histogram::planned(&[0.99; 500]);
        assert_eq!((planned.edges.len(), planned.counts.len()), (0, 1));
        let test = RULE.test(&[500], &[500], 1);
        assert_eq!((test.freedom, test.p_value), (0, 1.0));
        assert!(!RULE.test(&[0, 0], &[3, 5], 1).shifted());
    }

    /// Four in five are as sure as can be, in an order of their own.
    #[test]
    fn the_order_of_what_is_as_good_as_equal_is_no_shift() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut drawn = |count: usize, power: f64, doubtful: f64| -> Vec<f64> {
            let sure = |random: &mut ChaCha8Rng| 0.9997 + 1e-5 * random.random::<f64>().powf(power);
            let one = |random: &mut ChaCha8Rng| match random.random_bool(doubtful) {
                true => random.random::<f64>(),
                false => sure(random),
            };
            (0..count).map(|_| one(&mut random)).collect()
        };
        let planned = Histogram::planned(&drawn(2500, 1.0, 0.2));
        let reference = histogram(&planned, &drawn(5000, 1.0, 0.2));
        let test = |window: &[f64]| RULE.test(&reference.counts, &histogram(&planned, window).counts, 1);
        let reordered = test(&drawn(500, 5.0, 0.2));
        assert!(reordered.freedom >= 2 && !reordered.shifted(), "{reordered:?}");
        assert!(test(&drawn(500, 1.0, 0.4)).shifted());
    }

    #[test]
    fn edges_part_what_they_are_drawn_from() {
        let planned = Histogram::planned(&(0..100).map(|value| f64::from(value) / 100.0).collect::<Vec<_>>());
        assert_eq!(planned.edges.len(), 9);
        assert_eq!(planned.bin(0.05), 0);
        assert_eq!(planned.bin(0.1), 1, "an edge belongs to the bin above");
        assert_eq!(planned.bin(1.0), 9);
    }
}
