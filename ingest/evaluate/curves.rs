//! What confidences are worth: how many errors remain among the surest readings, and whether "99 %
//! sure" is right in 99 of 100 cases.

use serde::Serialize;

use super::rate::Rate;

/// A published value: how sure it was, and whether it is the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub confidence: f64,
    pub right: bool,
}

/// The error rate among the readings with the highest confidences.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskCoverage {
    /// Fields in which something is written or was read: what coverage is a share of.
    pub fields: u64,
    /// Those of them of which a value was published.
    pub readings: u64,
    /// The mean of the error rates of the surest 1, 2, 3, … readings (the area under the curve):
    /// 0 is best. Readings of the same confidence share their errors evenly.
    pub area: Option<f64>,
    /// The largest coverage at which the error rate seen here is the target or less. No promise:
    /// that is the certificate's.
    pub coverage_at_target: f64,
    /// From the surest on; at most [`CURVE_POINTS`], the last one is of all readings.
    pub points: Vec<RiskPoint>,
}

/// All readings of at least one confidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RiskPoint {
    pub confidence: f64,
    pub coverage: f64,
    pub wrong: Rate,
}

/// Whether confidences come true.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reliability {
    /// Of about equal counts, from the least sure on. At most ten, with at least
    /// [`LEAST_IN_BIN`] readings each where there are so many; equal confidences stay together.
    pub bins: Vec<Bin>,
    /// The mean difference between confidence and share right over these bins, each weighed by its
    /// readings.
    pub expected_calibration_error: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    pub lowest: f64,
    pub highest: f64,
    pub mean_confidence: f64,
    pub right: Rate,
}

/// A curve of more looks no different.
const CURVE_POINTS: usize = 200;

const MOST_BINS: usize = 10;
/// With fewer, a bin's share of right readings says little.
const LEAST_IN_BIN: usize = 20;

/// Readings of the same confidence, which no threshold can part.
struct Tie {
    confidence: f64,
    readings: u64,
    wrong: u64,
}

/// From the surest on.
fn ties(readings: &[Scored]) -> Vec<Tie> {
    let mut sorted = readings.to_vec();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    let mut ties: Vec<Tie> = Vec::new();
    for reading in sorted {
        let wrong = u64::from(!reading.right);
        match ties.last_mut() {
            Some(tie) if tie.confidence == reading.confidence => {
                tie.readings += 1;
                tie.wrong += wrong;
            }
            _ => ties.push(Tie { confidence: reading.confidence, readings: 1, wrong }),
        }
    }
    ties
}

/// The curve of `readings` of so many `fields` (at least as many), and what of it is within
/// `target`, an error rate.
pub fn risk_coverage(readings: &[Scored], fields: u64, target: f64) -> RiskCoverage {
    let (mut so_far, mut sum, mut coverage_at_target) = (Rate::default(), 0.0, 0.0);
    let mut points = Vec::new();
    for tie in ties(readings) {
        let errors_each = tie.wrong as f64 / tie.readings as f64;
        for place in 1..=tie.readings {
            sum += (so_far.hits as f64 + place as f64 * errors_each) / (so_far.of + place) as f64;
        }
        so_far += Rate::new(tie.wrong, tie.readings);
        let coverage = so_far.of as f64 / fields.max(so_far.of) as f64;
        if so_far.share().is_some_and(|risk| risk <= target) {
            coverage_at_target = coverage;
        }
        points.push(RiskPoint { confidence: tie.confidence, coverage, wrong: so_far });
    }
    RiskCoverage {
        fields,
        readings: so_far.of,
        area: (so_far.of > 0).then(|| sum / so_far.of as f64),
        coverage_at_target,
        points: thinned(points),
    }
}

/// Evenly, with the last one kept.
fn thinned(points: Vec<RiskPoint>) -> Vec<RiskPoint> {
    let step = points.len().div_ceil(CURVE_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    points
        .into_iter()
        .enumerate()
        .filter(|(index, _)| (last - index).is_multiple_of(step))
        .map(|(_, point)| point)
        .collect()
}

pub fn reliability(readings: &[Scored]) -> Reliability {
    let count = (readings.len() / LEAST_IN_BIN).clamp(1, MOST_BINS);
    let size = readings.len().div_ceil(count) as u64;
    let mut bins: Vec<Bin> = Vec::new();
    for tie in ties(readings).iter().rev() {
        let right = Rate::new(tie.readings - tie.wrong, tie.readings);
        match bins.last_mut() {
            Some(bin) if bin.right.of < size => {
                let sum = bin.mean_confidence * bin.right.of as f64 + tie.confidence * tie.readings as f64;
                bin.right += right;
                bin.mean_confidence = sum / bin.right.of as f64;
                bin.highest = tie.confidence;
            }
            _ => bins.push(Bin {
                lowest: tie.confidence,
                highest: tie.confidence,
                mean_confidence: tie.confidence,
                right,
            }),
        }
    }
    let error = |bin: &Bin| {
        let share = bin.right.share().unwrap_or(bin.mean_confidence);
        (bin.mean_confidence - share).abs() * bin.right.of as f64
    };
    let sum: f64 = bins.iter().map(error).sum();
    let expected_calibration_error = (!readings.is_empty()).then(|| sum / readings.len() as f64);
    Reliability { bins, expected_calibration_error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(readings: &[(f64, bool)]) -> Vec<Scored> {
        readings.iter().map(|&(confidence, right)| Scored { confidence, right }).collect()
    }

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-12)
    }

    #[test]
    fn the_surest_come_first_and_the_area_is_the_mean_of_the_rates() {
        let readings = scored(&[(0.7, true), (0.9, true), (0.8, false), (0.6, true)]);
        let curve = risk_coverage(&readings, 5, 0.3);
        // Error rates of the surest 1 to 4: 0, 1/2, 1/3, 1/4.
        assert!(near(curve.area, (0.0 + 0.5 + 1.0 / 3.0 + 0.25) / 4.0), "{:?}", curve.area);
        let coverages: Vec<f64> = curve.points.iter().map(|point| point.coverage).collect();
        assert_eq!(coverages, [0.2, 0.4, 0.6, 0.8]);
        let wrong: Vec<u64> = curve.points.iter().map(|point| point.wrong.hits).collect();
        assert_eq!(wrong, [0, 1, 1, 1]);
        assert_eq!(curve.coverage_at_target, 0.8, "the rate may rise above the target in between");
        assert_eq!(risk_coverage(&readings, 5, 0.1).coverage_at_target, 0.2);
    }

    #[test]
    fn equal_confidences_are_one_point_and_share_their_errors() {
        for order in [[(0.9, false), (0.9, true)], [(0.9, true), (0.9, false)]] {
            let curve = risk_coverage(&scored(&order), 2, 0.0);
            assert_eq!(curve.points.len(), 1);
            assert!(near(curve.area, 0.5), "{:?}", curve.area);
            assert_eq!(curve.coverage_at_target, 0.0);
        }
    }

    #[test]
    fn a_long_curve_is_thinned_to_its_end() {
        let readings: Vec<_> = (0..1001).map(|place| (f64::from(place) / 1001.0, true)).collect();
        let curve = risk_coverage(&scored(&readings), 1001, 0.0);
        assert!(curve.points.len() <= CURVE_POINTS, "{}", curve.points.len());
        assert_eq!(curve.points.last().map(|point| (point.wrong.of, point.coverage)), Some((1001, 1.0)));
    }

    #[test]
    fn nothing_read_is_no_curve() {
        let curve = risk_coverage(&[], 0, 0.1);
        assert_eq!((curve.area, curve.points.len()), (None, 0));
        assert_eq!(reliability(&[]).expected_calibration_error, None);
    }

    #[test]
    fn bins_hold_equal_counts_and_their_error_is_the_weighed_difference() {
        // 40 readings are two bins: 20 of 0.5, of which 15 are right, and 20 of 0.9, all right.
        let low = (0..20).map(|place| (0.5, place % 4 != 0));
        let readings: Vec<_> = low.chain((0..20).map(|_| (0.9, true))).collect();
        let reliability = reliability(&scored(&readings));
        let bins: Vec<_> = reliability.bins.iter().map(|bin| (bin.mean_confidence, bin.right)).collect();
        assert_eq!(bins.len(), 2);
        assert!((bins[0].0 - 0.5).abs() < 1e-12 && (bins[1].0 - 0.9).abs() < 1e-12);
        assert_eq!((bins[0].1, bins[1].1), (Rate::new(15, 20), Rate::new(20, 20)));
        assert!(near(reliability.expected_calibration_error, (0.25 * 20.0 + 0.1 * 20.0) / 40.0));
    }

    #[test]
    fn equal_confidences_stay_in_one_bin() {
        let readings: Vec<_> = (0..30).map(|_| (1.0, true)).chain((0..30).map(|_| (0.2, false))).collect();
        let bins = reliability(&scored(&readings)).bins;
        assert_eq!(bins.iter().map(|bin| bin.right.of).collect::<Vec<_>>(), [30, 30]);
    }
}
