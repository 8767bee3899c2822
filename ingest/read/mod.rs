//! Cells, lines and marks of a registered page to readings. Raw scores only: what they are worth
//! is decided in [`crate::score`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was read in one field of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldReading {
    pub field: String,
    /// What the ink says; none for nothing legible. For a mark the option's value; for a signature
    /// `present`.
    pub value: Option<String>,
    /// The reader's own score of the whole value, 0 to 1, not calibrated.
    pub score: f64,
    pub state: InkState,
    pub characters: Vec<CharacterReading>,
    pub evidence: Vec<Evidence>,
}

/// A reading and the picture that it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CroppedReading {
    pub reading: FieldReading,
    /// The field, upright, as a gray PNG at the resolution that the settings name.
    #[serde(with = "serde_bytes")]
    pub crop_png: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InkState {
    /// No ink but the form's own.
    Blank,
    Written,
    /// There is ink, but more than one reading of it, or none.
    Ambiguous,
}

/// One character, or one cell of a comb (`value` is empty for a blank cell).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CharacterReading {
    pub value: String,
    /// 0 to 1.
    pub confidence: f64,
    /// Best first, `value` left out.
    pub alternatives: Vec<Alternative>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alternative {
    pub value: String,
    pub confidence: f64,
}

/// What speaks for or against a reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub source: EvidenceSource,
    /// What that source read, where it read anything.
    pub value: Option<String>,
    /// 0 to 1, on the source's own scale.
    pub score: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    CellModel,
    LineModel,
    Tesseract,
    /// Ink inside a mark against the empty form.
    Ink,
    /// What the register says, scored against the ink.
    RegisterSupport,
}
