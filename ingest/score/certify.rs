//! The largest set of readings whose risk is proven to be below a target: Learn then Test
//! (Angelopoulos, Bates, Candès, Jordan, Lei, arXiv:2110.01052, 2021) with exact binomial p-values.
//!
//! [`Plan`] fixes, on readings that certify nothing, the thresholds that may be tested and the one
//! where testing begins. [`Plan::test`] then looks at the certifying readings once: fixed-sequence
//! testing from that threshold towards laxer ones, as long as the hypothesis "the risk is above the
//! target" is rejected. The chance that any threshold that passed has a risk above the target is then
//! at most `1 - confidence`.

use super::bounds::{chance_of_at_most, readings_needed, upper_bound};

/// Steps of the grid: thresholds that let through 1 %, 2 % … 100 % of the planning readings.
const STEPS: usize = 100;

/// The share of errors that no confidence tells, like another hand in the box: what certificates before
/// this method met among their strictest readings, 6 in 14,752. Planning readings are too few to show it.
const UNFORESEEN: f64 = 0.0004;

/// Fewer readings than planned are let through about once in fifty times: so many standard
/// deviations less are counted with.
const DEVIATIONS: f64 = 2.0;

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
    /// A place in `thresholds`; none where no threshold can pass.
    start: Option<usize>,
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
        let certifying = certifying as f64;
        let mut thresholds = Vec::new();
        // How likely each threshold is to pass, as far as the planning readings tell.
        let mut hopes = Vec::new();
        // Errors that were met and those that the model expects. To count both is to start on the strict
        // side, from where testing goes on to laxer thresholds for nothing.
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
            let (through, planned) = (through as f64, planning.len() as f64);
            let coverage = through / planned;
            // Both draws vary, the planning readings and the certifying ones.
            let variance = coverage * (1.0 - coverage) * certifying * (1.0 + certifying / planned);
            let accepted = coverage * certifying - DEVIATIONS * variance.sqrt();
            let risk = errors / through + UNFORESEEN;
            hopes.push(chance_to_pass(accepted as u64, risk, target));
        }
        // The strictest of the likeliest.
        let best = hopes.iter().copied().fold(0.0, f64::max);
        let start = hopes.iter().position(|hope| best > 0.0 && *hope >= best);
        Self { thresholds, start, target }
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
        let level = self.target.alpha();
        let passes = |place: &usize| {
            let (accepted, errors) = counted(self.thresholds[*place]);
            chance_of_at_most(errors, accepted, self.target.risk) <= level
        };
        let last_passed = |start: usize| (start..self.thresholds.len()).take_while(passes).last();
        match self.start.and_then(last_passed) {
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

/// The chance that `accepted` readings of this risk prove that it is below the target.
fn chance_to_pass(accepted: u64, risk: f64, target: Target) -> f64 {
    let passes = |errors: &u64| chance_of_at_most(*errors, accepted, target.risk) <= target.alpha();
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
        // 0.99^230 < 0.1.
        assert_eq!(
            plan.test(&readings),
            Outcome::TooLittleEvidence { accepted: 100, errors: 0, missing: 230 - 100 }
        );
        let nothing = Plan::new(&[], 0, TARGET).test(&[]);
        assert_eq!(nothing, Outcome::TooLittleEvidence { accepted: 0, errors: 0, missing: 230 });
    }

    #[test]
    fn testing_starts_where_an_error_more_is_no_harm_and_not_where_errors_are_common() {
        // Of 3,000 the last tenth is wrong every third time; no error was met above it.
        let readings: Vec<Scored> = (0..3000)
            .map(|place| {
                let bad = place >= 2700;
                let risk = if bad { 1.0 / 3.0 } else { 0.0 };
                let confidence = 1.0 - f64::from(place) / 3000.0;
                Scored { confidence, risk, right: !(bad && place % 3 == 0), eligible: true }
            })
            .collect();
        let plan = Plan::new(&readings, 3000, TARGET);
        let start = plan.thresholds[plan.start.expect("a threshold may pass")];
        let accepted = readings.partition_point(|scored| scored.confidence >= start) as u64;
        let needed = |errors| readings_needed(errors, TARGET.risk, TARGET.alpha());
        assert!(accepted > needed(1), "{accepted}");
        assert!(accepted < 2700, "{accepted}");
    }

    #[test]
    fn the_thresholds_do_not_depend_on_the_certifying_readings() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let planning = population(500, &mut random);
        let plan = Plan::new(&planning, 1000, TARGET);
        assert!(plan.thresholds.windows(2).all(|pair| pair[0] > pair[1]), "from strict to lax");
        assert!(plan.start.is_some());
    }
}
