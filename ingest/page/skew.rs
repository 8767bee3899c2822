//! The turn of a page's own lines of print and rules, for pages that no form tells anything of.

use super::overview::Overview;

const MAX_DEGREES: f64 = 8.0;
const COARSE_STEP: f64 = 0.5;
const FINE_STEP: f64 = 0.05;
/// Fewer inked pixels of an overview say nothing.
const MIN_INK: usize = 200;

/// Degrees clockwise by which lines of ink are turned. Ink is summed along lines of every angle,
/// across and down the page: sums differ most from each other where the angle is that of lines.
pub(super) fn of_ink(overview: &Overview) -> f64 {
    let places: Vec<(f64, f64)> = (overview.ink.iter().enumerate().filter(|(_, ink)| **ink))
        .map(|(place, _)| ((place % overview.width) as f64, (place / overview.width) as f64))
        .collect();
    if places.len() < MIN_INK {
        return 0.0;
    }
    let mut sums = vec![0u32; overview.width + overview.height];
    let mut clearness = |degrees: f64| {
        let slope = degrees.to_radians().tan();
        let mut of = |place: &dyn Fn(f64, f64) -> f64| {
            sums.fill(0);
            let middle = sums.len() as f64 / 4.0;
            for &(x, y) in &places {
                let line = (place(x, y) + middle).max(0.0) as usize;
                if let Some(sum) = sums.get_mut(line) {
                    *sum += 1;
                }
            }
            sums.iter().map(|&sum| f64::from(sum).powi(2)).sum::<f64>()
        };
        of(&|x, y| y - x * slope).max(of(&|x, y| x + y * slope))
    };
    let mut best = |from: f64, to: f64, step: f64| {
        let steps = ((to - from) / step).round() as usize;
        (0..=steps)
            .map(|place| from + place as f64 * step)
            .map(|degrees| (clearness(degrees), degrees))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map_or(0.0, |(_, degrees)| degrees)
    };
    let coarse = best(-MAX_DEGREES, MAX_DEGREES, COARSE_STEP);
    best(coarse - COARSE_STEP, coarse + COARSE_STEP, FINE_STEP)
}
