//! What QA saw, as readings that a calibration may learn from.
//!
//! Samples are drawn with unlike probabilities: by manner, more of what is like an error, more of a lot. A
//! calibration needs readings that were all equally likely to be looked at. Each field has one number of the draw
//! ([`qa::number`]), so that those whose number is below one rate are such a sample.

use serde::Serialize;

use super::qa;
use crate::settings;
use crate::store::captures::CaptureId;
use crate::store::field_decisions::Outcome;
use crate::store::{Database, StoreError, qa as samples};

/// As `calibrate --judged` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedReading {
    pub capture_id: CaptureId,
    pub field: String,
    /// None for an empty field.
    pub value: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct JudgedReadings {
    /// With which every reading was looked at.
    pub rate: f64,
    pub readings: Vec<JudgedReading>,
    /// Drawn at that rate, and not looked at yet.
    pub waiting: u64,
    /// Nothing legible stands there: no value is true.
    pub illegible: u64,
}

/// What QA said of a random sample of all readings, each as likely as the others: `rate`, or as likely as the
/// draws allow.
///
/// # Errors
/// [`StoreError::Refused`] for a rate above what everything was drawn with.
pub async fn judged_readings(
    database: &Database,
    settings: &settings::Review,
    rate: Option<f64>,
) -> Result<JudgedReadings, StoreError> {
    let secret = samples::secret(database).await?;
    let all = samples::looks(database).await?;
    let drawn = all.iter().map(|look| look.probability);
    let most = drawn.fold(settings.qa_accepted_rate.min(settings.qa_decided_rate), f64::min);
    let rate = rate.unwrap_or(most);
    if !(rate > 0.0 && rate <= most) {
        return Err(StoreError::Refused("not every reading was drawn at that rate; leave --rate out"));
    }
    let mut found = JudgedReadings { rate, readings: Vec::new(), waiting: 0, illegible: 0 };
    for look in all.into_iter().filter(|look| qa::is_drawn(&secret, look.capture, &look.field, rate)) {
        let value = match look.seen {
            None => {
                found.waiting += 1;
                continue;
            }
            Some(Outcome::Value(value)) => Some(value),
            Some(Outcome::Blank) => None,
            Some(Outcome::Illegible | Outcome::StruckOut | Outcome::Escalated) => {
                found.illegible += 1;
                continue;
            }
        };
        found.readings.push(JudgedReading { capture_id: look.capture, field: look.field, value });
    }
    Ok(found)
}
