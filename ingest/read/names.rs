//! Names of persons as a prior over kana: those that exist, and the sequences of kana in them.
//!
//! The prior decides where the ink leaves a doubt, and never against clear ink: foreign and rare
//! names are read as they are written. It can be switched off (`read.lexicon`).

use std::collections::HashMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use super::fuse::{candidates, posterior, ranked};
use super::{CellState, CharacterReading, ReadError};
use crate::kana::{ZenginName, katakana, large};

/// A cell at least this sure keeps its character whatever the prior says.
const CLEAR: f64 = 0.95;

/// A character that the ink makes less likely than this is no candidate.
const LEAST_CANDIDATE: f64 = 0.01;

/// Strings of one word that are weighed against each other.
const BEAM: usize = 64;

/// The power of the prior beside the ink's.
const PRIOR_WEIGHT: f64 = 0.5;

/// The share of names that are in the list; the others follow their sequences of kana alone.
const LISTED: f64 = 0.5;

/// Of the next kana given the two, the one, and none before it; the rest is spread over all kana.
const GRAM_SHARES: [f64; 3] = [0.6, 0.3, 0.09];

/// Kana, marks and signs of Zengin names.
const CHARACTERS: f64 = 55.0;

/// Stands before and behind a name.
const EDGE: char = '|';

pub(super) struct Names {
    /// In Zengin kana, with the share of persons.
    family: HashMap<String, f64>,
    given: HashMap<String, f64>,
    /// Weighted counts of 0 to 2 kana before a kana, and with it.
    contexts: HashMap<String, f64>,
    grams: HashMap<String, f64>,
}

/// A name, decoded.
pub(super) struct Decoded {
    pub cells: Vec<CharacterReading>,
    /// The share of its words that are names in the list, 0 to 1.
    pub listed: f64,
}

impl Names {
    /// Reads a file that `ocr-models/lexicon/build.py` made, which says what its columns are.
    pub fn load(path: &Path) -> Result<Self, ReadError> {
        let unusable = |message: String| ReadError::Unusable { path: path.to_owned(), message };
        let text =
            String::from_utf8(super::model_bytes(path)?).map_err(|error| unusable(error.to_string()))?;
        let mut rows = Vec::new();
        for (line, row) in text.lines().enumerate() {
            let columns: Vec<&str> = row.split('\t').collect();
            let counts = |place: usize| columns.get(place).and_then(|count| count.parse::<f64>().ok());
            let (Some(&name), Some(family), Some(given)) = (columns.first(), counts(1), counts(2)) else {
                return Err(unusable(format!("line {} is no name with two counts", line + 1)));
            };
            rows.push((name, family, given));
        }
        Ok(Self::of(&rows))
    }

    /// Of names in Zengin kana with their frequencies as family and as given names.
    fn of(rows: &[(&str, f64, f64)]) -> Self {
        let families: f64 = rows.iter().map(|row| row.1).sum();
        let givens: f64 = rows.iter().map(|row| row.2).sum();
        let mut names = Self {
            family: HashMap::new(),
            given: HashMap::new(),
            contexts: HashMap::new(),
            grams: HashMap::new(),
        };
        for &(name, family, given) in rows {
            if family > 0.0 {
                names.family.insert(name.to_owned(), family / families);
            }
            if given > 0.0 {
                names.given.insert(name.to_owned(), given / givens);
            }
            // Rare names are as good a witness of which kana follow each other as frequent ones.
            let weight = (1.0 + family / 1000.0 + given).ln();
            let padded: Vec<char> = [EDGE, EDGE].into_iter().chain(name.chars()).chain([EDGE]).collect();
            for place in 2..padded.len() {
                for length in 0..=2 {
                    let context: String = padded[place - length..place].iter().collect();
                    let gram: String = padded[place - length..=place].iter().collect();
                    *names.contexts.entry(context).or_default() += weight;
                    *names.grams.entry(gram).or_default() += weight;
                }
            }
        }
        names
    }

    /// Weighs what the ink leaves open in the words of a name (written cells between blank ones) by
    /// how likely they are as names.
    pub fn decode(&self, cells: &[CharacterReading]) -> Decoded {
        let mut decoded = cells.to_vec();
        let (mut words, mut listed) = (0, 0);
        let mut start = 0;
        while start < cells.len() {
            if cells[start].state == CellState::Blank {
                start += 1;
                continue;
            }
            let rest = cells[start..].iter().position(|cell| cell.state == CellState::Blank);
            let end = rest.map_or(cells.len(), |length| start + length);
            if cells[start..end].iter().all(|cell| cell.state == CellState::Written) {
                self.decode_word(&mut decoded[start..end]);
            }
            words += 1;
            let word: String = decoded[start..end].iter().map(|cell| cell.value.as_str()).collect();
            listed += u32::from(ZenginName::of(&word).is_ok_and(|name| self.listed(name.as_str()) > 0.0));
            start = end;
        }
        Decoded { cells: decoded, listed: f64::from(listed) / f64::from(words.max(1)) }
    }

    fn decode_word(&self, cells: &mut [CharacterReading]) {
        let mut beam: Vec<(Vec<&str>, f64)> = vec![(Vec::new(), 0.0)];
        let read = cells.to_vec();
        for cell in &read {
            let open = cell.confidence < CLEAR;
            let named: Vec<(&str, f64)> = candidates(cell)
                .take(if open { usize::MAX } else { 1 })
                .filter(|&(_, posterior)| !open || posterior >= LEAST_CANDIDATE)
                .collect();
            let mut longer: Vec<(Vec<&str>, f64)> = beam
                .iter()
                .flat_map(|(text, ln)| {
                    named.iter().map(move |(name, posterior)| {
                        let mut text = text.clone();
                        text.push(name);
                        (text, ln + posterior.max(f64::MIN_POSITIVE).ln())
                    })
                })
                .collect();
            longer.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            longer.truncate(BEAM);
            beam = longer;
        }
        if beam.len() < 2 {
            return;
        }
        let ln: Vec<f64> =
            beam.iter().map(|(text, ink)| ink + PRIOR_WEIGHT * self.ln_prior(&text.concat())).collect();
        let peak = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = ln.iter().map(|ln| (ln - peak).exp()).collect();
        let sum: f64 = powers.iter().sum();
        for (place, cell) in cells.iter_mut().enumerate() {
            if read[place].confidence >= CLEAR {
                continue;
            }
            let mut marginals: Vec<(String, f64)> = Vec::new();
            for ((text, _), power) in beam.iter().zip(&powers) {
                match marginals.iter_mut().find(|(name, _)| name == text[place]) {
                    Some((_, marginal)) => *marginal += power / sum,
                    None => marginals.push((text[place].to_owned(), power / sum)),
                }
            }
            *cell = ranked(marginals, cell.state);
        }
    }

    /// The natural logarithm of a word's probability as a name; of a word that no transfer file may
    /// hold, that of the rarest.
    fn ln_prior(&self, word: &str) -> f64 {
        let Ok(name) = ZenginName::of(word) else {
            return -CHARACTERS.ln() * (word.chars().count() + 2) as f64;
        };
        let name = name.as_str();
        (LISTED * self.listed(name) + (1.0 - LISTED) * self.ln_sequence(name).exp()).ln()
    }

    /// The share of a name among those in the list, whether as family name, as given name or as
    /// both written together.
    fn listed(&self, name: &str) -> f64 {
        let share = |names: &HashMap<String, f64>, name: &str| names.get(name).copied().unwrap_or(0.0);
        let together: f64 = name
            .char_indices()
            .skip(1)
            .map(|(place, _)| share(&self.family, &name[..place]) * share(&self.given, &name[place..]))
            .sum();
        (share(&self.family, name) + share(&self.given, name) + together) / 3.0
    }

    fn ln_sequence(&self, name: &str) -> f64 {
        let padded: Vec<char> = [EDGE, EDGE].into_iter().chain(name.chars()).chain([EDGE]).collect();
        (2..padded.len())
            .map(|place| {
                let seen: f64 = (0..=2)
                    .map(|length| {
                        let context: String = padded[place - length..place].iter().collect();
                        let gram: String = padded[place - length..=place].iter().collect();
                        let count =
                            |map: &HashMap<String, f64>, key: &str| map.get(key).copied().unwrap_or(0.0);
                        let total = count(&self.contexts, &context);
                        let share = if total > 0.0 { count(&self.grams, &gram) / total } else { 0.0 };
                        GRAM_SHARES[2 - length] * share
                    })
                    .sum();
                let even = 1.0 - GRAM_SHARES.iter().sum::<f64>();
                (seen + even / CHARACTERS).ln()
            })
            .sum()
    }
}

/// How the ink bears out an expected name against the best other reading of the same cells: near 1
/// where the ink says the same, 0 where it has another number of characters.
pub(super) fn support(cells: &[CharacterReading], expected: &str) -> f64 {
    let written: Vec<&CharacterReading> =
        cells.iter().filter(|cell| cell.state != CellState::Blank).collect();
    let expected: String = expected.nfkc().filter(|character| !character.is_whitespace()).collect();
    let expected: Vec<char> = expected.chars().map(|character| large(katakana(character))).collect();
    let ln = |cell: &CharacterReading, name: &str| posterior(cell, name).ln();
    // best[n]: the likeliest way to lay the characters so far over the first n cells; a voiced
    // character takes one cell, or two where its mark has one of its own.
    let mut best = vec![f64::NEG_INFINITY; written.len() + 1];
    best[0] = 0.0;
    for character in expected {
        let mut next = vec![f64::NEG_INFINITY; written.len() + 1];
        let text = character.to_string();
        let mut parts = text.nfd();
        let base = parts.next().map(String::from).unwrap_or_default();
        let mark = parts.next().map(|mark| if mark == '\u{3099}' { "゛" } else { "゜" });
        for end in 1..=written.len() {
            next[end] = best[end - 1] + ln(written[end - 1], &text);
            if let Some(mark) = mark.filter(|_| end >= 2) {
                let apart = best[end - 2] + ln(written[end - 2], &base) + ln(written[end - 1], mark);
                next[end] = next[end].max(apart);
            }
        }
        best = next;
    }
    let said = best[written.len()];
    if written.is_empty() || said == f64::NEG_INFINITY {
        return 0.0;
    }
    let top: f64 = written.iter().map(|cell| cell.confidence.max(f64::MIN_POSITIVE).ln()).sum();
    let margin = |cell: &&CharacterReading| {
        let second = cell.alternatives.first().map_or(1e-4, |second| second.confidence.max(1e-4));
        cell.confidence.max(second).ln() - second.ln()
    };
    let narrowest = written.iter().map(margin).fold(f64::INFINITY, f64::min);
    let other = if said >= top - 1e-9 { top - narrowest } else { top };
    1.0 / (1.0 + (other - said).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::of(&[("ﾔﾏﾀﾞ", 800.0, 0.0), ("ｿﾉﾀﾞ", 30.0, 0.0), ("ﾀﾛｳ", 0.0, 50.0), ("ｹﾝｼﾞ", 0.0, 40.0)])
    }

    fn cells(readings: &[&[(&str, f64)]]) -> Vec<CharacterReading> {
        let cell = |named: &&[(&str, f64)]| match named {
            [] => super::super::cell_model::blank(1.0),
            named => {
                ranked(named.iter().map(|(name, p)| ((*name).to_owned(), *p)).collect(), CellState::Written)
            }
        };
        readings.iter().map(cell).collect()
    }

    fn text(cells: &[CharacterReading]) -> String {
        cells.iter().map(|cell| cell.value.as_str()).collect()
    }

    #[test]
    fn a_name_that_exists_settles_a_doubt() {
        let doubtful = cells(&[
            &[("ヤ", 0.99)],
            &[("マ", 0.99)],
            &[("ダ", 0.99)],
            &[],
            &[("ケ", 0.99)],
            &[("ソ", 0.55), ("ン", 0.43)],
            &[("ジ", 0.99)],
        ]);
        let decoded = names().decode(&doubtful);
        assert_eq!(text(&decoded.cells), "ヤマダケンジ");
        assert_eq!(decoded.listed, 1.0);
        assert!(decoded.cells[5].alternatives[0].value == "ソ");
    }

    #[test]
    fn clear_ink_is_never_outvoted() {
        let clear = cells(&[&[("ケ", 0.99)], &[("ソ", 0.96), ("ン", 0.04)], &[("ジ", 0.99)]]);
        let decoded = names().decode(&clear);
        assert_eq!(text(&decoded.cells), "ケソジ");
        assert_eq!(decoded.listed, 0.0);
    }

    #[test]
    fn a_mark_in_its_own_cell_and_names_without_a_gap_are_names() {
        let together = cells(&[
            &[("ヤ", 0.9)],
            &[("マ", 0.9)],
            &[("タ", 0.6), ("ク", 0.39)],
            &[("゛", 0.9)],
            &[("タ", 0.9)],
            &[("ロ", 0.5), ("コ", 0.5)],
            &[("ウ", 0.9)],
        ]);
        let decoded = names().decode(&together);
        assert_eq!((text(&decoded.cells).as_str(), decoded.listed), ("ヤマタ゛タロウ", 1.0));
    }

    #[test]
    fn the_register_is_borne_out_or_not() {
        let read = cells(&[&[("ヤ", 0.99)], &[("マ", 0.9), ("ア", 0.1)], &[("タ", 0.9)], &[("゛", 0.8)]]);
        assert!(support(&read, "ヤマダ") > 0.85, "{}", support(&read, "ヤマダ"));
        assert!(support(&read, "ｱﾏﾀﾞ") < 0.01);
        assert_eq!(support(&read, "スズキイチロウ"), 0.0);
        assert_eq!(support(&[], "ヤマダ"), 0.0);
        // The ink leaves it open which of the two stands there.
        let open = cells(&[&[("ソ", 0.5), ("ン", 0.49)]]);
        assert!((support(&open, "ン") - 0.5).abs() < 0.05);
    }
}
