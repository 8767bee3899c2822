//! A calibration: what turns the features of a reading into the probability that its whole value
//! is right, and what that rests on. The file's SHA-256 is its identity.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::features::features_named;
use super::logistic::Logistic;
use super::recalibrate::Recalibration;
use super::split::Split;
use super::{PageFacts, Stratum, StratumKey};
use crate::digest::Sha256;
use crate::form::{Field, FieldKind, Form};
use crate::read::{FieldReading, Fusion};

/// Names this layout of the file.
pub const CALIBRATION_SCHEMA: &str = "uketsuke.calibration.1";

/// Standardised features are kept within this many deviations: what was never seen is not
/// extrapolated.
const MOST_DEVIATIONS: f64 = 6.0;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// [`CALIBRATION_SCHEMA`].
    pub schema: String,
    pub made_at: DateTime<Utc>,
    pub software: String,
    #[serde(flatten)]
    pub applies: Applies,
    pub basis: CalibrationBasis,
    /// What the readings were, in words.
    pub data: String,
    /// Applications whose readings were used.
    pub applications: u64,
    pub split: Split,
    /// The weights under which the readings were made; reading with others is another reading.
    pub fusion: Fusion,
    pub fields: Vec<FieldCalibration>,
}

/// What must be the same for a calibration or a certificate to say anything: the models and the
/// forms that its readings were made with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Applies {
    /// SHA-256 of each model file, by name.
    pub models: BTreeMap<String, Sha256>,
    /// SHA-256 of each form file, by `form@version`.
    pub forms: BTreeMap<String, Sha256>,
}

impl Applies {
    /// All of the models in use, and this form among the forms.
    pub fn to(&self, models: &BTreeMap<String, Sha256>, form: &Form) -> bool {
        self.models == *models
            && self.forms.get(&format!("{}@{}", form.id, form.version)) == Some(&form.digest)
    }
}

/// What the readings' truth is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalibrationBasis {
    /// Pages that were simulated, or simulated ones among others.
    Simulated,
    /// Readings of real mail that people judged.
    Judged,
}

/// Of one stratum of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldCalibration {
    pub field: String,
    pub stratum: Stratum,
    pub kind: FieldKind,
    /// Readings that fitted the regression, and that recalibrated it.
    pub fitted_on: u64,
    pub recalibrated_on: u64,
    /// Readings of all fields of this kind that the weights were fitted on first.
    pub shared_with: u64,
    /// The quadratic penalty of what the weights differ from those.
    pub ridge: f64,
    pub intercept: f64,
    /// The features by name, as [`super::features`] states them.
    pub features: Vec<FeatureWeight>,
    pub recalibration: Recalibration,
}

/// `weight · (value - mean) / scale` is what a feature adds to the log odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureWeight {
    pub name: String,
    pub mean: f64,
    pub scale: f64,
    pub weight: f64,
}

impl Calibration {
    /// Parses and checks a calibration file.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let calibration: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if calibration.schema != CALIBRATION_SCHEMA {
            return Err(format!("its schema is not {CALIBRATION_SCHEMA}"));
        }
        let Fusion { digits, kana } = calibration.fusion;
        let weights = [digits.cell, digits.line, kana.cell, kana.line];
        if !weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) {
            return Err("a weight of a reader is negative".to_owned());
        }
        let mut keys = BTreeSet::new();
        for field in &calibration.fields {
            let key = StratumKey::new(&field.field, field.stratum);
            if !field.is_sound() {
                return Err(format!("{key}: its numbers make no calibration"));
            }
            if !keys.insert(key.clone()) {
                return Err(format!("{key}: named twice"));
            }
        }
        Ok(calibration)
    }

    pub fn field(&self, name: &str, stratum: Stratum) -> Option<&FieldCalibration> {
        self.fields.iter().find(|field| field.field == name && field.stratum == stratum)
    }

    /// The probability that what `reading` states is right; none where nothing was fitted for that,
    /// or by features that this software does not know. That it knows further ones changes nothing.
    pub fn confidence(&self, field: &Field, reading: &FieldReading, page: &PageFacts) -> Option<f64> {
        let fitted = self.field(&field.name, Stratum::of_reading(reading)?)?;
        let names = fitted.features.iter().map(|feature| feature.name.as_str());
        let features = features_named(names, field.kind, reading, page)?;
        (fitted.kind == field.kind).then(|| fitted.confidence(&features))
    }
}

impl FieldCalibration {
    pub fn confidence(&self, features: &[f64]) -> f64 {
        self.recalibration.probability(self.log_odds(features))
    }

    /// Of the regression alone. `features` are in the order of [`Self::features`].
    pub fn log_odds(&self, features: &[f64]) -> f64 {
        let weights = self.features.iter().map(|feature| feature.weight).collect();
        let row: Vec<f64> =
            self.features.iter().zip(features).map(|(feature, value)| feature.standardised(*value)).collect();
        Logistic { intercept: self.intercept, weights }.log_odds(&row)
    }

    fn is_sound(&self) -> bool {
        let proper = |feature: &FeatureWeight| {
            feature.mean.is_finite()
                && feature.weight.is_finite()
                && feature.scale.is_finite()
                && feature.scale > 0.0
        };
        self.intercept.is_finite() && self.features.iter().all(proper) && self.recalibration.is_sound()
    }
}

impl FeatureWeight {
    pub fn standardised(&self, value: f64) -> f64 {
        ((value - self.mean) / self.scale).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    }
}
