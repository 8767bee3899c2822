//! Which readings fit the regression, which recalibrate it, and which certify: no reading does two
//! of these.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::application_id::ApplicationId;
use crate::digest::Sha256;

/// What a reading is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Fits the regression and the weights of the readers.
    Fit,
    /// Recalibrates, and chooses the thresholds that will be tested.
    Recalibrate,
    /// Tests them. Seen by nothing before.
    Certify,
}

/// How readings were divided, as a calibration names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// In words, for whoever repeats it.
    pub rule: String,
    /// The key of the hash: another one divides anew.
    pub seed: String,
    /// Whose readings were looked at before: they certify nothing, and all others nothing but certify.
    #[serde(skip)]
    looked_at: BTreeSet<ApplicationId>,
}

/// Applications whose share is below this fit, and of the others, below this recalibrate; the rest
/// certifies, for the number of certified readings is what a bound is made of.
const FIT_BELOW: f64 = 0.2;
const RECALIBRATE_BELOW: f64 = 0.3;

/// The same among those that were looked at before.
const LOOKED_AT_FIT_BELOW: f64 = 2.0 / 3.0;

impl Split {
    pub fn new(seed: &str) -> Self {
        Self {
            rule: format!(
                "first 64 bits of SHA-256(\"uketsuke.split.1\" NUL seed NUL application ID) as a share: \
                 below {FIT_BELOW} fit, below {RECALIBRATE_BELOW} recalibrate, else certify; one capture an application"
            ),
            seed: seed.to_owned(),
            looked_at: BTreeSet::new(),
        }
    }

    /// Where the readings of some applications were looked at before, by an earlier calibration or by people: all
    /// others certify, for a proof counts once.
    pub fn beside(seed: &str, looked_at: BTreeSet<ApplicationId>) -> Self {
        if looked_at.is_empty() {
            return Self::new(seed);
        }
        Self {
            rule: format!(
                "of {} applications that were looked at before, the first 64 bits of SHA-256(\"uketsuke.split.1\" \
                 NUL seed NUL application ID) as a share: below {LOOKED_AT_FIT_BELOW:.3} fit, else recalibrate; all \
                 others certify; one capture an application",
                looked_at.len()
            ),
            seed: seed.to_owned(),
            looked_at,
        }
    }

    /// All readings of an application are of one part: they share a hand, a pen and a scanner.
    pub fn part(&self, application: ApplicationId) -> Part {
        let digest = Sha256::of(format!("uketsuke.split.1\0{}\0{application}", self.seed).as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_bytes()[..8]);
        let share = u64::from_be_bytes(first) as f64 / 2f64.powi(64);
        let (fit_below, recalibrate_below) = if self.looked_at.is_empty() {
            (FIT_BELOW, RECALIBRATE_BELOW)
        } else if self.looked_at.contains(&application) {
            (LOOKED_AT_FIT_BELOW, f64::INFINITY)
        } else {
            (0.0, 0.0)
        };
        if share < fit_below {
            Part::Fit
        } else if share < recalibrate_below {
            Part::Recalibrate
        } else {
            Part::Certify
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn applications_are_divided_once_and_for_all() {
        let split = Split::new("1");
        let mut counts: BTreeMap<Part, u32> = BTreeMap::new();
        for serial in 0..20_000 {
            let application = ApplicationId::from_serial(serial).expect("in range");
            assert_eq!(split.part(application), split.part(application));
            *counts.entry(split.part(application)).or_default() += 1;
        }
        for (part, share) in [(Part::Fit, 0.2), (Part::Recalibrate, 0.1), (Part::Certify, 0.7)] {
            let found = f64::from(counts[&part]) / 20_000.0;
            assert!((found - share).abs() < 0.02, "{part:?}: {found}");
        }
    }

    #[test]
    fn what_was_looked_at_certifies_nothing_and_all_else_does() {
        let of = |serials: std::ops::Range<u64>| serials.filter_map(ApplicationId::from_serial);
        let split = Split::beside("1", of(0..3000).collect());
        let fit = of(0..3000).filter(|application| split.part(*application) == Part::Fit).count();
        let recalibrate =
            of(0..3000).filter(|application| split.part(*application) == Part::Recalibrate).count();
        assert_eq!(fit + recalibrate, 3000);
        assert!(fit.abs_diff(2000) < 100, "{fit}");
        assert!(of(3000..4000).all(|application| split.part(application) == Part::Certify));
        assert_eq!(Split::beside("1", BTreeSet::new()), Split::new("1"));
    }

    #[test]
    fn another_seed_divides_anew() {
        let parts = |seed: &str| -> Vec<Part> {
            let split = Split::new(seed);
            (0..50).map(|serial| split.part(ApplicationId::from_serial(serial).expect("in range"))).collect()
        };
        assert_ne!(parts("1"), parts("2"));
    }
}
