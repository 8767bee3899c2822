//! A risk certificate: for which readings it is proven that few of them are wrong, what that rests
//! on, and under which models, forms and calibration it holds. The file's SHA-256 is its identity.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::calibration::Applies;
use super::drift::Histogram;
use super::{Stratum, StratumKey};
use crate::digest::Sha256;

/// Names this layout of the file.
pub const CERTIFICATE_SCHEMA: &str = "uketsuke.certificate.1";

/// How certificates are made; each names it.
pub const METHOD: &str = "Learn then Test (Angelopoulos, Bates, Candès, Jordan, Lei, arXiv:2110.01052): exact \
     binomial p-values (Clopper and Pearson 1934), fixed-sequence testing from strict to lax thresholds that \
     were fixed on other readings, from one that was fixed there too; for each field and stratum by itself";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// [`CERTIFICATE_SCHEMA`].
    pub schema: String,
    pub made_at: DateTime<Utc>,
    pub software: String,
    pub basis: Basis,
    /// Of each field and stratum, the share of wrong readings among those accepted is below this…
    pub target_risk: f64,
    /// … with this probability over the draw of the certifying readings.
    pub confidence: f64,
    pub method: String,
    #[serde(flatten)]
    pub applies: Applies,
    /// SHA-256 of the calibration file whose confidences are meant.
    pub calibration: Sha256,
    /// What the readings were, in words.
    pub data: String,
    /// Applications whose readings certify.
    pub applications: u64,
    pub fields: Vec<FieldCertificate>,
}

/// What a certificate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Simulated pages: accepts nothing unless the operator says so.
    Provisional,
    /// Readings of real mail that people judged.
    Proven,
}

/// Of one stratum of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldCertificate {
    pub field: String,
    pub stratum: Stratum,
    /// Certifying readings.
    pub readings: u64,
    pub verdict: Verdict,
    /// Confidences of the certifying readings: what incoming ones are compared with.
    pub reference: Histogram,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Readings of a confidence of `threshold` or more are accepted. `accepted` and `errors` count
    /// those among the certifying readings; `bound` is the upper confidence bound of their risk;
    /// `coverage` is their share of all certifying readings.
    Certified { threshold: f64, accepted: u64, errors: u64, bound: f64, coverage: f64 },
    /// Nothing is accepted. `missing` more certifying readings without an error would be needed.
    TooLittleEvidence { accepted: u64, errors: u64, missing: u64 },
    /// There are no confidences that could be certified: so many more readings would be needed to
    /// fit them, and to recalibrate.
    NotCalibrated { fit_missing: u64, recalibrate_missing: u64 },
}

impl Certificate {
    /// Parses and checks a certificate file.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let certificate: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if certificate.schema != CERTIFICATE_SCHEMA {
            return Err(format!("its schema is not {CERTIFICATE_SCHEMA}"));
        }
        let share = |value: f64| value > 0.0 && value < 1.0;
        if !share(certificate.target_risk) || !share(certificate.confidence) {
            return Err("target_risk and confidence lie between 0 and 1".to_owned());
        }
        let mut keys = BTreeSet::new();
        for field in &certificate.fields {
            let key = field.key();
            let sound = field.reference.is_sound()
                && match field.verdict {
                    // A threshold of 0 would accept what nothing is known of.
                    Verdict::Certified { threshold, bound, .. } => {
                        share(threshold) && bound <= certificate.target_risk
                    }
                    Verdict::TooLittleEvidence { .. } | Verdict::NotCalibrated { .. } => true,
                };
            if !sound {
                return Err(format!("{key}: its numbers make no certificate"));
            }
            if !keys.insert(key.clone()) {
                return Err(format!("{key}: named twice"));
            }
        }
        Ok(certificate)
    }

    pub fn field(&self, name: &str, stratum: Stratum) -> Option<&FieldCertificate> {
        self.fields.iter().find(|field| field.field == name && field.stratum == stratum)
    }
}

impl FieldCertificate {
    pub fn key(&self) -> StratumKey {
        StratumKey::new(&self.field, self.stratum)
    }
}
