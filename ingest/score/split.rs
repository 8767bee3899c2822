//! Which readings fit the regression, which recalibrate it, and which certify: no reading does two
//! of these.

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
}

/// Applications whose share is below this fit, and of the others, below this recalibrate; the rest
/// certifies, for the number of certified readings is what a bound is made of.
const FIT_BELOW: f64 = 0.2;
const RECALIBRATE_BELOW: f64 = 0.3;

impl Split {
    pub fn new(seed: &str) -> Self {
        Self {
            rule: format!(
                "first 64 bits of SHA-256(\"uketsuke.split.1\" NUL seed NUL application ID) as a share: \
                 below {FIT_BELOW} fit, below {RECALIBRATE_BELOW} recalibrate, else certify; one capture an application"
            ),
            seed: seed.to_owned(),
        }
    }

    /// All readings of an application are of one part: they share a hand, a pen and a scanner.
    pub fn part(&self, application: ApplicationId) -> Part {
        let digest = Sha256::of(format!("uketsuke.split.1\0{}\0{application}", self.seed).as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_bytes()[..8]);
        let share = u64::from_be_bytes(first) as f64 / 2f64.powi(64);
        if share < FIT_BELOW {
            Part::Fit
        } else if share < RECALIBRATE_BELOW {
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
    fn another_seed_divides_anew() {
        let parts = |seed: &str| -> Vec<Part> {
            let split = Split::new(seed);
            (0..50).map(|serial| split.part(ApplicationId::from_serial(serial).expect("in range"))).collect()
        };
        assert_ne!(parts("1"), parts("2"));
    }
}
