//! The largest set of readings whose risk is proven to be below a target: Learn then Test
//! (Angelopoulos, Bates, Candès, Jordan, Lei, arXiv:2110.01052, 2021) with exact binomial p-values.
//!
//! [`Plan`] fixes, on readings that certify nothing, the thresholds that may be tested and where
//! testing begins. [`Plan::test`] then looks at the certifying readings once: fixed-sequence testing
//! from each start towards laxer thresholds, as long as the hypothesis "the risk is above the
//! target" is rejected at the start's share of the error (Bonferroni over the starts). The chance
//! that any threshold that passed has a risk above the target is then at most `1 - confidence`.

use super::bounds::{chance_of_at_most, readings_needed, upper_bound};

/// Steps of the grid: thresholds that let through 1 %, 2 % … 100 % of the planning readings.
const STEPS: usize = 100;

/// The second start is the laxest threshold that passes with this chance.
const EVEN_CHANCE: f64 = 0.5;

/// Two starts, with half of the error each, where the likeliest keeps this share of its chance.
const WORTH_TWO: f64 = 0.9;

/// What is to be proven.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// The share of wrong readings among the accepted ones is to be below this.
    pub risk: f64,
    /// With this probability over the draw of the certifying readings.
    pub confidence: f64,
}

/// A reading with its calibrated confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    pub confidence: f64,
    /// The probability of being wrong that a model states which is smooth where errors are too rare to
    /// be counted; plans alone look at it.
    pub risk: f64,
    pub right: bool,
    /// False where a rule sends the reading to a person whatever its confidence.
    pub eligible: bool,
}

/// Thresholds from strict to lax, and where testing starts among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    thresholds: Vec<f64>,
    /// Places in `thresholds`; each has the same share of the error.
    starts: Vec<usize>,
    target: Target,
}

/// What the certifying readings say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// Readings of this confidence or more are accepted.
    Certified { threshold: f64, accepted: u64, errors: u64, bound: f64 },
    /// No threshold passed. `missing` more certifying readings without an error would have let the
    /// most hopeful one pass.
    TooLittleEvidence { accepted: u64, errors: u64, missing: u64 },
}

impl Target {
    fn alpha(self) -> f64 {
        1.0 - self.confidence
    }
}

impl Plan {
    /// Plans on `planning` readings for a test with `certifying` others.
    pub fn new(planning: &[Scored], certifying: u64, target: Target) -> Self {
        let mut sorted: Vec<Scored> = planning.iter().copied().filter(|scored| scored.eligible).collect();
        sorted.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
        let eligible = sorted.len();
        let mut thresholds = Vec::new();
        // What is let through, as a share of all readings, and errors among it: those that were met and
        // those that the model expects. To count both is to start on the strict side, from where testing
        // goes on to laxer thresholds for nothing.
        let mut seen = Vec::new();
        let (mut errors, mut counted) = (0.0, 0);
        for step in 1..=STEPS {
            let Some(last) = (eligible * step).div_ceil(STEPS).checked_sub(1) else { break };
            let threshold = sorted[last].confidence;
            if thresholds.last() == Some(&threshold) {
                continue;
            }
            let through = sorted.partition_point(|scored| scored.confidence >= threshold);
            let more = sorted[counted..through].iter();
            errors += more.map(|scored| f64::from(!scored.right) + scored.risk).sum::<f64>();
            counted = through;
            thresholds.push(threshold);
            seen.push((through as f64 / planning.len() as f64, through as f64, errors));
        }

        // How likely each threshold is to pass, as far as the planning readings tell.
        let hopes = |level: f64| -> Vec<f64> {
            let hope = |&(coverage, through, errors): &(f64, f64, f64)| {
                let accepted = (coverage * certifying as f64) as u64;
                // An error that was not met yet is half there.
                chance_to_pass(accepted, (errors + 0.5) / (through + 1.0), target.risk, level)
            };
            seen.iter().map(hope).collect()
        };
        // The strictest of the likeliest.
        let likeliest = |hopes: &[f64]| {
            let best = hopes.iter().copied().fold(0.0, f64::max);
            hopes.iter().position(|hope| best > 0.0 && *hope >= best).map(|place| (place, best))
        };
        let (whole, halved) = (hopes(target.alpha()), hopes(target.alpha() / 2.0));
        let mut starts: Vec<usize> = match (likeliest(&whole), likeliest(&halved)) {
            // One start where passing is likeliest, and one as lax as an even chance allows, should a
            // threshold between them fail by accident; where half of the error is hardly less.
            (Some((_, best)), Some((place, half))) if half >= WORTH_TWO * best => {
                let laxest = halved.iter().rposition(|hope| *hope >= EVEN_CHANCE);
                [Some(place), laxest].into_iter().flatten().collect()
            }
            (one, _) => one.map(|(place, _)| place).into_iter().collect(),
        };
        starts.sort_unstable();
        starts.dedup();
        Self { thresholds, starts, target }
    }

    /// The level of each start.
    fn level(&self) -> f64 {
        self.target.alpha() / self.starts.len().max(1) as f64
    }

    /// Tests on readings that nothing was fitted on or chosen by.
    pub fn test(&self, certifying: &[Scored]) -> Outcome {
        let mut sorted: Vec<Scored> = certifying.iter().copied().filter(|scored| scored.eligible).collect();
        sorted.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
        let mut wrong_before = vec![0u64];
        for scored in &sorted {
            wrong_before.push(wrong_before.last().copied().unwrap_or_default() + u64::from(!scored.right));
        }
        let counted = |threshold: f64| {
            let accepted = sorted.partition_point(|scored| scored.confidence >= threshold);
            (accepted as u64, wrong_before[accepted])
        };
        let level = self.level();
        let passes = |place: &usize| {
            let (accepted, errors) = counted(self.thresholds[*place]);
            chance_of_at_most(errors, accepted, self.target.risk) <= level
        };
        let last_passed = |start: &usize| (*start..self.thresholds.len()).take_while(passes).last();
        match self.starts.iter().filter_map(last_passed).max() {
            Some(place) => {
                let threshold = self.thresholds[place];
                let (accepted, errors) = counted(threshold);
                Outcome::Certified {
                    threshold,
                    accepted,
                    errors,
                    bound: upper_bound(errors, accepted, level),
                }
            }
            None => self
                .thresholds
                .iter()
                .map(|&threshold| {
                    let (accepted, errors) = counted(threshold);
                    let needed = readings_needed(errors, self.target.risk, level);
                    let missing = needed.saturating_sub(accepted);
                    Outcome::TooLittleEvidence { accepted, errors, missing }
                })
                .min_by_key(Outcome::missing)
                .unwrap_or(Outcome::TooLittleEvidence {
                    accepted: 0,
                    errors: 0,
                    missing: readings_needed(0, self.target.risk, level),
                }),
        }
    }
}

/// The chance that `accepted` readings of this risk prove that it is below `target` at `level`.
fn chance_to_pass(accepted: u64, risk: f64, target: f64, level: f64) -> f64 {
    let passes = |errors: &u64| chance_of_at_most(*errors, accepted, target) <= level;
    (0..accepted).take_while(passes).last().map_or(0.0, |most| chance_of_at_most(most, accepted, risk))
}

impl Outcome {
    fn missing(&self) -> u64 {
        match self {
            Self::Certified { .. } => 0,
            Self::TooLittleEvidence { missing, .. } => *missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const TARGET: Target = Target { risk: 0.01, confidence: 0.9 };

    /// A reading is wrong with the chance `(1 - confidence)⁴`, whatever its confidence claims.
    fn risk_at(confidence: f64) -> f64 {
        (1.0 - confidence).powi(4)
    }

    /// The risk of all readings above a threshold, confidences being uniform in (0, 1).
    fn true_risk(threshold: f64) -> f64 {
        risk_at(threshold) / 5.0
    }

    fn population(count: usize, random: &mut ChaCha8Rng) -> Vec<Scored> {
        let mut draw = || {
            let confidence: f64 = random.random();
            let risk = risk_at(confidence);
            Scored { confidence, risk, right: !random.random_bool(risk), eligible: true }
        };
        (0..count).map(|_| draw()).collect()
    }

    #[test]
    fn the_claim_holds_as_often_as_it_says() {
        const DRAWS: u32 = 2000;
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let (mut broken, mut certified, mut coverage) = (0, 0, 0.0);
        for _ in 0..DRAWS {
            let planning = population(1000, &mut random);
            let certifying = population(2000, &mut random);
            let plan = Plan::new(&planning, certifying.len() as u64, TARGET);
            if let Outcome::Certified { threshold, bound, .. } = plan.test(&certifying) {
                certified += 1;
                coverage += 1.0 - threshold;
                broken += u32::from(true_risk(threshold) > TARGET.risk);
                assert!(bound <= TARGET.risk);
            }
        }
        // At most 10 % by the certificate's claim; 13 % is four standard errors above.
        assert!(f64::from(broken) / f64::from(DRAWS) <= 0.13, "{broken} of {DRAWS} draws");
        // And it is no empty claim: the best threshold lets 47 % through.
        assert!(certified > DRAWS * 7 / 10, "{certified} of {DRAWS} were certified");
        assert!(coverage / f64::from(certified) > 0.25, "{}", coverage / f64::from(certified));
    }

    #[test]
    fn readings_that_rules_stop_are_not_counted() {
        let scored = |right, eligible| Scored { confidence: 0.9, risk: 0.0, right, eligible };
        let readings: Vec<Scored> =
            (0..600).map(|_| scored(true, true)).chain((0..50).map(|_| scored(false, false))).collect();
        let outcome = Plan::new(&readings, readings.len() as u64, TARGET).test(&readings);
        let Outcome::Certified { accepted, errors, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((accepted, errors), (600, 0));
    }

    #[test]
    fn too_little_evidence_says_how_much_is_missing() {
        let readings = vec![Scored { confidence: 0.9, risk: 0.0, right: true, eligible: true }; 100];
        let plan = Plan::new(&readings, 100, TARGET);
        // 0.99^230 < 0.1 with one start.
        assert_eq!(
            plan.test(&readings),
            Outcome::TooLittleEvidence { accepted: 100, errors: 0, missing: 230 - 100 }
        );
        let nothing = Plan::new(&[], 0, TARGET).test(&[]);
        assert_eq!(nothing, Outcome::TooLittleEvidence { accepted: 0, errors: 0, missing: 230 });
    }

    #[test]
    fn the_thresholds_do_not_depend_on_the_certifying_readings() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let planning = population(500, &mut random);
        let plan = Plan::new(&planning, 1000, TARGET);
        assert!(plan.thresholds.windows(2).all(|pair| pair[0] > pair[1]), "from strict to lax");
        assert!(plan.starts.len() <= 2 && !plan.starts.is_empty());
    }
}
