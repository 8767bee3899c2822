//! The cell model's and the line model's posteriors of one cell to one: a weighted product of
//! experts (a log-linear pool), whose weights are fitted on calibration data.

use serde::{Deserialize, Serialize};

use super::{ALTERNATIVES, Alternative, CellState, CharacterReading, LEAST_ALTERNATIVE};

/// How much each reader counts: its posterior is raised to this power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionWeights {
    pub cell: f64,
    pub line: f64,
}

/// Until weights are fitted the line model counts less: it was made for whole lines of print.
impl Default for FusionWeights {
    fn default() -> Self {
        Self { cell: 1.0, line: 0.35 }
    }
}

/// The weights of each alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    pub digits: FusionWeights,
    pub kana: FusionWeights,
}

/// What a reader gives a character that it does not name, at the least.
const LEAST_UNNAMED: f64 = 1e-4;

/// Over so many characters the rest is spread that a reader leaves beside those it names: between
/// the ten digits and the eighty kana.
const UNNAMED_CHARACTERS: f64 = 20.0;

/// A cell model that is surer than this of one character has seen one, whatever a line model makes of
/// its parts.
const SURE: f64 = 0.95;

/// One reading of a cell out of two. The state is the cell model's, but where it is in doubt and the
/// line model sees two characters.
pub fn fuse(
    cell: &CharacterReading,
    line: Option<&CharacterReading>,
    weights: FusionWeights,
) -> CharacterReading {
    let Some(line) = line.filter(|_| cell.state != CellState::Blank) else {
        return cell.clone();
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in candidates(cell).chain(candidates(line)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let ln: Vec<f64> = names
        .iter()
        .map(|name| weights.cell * posterior(cell, name).ln() + weights.line * posterior(line, name).ln())
        .collect();
    let peak = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = ln.iter().map(|ln| (ln - peak).exp()).collect();
    // What neither names has its share as well.
    let rest = weights.cell * unnamed(cell).ln() + weights.line * unnamed(line).ln() - peak;
    let sum: f64 = powers.iter().sum::<f64>() + rest.exp();
    let posteriors = names.into_iter().map(str::to_owned).zip(powers.into_iter().map(|power| power / sum));
    let in_doubt = cell.state == CellState::Written && cell.confidence < SURE;
    let state = if in_doubt { line.state } else { cell.state };
    ranked(posteriors.collect(), state)
}

/// The characters that a reading names, with their posteriors.
pub fn candidates(reading: &CharacterReading) -> impl Iterator<Item = (&str, f64)> {
    let best = (reading.value.as_str(), reading.confidence);
    let others = reading.alternatives.iter().map(|other| (other.value.as_str(), other.confidence));
    std::iter::once(best).chain(others).filter(|(name, _)| !name.is_empty())
}

/// The posterior that a reading gives a character, named or not.
pub fn posterior(reading: &CharacterReading, name: &str) -> f64 {
    candidates(reading)
        .find(|(other, _)| *other == name)
        .map_or_else(|| unnamed(reading), |(_, posterior)| posterior.max(LEAST_UNNAMED))
}

/// The posterior that a reading gives each character that it does not name: little where it is sure,
/// more where it has seen nothing like the ink.
pub fn unnamed(reading: &CharacterReading) -> f64 {
    let named: f64 = candidates(reading).map(|(_, posterior)| posterior).sum();
    ((1.0 - named) / UNNAMED_CHARACTERS).max(LEAST_UNNAMED)
}

/// A reading out of the posteriors of characters, in any order.
pub(super) fn ranked(mut posteriors: Vec<(String, f64)>, state: CellState) -> CharacterReading {
    posteriors.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut posteriors = posteriors.into_iter();
    let (value, confidence) = posteriors.next().unwrap_or_default();
    let rivals = posteriors.map(|(value, confidence)| Alternative { value, confidence });
    CharacterReading { value, state, confidence, alternatives: with_next(rivals) }
}

/// Of the other characters, the likeliest first, those that are likely enough to be given, and the next one
/// however unlikely.
pub(super) fn with_next(rivals: impl Iterator<Item = Alternative>) -> Vec<Alternative> {
    let is_given =
        |(place, rival): &(usize, Alternative)| *place == 0 || rival.confidence >= LEAST_ALTERNATIVE;
    rivals.take(ALTERNATIVES).enumerate().take_while(is_given).map(|(_, rival)| rival).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(posteriors: &[(&str, f64)]) -> CharacterReading {
        ranked(posteriors.iter().map(|(name, p)| ((*name).to_owned(), *p)).collect(), CellState::Written)
    }

    #[test]
    fn a_sure_second_reader_settles_a_doubt_and_a_doubtful_one_changes_little() {
        let doubt = reading(&[("ン", 0.5), ("ソ", 0.49)]);
        let settled = fuse(&doubt, Some(&reading(&[("ソ", 0.98)])), FusionWeights::default());
        assert_eq!(settled.value, "ソ");
        let sure = reading(&[("1", 0.999)]);
        let kept = fuse(&sure, Some(&reading(&[("7", 0.4), ("1", 0.3)])), FusionWeights::default());
        assert!(kept.value == "1" && kept.confidence > 0.99, "{kept:?}");
    }

    #[test]
    fn agreement_raises_confidence_and_its_sum_is_one() {
        let one = reading(&[("4", 0.9), ("9", 0.1)]);
        let fused = fuse(&one, Some(&one), FusionWeights { cell: 1.0, line: 1.0 });
        assert!(fused.confidence > 0.98);
        let sum: f64 = candidates(&fused).map(|(_, posterior)| posterior).sum();
        assert!((sum - 1.0).abs() < 1e-4);
    }

    #[test]
    fn the_next_character_is_named_however_unlikely_it_is() {
        let sure = reading(&[("1", 1e-6), ("4", 0.999_99), ("9", 9e-6)]);
        let named: Vec<&str> = sure.alternatives.iter().map(|other| other.value.as_str()).collect();
        assert_eq!((sure.value.as_str(), named), ("4", vec!["9"]));
    }

    /// As a model of katakana is before hiragana.
    #[test]
    fn a_reader_that_has_seen_nothing_like_it_does_not_outvote_a_sure_one() {
        let at_a_loss = reading(&[("オ", 0.31), ("サ", 0.14), ("ヲ", 0.05)]);
        let weights = FusionWeights { cell: 0.58, line: 0.49 };
        assert_eq!(fuse(&at_a_loss, Some(&reading(&[("ス", 0.999)])), weights).value, "ス");
    }

    #[test]
    fn without_a_second_reader_nothing_changes_and_a_state_stays() {
        let one = reading(&[("4", 0.9)]);
        assert_eq!(fuse(&one, None, FusionWeights::default()), one);
        let struck = CharacterReading { state: CellState::StruckOut, ..one.clone() };
        assert_eq!(fuse(&struck, Some(&one), FusionWeights::default()).state, CellState::StruckOut);
        let several = CharacterReading { state: CellState::Several, ..one.clone() };
        assert_eq!(fuse(&one, Some(&several), FusionWeights::default()).state, CellState::Several);
        let sure = reading(&[("4", 0.99)]);
        assert_eq!(fuse(&sure, Some(&several), FusionWeights::default()).state, CellState::Written);
    }
}
