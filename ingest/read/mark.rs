//! Check boxes: which of them has ink that the form did not print.

use image::GrayImage;

use super::box_lines;
use super::crop::Crop;
use crate::geometry::RectMm;

/// Ink inside a box, as a share of it, at which "marked" is as likely as not. An empty box has
/// less than 0.5 % (specks, rests of its outline), a tick of a ball-point pen across a 4 mm box 8
/// to 15 %.
const EVEN_SHARE: f64 = 0.025;

/// How quickly the likelihood falls to either side of [`EVEN_SHARE`].
const SPREAD: f64 = 0.005;

/// Likelihoods between these are neither marked nor unmarked.
const SURELY_UNMARKED: f64 = 0.1;
const SURELY_MARKED: f64 = 0.9;

/// Darker than the paper by this share of the range from black to the paper is ink.
const INK_SHARE: f64 = 0.25;

/// Left out along the outline, in millimetres, on top of what is removed of the line.
const INSET_MM: f64 = 0.2;

/// What the boxes of a mark say together.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Marked {
    None {
        score: f64,
    },
    /// The index of the option.
    One {
        option: usize,
        score: f64,
    },
    /// More than one, or ink that may or may not be meant.
    Unclear {
        score: f64,
    },
}

/// How likely the box is marked, 0 to 1, uncalibrated. `crop` shows `area` with a margin of a
/// millimetre or more.
pub(super) fn likelihood(crop: &Crop, area: &RectMm) -> f64 {
    let mut gray = crop.gray.clone();
    box_lines::erase(&mut gray, &[crop.pixels(area)]);
    let share = ink_share(&gray, crop, &area.grown(-INSET_MM));
    1.0 / (1.0 + ((EVEN_SHARE - share) / SPREAD).exp())
}

/// The share of a rectangle that is darker than its surroundings' paper.
pub(super) fn ink_share(gray: &GrayImage, crop: &Crop, area: &RectMm) -> f64 {
    // The lightest fifth is paper even where a box is blacked out.
    let mut levels = gray.as_raw().clone();
    let fifth = levels.len() * 4 / 5;
    let paper = match levels.len() {
        0 => return 0.0,
        _ => f64::from(*levels.select_nth_unstable(fifth).1),
    };
    let limit = paper * (1.0 - INK_SHARE);
    let rect = crop.pixels(area);
    let pixels = (rect.y..rect.y + rect.h).flat_map(|y| (rect.x..rect.x + rect.w).map(move |x| (x, y)));
    let dark = pixels.filter(|&(x, y)| f64::from(gray.get_pixel(x, y).0[0]) < limit).count();
    dark as f64 / f64::from((rect.w * rect.h).max(1))
}

/// Decides over the likelihoods of a mark's options.
pub(super) fn decide(likelihoods: &[f64]) -> Marked {
    let unmarked = |except: Option<usize>| -> f64 {
        let others = likelihoods.iter().enumerate().filter(|(index, _)| Some(*index) != except);
        others.map(|(_, likelihood)| 1.0 - likelihood).product()
    };
    let unsure = likelihoods.iter().any(|value| (SURELY_UNMARKED..SURELY_MARKED).contains(value));
    let marked: Vec<usize> =
        (0..likelihoods.len()).filter(|&index| likelihoods[index] >= SURELY_MARKED).collect();
    match marked[..] {
        _ if unsure => Marked::Unclear { score: 0.0 },
        [] => Marked::None { score: unmarked(None) },
        [option] => Marked::One { option, score: likelihoods[option] * unmarked(Some(option)) },
        _ => Marked::Unclear { score: 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    const AREA: RectMm = RectMm { x: 2.0, y: 2.0, w: 4.0, h: 4.0 };

    /// A check box of 4 mm at 300 dpi on gray paper, with its outline and further ink.
    fn crop(is_ink: impl Fn(f64, f64) -> bool) -> Crop {
        let dpi = 300.0;
        let gray = GrayImage::from_fn(94, 94, |x, y| {
            let (x, y) = (f64::from(x) / dpi * 25.4, f64::from(y) / dpi * 25.4);
            let outer = (1.9..6.1).contains(&x) && (1.9..6.1).contains(&y);
            let inner = (2.1..5.9).contains(&x) && (2.1..5.9).contains(&y);
            let level = if outer && !inner { 40 } else { 215 };
            Luma([if is_ink(x, y) { 50 } else { level }])
        });
        Crop { gray, area: RectMm { x: 0.0, y: 0.0, w: 8.0, h: 8.0 }, dpi }
    }

    fn tick(x: f64, y: f64) -> bool {
        (2.4..7.0).contains(&x) && (x + y - 8.0).abs() < 0.3
    }

    #[test]
    fn a_printed_outline_is_no_mark_and_a_tick_is() {
        assert!(likelihood(&crop(|_, _| false), &AREA) < SURELY_UNMARKED);
        assert!(likelihood(&crop(tick), &AREA) > SURELY_MARKED);
        assert!(
            likelihood(&crop(|x, y| (2.0..6.0).contains(&x) && (2.0..6.0).contains(&y)), &AREA)
                > SURELY_MARKED
        );
        // A speck of a third of a millimetre.
        let speck = |x: f64, y: f64| (4.0..4.3).contains(&x) && (4.0..4.3).contains(&y);
        assert!(likelihood(&crop(speck), &AREA) < SURELY_UNMARKED);
    }

    #[test]
    fn none_one_two_and_unsure() {
        assert!(matches!(decide(&[0.01, 0.02]), Marked::None { .. }));
        assert!(matches!(decide(&[0.01, 0.99]), Marked::One { option: 1, .. }));
        assert!(matches!(decide(&[0.99, 0.99]), Marked::Unclear { .. }));
        assert!(matches!(decide(&[0.5, 0.99]), Marked::Unclear { .. }));
    }
}
