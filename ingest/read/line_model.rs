//! PP-OCRv6 small, a line recogniser with a CTC output, through rten: one line of print or
//! handwriting to text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::GrayImage;
use image::imageops::FilterType;
use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, NdTensorView};

use super::{Alternative, CharacterReading, ReadError};

/// The height the model was trained at, in pixels.
const HEIGHT: u32 = 48;

/// Narrower pictures are padded with paper: the network halves the width several times.
const MIN_WIDTH: u32 = 48;

/// Wider pictures are squeezed, to bound the time of one line; 48 × 2,000 is a line of some 60
/// characters.
const MAX_WIDTH: u32 = 2000;

const ALTERNATIVES: usize = 4;
const LEAST_ALTERNATIVE: f32 = 0.001;

pub(super) struct LineModel {
    model: Model,
    /// By class; 0 is CTC's blank and has none.
    characters: Vec<String>,
    path: PathBuf,
    threads: Arc<ThreadPool>,
}

impl LineModel {
    /// Loads `PP-OCRv6_rec_small.onnx`, whose metadata hold its dictionary.
    pub fn load(path: &Path, threads: &Arc<ThreadPool>) -> Result<Self, ReadError> {
        let bytes = super::model_bytes(path)?;
        let unusable = |message: String| ReadError::Unusable { path: path.to_owned(), message };
        let model = Model::load(bytes).map_err(|error| unusable(error.to_string()))?;
        let dictionary = model
            .metadata()
            .get("character")
            .ok_or_else(|| unusable("its metadata lack the dictionary 'character'".into()))?;
        // The classes are the blank, the dictionary and, last, a space.
        let characters = std::iter::once(String::new())
            .chain(dictionary.lines().map(str::to_owned))
            .chain(std::iter::once(" ".to_owned()))
            .collect();
        Ok(Self { model, characters, path: path.to_owned(), threads: Arc::clone(threads) })
    }

    /// The characters of one upright line, left to right; `line` is cut close to the writing.
    pub fn read(&self, line: &GrayImage) -> Result<Vec<CharacterReading>, ReadError> {
        let unusable = |message: String| ReadError::Unusable { path: self.path.clone(), message };
        let input = input_of(line);
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.threads)));
        let output = self.model.run_one(input.view().into(), Some(options));
        let output = output.map_err(|error| unusable(error.to_string()))?;
        let output: NdTensor<f32, 3> =
            output.try_into().map_err(|_| unusable("its output is not three-dimensional".into()))?;
        let [_, steps, classes] = output.shape();
        if classes != self.characters.len() {
            let known = self.characters.len();
            return Err(unusable(format!("it has {classes} classes, its dictionary {known}")));
        }
        let output = output.to_vec();
        let posteriors = NdTensorView::from_data([steps, classes], output.as_slice());
        Ok(self.decode(posteriors))
    }

    /// CTC, greedily: a run of the same class is one character, as sure as its surest step.
    fn decode(&self, posteriors: NdTensorView<f32, 2>) -> Vec<CharacterReading> {
        let mut characters = Vec::new();
        let mut current: Option<(usize, usize, f32)> = None;
        for step in 0..posteriors.size(0) {
            let row = posteriors.slice(step);
            let (class, posterior) = row
                .iter()
                .copied()
                .enumerate()
                .fold((0, f32::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best });
            match &mut current {
                Some((before, peak, best)) if *before == class => {
                    if posterior > *best {
                        (*peak, *best) = (step, posterior);
                    }
                }
                _ => {
                    characters.extend(
                        current
                            .take()
                            .and_then(|(class, peak, best)| self.character(&posteriors, class, peak, best)),
                    );
                    current = Some((class, step, posterior));
                }
            }
        }
        characters
            .extend(current.and_then(|(class, peak, best)| self.character(&posteriors, class, peak, best)));
        characters
    }

    fn character(
        &self,
        posteriors: &NdTensorView<f32, 2>,
        class: usize,
        peak: usize,
        best: f32,
    ) -> Option<CharacterReading> {
        if class == 0 {
            return None;
        }
        let mut others: Vec<(usize, f32)> = posteriors
            .slice(peak)
            .iter()
            .copied()
            .enumerate()
            .filter(|&(other, posterior)| other != class && other != 0 && posterior >= LEAST_ALTERNATIVE)
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        let alternatives = others
            .into_iter()
            .take(ALTERNATIVES)
            .map(|(other, posterior)| Alternative {
                value: self.characters[other].clone(),
                confidence: posterior.into(),
            })
            .collect();
        Some(CharacterReading {
            value: self.characters[class].clone(),
            confidence: f64::from(best).clamp(0.0, 1.0),
            alternatives,
        })
    }
}

/// NCHW [1, 3, 48, width], values -1 (black) to 1 (white), the same in all three channels.
fn input_of(line: &GrayImage) -> NdTensor<f32, 4> {
    let ratio = f64::from(line.width()) / f64::from(line.height().max(1));
    let width = ((f64::from(HEIGHT) * ratio).round() as u32).clamp(1, MAX_WIDTH);
    let scaled = image::imageops::resize(line, width, HEIGHT, FilterType::Triangle);
    let padded = width.max(MIN_WIDTH);
    let paper = super::box_lines::median(line);
    NdTensor::from_fn([1, 3, HEIGHT as usize, padded as usize], |[_, _, y, x]| {
        let level = if (x as u32) < width { scaled.get_pixel(x as u32, y as u32).0[0] } else { paper };
        f32::from(level) / 127.5 - 1.0
    })
}
