//! Check boxes: which of them has ink that the form did not print.

use image::GrayImage;

use super::box_lines;
use super::crop::Crop;
use crate::geometry::{RectMm, RectPx};

/// Ink around a box, as a share of the box, at which a circle around it is as likely as not. A
/// circle leaves 15 % and more there, the end of a neighbour's tick less than 5 %.
const EVEN_SHARE_AROUND: f64 = 0.07;

/// How far around a box a circle is looked for, in millimetres, and what is left to its outline.
pub(super) const AROUND_MM: f64 = 1.2;
const OUTLINE_MM: f64 = 0.4;

/// Ink inside a box, as a share of it, at which "marked" is as likely as not. An empty box has
/// less than 0.5 % (specks, rests of its outline), a tick of a ball-point pen across a 4 mm box 8
/// to 15 %.
const EVEN_SHARE: f64 = 0.025;

/// How quickly the likelihood falls to either side, as a share of the even share.
const SPREAD: f64 = 0.2;

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

/// How likely the box is marked, inside or by a circle around it, 0 to 1, uncalibrated. `crop`
/// shows `area` with a margin of [`AROUND_MM`] or more; `elsewhere` is what around the box belongs
/// to something else: the form's own print, or another box.
pub(super) fn likelihood(crop: &Crop, area: &RectMm, elsewhere: &[RectMm]) -> f64 {
    let mut gray = crop.gray.clone();
    box_lines::erase(&mut gray, &[crop.pixels(area)]);
    let limit = ink_limit(&gray);
    let dark_in = |rect: RectPx, left_out: &[RectPx]| {
        let pixels = (rect.y..rect.y + rect.h).flat_map(|y| (rect.x..rect.x + rect.w).map(move |x| (x, y)));
        let ink = pixels.filter(|&(x, y)| gray.get_pixel(x, y).0[0] < limit);
        ink.filter(|&(x, y)| !left_out.iter().any(|rect| contains(rect, x, y))).count() as f64
    };
    let inner = crop.pixels(&area.grown(-INSET_MM));
    let inside = dark_in(inner, &[]) / f64::from((inner.w * inner.h).max(1));
    let left_out: Vec<RectPx> =
        elsewhere.iter().chain([&area.grown(OUTLINE_MM)]).map(|rect| crop.pixels(rect)).collect();
    let around =
        dark_in(crop.pixels(&area.grown(AROUND_MM)), &left_out) / f64::from((inner.w * inner.h).max(1));
    let marked = |share: f64, even: f64| 1.0 / (1.0 + ((even - share) / (SPREAD * even)).exp());
    1.0 - (1.0 - marked(inside, EVEN_SHARE)) * (1.0 - marked(around, EVEN_SHARE_AROUND))
}

fn contains(rect: &RectPx, x: u32, y: u32) -> bool {
    (rect.x..rect.x + rect.w).contains(&x) && (rect.y..rect.y + rect.h).contains(&y)
}

/// Levels below this are ink.
fn ink_limit(gray: &GrayImage) -> u8 {
    // The lightest fifth is paper even where a box is blacked out.
    let mut levels = gray.as_raw().clone();
    let fifth = levels.len() * 4 / 5;
    match levels.len() {
        0 => 0,
        _ => (f64::from(*levels.select_nth_unstable(fifth).1) * (1.0 - INK_SHARE)) as u8,
    }
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
        assert!(likelihood(&crop(|_, _| false), &AREA, &[]) < SURELY_UNMARKED);
        assert!(likelihood(&crop(tick), &AREA, &[]) > SURELY_MARKED);
        assert!(
            likelihood(&crop(|x, y| (2.0..6.0).contains(&x) && (2.0..6.0).contains(&y)), &AREA, &[])
                > SURELY_MARKED
        );
        // A speck of a third of a millimetre.
        let speck = |x: f64, y: f64| (4.0..4.3).contains(&x) && (4.0..4.3).contains(&y);
        assert!(likelihood(&crop(speck), &AREA, &[]) < SURELY_UNMARKED);
    }

    #[test]
    fn a_circle_around_the_box_is_a_mark_and_print_beside_it_is_none() {
        let circle = |x: f64, y: f64| ((x - 4.0).hypot(y - 4.0) - 2.8).abs() < 0.25;
        assert!(likelihood(&crop(circle), &AREA, &[]) > SURELY_MARKED);
        let print = |x: f64, y: f64| (6.6..7.2).contains(&x) && (2.0..6.0).contains(&y);
        let place = RectMm { x: 6.5, y: 1.0, w: 3.0, h: 6.0 };
        assert!(likelihood(&crop(print), &AREA, &[place]) < SURELY_UNMARKED);
    }

    #[test]
    fn none_one_two_and_unsure() {
        assert!(matches!(decide(&[0.01, 0.02]), Marked::None { .. }));
        assert!(matches!(decide(&[0.01, 0.99]), Marked::One { option: 1, .. }));
        assert!(matches!(decide(&[0.99, 0.99]), Marked::Unclear { .. }));
        assert!(matches!(decide(&[0.5, 0.99]), Marked::Unclear { .. }));
    }
}
