//! What a line model's output says of texts (connectionist temporal classification, Graves et al.
//! 2006): per step a posterior over classes, class 0 the blank between characters.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// Posteriors of one line: `steps` rows over the model's classes, left to right in equal strides
/// over the picture's width.
#[derive(Debug, Clone)]
pub(super) struct Posteriors<'a> {
    rows: Cow<'a, [f32]>,
    classes: usize,
    /// Class by character; the blank has none.
    index: &'a HashMap<char, usize>,
    /// How much of the rows' width is picture and not padding, 0 to 1.
    pub used_width: f64,
}

/// Below any posterior that a model gives; keeps logarithms finite.
pub(super) const FLOOR: f32 = 1e-9;

impl<'a> Posteriors<'a> {
    /// `rows` holds the steps one after another, `classes` numbers each.
    pub fn new(
        rows: impl Into<Cow<'a, [f32]>>,
        classes: usize,
        index: &'a HashMap<char, usize>,
        used_width: f64,
    ) -> Self {
        Self { rows: rows.into(), classes, index, used_width }
    }

    pub fn steps(&self) -> usize {
        self.rows.len() / self.classes.max(1)
    }

    pub fn step(&self, step: usize) -> &[f32] {
        &self.rows[step * self.classes..(step + 1) * self.classes]
    }

    /// The steps whose middle lies in a part of the picture's width (0 to 1).
    pub fn steps_in(&self, part: &Range<f64>) -> impl Iterator<Item = usize> + use<> {
        let (steps, used_width, part) = (self.steps(), self.used_width, part.clone());
        let place = move |step: usize| (step as f64 + 0.5) / steps as f64 / used_width;
        (0..steps).filter(move |&step| part.contains(&place(step)))
    }

    /// The class of a character; none where the model does not know it.
    pub fn class(&self, character: char) -> Option<usize> {
        self.index.get(&character).copied()
    }
}

/// The natural logarithm of the probability of `labels` over all ways of laying them over `steps`,
/// with blanks between; two equal labels side by side need one. None where the steps are too few.
pub(super) fn ln_forward(
    steps: usize,
    labels: &[usize],
    blank: impl Fn(usize) -> f64,
    emits: impl Fn(usize, usize) -> f64,
) -> Option<f64> {
    // Blank, label, blank, label … blank; worked through from the last, so that each state still
    // sees those before it as they were a step ago.
    let states = 2 * labels.len() + 1;
    let mut forward = vec![0.0f64; states];
    let mut ln_total = 0.0;
    for step in 0..steps {
        let blank = blank(step);
        let mut sum = 0.0;
        for state in (0..states).rev() {
            let is_label = state % 2 == 1;
            let skips = is_label && state >= 2 && labels[state / 2] != labels[state / 2 - 1];
            let reach = match step {
                0 => f64::from(u8::from(state < 2)),
                _ => {
                    forward[state]
                        + if state >= 1 { forward[state - 1] } else { 0.0 }
                        + if skips { forward[state - 2] } else { 0.0 }
                }
            };
            forward[state] = reach * if is_label { emits(labels[state / 2], step) } else { blank };
            sum += forward[state];
        }
        // Scaled by step, as the product of hundreds of posteriors is no f64.
        if sum <= 0.0 {
            return None;
        }
        ln_total += sum.ln();
        forward.iter_mut().for_each(|probability| *probability /= sum);
    }
    let ends = forward[states - 1] + if states >= 2 { forward[states - 2] } else { 0.0 };
    if ends > 0.0 { Some(ln_total + ends.ln()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(rows: &[[f32; 3]]) -> (Vec<f32>, HashMap<char, usize>) {
        (rows.concat(), HashMap::from([('a', 1), ('b', 2)]))
    }

    /// Over every path through the steps, by brute force.
    fn summed(rows: &[[f32; 3]], text: &str) -> f64 {
        let mut total = 0.0;
        for path in 0..3usize.pow(rows.len() as u32) {
            let classes: Vec<usize> =
                (0..rows.len()).map(|step| path / 3usize.pow(step as u32) % 3).collect();
            let mut read = String::new();
            for (step, &class) in classes.iter().enumerate() {
                if class > 0 && (step == 0 || classes[step - 1] != class) {
                    read.push(['_', 'a', 'b'][class]);
                }
            }
            if read == text {
                total += classes.iter().zip(rows).map(|(&class, row)| f64::from(row[class])).product::<f64>();
            }
        }
        total
    }

    #[test]
    fn the_probability_of_a_text_is_that_of_all_its_paths() {
        let rows = [[0.2, 0.7, 0.1], [0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.4, 0.1, 0.5]];
        let (flat, index) = line(&rows);
        let posteriors = Posteriors::new(flat, 3, &index, 1.0);
        let probability = |text: &str| {
            let labels: Vec<usize> = text.chars().filter_map(|label| posteriors.class(label)).collect();
            let emits = |class: usize, step: usize| f64::from(posteriors.step(step)[class]);
            ln_forward(posteriors.steps(), &labels, |step| emits(0, step), emits).map(f64::exp)
        };
        for text in ["", "a", "ab", "aa", "aba", "bab", "aab"] {
            let found = probability(text).unwrap_or(0.0);
            assert!((found - summed(&rows, text)).abs() < 1e-6, "{text}: {found} {}", summed(&rows, text));
        }
        assert_eq!(probability("aaaa"), None);
    }
}
