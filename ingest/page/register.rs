//! Finds where a form's millimetres lie on an image: from a symbol to the marks, from the marks to
//! the map.

use image::GrayImage;

use super::Registration;
use super::fit::{self, Pair};
use super::marks::{self, Expected};
use crate::form::FormPage;
use crate::geometry::{Affine, PointMm, PointPx, RectMm};

/// A symbol of the form as it was seen: where it is printed, and its four corners on the image,
/// from its own top left, clockwise.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    pub area: RectMm,
    pub corners: [PointPx; 4],
}

/// How far from the place that a symbol tells a mark is searched. Half a degree of error in a
/// symbol's turn is 2.5 mm at the other end of an A4 page, a scanner's 0.5 % of stretch 1.5 mm.
const REACH_MM: f64 = 6.0;
/// The same, once three marks tell.
const NEAR_MM: f64 = 1.5;
/// A symbol's corner is known to about a pixel, a mark to about a tenth: weights go with the
/// inverse square.
const CORNER_WEIGHT: f64 = 0.01;
/// A scanner's feed stretches a page by less than one per cent; more is a wrong mark.
const MAX_DISTORTION: f64 = 0.012;
/// A mark is left out only if the others fit better by this much, in pixels at 300 dpi (0.25 mm).
const MISSING_MARK_COST: f64 = 3.0;
/// Registrations that are worse than this, in pixels at 300 dpi (1 mm), are no registrations.
const MAX_RESIDUAL: f64 = 12.0;
/// How far from its place on the form a symbol's centre may be found, in millimetres. Decoders
/// know it to 0.3 mm; a symbol that is farther off belongs to another page.
const MAX_SYMBOL_OFFSET_MM: f64 = 2.0;
/// With fewer marks, the rest of the page would be a guess.
const MIN_MARKS: usize = 3;
/// How far from its place on a page that fills the image a mark is searched where no symbol tells: a turn of
/// three degrees is 9 mm at the corner of an A4 page, and the feed shifts it by some more.
const FAR_MM: f64 = 18.0;
/// Of the scale that the image's size tells and the one that the file declares, the second is tried where it
/// differs by more than this.
const SAME_SCALE: f64 = 0.02;

/// The map of `page` onto `gray`, from the symbols in `anchors`; none where fewer than three marks
/// are found where these say.
///
/// The residual is that of the marks. Three marks fit any map, so where one is missing, the
/// residual also counts how far the anchors' centres are from where the map puts them.
pub fn register(gray: &GrayImage, page: &FormPage, anchors: &[Anchor]) -> Option<Registration> {
    let together = attempt(gray, page, anchors);
    if together.is_some() || anchors.len() < 2 {
        return together;
    }
    // One of the symbols may be pasted on, or be a copy: each alone may still tell.
    let alone = anchors.iter().filter_map(|anchor| attempt(gray, page, std::slice::from_ref(anchor)));
    alone.min_by(|a, b| a.residual_px.total_cmp(&b.residual_px))
}

/// The map of `page` onto `gray` without a symbol, for a page of which a person has said which it is: it
/// fills the image, in one of four turns. All its marks must be found, and only one turn may fit.
pub fn register_by_marks(
    gray: &GrayImage,
    page: &FormPage,
    declared_dpi: Option<f64>,
) -> Option<Registration> {
    if page.marks.len() <= MIN_MARKS {
        return None;
    }
    let mut fits = (0..4).filter_map(|quarter| {
        let guesses = scales(gray, page, quarter, declared_dpi).into_iter();
        guesses.filter_map(|scale| by_marks(gray, page, &filling(gray, page, quarter, scale))).next()
    });
    let only = fits.next()?;
    fits.next().is_none().then_some(only)
}

fn by_marks(gray: &GrayImage, page: &FormPage, guess: &Affine) -> Option<Registration> {
    let seen = |map: &Affine, reach: f64| -> Option<Registration> {
        let candidates: Vec<Vec<PointPx>> =
            page.marks.iter().map(|&mark| squares(gray, map, mark, page.mark_size_mm, reach)).collect();
        best_choice(page, &candidates, page.marks.len(), &[], &[])
    };
    let first = seen(guess, FAR_MM)?;
    seen(&first.map, NEAR_MM).filter(|found| found.residual_px <= MAX_RESIDUAL)
}

/// Pixels a millimetre.
fn scales(gray: &GrayImage, page: &FormPage, quarter: u8, declared_dpi: Option<f64>) -> Vec<f64> {
    let (wide, high) = (f64::from(gray.width()), f64::from(gray.height()));
    let (across, down) = if quarter.is_multiple_of(2) { (wide, high) } else { (high, wide) };
    let of_size = (across / page.width_mm + down / page.height_mm) / 2.0;
    let declared = declared_dpi.map(|dpi| dpi / 25.4).filter(|scale| *scale > 0.0);
    let other = declared.filter(|scale| (scale / of_size - 1.0).abs() > SAME_SCALE);
    std::iter::once(of_size).chain(other).collect()
}

/// The page in the middle of the image, turned clockwise by so many quarters.
fn filling(gray: &GrayImage, page: &FormPage, quarter: u8, scale: f64) -> Affine {
    let (cos, sin) = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][usize::from(quarter % 4)];
    let map = Affine { a: scale * cos, b: -scale * sin, c: 0.0, d: scale * sin, e: scale * cos, f: 0.0 };
    let middle = map.apply(PointMm { x: page.width_mm / 2.0, y: page.height_mm / 2.0 });
    let (x, y) = (f64::from(gray.width()) / 2.0, f64::from(gray.height()) / 2.0);
    Affine { c: x - middle.x, f: y - middle.y, ..map }
}

/// The map that symbols alone tell: good enough to know where to look for the rest.
pub fn map_of_symbols(anchors: &[Anchor]) -> Option<Affine> {
    let corners: Vec<Pair> = anchors.iter().flat_map(corner_pairs).collect();
    fit::similarity(&corners)
}

fn attempt(gray: &GrayImage, page: &FormPage, anchors: &[Anchor]) -> Option<Registration> {
    let corners: Vec<Pair> = anchors.iter().flat_map(corner_pairs).collect();
    let guess = map_of_symbols(anchors)?;
    let candidates: Vec<Vec<PointPx>> =
        page.marks.iter().map(|&mark| squares(gray, &guess, mark, page.mark_size_mm, REACH_MM)).collect();
    let first = best_choice(page, &candidates, MIN_MARKS, anchors, &corners)?;
    // Seen from the right place and at the right turn, edges are measured better, and a mark that
    // stood outside the first window is found.
    let near: Vec<Vec<PointPx>> =
        page.marks.iter().map(|&mark| squares(gray, &first.map, mark, page.mark_size_mm, NEAR_MM)).collect();
    let second = best_choice(page, &near, MIN_MARKS, anchors, &corners).unwrap_or(first);
    (second.residual_px <= MAX_RESIDUAL).then_some(second)
}

/// The centre of the clearest solid dark square with sides of `side` around `at`, both in the units
/// that `map` takes to pixels, at most `reach` away; none where there is no such square.
pub(crate) fn solid_square(
    gray: &GrayImage,
    map: &Affine,
    at: PointMm,
    side: f64,
    reach: f64,
) -> Option<PointPx> {
    squares(gray, map, at, side, reach).first().copied()
}

fn squares(gray: &GrayImage, map: &Affine, at: PointMm, side: f64, reach: f64) -> Vec<PointPx> {
    let expected = Expected {
        centre: map.apply(at),
        across: (map.a * side, map.d * side),
        down: (map.b * side, map.e * side),
        reach: reach * map.scale(),
    };
    marks::squares_near(gray, &expected)
}

/// The one choice of a square, or none, for every mark that fits best; `least` marks must have one.
fn best_choice(
    page: &FormPage,
    candidates: &[Vec<PointPx>],
    least: usize,
    anchors: &[Anchor],
    corners: &[Pair],
) -> Option<Registration> {
    let mut best: Option<(f64, Registration)> = None;
    let mut choice = vec![None; candidates.len()];
    let mut consider = |choice: &[Option<PointPx>]| {
        let marks: Vec<Pair> = page
            .marks
            .iter()
            .zip(choice)
            .filter_map(|(&mm, &px)| Some(Pair { mm, px: px?, weight: 1.0 }))
            .collect();
        if marks.len() < least {
            return;
        }
        let missing = candidates.len() - marks.len();
        let Some(registration) = fitted(&marks, missing, anchors, corners) else { return };
        let cost = registration.residual_px + MISSING_MARK_COST * missing as f64;
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, registration));
        }
    };
    choose(candidates, 0, &mut choice, &mut consider);
    best.map(|(_, registration)| registration)
}

/// Calls `consider` with every way to take one of its candidates, or none, for each mark.
fn choose(
    candidates: &[Vec<PointPx>],
    place: usize,
    choice: &mut Vec<Option<PointPx>>,
    consider: &mut impl FnMut(&[Option<PointPx>]),
) {
    let Some(here) = candidates.get(place) else {
        return consider(choice);
    };
    for candidate in here.iter().copied().map(Some).chain([None]) {
        choice[place] = candidate;
        choose(candidates, place + 1, choice, consider);
    }
}

fn fitted(marks: &[Pair], missing: usize, anchors: &[Anchor], corners: &[Pair]) -> Option<Registration> {
    let weighted = corners.iter().map(|corner| Pair { weight: CORNER_WEIGHT, ..*corner });
    let pairs: Vec<Pair> = marks.iter().copied().chain(weighted).collect();
    let map = fit::affine(&pairs)?;
    if fit::distortion(&map) > MAX_DISTORTION {
        return None;
    }
    let of_marks = marks.iter().map(|pair| map.apply(pair.mm).distance(&pair.px)).fold(0.0, f64::max);
    let of_anchors = anchors
        .iter()
        .map(|anchor| map.apply(anchor.area.centre()).distance(&centre(&anchor.corners)))
        .fold(0.0, f64::max);
    if of_anchors > MAX_SYMBOL_OFFSET_MM * map.scale() {
        return None;
    }
    let residual = if missing == 0 { of_marks } else { of_marks.max(of_anchors) };
    Some(Registration { map, residual_px: residual * 300.0 / map.dpi() })
}

fn corner_pairs(anchor: &Anchor) -> impl Iterator<Item = Pair> {
    let corners = anchor.area.corners().into_iter().zip(anchor.corners);
    corners.map(|(mm, px)| Pair { mm, px, weight: 1.0 })
}

fn centre(corners: &[PointPx; 4]) -> PointPx {
    let mean = |value: fn(&PointPx) -> f64| corners.iter().map(value).sum::<f64>() / 4.0;
    PointPx { x: mean(|point| point.x), y: mean(|point| point.y) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::synthetic::{CODE128_AREA, QR_AREA, Sheet, form_page, noisy, scan_map};
    use proptest::prelude::*;

    /// What a decoder would say of a symbol: its corners, each off by up to a pixel.
    fn seen(area: RectMm, map: &Affine, off: f64) -> Anchor {
        let mut corners = area.corners().map(|corner| map.apply(corner));
        corners[0].x += off;
        corners[1].y -= off;
        corners[2].x += off;
        corners[3].y += off;
        Anchor { area, corners }
    }

    /// Pixels by which the found map misses at the worst of the page's marks.
    fn error_at_marks(page: &FormPage, found: &Affine, truth: &Affine) -> f64 {
        let errors = page.marks.iter().map(|&mark| found.apply(mark).distance(&truth.apply(mark)));
        errors.fold(0.0, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn any_scan_of_a_page_is_registered(
            dpi in 150.0f64..420.0, quarter in 0u8..4, skew in -8.0f64..8.0, stretch in -0.003f64..0.003,
            shift in (-8.0f64..8.0, -8.0f64..8.0), off in -1.0f64..1.0, depth in 1i16..40, seed: u64,
        ) {
            let page = form_page(1);
            let (mut truth, width, height) = scan_map(dpi, f64::from(quarter) * 90.0 + skew, stretch);
            truth.c += shift.0;
            truth.f += shift.1;
            let picture = noisy(Sheet::with_marks(&page).scan(&truth, width, height), depth, seed);
            let found = register(&picture, &page, &[seen(QR_AREA, &truth, off)]).expect("registered");
            let error = error_at_marks(&page, &found.map, &truth);
            prop_assert!(error < 0.3, "{error}");
            prop_assert!(found.residual_px < 0.6, "{found:?}");
            prop_assert_eq!(found.rotation(), u32::from(4 - quarter) % 4 * 90);
            prop_assert!((found.skew_deg() - skew).abs() < 0.1);
        }
    }

    #[test]
    fn a_page_is_registered_by_its_marks_alone_at_every_turn() {
        let page = form_page(1);
        for (turn, dpi, skew) in
            [(0.0, 200.0, -2.0), (90.0, 300.0, 1.5), (180.0, 300.0, 0.4), (270.0, 200.0, 2.0)]
        {
            let (truth, width, height) = scan_map(dpi, turn + skew, 0.001);
            let picture = noisy(Sheet::with_marks(&page).scan(&truth, width, height), 25, 7);
            let found = register_by_marks(&picture, &page, Some(dpi)).expect("registered");
            assert!(error_at_marks(&page, &found.map, &truth) < 0.3, "{turn}");
            // Without one of them nothing says that the others are the form's.
            let mut sheet = Sheet::with_marks(&page);
            sheet.ink.remove(2);
            let picture = sheet.scan(&truth, width, height);
            assert_eq!(register_by_marks(&picture, &page, Some(dpi)), None, "{turn}");
        }
    }

    #[test]
    fn a_bilevel_page_at_200_dpi_is_registered() {
        let page = form_page(1);
        let (truth, width, height) = scan_map(200.0, 1.3, 0.002);
        let mut picture = noisy(Sheet::with_marks(&page).scan(&truth, width, height), 30, 5);
        for value in picture.iter_mut() {
            *value = if *value < 128 { 0 } else { 255 };
        }
        let found = register(&picture, &page, &[seen(CODE128_AREA, &truth, 0.5)]).expect("registered");
        assert!(error_at_marks(&page, &found.map, &truth) < 0.3);
    }

    #[test]
    fn a_missing_mark_is_done_without_and_shows_in_the_residual() {
        let mut page = form_page(1);
        let (truth, width, height) = scan_map(300.0, -2.0, 0.001);
        let picture = {
            let mut sheet = Sheet::with_marks(&page);
            sheet.ink.remove(2);
            noisy(sheet.scan(&truth, width, height), 10, 1)
        };
        let anchor = seen(QR_AREA, &truth, 1.0);
        let found = register(&picture, &page, &[anchor]).expect("registered");
        assert!(error_at_marks(&page, &found.map, &truth) < 1.0);
        // Three marks fit exactly: what is reported is how far the symbol is off.
        assert!(found.residual_px > 0.2, "{found:?}");
        page.marks.remove(0);
        assert_eq!(
            register(&picture, &page, &[anchor]).map(|found| found.residual_px),
            None,
            "two marks are no map"
        );
    }

    #[test]
    fn a_stamp_beside_a_mark_is_not_taken_for_it() {
        let page = form_page(1);
        let (truth, width, height) = scan_map(300.0, 1.0, 0.0);
        // As large and as dark as a mark, nearer to where the symbol says than the mark could be.
        for (x, y) in [(191.5, 282.5), (197.5, 273.0)] {
            let sheet = Sheet::with_marks(&page).ink(x, y, 5.0, 5.0);
            let picture = noisy(sheet.scan(&truth, width, height), 10, 2);
            let found = register(&picture, &page, &[seen(QR_AREA, &truth, 1.0)]).expect("registered");
            assert!(error_at_marks(&page, &found.map, &truth) < 0.3, "{x}, {y}");
        }
    }

    #[test]
    fn a_stamp_in_the_place_of_a_lost_mark_is_not_taken_for_it() {
        let page = form_page(1);
        let (truth, width, height) = scan_map(300.0, 1.0, 0.0);
        let mut sheet = Sheet::with_marks(&page).ink(195.0, 281.0, 5.0, 5.0);
        sheet.ink.remove(2);
        let picture = noisy(sheet.scan(&truth, width, height), 10, 3);
        let found = register(&picture, &page, &[seen(QR_AREA, &truth, 0.5)]).expect("registered");
        assert!(error_at_marks(&page, &found.map, &truth) < 1.0);
    }

    #[test]
    fn writing_and_a_streak_through_a_mark_do_not_move_it() {
        let page = form_page(1);
        let (truth, width, height) = scan_map(300.0, 0.5, 0.0);
        let sheet = Sheet::with_marks(&page)
            .ink(199.0, 240.0, 0.4, 60.0) // a streak down the page
            .ink(10.0, 273.5, 25.0, 0.6); // a pen's line into the mark
        let picture = noisy(sheet.scan(&truth, width, height), 10, 4);
        let found = register(&picture, &page, &[seen(QR_AREA, &truth, 0.5)]).expect("registered");
        assert!(error_at_marks(&page, &found.map, &truth) < 0.3);
        assert!(found.residual_px < 0.5);
    }

    #[test]
    fn a_page_whose_symbol_stands_elsewhere_is_not_this_one() {
        let page = form_page(1);
        let (truth, width, height) = scan_map(300.0, 0.0, 0.0);
        let picture = Sheet::with_marks(&page).scan(&truth, width, height);
        let mut moved = seen(QR_AREA, &truth, 0.0);
        moved.area.y += 4.0;
        assert_eq!(register(&picture, &page, &[moved]), None);
    }
}
