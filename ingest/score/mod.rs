//! Readings and evidence to dispositions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to become of a value, from the least to the most of a person's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    Accepted,
    /// The field was left empty.
    Blank,
    /// A person must confirm.
    Verify,
    /// Nothing can be read with confidence.
    Illegible,
    /// The municipality decides.
    Escalate,
}

/// Why a disposition is not `accepted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The score of this field type has no calibration yet.
    Uncalibrated,
    /// More than one reading of the ink, or none.
    Ambiguous,
    /// The readers disagree.
    ReadersDisagree,
    /// Left-padded to the field's length.
    Padded,
    /// A refusal mark is always confirmed by a person.
    AlwaysConfirmed,
    /// The field's page is missing or could not be registered.
    PageNotRead,
}
