//! Check boxes: which of them has ink that somebody meant as a mark.
//!
//! A box is measured by itself ([`measure`]): ink inside it and around it, against the paper beside
//! it. It is judged ([`likelihood`]) against the page: what every box of a page has is a tint or
//! dirt, no mark. Ink that comes from far away (a copy's dark border, a stamp, a stroke of the row
//! below) is nobody's mark; where it lies in a box, a person looks.

use image::GrayImage;

use super::box_lines;
use super::components::Components;
use super::crop::Crop;
use crate::geometry::{Millimetres, RectMm, RectPx};

/// How far around a box is looked; ink that reaches farther is none of the box. A tick of 5 mm
/// beyond its box is rare, a seal's ring has 8 to 13 mm.
pub(super) const SURROUNDINGS_MM: f64 = 5.0;

/// How far around a box a circle is looked for, in millimetres, and what is left to its outline.
pub(super) const AROUND_MM: f64 = 1.2;
const OUTLINE_MM: f64 = 0.4;

/// Ink around a box, as a share of the box, at which a circle around it is as likely as not. A
/// circle leaves 15 % and more there, the end of a neighbour's tick less than 5 %.
const EVEN_SHARE_AROUND: f64 = 0.07;

/// A circle is seen in at least this share of the directions from the box's centre.
const ENCIRCLED: f64 = 0.7;
const DIRECTIONS: usize = 16;

/// Ink inside a box, as a share of it, at which "marked" is as likely as not. An empty box has
/// less than 0.5 % (rests of its outline), a tick of a ball-point pen across a 4 mm box 8 to 15 %.
const EVEN_SHARE: f64 = 0.025;

/// How quickly the likelihood falls to either side, as a share of the even share.
const SPREAD: f64 = 0.2;

/// Likelihoods between these are neither marked nor unmarked.
const SURELY_UNMARKED: f64 = 0.1;
const SURELY_MARKED: f64 = 0.9;

/// What is known of a box about which nothing can be said.
const EVEN: f64 = 0.5;

/// Darker than the paper by this share of the range from black to the paper is ink; by the second,
/// a faint pen or pencil, or something that shines through.
const INK_SHARE: f64 = 0.25;
const FAINT_SHARE: f64 = 0.1;

/// Pieces of ink smaller than this are specks, dots of a raster, noise: a tick has 1 mm² and more.
const SPECK_MM2: f64 = 0.06;

/// Ink from far away that covers this share of a box leaves a doubt about it.
const CROSSING_SHARE: f64 = 0.015;

/// Where every box and the paper between have this share of ink, nothing on the page can be told.
const HEAVY_SHARE: f64 = 0.15;

/// Left out along the outline, in millimetres, on top of what is removed of the line.
const INSET_MM: f64 = 0.2;

/// A box with as much ink as this is blacked out or struck through, or filled in as a mark.
const STRUCK_SHARE: f64 = 0.2;
/// A struck-out mark has at least so many times the ink of the one that is meant.
const STRUCK_RATIO: f64 = 2.0;

/// Beside a clear mark, less than this share of its ink is a blot or the end of its own stroke.
const BESIDE_SHARE: f64 = 0.25;

/// Ink in and around a box; shares are of the box's area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BoxInk {
    inside: f64,
    around: f64,
    /// In which share of the directions from the centre there is ink.
    encircled: f64,
    /// Inside, with what is only a little darker than the paper.
    faint: f64,
    /// Inside, of pieces that reach out of the surroundings.
    crossing: f64,
    /// Such a piece goes round the box.
    enclosed: bool,
    /// Share of the free paper around the box that has ink.
    beside: f64,
}

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
    /// Two are inked, and one of them struck out; the index of the other.
    Corrected {
        option: usize,
    },
    /// More than one, or ink that may or may not be meant.
    Unclear,
}

/// Measures the box at `area`. `crop` shows it with a margin of [`SURROUNDINGS_MM`]; `elsewhere` is
/// what around the box belongs to something else: the form's own print, or another box.
pub(super) fn measure(crop: &Crop, area: &RectMm, elsewhere: &[RectMm]) -> BoxInk {
    let mut gray = crop.gray.clone();
    box_lines::erase(&mut gray, &[crop.pixels(area)]);
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let mut is_free = vec![true; width * height];
    for rect in elsewhere.iter().map(|rect| crop.pixels(rect)) {
        for row in is_free.chunks_exact_mut(width.max(1)).skip(rect.y as usize).take(rect.h as usize) {
            row[rect.x as usize..(rect.x + rect.w) as usize].fill(false);
        }
    }
    let free = |x: u32, y: u32| is_free[y as usize * width + x as usize];
    let paper = paper_level(&gray, &crop.pixels(&area.grown(AROUND_MM)));

    let inner = crop.pixels(&area.grown(-INSET_MM));
    let inner_area = f64::from((inner.w * inner.h).max(1));
    let ink = Ink::darker_than(&gray, paper * (1.0 - INK_SHARE), crop.dpi, &free);
    let faint = Ink::darker_than(&gray, paper * (1.0 - FAINT_SHARE), crop.dpi, &free);
    let outline = crop.pixels(&area.grown(OUTLINE_MM));
    let around = crop.pixels(&area.grown(AROUND_MM));

    let (mut beside, mut paper_beside) = (0usize, 0usize);
    let mut directions = [[0usize; 3]; DIRECTIONS];
    let (centre_x, centre_y) =
        (f64::from(inner.x) + f64::from(inner.w) / 2.0, f64::from(inner.y) + f64::from(inner.h) / 2.0);
    let mut around_ink = 0usize;
    for y in 0..height as u32 {
        for x in 0..width as u32 {
            let own = ink.at(x, y) == Some(Origin::Near);
            let is_free = free(x, y);
            if !contains(&around, x, y) {
                paper_beside += usize::from(is_free);
                beside += usize::from(is_free && ink.at(x, y).is_some());
                continue;
            }
            let is_around = !contains(&outline, x, y);
            around_ink += usize::from(own && is_around);
            let (dx, dy) = (f64::from(x) + 0.5 - centre_x, f64::from(y) + 0.5 - centre_y);
            // A circle runs outside a box's sides and inside its corners.
            let far = (dx.abs() / f64::from(inner.w)).max(dy.abs() / f64::from(inner.h)) > 0.3;
            if far {
                let turn = dy.atan2(dx) / std::f64::consts::TAU + 0.5;
                let direction = &mut directions[(turn * DIRECTIONS as f64) as usize % DIRECTIONS];
                direction[0] += 1;
                direction[1] += usize::from(is_free);
                direction[2] += usize::from(own);
            }
        }
    }
    let seen: Vec<_> = directions.iter().filter(|[all, free, _]| free * 2 > *all).collect();
    let inked = seen.iter().filter(|[_, _, ink]| *ink > 2).count();
    BoxInk {
        inside: ink.count(&inner, Origin::Near) / inner_area,
        around: around_ink as f64 / inner_area,
        encircled: inked as f64 / seen.len().max(1) as f64,
        faint: faint.count(&inner, Origin::Near) / inner_area,
        crossing: ink.count(&inner, Origin::Far) / inner_area,
        enclosed: ink.encloses(&crop.pixels(area)),
        beside: beside as f64 / paper_beside.max(1) as f64,
    }
}

/// Where a piece of ink comes from: it ends in the surroundings of the box, or reaches out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Near,
    Far,
}

/// The ink of a picture, in pieces; specks are none.
struct Ink {
    components: Components,
    /// By component; none for a speck.
    origins: Vec<Option<Origin>>,
}

impl Ink {
    fn darker_than(gray: &GrayImage, limit: f64, dpi: f64, free: &impl Fn(u32, u32) -> bool) -> Self {
        let (width, height) = gray.dimensions();
        let is_ink =
            |(x, y, level): (u32, u32, &image::Luma<u8>)| f64::from(level.0[0]) < limit && free(x, y);
        let mask: Vec<bool> = gray.enumerate_pixels().map(is_ink).collect();
        let components = Components::of(&mask, width as usize);
        let speck = SPECK_MM2 * (dpi / Millimetres::PER_INCH).powi(2);
        let origins = components.list.iter().map(|piece| {
            let RectPx { x, y, w, h } = piece.bounds;
            let reaches_out = x == 0 || y == 0 || x + w == width || y + h == height;
            let origin = if reaches_out { Origin::Far } else { Origin::Near };
            (piece.area as f64 >= speck).then_some(origin)
        });
        Self { origins: origins.collect(), components }
    }

    fn at(&self, x: u32, y: u32) -> Option<Origin> {
        self.components.at(x as usize, y as usize).and_then(|piece| self.origins[piece])
    }

    fn count(&self, rect: &RectPx, origin: Origin) -> f64 {
        let pixels = (rect.y..rect.y + rect.h).flat_map(|y| (rect.x..rect.x + rect.w).map(move |x| (x, y)));
        pixels.filter(|&(x, y)| self.at(x, y) == Some(origin)).count() as f64
    }

    /// Whether a piece from far away lies on all sides of `rect`.
    fn encloses(&self, rect: &RectPx) -> bool {
        let pieces = self.components.list.iter().zip(&self.origins);
        pieces.filter(|(_, origin)| **origin == Some(Origin::Far)).any(|(piece, _)| {
            let RectPx { x, y, w, h } = piece.bounds;
            x <= rect.x && y <= rect.y && x + w >= rect.x + rect.w && y + h >= rect.y + rect.h
        })
    }
}

fn contains(rect: &RectPx, x: u32, y: u32) -> bool {
    (rect.x..rect.x + rect.w).contains(&x) && (rect.y..rect.y + rect.h).contains(&y)
}

/// The level of the paper in `rect`: the lightest fifth is paper even where a box is blacked out.
fn paper_level(gray: &GrayImage, rect: &RectPx) -> f64 {
    let near = image::imageops::crop_imm(gray, rect.x, rect.y, rect.w, rect.h).to_image();
    let mut levels = near.into_raw();
    let fifth = levels.len() * 4 / 5;
    match levels.len() {
        0 => 0.0,
        _ => f64::from(*levels.select_nth_unstable(fifth).1),
    }
}

/// The ink that all boxes of a page and the paper beside them have, as a share of their area: a
/// tint of the paper, a raster, dirt.
pub(super) fn baseline<'a>(boxes: impl IntoIterator<Item = &'a BoxInk>) -> f64 {
    let lowest = boxes.into_iter().map(|ink| ink.inside.min(ink.beside)).fold(f64::INFINITY, f64::min);
    if lowest.is_finite() { lowest } else { 0.0 }
}

/// How likely the box is marked, inside or by a circle around it, 0 to 1, uncalibrated;
/// `baseline` is the page's.
pub(super) fn likelihood(ink: &BoxInk, baseline: f64) -> f64 {
    let marked = |share: f64, even: f64| 1.0 / (1.0 + ((even - share) / (SPREAD * even)).exp());
    let inside = marked(ink.inside - baseline, EVEN_SHARE);
    let around = marked(ink.around - baseline, EVEN_SHARE_AROUND);
    // Ink on one side of a box only is nobody's circle, but perhaps a tick that missed it.
    let around = if ink.encircled >= ENCIRCLED { around } else { around.min(EVEN) };
    let likelihood = 1.0 - (1.0 - inside) * (1.0 - around);
    let is_faint = likelihood < SURELY_UNMARKED && ink.faint - baseline >= EVEN_SHARE;
    if is_overlaid(ink) || is_faint || baseline >= HEAVY_SHARE { EVEN } else { likelihood }
}

/// Something from far away lies over the box or goes round it.
fn is_overlaid(ink: &BoxInk) -> bool {
    ink.crossing >= CROSSING_SHARE || ink.enclosed
}

/// Decides over a mark's options, of which each has its ink and its likelihood.
pub(super) fn decide(options: &[(BoxInk, f64)]) -> Marked {
    let unmarked = |except: Option<usize>| -> f64 {
        let others = options.iter().enumerate().filter(|(index, _)| Some(*index) != except);
        others.map(|(_, (_, likelihood))| 1.0 - likelihood).product()
    };
    let total = |ink: &BoxInk| ink.inside + ink.around;
    let marked: Vec<usize> = (0..options.len()).filter(|&index| options[index].1 >= SURELY_MARKED).collect();
    // What is unsure by itself may be sure beside a clear mark.
    let is_unsure = |(ink, likelihood): &(BoxInk, f64)| {
        let beside = match marked[..] {
            [only] if options[only].0.inside < STRUCK_SHARE && !is_overlaid(ink) => {
                total(ink).max(ink.faint) < BESIDE_SHARE * total(&options[only].0)
            }
            _ => false,
        };
        (SURELY_UNMARKED..SURELY_MARKED).contains(likelihood) && !beside
    };
    if options.iter().any(is_unsure) {
        return Marked::Unclear;
    }
    match marked[..] {
        [] => Marked::None { score: unmarked(None) },
        [option] => Marked::One { option, score: options[option].1 * unmarked(Some(option)) },
        [one, other] => {
            let is_struck = |struck: usize, meant: usize| {
                let (struck, meant) = (&options[struck].0, &options[meant].0);
                struck.inside >= STRUCK_SHARE && struck.inside >= STRUCK_RATIO * meant.inside
            };
            match (is_struck(one, other), is_struck(other, one)) {
                (true, false) => Marked::Corrected { option: other },
                (false, true) => Marked::Corrected { option: one },
                _ => Marked::Unclear,
            }
        }
        _ => Marked::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    const AREA: RectMm = RectMm { x: 6.0, y: 6.0, w: 4.0, h: 4.0 };

    /// Levels of paper and ink.
    const PAPER: f64 = 215.0;
    const PEN: f64 = 50.0;

    /// A check box of 4 mm at 300 dpi with its outline, on paper that has `level` at a place (in
    /// millimetres) where the form prints nothing.
    fn measured(level: impl Fn(f64, f64) -> f64) -> BoxInk {
        let dpi = 300.0;
        let gray = GrayImage::from_fn(189, 189, |x, y| {
            let (x, y) = (f64::from(x) / dpi * 25.4, f64::from(y) / dpi * 25.4);
            let outer = (5.9..10.1).contains(&x) && (5.9..10.1).contains(&y);
            let inner = (6.1..9.9).contains(&x) && (6.1..9.9).contains(&y);
            Luma([if outer && !inner { 40.0f64.min(level(x, y)) } else { level(x, y) } as u8])
        });
        let crop = Crop { gray, area: RectMm { x: 0.0, y: 0.0, w: 16.0, h: 16.0 }, dpi };
        measure(&crop.part(&AREA, SURROUNDINGS_MM), &AREA, &[])
    }

    fn inked(is_ink: impl Fn(f64, f64) -> bool) -> BoxInk {
        measured(|x, y| if is_ink(x, y) { PEN } else { PAPER })
    }

    fn alone(ink: &BoxInk) -> f64 {
        likelihood(ink, baseline([ink]))
    }

    fn tick(x: f64, y: f64) -> bool {
        (6.4..11.0).contains(&x) && (x + y - 16.0).abs() < 0.3
    }

    fn cross(x: f64, y: f64) -> bool {
        let (x, y) = (x - 8.0, y - 8.0);
        x.abs() < 1.8 && ((x + y).abs() < 0.3 || (x - y).abs() < 0.3)
    }

    fn circle(x: f64, y: f64) -> bool {
        ((x - 8.0).hypot(y - 8.0) - 2.8).abs() < 0.25
    }

    fn blacked(x: f64, y: f64) -> bool {
        (6.0..10.0).contains(&x) && (6.0..10.0).contains(&y)
    }

    fn empty(_: f64, _: f64) -> bool {
        false
    }

    #[test]
    fn a_printed_outline_and_a_speck_are_no_mark() {
        assert!(alone(&inked(empty)) < SURELY_UNMARKED);
        let speck = |x: f64, y: f64| (8.0..8.3).contains(&x) && (8.0..8.3).contains(&y);
        assert!(alone(&inked(speck)) < SURELY_UNMARKED);
    }

    #[test]
    fn ticks_crosses_circles_and_blacked_boxes_are_marks() {
        let marks = [
            ("tick", inked(tick)),
            ("cross", inked(cross)),
            ("circle", inked(circle)),
            ("blacked", inked(blacked)),
        ];
        for (name, ink) in marks {
            assert!(alone(&ink) > SURELY_MARKED, "{name}: {ink:?}");
        }
    }

    #[test]
    fn print_beside_a_box_is_none_of_its_ink() {
        let print = |x: f64, y: f64| (10.6..11.2).contains(&x) && (6.0..10.0).contains(&y);
        let gray = |is_ink| if is_ink { PEN } else { PAPER };
        let crop = Crop {
            gray: GrayImage::from_fn(189, 189, |x, y| {
                let place = |pixels: u32| f64::from(pixels) / 300.0 * 25.4;
                Luma([gray(print(place(x), place(y))) as u8])
            }),
            area: RectMm { x: 0.0, y: 0.0, w: 16.0, h: 16.0 },
            dpi: 300.0,
        };
        let place = RectMm { x: 10.5, y: 5.0, w: 3.0, h: 6.0 };
        assert!(alone(&measure(&crop, &AREA, &[place])) < SURELY_UNMARKED);
        // Nobody said that it is print: perhaps a tick beside the box.
        let unknown = alone(&measure(&crop, &AREA, &[]));
        assert!((SURELY_UNMARKED..SURELY_MARKED).contains(&unknown));
    }

    #[test]
    fn a_tint_marks_nothing_and_hides_no_tick() {
        // Paper of 110, and a raster of dots of 2 × 2 pixels over a third of the page.
        let dark = |mark: fn(f64, f64) -> bool| measured(move |x, y| if mark(x, y) { 30.0 } else { 110.0 });
        assert!(alone(&dark(empty)) < SURELY_UNMARKED);
        assert!(alone(&dark(tick)) > SURELY_MARKED);
        let raster = |mark: fn(f64, f64) -> bool| {
            inked(move |x, y| {
                let dot = |at: f64| ((at / 25.4 * 300.0).round() as u32) % 4 < 2;
                mark(x, y) || (dot(x) && dot(y))
            })
        };
        assert!(alone(&raster(empty)) < SURELY_MARKED);
    }

    #[test]
    fn what_all_boxes_of_a_page_have_is_no_mark() {
        // Coarse dirt: 6 % of the paper in pieces that are no specks.
        let dirt = |x: f64, y: f64| x % 1.6 < 0.4 && y % 1.6 < 0.4;
        let (clean, ticked) = (inked(dirt), inked(|x, y| dirt(x, y) || tick(x, y)));
        let baseline = baseline([&clean, &ticked]);
        assert!(likelihood(&clean, baseline) < SURELY_MARKED, "{clean:?}");
        assert!(likelihood(&ticked, baseline) > SURELY_MARKED, "{ticked:?}");
        assert!(likelihood(&clean, 0.0) > SURELY_MARKED);
    }

    #[test]
    fn a_border_and_a_stamp_mark_nothing() {
        let border = |x: f64, _: f64| x < 7.0;
        let beside = |x: f64, _: f64| x < 5.0;
        let ring = |x: f64, y: f64| ((x - 12.0).hypot(y - 8.0) - 5.5).abs() < 0.3;
        let around = |x: f64, y: f64| ((x - 8.0).hypot(y - 8.0) - 7.0).abs() < 0.4;
        for (name, ink) in
            [("border", inked(border)), ("stamp", inked(ring)), ("stamp around", inked(around))]
        {
            assert!(alone(&ink) < SURELY_MARKED, "{name}: {ink:?}");
        }
        assert!(alone(&inked(beside)) < SURELY_UNMARKED);
    }

    #[test]
    fn a_faint_tick_is_not_passed_over() {
        let faint = measured(|x, y| if tick(x, y) { PAPER * 0.82 } else { PAPER });
        let seen = alone(&faint);
        assert!((SURELY_UNMARKED..SURELY_MARKED).contains(&seen), "{faint:?}");
    }

    fn decided(boxes: &[BoxInk]) -> Marked {
        let baseline = baseline(boxes);
        decide(&boxes.iter().map(|ink| (*ink, likelihood(ink, baseline))).collect::<Vec<_>>())
    }

    #[test]
    fn none_one_two_and_a_blot_beside_a_mark() {
        let (none, one) = (inked(empty), inked(tick));
        assert!(matches!(decided(&[none, none]), Marked::None { .. }));
        assert!(matches!(decided(&[none, one]), Marked::One { option: 1, .. }));
        assert_eq!(decided(&[one, one]), Marked::Unclear);
        // A blot of 2.5 % of the box: unsure alone, nothing beside a tick.
        let blot = inked(|x, y| (8.0..8.6).contains(&x) && (8.0..8.6).contains(&y));
        assert_eq!(decided(&[none, blot]), Marked::Unclear);
        assert!(matches!(decided(&[one, blot]), Marked::One { option: 0, .. }));
    }

    #[test]
    fn of_two_marks_the_one_that_is_struck_out_is_not_meant() {
        let struck = |x: f64, y: f64| {
            tick(x, y)
                || (5.5..10.5).contains(&x) && [7.2, 8.0, 8.8].iter().any(|line: &f64| (y - line).abs() < 0.2)
        };
        assert_eq!(decided(&[inked(struck), inked(tick)]), Marked::Corrected { option: 1 });
        assert_eq!(decided(&[inked(tick), inked(blacked)]), Marked::Corrected { option: 0 });
    }
}
