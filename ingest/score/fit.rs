//! Readings whose truth is known to a calibration and a certificate's fields. Pure: the same
//! readings in the same order give the same numbers.

use std::collections::BTreeMap;

use super::calibration::{FeatureWeight, FieldCalibration};
use super::certificate::{FieldCertificate, Verdict};
use super::certify::{Outcome, Plan, Scored, Target};
use super::drift::Histogram;
use super::features::feature_names;
use super::logistic::{self, Logistic, Observation};
use super::recalibrate::{Judgement, Recalibration};
use super::split::Part;
use super::{Stratum, StratumKey};
use crate::form::FieldKind;

/// Penalty of the weights that all fields of a kind share: a standardised weight of 1 is as unlikely as
/// half an observation.
const SHARED_RIDGE: f64 = 1.0;

/// Penalty of what a field's weights differ from those. Errors are rare: a field alone has a handful
/// to learn from, all combs of digits together have a hundred.
const OWN_RIDGE: f64 = 30.0;

/// With fewer readings than these a stratum is not calibrated: its numbers would be accidents.
const LEAST_FITTING: usize = 50;
const LEAST_RECALIBRATING: usize = 30;

/// A reading of which it is known whether it is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    pub part: Part,
    /// In the order of [`feature_names`] for the field's kind.
    pub features: Vec<f64>,
    pub right: bool,
    /// False where a rule sends the reading to a person whatever its confidence.
    pub eligible: bool,
}

/// All readings of one stratum.
#[derive(Debug, Clone, PartialEq)]
pub struct StratumExamples {
    pub kind: FieldKind,
    pub examples: Vec<Example>,
}

/// What was fitted for a stratum, and what was proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// None for too few readings.
    pub calibration: Option<FieldCalibration>,
    pub certificate: FieldCertificate,
}

/// Fits and tests every stratum.
pub fn fit(strata: &BTreeMap<StratumKey, StratumExamples>, target: Target) -> Vec<Fitted> {
    // By what their readings have in common: the features of their kind, and written or blank.
    let mut alike: Vec<((FieldKind, Stratum), Vec<&Example>)> = Vec::new();
    for (key, stratum) in strata {
        let fitting = stratum.examples.iter().filter(|example| example.part == Part::Fit);
        let of = (stratum.kind, key.stratum);
        match alike.iter_mut().find(|(other, _)| *other == of) {
            Some((_, examples)) => examples.extend(fitting),
            None => alike.push((of, fitting.collect())),
        }
    }
    let shared: Vec<_> =
        alike.iter().map(|((kind, of), examples)| ((*kind, *of), Shared::fit(*kind, examples))).collect();
    let shared_by = |key: &StratumKey, kind| {
        shared.iter().find(|(of, _)| *of == (kind, key.stratum)).map(|(_, shared)| shared)
    };
    strata
        .iter()
        .filter_map(|(key, examples)| {
            Some(fit_stratum(key, examples, shared_by(key, examples.kind)?, target))
        })
        .collect()
}

/// The regression that all fields of a kind share.
struct Shared {
    features: Vec<FeatureWeight>,
    intercept: f64,
    fitted_on: u64,
}

impl Shared {
    fn fit(kind: FieldKind, fitting: &[&Example]) -> Self {
        let mut features: Vec<FeatureWeight> = feature_names(kind)
            .into_iter()
            .enumerate()
            .map(|(place, name)| standard(name, fitting.iter().map(|example| example.features[place])))
            .collect();
        let observations: Vec<Observation> = fitting
            .iter()
            .map(|example| Observation {
                row: standardised(&features, example),
                offset: 0.0,
                outcome: example.right,
            })
            .collect();
        let Logistic { intercept, weights } = logistic::fit(&observations, SHARED_RIDGE);
        features.iter_mut().zip(weights).for_each(|(feature, weight)| feature.weight = weight);
        Self { features, intercept, fitted_on: fitting.len() as u64 }
    }
}

fn standardised(features: &[FeatureWeight], example: &Example) -> Vec<f64> {
    features.iter().zip(&example.features).map(|(one, value)| one.standardised(*value)).collect()
}

fn fit_stratum(key: &StratumKey, stratum: &StratumExamples, shared: &Shared, target: Target) -> Fitted {
    let of = |part: Part| -> Vec<&Example> {
        stratum.examples.iter().filter(|example| example.part == part).collect()
    };
    let (fitting, recalibrating, certifying) = (of(Part::Fit), of(Part::Recalibrate), of(Part::Certify));
    let calibration = calibrate(key, stratum.kind, shared, &fitting, &recalibrating);
    let scored = |examples: &[&Example]| -> Vec<Scored> {
        let Some(calibration) = &calibration else { return Vec::new() };
        examples
            .iter()
            .map(|example| Scored {
                confidence: calibration.confidence(&example.features),
                risk: 1.0 - logistic::sigmoid(calibration.log_odds(&example.features)),
                right: example.right,
                eligible: example.eligible,
            })
            .collect()
    };
    // Errors are rare: what was fitted on flatters a little, but tells more of where they begin.
    let (planning, tested) = (scored(&[&fitting[..], &recalibrating].concat()), scored(&certifying));
    let readings = certifying.len() as u64;
    let outcome =
        calibration.as_ref().map(|_| Plan::new(&planning, tested.len() as u64, target).test(&tested));
    let verdict = match outcome {
        None => Verdict::NotCalibrated {
            fit_missing: LEAST_FITTING.saturating_sub(fitting.len()) as u64,
            recalibrate_missing: LEAST_RECALIBRATING.saturating_sub(recalibrating.len()) as u64,
        },
        Some(Outcome::Certified { threshold, accepted, errors, bound }) => {
            let coverage = accepted as f64 / readings as f64;
            Verdict::Certified { threshold, accepted, errors, bound, coverage }
        }
        Some(Outcome::TooLittleEvidence { accepted, errors, missing }) => {
            Verdict::TooLittleEvidence { accepted, errors, missing }
        }
    };
    let planned: Vec<f64> = planning.iter().map(|scored| scored.confidence).collect();
    let mut reference = Histogram::planned(&planned);
    tested.iter().for_each(|scored| reference.add(scored.confidence));
    let certificate =
        FieldCertificate { field: key.field.clone(), stratum: key.stratum, readings, verdict, reference };
    Fitted { calibration, certificate }
}

fn calibrate(
    key: &StratumKey,
    kind: FieldKind,
    shared: &Shared,
    fitting: &[&Example],
    recalibrating: &[&Example],
) -> Option<FieldCalibration> {
    if fitting.len() < LEAST_FITTING || recalibrating.len() < LEAST_RECALIBRATING {
        return None;
    }
    let mut calibration = FieldCalibration {
        field: key.field.clone(),
        stratum: key.stratum,
        kind,
        fitted_on: fitting.len() as u64,
        shared_with: shared.fitted_on,
        recalibrated_on: recalibrating.len() as u64,
        ridge: OWN_RIDGE,
        intercept: shared.intercept,
        features: shared.features.clone(),
        recalibration: Recalibration::fit(&[]),
    };
    let observations: Vec<Observation> = fitting
        .iter()
        .map(|example| Observation {
            row: standardised(&shared.features, example),
            offset: calibration.log_odds(&example.features),
            outcome: example.right,
        })
        .collect();
    let own = logistic::fit(&observations, OWN_RIDGE);
    calibration.intercept += own.intercept;
    calibration.features.iter_mut().zip(&own.weights).for_each(|(feature, own)| feature.weight += own);
    let judgements: Vec<Judgement> = recalibrating
        .iter()
        .map(|example| Judgement { log_odds: calibration.log_odds(&example.features), right: example.right })
        .collect();
    calibration.recalibration = Recalibration::fit(&judgements);
    Some(calibration)
}

/// Mean and deviation of a feature; one that never varies has the scale 1 and will weigh nothing.
fn standard(name: &str, values: impl Iterator<Item = f64> + Clone) -> FeatureWeight {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let scale = if variance > 1e-18 { variance.sqrt() } else { 1.0 };
    FeatureWeight { name: name.to_owned(), mean, scale, weight: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const TARGET: Target = Target { risk: 0.01, confidence: 0.95 };

    /// Readings that are wrong the more often the smaller their first feature is; the others are
    /// noise.
    fn examples(count: usize, seed: u64) -> StratumExamples {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let width = feature_names(FieldKind::Digits).len();
        let example = |place: usize, random: &mut ChaCha8Rng| {
            let mut features: Vec<f64> = (0..width).map(|_| random.random_range(-1.0..1.0)).collect();
            features[0] = -(random.random::<f64>().powi(3)) * 4.0;
            let right = random.random_bool(logistic::sigmoid(7.0 + 2.0 * features[0]));
            let part = [Part::Fit, Part::Recalibrate, Part::Certify, Part::Certify][place % 4];
            Example { part, features, right, eligible: true }
        };
        let examples = (0..count).map(|place| example(place, &mut random)).collect();
        StratumExamples { kind: FieldKind::Digits, examples }
    }

    fn fitted(stratum: StratumExamples) -> Fitted {
        let key = StratumKey::new("phone", Stratum::Written);
        fit(&BTreeMap::from([(key, stratum)]), TARGET).remove(0)
    }

    #[test]
    fn confidence_is_the_share_that_is_right_on_readings_not_seen() {
        let fitted = fitted(examples(10_000, 1)).calibration.expect("enough readings");
        let mut unseen: Vec<(f64, bool)> = examples(40_000, 2)
            .examples
            .iter()
            .map(|example| (fitted.confidence(&example.features), example.right))
            .collect();
        unseen.sort_by(|one, other| one.0.total_cmp(&other.0));
        let gap = |bin: &[(f64, bool)]| {
            let stated: f64 = bin.iter().map(|(confidence, _)| confidence).sum();
            let right: f64 = bin.iter().map(|(_, right)| f64::from(*right)).sum();
            (stated - right).abs() / unseen.len() as f64
        };
        let error: f64 = unseen.chunks(4000).map(gap).sum();
        assert!(error < 0.01, "expected calibration error {error}");
    }

    #[test]
    fn a_stratum_is_certified_where_its_certifying_readings_prove_it() {
        let certificate = fitted(examples(10_000, 3)).certificate;
        assert_eq!(certificate.readings, 5000);
        let Verdict::Certified { accepted, errors, bound, coverage, .. } = certificate.verdict else {
            panic!("{certificate:?}")
        };
        assert!(bound <= TARGET.risk && coverage > 0.7, "{certificate:?}");
        assert!((errors as f64) < 0.01 * accepted as f64);
        assert_eq!(certificate.reference.counts.iter().sum::<u64>(), 5000);
    }

    #[test]
    fn few_readings_are_neither_calibrated_nor_certified() {
        let fitted = fitted(examples(100, 4));
        assert_eq!(fitted.calibration, None);
        let missing = Verdict::NotCalibrated { fit_missing: 25, recalibrate_missing: 5 };
        assert_eq!(fitted.certificate.verdict, missing);
    }

    #[test]
    fn the_same_readings_give_the_same_numbers() {
        assert_eq!(fitted(examples(2000, 5)), fitted(examples(2000, 5)));
    }
}
