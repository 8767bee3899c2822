//! How much each of two readers counts where they are fused.

use serde::{Deserialize, Serialize};

/// Exponents of the readers' posteriors: a candidate's fused posterior is proportional to
/// `p_cell^cell · p_line^line`. Neither is negative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionWeights {
    /// Of the cell model.
    pub cell: f64,
    /// Of the line model.
    pub line: f64,
}

impl Default for FusionWeights {
    /// What is used where nothing was fitted: the cell model reads what it was trained for.
    fn default() -> Self {
        Self { cell: 1.0, line: 0.5 }
    }
}

/// The weights for each kind of comb.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    pub digits: FusionWeights,
    pub kana: FusionWeights,
}
