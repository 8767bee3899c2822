//! All measures over a stream of judged fields, and the document that they make.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::Account;
use super::confusion::{DigitConfusion, KanaConfusion, KanaPair};
use super::counts::Counts;
use super::curves::{Reliability, RiskCoverage, Scored, reliability, risk_coverage};
use super::judge::Judged;
use super::rate::Rate;
use super::worst::{Worst, WrongReading};
use crate::form::FieldKind;
use crate::publish::{FormVersion, Provenance, Record};
use crate::score::Disposition;

/// Names this layout of the document.
pub const EVALUATION_SCHEMA: &str = "uketsuke.evaluation.1";

/// What `uketsuke evaluate` finds. Holds no personal data in JSON: of the wrong readings, captures
/// and fields are named, values are left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// [`EVALUATION_SCHEMA`].
    pub schema: &'static str,
    pub account: Account,
    /// What made the records, and how many of them.
    pub provenance: Vec<Made>,
    /// The error rate that accepted values are to stay below.
    pub target_risk: f64,
    pub overall: Measures,
    /// In the order of the form.
    pub fields: Vec<FieldMeasures>,
    pub forms: Vec<OfForm>,
    pub digits: DigitConfusion,
    pub kana: Vec<KanaPair>,
    /// Wrong readings, the surest first; at most [`super::WORST`].
    pub worst: Vec<WrongReading>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Made {
    pub provenance: Provenance,
    pub records: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measures {
    pub counts: Counts,
    pub dispositions: BTreeMap<Disposition, Disposed>,
    pub risk_coverage: RiskCoverage,
    pub reliability: Reliability,
}

/// The fields of one disposition, and which of them are wrong: their value is not the true one, or
/// they have none where something is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Disposed {
    pub wrong: Rate,
}

/// A field of all forms that have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldMeasures {
    pub name: String,
    pub kind: FieldKind,
    #[serde(flatten)]
    pub measures: Measures,
    pub forms: Vec<OfForm>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfForm {
    pub form: FormVersion,
    pub counts: Counts,
}

/// Takes judged fields one after another. Keeps 16 bytes of each, besides counts.
#[derive(Debug, Default)]
pub struct Tally {
    made: Vec<Made>,
    all: FieldTally,
    fields: Vec<(String, FieldKind, FieldTally)>,
    digits: DigitConfusion,
    kana: KanaConfusion,
    worst: Worst,
}

#[derive(Debug, Default)]
struct FieldTally {
    counts: Counts,
    dispositions: BTreeMap<Disposition, Disposed>,
    readings: Vec<Scored>,
    forms: Vec<OfForm>,
}

impl Tally {
    /// Adds a record's fields, as [`super::Comparison::judge`] gives them.
    pub fn add(&mut self, record: &Record, judged: &[Judged]) {
        match self.made.iter_mut().find(|made| made.provenance == record.provenance) {
            Some(made) => made.records += 1,
            None => self.made.push(Made { provenance: record.provenance.clone(), records: 1 }),
        }
        judged.iter().for_each(|judged| self.add_field(judged));
    }

    fn add_field(&mut self, judged: &Judged) {
        self.all.add(judged);
        let same = |(name, kind, _): &&mut (String, FieldKind, FieldTally)| {
            *name == judged.name && *kind == judged.kind
        };
        match self.fields.iter_mut().find(same) {
            Some((_, _, tally)) => tally.add(judged),
            None => {
                let mut tally = FieldTally::default();
                tally.add(judged);
                self.fields.push((judged.name.clone(), judged.kind, tally));
            }
        }
        self.digits.add(judged);
        self.kana.add(judged);
        self.worst.add(judged);
    }

    /// The measures of all that was added.
    pub fn finish(self, account: Account, target_risk: f64) -> Evaluation {
        let (overall, forms) = self.all.finish(target_risk);
        let fields = self.fields.into_iter().map(|(name, kind, tally)| {
            let (measures, forms) = tally.finish(target_risk);
            FieldMeasures { name, kind, measures, forms }
        });
        Evaluation {
            schema: EVALUATION_SCHEMA,
            account,
            provenance: self.made,
            target_risk,
            overall,
            fields: fields.collect(),
            forms,
            digits: self.digits,
            kana: self.kana.pairs(),
            worst: self.worst.into_readings(),
        }
    }
}

impl FieldTally {
    fn add(&mut self, judged: &Judged) {
        self.counts.add(judged);
        self.dispositions.entry(judged.published.disposition).or_default().wrong.add(!judged.right);
        if judged.published.value.is_some() {
            self.readings.push(Scored { confidence: judged.published.confidence, right: judged.right });
        }
        match self.forms.iter_mut().find(|of| of.form == judged.form) {
            Some(of) => of.counts.add(judged),
            None => {
                let counts = std::iter::once(judged).collect();
                self.forms.push(OfForm { form: judged.form.clone(), counts });
            }
        }
    }

    fn finish(self, target_risk: f64) -> (Measures, Vec<OfForm>) {
        // What is written or was read: a blank field that was taken for blank says nothing of how
        // well readings can be told apart.
        let fields = self.counts.written + self.counts.taken_for_written.hits;
        let measures = Measures {
            risk_coverage: risk_coverage(&self.readings, fields, target_risk),
            reliability: reliability(&self.readings),
            counts: self.counts,
            dispositions: self.dispositions,
        };
        (measures, self.forms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::example::{account, judged, record};

    /// What every measure says of a few fields that can be counted by hand.
    #[test]
    fn the_document_of_a_few_fields() {
        let name = |written, read, confidence| {
            judged("account_holder_kana", FieldKind::Kana, written, read, confidence)
        };
        let mut accepted = account("7654321", "7654321", 0.99);
        accepted.published.disposition = Disposition::Accepted;
        let fields = [
            accepted,
            account("1234567", "1234561", 0.9),
            account("12#4567", "12#4567", 0.0),
            account("_______", "_______", 1.0),
            name("シン_ソ", "シソ_ソ", 0.8),
            judged("account_type", FieldKind::Mark, "ordinary", "ordinary", 0.97),
        ];
        let mut tally = Tally::default();
        tally.add(&record(1, 1, &[]), &fields);
        let evaluation = tally.finish(Account::default(), 0.0014);
        let json = serde_json::to_value(&evaluation).expect("a document");
        assert!(!json.to_string().contains("1234561"), "no value of an applicant");
        insta::assert_json_snapshot!(json);
    }
}
