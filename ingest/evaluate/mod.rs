//! Records against truth: which values are right, what was known of them, and what confidences are
//! worth.
//!
//! - [`Truths`] and [`Comparison`]: records as they come, beside what is true of their pages.
//! - [`Judged`]: a published field beside its truth.
//! - [`Counts`], [`risk_coverage`], [`reliability`], [`DigitConfusion`], [`Worst`]: measures of them.
//! - [`Tally`]: all measures at once, to one [`Evaluation`].
//! - [`contact_sheet`] and [`report`]: the pictures and the page that staff read.

mod collect;
mod compare;
mod confusion;
pub mod contact_sheet;
mod counts;
mod curves;
#[cfg(test)]
mod example;
mod fusion;
mod judge;
mod labels;
mod lines;
mod opinions;
mod plot;
mod rate;
pub mod report;
mod tally;
mod truths;
mod worst;

pub use collect::{Collection, Collections, Parts, Skipped};
pub use compare::{Account, Comparison, RecordSide, TruthSide};
pub use confusion::{DigitConfusion, KanaPair};
pub use counts::{Cells, Counts, Irregular};
pub use curves::{Bin, Reliability, RiskCoverage, RiskPoint, Scored, reliability, risk_coverage};
pub use fusion::FusionCells;
pub use judge::{Judged, Truth, judge, judge_seen};
pub use lines::{LineError, json_line, json_lines};
pub use opinions::{OpinionError, Opinions};
pub use rate::Rate;
pub use tally::{Disposed, EVALUATION_SCHEMA, Evaluation, FieldMeasures, Made, Measures, OfForm, Tally};
pub use truths::Truths;
pub use worst::{WORST, Worst, WrongReading};
