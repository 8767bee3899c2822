//! The wrong readings that were the surest: what to look at first.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

use super::judge::Judged;
use crate::form::FieldKind;
use crate::publish::FormVersion;
use crate::read::InkState;
use crate::score::Disposition;

/// How many are kept.
pub const WORST: usize = 100;

/// A wrong reading. Its values are left out of JSON, so that the document can be passed on.
#[derive(Clone, PartialEq, Serialize)]
pub struct WrongReading {
    pub capture_id: String,
    pub form: FormVersion,
    pub field: String,
    #[serde(skip)]
    pub kind: FieldKind,
    pub confidence: f64,
    pub disposition: Disposition,
    /// Key of the field's picture in the object store.
    pub crop: Option<String>,
    /// None where the field was taken for blank.
    #[serde(skip)]
    pub read: Option<String>,
    /// None where nothing is written.
    #[serde(skip)]
    pub truth: Option<String>,
}

/// Values are personal.
impl fmt::Debug for WrongReading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WrongReading({} of {}, ***)", self.field, self.capture_id)
    }
}

/// Up to [`WORST`] wrong readings, the surest first.
#[derive(Debug, Clone, Default)]
pub struct Worst(Vec<WrongReading>);

impl Worst {
    /// Keeps a reading if it is wrong, and sure enough. One that says itself that it is ambiguous is
    /// not wrong: it claims nothing.
    pub fn add(&mut self, judged: &Judged) {
        let published = &judged.published;
        if judged.right || (published.value.is_none() && published.ink != Some(InkState::Blank)) {
            return;
        }
        let is_surer = |other: &WrongReading| other.rank(published.confidence, judged) != Ordering::Greater;
        let place = self.0.partition_point(is_surer);
        if place < WORST {
            self.0.insert(place, WrongReading::of(judged));
            self.0.truncate(WORST);
        }
    }

    pub fn into_readings(self) -> Vec<WrongReading> {
        self.0
    }
}

impl WrongReading {
    fn of(judged: &Judged) -> Self {
        let published = &judged.published;
        Self {
            capture_id: judged.capture_id.clone(),
            form: judged.form.clone(),
            field: judged.name.clone(),
            kind: judged.kind,
            confidence: published.confidence,
            disposition: published.disposition,
            crop: published.crop.clone(),
            read: published.value.clone(),
            truth: judged.truth.value.clone().or_else(|| judged.truth.also.clone()),
        }
    }

    /// Surer ones are less; of the same confidence, by capture and field.
    fn rank(&self, confidence: f64, judged: &Judged) -> Ordering {
        let name = (self.capture_id.as_str(), self.field.as_str());
        confidence
            .total_cmp(&self.confidence)
            .then(name.cmp(&(judged.capture_id.as_str(), judged.name.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::example::account;

    #[test]
    fn the_surest_wrong_readings_are_kept_whatever_the_order() {
        let mut all: Vec<Judged> = (0..250)
            .map(|place| {
                let mut judged = account("1234567", "1234561", f64::from(place % 125) / 125.0);
                judged.capture_id = format!("{place:03}");
                judged
            })
            .collect();
        all.push(account("1234567", "1234567", 1.0));
        all.push(account("1234567", "123456#", 1.0));
        all.push(account("1234567", "_______", 1.0));
        let worst = |all: &[Judged]| {
            let mut worst = Worst::default();
            all.iter().for_each(|judged| worst.add(judged));
            worst.into_readings()
        };
        let found = worst(&all);
        assert_eq!((found.len(), found[0].read.as_deref()), (WORST, None), "taken for blank");
        let ids: Vec<&str> = found[1..4].iter().map(|reading| reading.capture_id.as_str()).collect();
        assert_eq!(ids, ["124", "249", "123"]);
        all.reverse();
        assert!(worst(&all) == found);
        assert!(!format!("{found:?}").contains("1234561"));
    }
}
