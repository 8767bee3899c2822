//! PP-OCRv6 small, a line recogniser with a CTC output: one line of print or handwriting to text.

use std::collections::HashMap;
use std::path::Path;

use image::GrayImage;
use image::imageops::FilterType;

use super::alphabet::Alphabet;
use super::ctc::Posteriors;
use super::fuse;
use super::line_network::{LineNetwork, Output};
use super::{CellState, CharacterReading, LEAST_ALTERNATIVE, ReadError};

/// The height the model was trained at, in pixels.
const HEIGHT: u32 = 48;

/// It takes pictures in colour.
const CHANNELS: usize = 3;

/// Narrower pictures are padded with paper: the network halves the width several times.
const MIN_WIDTH: u32 = 48;

/// Wider pictures are squeezed, to bound the time of one line; 48 × 2,000 is a line of some 60
/// characters.
const MAX_WIDTH: u32 = 2000;

/// Narrow lines that go through the network together, which takes a fifth less time; more save nothing.
const BATCH: usize = 8;

/// Wider lines take no less time together.
const NARROW: u32 = 200;

/// Of a batch none is wider than the narrowest by more: what is padded takes as long as what is written.
const WIDTHS_OF_A_BATCH: f64 = 1.3;

pub(super) struct LineModel {
    network: LineNetwork,
    /// By class; 0 is CTC's blank and has none.
    characters: Vec<String>,
    /// Class by character.
    index: HashMap<char, usize>,
}

/// An alphabet as the model knows it.
pub(super) struct LineAlphabet {
    pub alphabet: Alphabet,
    pub names: Vec<char>,
    /// The model's classes that stand for one of the names, by its place among them.
    pub classes: Vec<(usize, usize)>,
}

impl LineModel {
    /// Loads the model, whose metadata hold its dictionary; `library` is ONNX Runtime's.
    pub fn load(path: &Path, library: &Path) -> Result<Self, ReadError> {
        let network = LineNetwork::load(path, library)?;
        let dictionary = network.metadata("character").ok_or_else(|| ReadError::Unusable {
            path: path.to_owned(),
            message: "its metadata lack the dictionary 'character'".into(),
        })?;
        // The classes are the blank, the dictionary and, last, a space.
        let characters: Vec<String> = std::iter::once(String::new())
            .chain(dictionary.lines().map(str::to_owned))
            .chain(std::iter::once(" ".to_owned()))
            .collect();
        let single = |(class, text): (usize, &String)| {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.next().is_none()).map(|character| (character, class))
        };
        let index = characters.iter().enumerate().filter_map(single).collect();
        Ok(Self { network, characters, index })
    }

    /// The classes that stand for the characters of `alphabet`.
    pub fn alphabet(&self, alphabet: Alphabet) -> LineAlphabet {
        let mut names: Vec<char> = Vec::new();
        let mut classes = Vec::new();
        // In the order of classes: a map's would differ from run to run.
        for (class, text) in self.characters.iter().enumerate() {
            let meaning = text.chars().next().filter(|_| text.chars().count() == 1);
            let Some(meaning) = meaning.and_then(|character| alphabet.meaning(character)) else { continue };
            let name = names.iter().position(|&name| name == meaning).unwrap_or_else(|| {
                names.push(meaning);
                names.len() - 1
            });
            classes.push((class, name));
        }
        LineAlphabet { alphabet, names, classes }
    }

    /// What the model says of one upright line, cut close to the writing.
    pub fn posteriors(&self, line: &GrayImage) -> Result<Posteriors<'_>, ReadError> {
        let one = scaled_width(line);
        let used_width = f64::from(one) / f64::from(one.max(MIN_WIDTH));
        self.run(&[line], one.max(MIN_WIDTH), |output| {
            Posteriors::new(output.posteriors.to_vec(), output.classes, &self.index, used_width)
        })
    }

    /// The likeliest characters of many upright lines, each as [`Self::likeliest`] has them.
    pub fn characters(&self, lines: &[GrayImage]) -> Result<Vec<Vec<CharacterReading>>, ReadError> {
        let mut order: Vec<usize> = (0..lines.len()).collect();
        let width = |line: usize| scaled_width(&lines[line]).max(MIN_WIDTH);
        order.sort_by_key(|&line| width(line));
        let mut read = vec![Vec::new(); lines.len()];
        let mut rest = &order[..];
        while let [narrowest, ..] = rest {
            let narrowest = width(*narrowest);
            let widest = if narrowest <= NARROW { WIDTHS_OF_A_BATCH * f64::from(narrowest) } else { 0.0 };
            let alike = rest.partition_point(|&line| f64::from(width(line)) <= widest);
            let (batch, further) = rest.split_at(alike.clamp(1, BATCH));
            rest = further;
            let together: Vec<&GrayImage> = batch.iter().map(|&line| &lines[line]).collect();
            let widest = batch.iter().map(|&line| width(line)).max().unwrap_or(MIN_WIDTH);
            self.run(&together, widest, |output| {
                for (place, &line) in batch.iter().enumerate() {
                    let rows = output.of(place);
                    read[line] = self.likeliest(&Posteriors::new(rows, output.classes, &self.index, 1.0));
                }
            })?;
        }
        Ok(read)
    }

    /// What `take` makes of what the network says of pictures padded to `width` pixels.
    fn run<T>(
        &self,
        lines: &[&GrayImage],
        width: u32,
        take: impl FnOnce(Output<'_>) -> T,
    ) -> Result<T, ReadError> {
        let shape = [lines.len(), CHANNELS, HEIGHT as usize, width as usize];
        let known = self.characters.len();
        self.network.run(input_of(lines, width), shape, |output| match output.classes {
            classes if classes == known => Ok(take(output)),
            classes => Err(format!("it has {classes} classes, its dictionary {known}")),
        })
    }

    /// The likeliest characters of a line, left to right, step by step (greedily): a run of the
    /// same class is one character, as sure as its surest step.
    pub fn likeliest(&self, posteriors: &Posteriors<'_>) -> Vec<CharacterReading> {
        let mut runs: Vec<(usize, usize, f32)> = Vec::new();
        let mut before = 0;
        for step in 0..posteriors.steps() {
            let best = posteriors.step(step).iter().copied().enumerate();
            let (class, posterior) =
                best.fold((0, f32::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best });
            match runs.last_mut() {
                Some((_, peak, surest)) if class != 0 && class == before && posterior > *surest => {
                    (*peak, *surest) = (step, posterior);
                }
                _ if class != 0 && class != before => runs.push((class, step, posterior)),
                _ => {}
            }
            before = class;
        }
        runs.into_iter()
            .map(|(class, peak, surest)| self.character(posteriors.step(peak), class, surest))
            .collect()
    }

    fn character(&self, row: &[f32], class: usize, surest: f32) -> CharacterReading {
        let likely = |&(other, posterior): &(usize, f32)| {
            other != class && other != 0 && f64::from(posterior) >= LEAST_ALTERNATIVE
        };
        let others = row.iter().copied().enumerate().filter(likely);
        let posteriors = std::iter::once((class, surest)).chain(others);
        let named = posteriors
            .map(|(class, posterior)| (self.characters[class].clone(), f64::from(posterior).clamp(0.0, 1.0)));
        fuse::ranked(named.collect(), CellState::Written)
    }
}

/// NCHW [lines, 3, 48, width], values -1 (black) to 1 (white), the same in all three channels; each line
/// at the left, paper behind it.
fn input_of(lines: &[&GrayImage], width: u32) -> Vec<f32> {
    let mut input = Vec::with_capacity(lines.len() * CHANNELS * (HEIGHT * width) as usize);
    for line in lines {
        let own = scaled_width(line);
        let scaled = image::imageops::resize(*line, own, HEIGHT, FilterType::Triangle);
        let paper = super::box_lines::median(line);
        let begun = input.len();
        for y in 0..HEIGHT {
            let level = |x| if x < own { scaled.get_pixel(x, y).0[0] } else { paper };
            input.extend((0..width).map(|x| f32::from(level(x)) / 127.5 - 1.0));
        }
        let channel = begun..input.len();
        (1..CHANNELS).for_each(|_| input.extend_from_within(channel.clone()));
    }
    input
}

/// How wide a line is at the model's height.
fn scaled_width(line: &GrayImage) -> u32 {
    let ratio = f64::from(line.width()) / f64::from(line.height().max(1));
    ((f64::from(HEIGHT) * ratio).round() as u32).clamp(1, MAX_WIDTH)
}
