//! Our own cell models (`ocr-models/`): tiles to posteriors over a model's classes.

use std::path::Path;
use std::sync::Arc;

use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::fuse::with_next;
use super::tile::{self, Tile};
use super::{ALTERNATIVES, Alternative, CellState, CharacterReading, LEAST_ALTERNATIVE, ReadError};

/// Classes that are no characters.
const BLANK: &str = "blank";
const NO_CHARACTER: [(&str, CellState); 3] = [
    ("struck_out", CellState::StruckOut),
    ("overwritten", CellState::Overwritten),
    ("several", CellState::Several),
];

/// A cell is struck out or the like where that is likelier than any character, and more likely
/// than not; a doubtful character stays one, with the confidence that it has.
const LEAST_IRREGULAR: f32 = 0.5;

/// Kana that are published alike, and are one hypothesis: which of the two a person wrote is a
/// question of size alone.
const SMALL_AND_LARGE: [(&str, &str); 9] = [
    ("ァ", "ア"),
    ("ィ", "イ"),
    ("ゥ", "ウ"),
    ("ェ", "エ"),
    ("ォ", "オ"),
    ("ャ", "ヤ"),
    ("ュ", "ユ"),
    ("ョ", "ヨ"),
    ("ッ", "ツ"),
];

/// One model file, loaded.
pub(super) struct CellModel {
    model: Model,
    classes: Vec<String>,
    path: std::path::PathBuf,
    threads: Arc<ThreadPool>,
}

impl CellModel {
    /// Loads a model and checks that it was trained on tiles as they are made here.
    pub fn load(path: &Path, threads: &Arc<ThreadPool>) -> Result<Self, ReadError> {
        let bytes = super::model_bytes(path)?;
        let unusable = |message: String| ReadError::Unusable { path: path.to_owned(), message };
        let model = Model::load(bytes).map_err(|error| unusable(error.to_string()))?;
        let fact = |name: &str| {
            let found = model.metadata().get(name).map(str::to_owned);
            found.ok_or_else(|| unusable(format!("its metadata lack '{name}'")))
        };
        let recipe = fact("recipe")?;
        if recipe != tile::RECIPE.to_string() {
            return Err(unusable(format!(
                "it was trained on tiles of recipe {recipe}, this program makes recipe {}",
                tile::RECIPE
            )));
        }
        let classes: Vec<String> = fact("classes")?.split('\t').map(str::to_owned).collect();
        Ok(Self { model, classes, path: path.to_owned(), threads: Arc::clone(threads) })
    }

    /// Reads all `tiles` in one batch.
    pub fn read(&self, tiles: &[&Tile]) -> Result<Vec<CharacterReading>, ReadError> {
        if tiles.is_empty() {
            return Ok(Vec::new());
        }
        let unusable = |message: String| ReadError::Unusable { path: self.path.clone(), message };
        let pixels: Vec<f32> = tiles.iter().flat_map(|tile| tile.0.iter().copied()).collect();
        let input = NdTensor::<f32, 4>::from_data([tiles.len(), 1, tile::SIDE, tile::SIDE], pixels);
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
        let output = self.model.run_one(input.view().into(), Some(options));
        let output = output.map_err(|error| unusable(error.to_string()))?;
        let logits: NdTensor<f32, 2> =
            output.try_into().map_err(|_| unusable("its output is no matrix".into()))?;
        if logits.shape() != [tiles.len(), self.classes.len()] {
            return Err(unusable(format!("its output has the shape {:?}", logits.shape())));
        }
        let logits = logits.to_vec();
        Ok(logits.chunks(self.classes.len()).map(|row| self.reading(&softmax(row))).collect())
    }

    /// The likeliest character, with its alternatives; its state is what the cell holds at the
    /// likeliest. A blank cell's alternatives are the characters that its ink may be instead.
    fn reading(&self, posteriors: &[f32]) -> CharacterReading {
        let of = |name: &str| {
            self.classes.iter().position(|class| class == name).map_or(0.0, |index| posteriors[index])
        };
        let mut ranked: Vec<(&str, f32)> = Vec::with_capacity(self.classes.len());
        for (class, &posterior) in self.classes.iter().zip(posteriors) {
            if class == BLANK || NO_CHARACTER.iter().any(|(name, _)| class == name) {
                continue;
            }
            let pair = SMALL_AND_LARGE.iter().find(|(small, large)| class == small || class == large);
            let Some((small, large)) = pair else {
                ranked.push((class, posterior));
                continue;
            };
            // Once for the pair, under the likelier form's name.
            if class == large {
                let name = if of(small) > of(large) { small } else { large };
                ranked.push((name, of(small) + of(large)));
            }
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best = ranked.first().map_or(0.0, |first| first.1);
        let other = NO_CHARACTER.iter().map(|&(name, state)| (of(name), state));
        let other = other.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, CellState::StruckOut));
        let alternative = |&(value, posterior): &(&str, f32)| Alternative {
            value: value.to_owned(),
            confidence: posterior.into(),
        };
        if of(BLANK) > best.max(other.0) {
            let likely = ranked.iter().filter(|(_, posterior)| f64::from(*posterior) >= LEAST_ALTERNATIVE);
            let alternatives = likely.take(ALTERNATIVES).map(alternative).collect();
            return CharacterReading { alternatives, ..blank(of(BLANK)) };
        }
        CharacterReading {
            value: ranked.first().map_or_else(String::new, |(value, _)| (*value).to_owned()),
            state: if other.0 > best.max(LEAST_IRREGULAR) { other.1 } else { CellState::Written },
            confidence: best.into(),
            alternatives: with_next(ranked.iter().skip(1).map(alternative)),
        }
    }
}

/// A cell in which nothing is written.
pub(super) fn blank(confidence: f32) -> CharacterReading {
    CharacterReading {
        value: String::new(),
        state: CellState::Blank,
        confidence: confidence.into(),
        alternatives: Vec::new(),
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let peak = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - peak).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
