//! Lines of print on a copy: found by the pieces of ink that stand side by side, whatever way up the
//! copy lies. Nothing is read here.

use std::f64::consts::FRAC_PI_2;

use image::GrayImage;

use super::super::components::Components;
use super::super::crop::{self, Crop};
use crate::geometry::{Affine, Millimetres, PointMm, RectMm};

/// Lines are looked for at this resolution: print of 1.2 mm, the smallest on cards, has 7 pixels.
pub(super) const FIND_DPI: f64 = 150.0;

/// Ink is this much darker than the mean of what lies around it, in gray levels: copies may be faint.
const DARKER: u32 = 16;
/// Around a pixel, in millimetres.
const SURROUNDINGS_MM: f64 = 2.5;

/// A straight run of ink that is longer belongs to a ruled line, a frame or a picture: no stroke of
/// print of 5 mm is.
const RULE_MM: f64 = 6.5;

/// Pieces of ink smaller than this are specks and the dots of screens.
const SPECK_MM: f64 = 0.45;
/// Print on copies is no larger.
const TALLEST_MM: f64 = 8.0;
const WIDEST_MM: f64 = 14.0;

/// The smallest print is 1.2 mm high; lower pieces of it are dots, dashes and what a scan left of it.
const TALL_MM: f64 = 0.8;
/// Of digits that touch, a piece is so many heights wide at most: what is wider is a rule, or a tint's edge.
const HEIGHTS_OF_TOUCHING_DIGITS: f64 = 3.0;
/// A long line of print has a tall piece in so many of its heights at least; what has fewer is a rule, an edge
/// or a tint that a scanner made dots of, and is read as whatever digits come to mind.
const HEIGHTS_OF_A_PIECE: f64 = 4.0;
/// Of a number of twelve digits so many pieces are found at least: some touch, some are broken.
const FEWEST_DIGITS: usize = 8;
/// Twelve digits in groups are no sparser, spaced widely or not.
const HEIGHTS_OF_A_DIGIT: f64 = 2.5;
/// So many heights are long: twelve digits are seven and more.
const LONG: f64 = 5.0;

/// Smaller than print.
const LOWEST_LINE_MM: f64 = 1.0;
const SHORTEST_LINE_MM: f64 = 2.5;

/// Pieces of a line lie no farther apart than this, as a share of their height and at least in
/// millimetres.
const GAP_SHARE: f64 = 1.4;
const LEAST_GAP_MM: f64 = 2.0;

/// Flatter pieces are dashes, or what is left of a rule that lies a little askew. Text has one now and then (ー,
/// 一, a hyphen); so many on one level, each near the next, are a dashed or ruled line.
const FLAT_MM: f64 = 0.7;
const DASHES_OF_A_RULE: usize = 4;
/// The middles of a rule's pieces lie no farther apart in height.
const RULE_STEP_MM: f64 = 0.5;

/// Copies are glued on and laid down askew by so much at most, in degrees.
const MOST_SKEW: f64 = 18.0;

/// Around a line's ink, as a share of its height: what the line model was trained with.
const MARGIN_SHARE: f64 = 0.2;

/// Pixels that a line is high when it is read.
const LINE_PX: f64 = 48.0;
/// Nothing is gained by more.
const FINEST_DPI: f64 = 600.0;

/// A line of print, in millimetres of the page that it is on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// The top left corner, as the line is read.
    origin: PointMm,
    /// The direction of reading, clockwise from the page's, in radians.
    angle: f64,
    pub length: f64,
    pub height: f64,
    /// Pieces of ink as high as print: digits, letters and parts of them, not specks and dashes.
    tall: usize,
    /// Those of them that are no wider than digits.
    digits: usize,
}

impl Place {
    /// Whether the shape of it is that of most of twelve digits.
    pub fn may_be_digits(&self) -> bool {
        self.digits >= FEWEST_DIGITS
            && (LONG * self.height..HEIGHTS_OF_A_DIGIT * self.digits as f64 * self.height)
                .contains(&self.length)
    }

    /// The same line read the other way up.
    pub fn turned(&self) -> Self {
        let origin = self.at(self.length, self.height);
        Self { origin, angle: self.angle + std::f64::consts::PI, ..*self }
    }

    fn at(&self, along: f64, down: f64) -> PointMm {
        let (sin, cos) = self.angle.sin_cos();
        PointMm { x: self.origin.x + along * cos - down * sin, y: self.origin.y + along * sin + down * cos }
    }

    /// Corners, clockwise from the top left as the line is read, with `margin` millimetres around.
    pub fn corners(&self, margin: f64) -> [PointMm; 4] {
        let (right, bottom) = (self.length + margin, self.height + margin);
        [(-margin, -margin), (right, -margin), (right, bottom), (-margin, bottom)].map(|(x, y)| self.at(x, y))
    }

    /// Where the line's middle is: along the direction of reading, and down from line to line.
    pub fn middle(&self) -> (f64, f64) {
        let (sin, cos) = self.angle.sin_cos();
        let centre = self.at(self.length / 2.0, self.height / 2.0);
        (centre.x * cos + centre.y * sin, centre.y * cos - centre.x * sin)
    }

    /// The line out of the page, upright, as high as the line model reads it.
    pub fn cut(&self, page: &GrayImage, map: &Affine) -> GrayImage {
        let margin = MARGIN_SHARE * self.height;
        let (sin, cos) = self.angle.sin_cos();
        let start = map.apply(self.at(-margin, -margin));
        let turned = Affine {
            a: map.a * cos + map.b * sin,
            b: map.b * cos - map.a * sin,
            c: start.x,
            d: map.d * cos + map.e * sin,
            e: map.e * cos - map.d * sin,
            f: start.y,
        };
        let (w, h) = (self.length + 2.0 * margin, self.height + 2.0 * margin);
        let dpi = (LINE_PX / h * Millimetres::PER_INCH).min(FINEST_DPI);
        crop::cut(page, &turned, RectMm { x: 0.0, y: 0.0, w, h }, dpi).gray
    }
}

/// What was found in a part of a page.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Found {
    /// From top to bottom as they are read; which way up they are read cannot be told here.
    pub lines: Vec<Place>,
    /// Pieces of ink as broad as print, in lines or not.
    pub pieces: Vec<RectMm>,
}

/// The lines of print inside `region`, but for what lies in `printed`: the form's own. The page need be no finer than
/// [`FIND_DPI`].
pub(super) fn find(page: &GrayImage, map: &Affine, region: RectMm, printed: &[RectMm]) -> Found {
    let mut crop = crop::cut(page, map, region, FIND_DPI);
    let paper = super::super::box_lines::median(&crop.gray);
    printed.iter().for_each(|area| crop.fill(area, paper));
    let pieces = pieces(&crop);
    let upright = Frame::of(&pieces, 0.0).lines(&pieces);
    let in_lines = |lines: &[Place]| -> f64 {
        lines.iter().filter(|line| line.length > 3.0 * line.height).map(|line| line.length).sum()
    };
    // Most copies lie as the page does; only where hardly anything makes a line the other way is tried.
    let expected: f64 = pieces.iter().map(|piece| piece.w).sum();
    let mut lines = upright;
    if in_lines(&lines) < 0.6 * expected {
        let sideways = Frame::of(&pieces, FRAC_PI_2).lines(&pieces);
        if in_lines(&sideways) > 1.3 * in_lines(&lines) {
            lines = sideways;
        }
    }
    let is_broad = |piece: &RectMm| piece.w.min(piece.h) >= SPECK_MM;
    Found { lines, pieces: pieces.into_iter().filter(is_broad).collect() }
}

/// Pieces of ink of the size of characters and their parts, in the page's millimetres.
fn pieces(crop: &Crop) -> Vec<RectMm> {
    let (width, height) = crop.gray.dimensions();
    let mut mask = darker_than_around(&crop.gray, Millimetres(SURROUNDINGS_MM).to_pixels(crop.dpi) as usize);
    remove_rules(&mut mask, width as usize, Millimetres(RULE_MM).to_pixels(crop.dpi) as usize);
    debug_assert_eq!(mask.len(), (width * height) as usize);
    let side = Millimetres::PER_INCH / crop.dpi;
    let all = Components::of(&mask, width as usize).list.into_iter().map(|component| {
        let bounds = component.bounds;
        RectMm {
            x: crop.area.x + f64::from(bounds.x) * side,
            y: crop.area.y + f64::from(bounds.y) * side,
            w: f64::from(bounds.w) * side,
            h: f64::from(bounds.h) * side,
        }
    });
    let is_print = |piece: &RectMm| {
        piece.w.max(piece.h) >= SPECK_MM
            && piece.h <= WIDEST_MM
            && piece.w <= WIDEST_MM
            && piece.w.min(piece.h) <= TALLEST_MM
    };
    without_dashed_rules(all.filter(is_print).collect())
}

/// Which pixels are ink: darker than the mean of a square around them of `reach` pixels each way.
fn darker_than_around(gray: &GrayImage, reach: usize) -> Vec<bool> {
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    let mut sums = vec![0u32; (width + 1) * (height + 1)];
    for y in 0..height {
        let mut row = 0;
        for x in 0..width {
            row += u32::from(gray.as_raw()[y * width + x]);
            sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
        }
    }
    let mut mask = Vec::with_capacity(width * height);
    for y in 0..height {
        let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(height));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(width));
            let at = |x: usize, y: usize| sums[y * (width + 1) + x];
            let sum = at(right, bottom) + at(left, top) - at(left, bottom) - at(right, top);
            let count = ((right - left) * (bottom - top)) as u32;
            mask.push((u32::from(gray.as_raw()[y * width + x]) + DARKER) * count < sum);
        }
    }
    mask
}

/// Takes runs of ink away that are longer than `longest` pixels, along rows and columns.
fn remove_rules(mask: &mut [bool], width: usize, longest: usize) {
    let height = mask.len() / width.max(1);
    let mut gone: Vec<usize> = Vec::new();
    let mut look = |count: usize, place: &dyn Fn(usize) -> usize| {
        let mut start = 0;
        for at in 0..=count {
            if at < count && mask[place(at)] {
                continue;
            }
            if at - start > longest {
                gone.extend((start..at).map(place));
            }
            start = at + 1;
        }
    };
    (0..height).for_each(|y| look(width, &|x| y * width + x));
    (0..width).for_each(|x| look(height, &|y| y * width + x));
    gone.into_iter().for_each(|at| mask[at] = false);
}

/// A direction of reading.
#[derive(Debug, Clone, Copy)]
struct Frame {
    angle: f64,
    /// Along the page's y axis rather than its x axis.
    is_sideways: bool,
}

/// A piece along the direction of reading, and down.
#[derive(Debug, Clone, Copy)]
struct Span {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Span {
    fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// As high as print.
    fn is_tall(&self) -> bool {
        self.height() >= TALL_MM
    }

    /// As high as print, and of its shape.
    fn may_be_digit(&self) -> bool {
        self.is_tall() && self.right - self.left <= HEIGHTS_OF_TOUCHING_DIGITS * self.height()
    }

    /// Around both.
    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            right: self.right.max(other.right),
            top: self.top.min(other.top),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

impl Frame {
    /// The frame near `base` in which the pieces lie most clearly in rows.
    fn of(pieces: &[RectMm], base: f64) -> Self {
        let is_sideways = base != 0.0;
        let frame = |degrees: f64| Self { angle: base + degrees.to_radians(), is_sideways };
        let steps = |from: f64, to: f64, step: f64| {
            let count = ((to - from) / step).round() as usize;
            (0..=count).map(move |at| from + at as f64 * step)
        };
        let best = |angles: &mut dyn Iterator<Item = f64>, bin: f64| {
            let scored = angles.map(|degrees| (frame(degrees).clearness(pieces, bin), degrees));
            scored.fold((0.0, 0.0), |best, next| if next.0 > best.0 { next } else { best }).1
        };
        let coarse = best(&mut steps(-MOST_SKEW, MOST_SKEW, 0.75), 0.8);
        let fine = best(&mut steps(coarse - 0.75, coarse + 0.75, 0.15), 0.4);
        frame(fine)
    }

    /// How much the pieces' middles gather in few rows.
    fn clearness(&self, pieces: &[RectMm], bin: f64) -> f64 {
        let (sin, cos) = self.angle.sin_cos();
        let mut rows = std::collections::HashMap::<i64, u32>::new();
        for piece in pieces.iter().filter(|piece| piece.w.max(piece.h) > 1.0) {
            let centre = piece.centre();
            *rows.entry(((centre.y * cos - centre.x * sin) / bin).round() as i64).or_default() += 1;
        }
        rows.values().map(|&count| f64::from(count).powi(2)).sum()
    }

    fn span(&self, piece: &RectMm) -> Span {
        let (sin, cos) = self.angle.sin_cos();
        let centre = piece.centre();
        let (along, down) = (centre.x * cos + centre.y * sin, centre.y * cos - centre.x * sin);
        let (w, h) = if self.is_sideways { (piece.h, piece.w) } else { (piece.w, piece.h) };
        Span { left: along - w / 2.0, right: along + w / 2.0, top: down - h / 2.0, bottom: down + h / 2.0 }
    }

    /// The pieces that stand side by side, as lines.
    fn lines(&self, pieces: &[RectMm]) -> Vec<Place> {
        let mut spans: Vec<Span> = pieces.iter().map(|piece| self.span(piece)).collect();
        spans.sort_by(|a, b| a.left.total_cmp(&b.left));
        let group = grouped(&spans, is_beside);
        let mut pieces: Vec<Vec<Span>> = vec![Vec::new(); spans.len()];
        group.iter().zip(&spans).for_each(|(&of, &span)| pieces[of].push(span));
        let mut lines: Vec<Place> = pieces.iter().filter_map(|pieces| self.place(pieces)).collect();
        lines.retain(|line| {
            (LOWEST_LINE_MM..1.5 * TALLEST_MM).contains(&line.height)
                && line.length >= SHORTEST_LINE_MM.max(line.height)
                && (line.length < LONG * line.height
                    || HEIGHTS_OF_A_PIECE * line.tall as f64 >= line.length / line.height)
        });
        lines.sort_by(|a, b| a.middle().1.total_cmp(&b.middle().1));
        lines
    }

    /// The line that pieces make; none of no pieces.
    fn place(&self, pieces: &[Span]) -> Option<Place> {
        let span = pieces.iter().copied().reduce(Span::with)?;
        let (sin, cos) = self.angle.sin_cos();
        let origin = PointMm { x: span.left * cos - span.top * sin, y: span.left * sin + span.top * cos };
        Some(Place {
            origin,
            angle: self.angle,
            length: span.right - span.left,
            height: span.height(),
            tall: pieces.iter().filter(|piece| piece.is_tall()).count(),
            digits: pieces.iter().filter(|piece| piece.may_be_digit()).count(),
        })
    }
}

/// Of each span the first of its group; `spans` are sorted from the left, and neighbours, which share a
/// group, lie no farther apart than characters of a line.
fn grouped(spans: &[Span], are_neighbours: impl Fn(&Span, &Span) -> bool) -> Vec<usize> {
    let mut group: Vec<usize> = (0..spans.len()).collect();
    for at in 0..spans.len() {
        let far = spans[at].right + GAP_SHARE * TALLEST_MM;
        for other in at + 1..spans.len() {
            if spans[other].left > far {
                break;
            }
            if are_neighbours(&spans[at], &spans[other]) {
                let (a, b) = (root(&mut group, at), root(&mut group, other));
                group[a.max(b)] = a.min(b);
            }
        }
    }
    (0..spans.len()).map(|at| root(&mut group, at)).collect()
}

/// Frames that are cut along, and rules that lie askew, come as rows or columns of dashes: to read them
/// takes longer than all print on a card.
fn without_dashed_rules(pieces: Vec<RectMm>) -> Vec<RectMm> {
    let across = Frame { angle: 0.0, is_sideways: false };
    let down = Frame { angle: FRAC_PI_2, is_sideways: true };
    without_rows_of_dashes(without_rows_of_dashes(pieces, across), down)
}

fn without_rows_of_dashes(pieces: Vec<RectMm>, frame: Frame) -> Vec<RectMm> {
    let is_flat = |span: &Span| span.height() < FLAT_MM && span.right - span.left > 1.5 * span.height();
    let spans = pieces.into_iter().map(|piece| (frame.span(&piece), piece));
    let (mut flat, others): (Vec<_>, Vec<_>) = spans.partition(|(span, _)| is_flat(span));
    let mut kept: Vec<RectMm> = others.into_iter().map(|(_, piece)| piece).collect();
    flat.sort_by(|(a, _), (b, _)| a.left.total_cmp(&b.left));
    let spans: Vec<Span> = flat.iter().map(|(span, _)| *span).collect();
    let middle = |span: &Span| (span.top + span.bottom) / 2.0;
    let group = grouped(&spans, |a, b| {
        b.left - a.right <= LEAST_GAP_MM && (middle(a) - middle(b)).abs() <= RULE_STEP_MM
    });
    let mut counts = vec![0; flat.len()];
    group.iter().for_each(|&of| counts[of] += 1);
    let lone = flat.iter().zip(&group).filter(|&(_, &of)| counts[of] < DASHES_OF_A_RULE);
    kept.extend(lone.map(|((_, piece), _)| *piece));
    kept
}

/// Whether two pieces are neighbours on a line; `a` begins no later.
fn is_beside(a: &Span, b: &Span) -> bool {
    let (high, low) = (a.height(), b.height());
    let (tall, small) = (high.max(low), high.min(low));
    let gap = b.left - a.right;
    let common = a.bottom.min(b.bottom) - a.top.max(b.top);
    // A dash or a dot beside a character lies within its height.
    let is_level = common >= 0.45 * small && (tall <= 3.0 * small || common >= 0.9 * small);
    tall <= TALLEST_MM && gap <= (GAP_SHARE * tall).max(LEAST_GAP_MM) && is_level
}

fn root(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    /// Twelve blocks of 2 × 3 mm on a line of 50 mm, turned about the page's middle.
    fn page(turned: f64) -> (GrayImage, Affine) {
        let map = Affine { a: 8.0, b: 0.0, c: 0.0, d: 0.0, e: 8.0, f: 0.0 };
        let (sin, cos) = turned.to_radians().sin_cos();
        let gray = GrayImage::from_fn(800, 800, |x, y| {
            let (x, y) = (f64::from(x) / 8.0 - 50.0, f64::from(y) / 8.0 - 50.0);
            let (along, down) = (x * cos + y * sin + 25.0, y * cos - x * sin);
            let is_ink = (0.0..50.0).contains(&along) && along.rem_euclid(4.2) < 2.0 && down.abs() < 1.5;
            Luma([if is_ink { 90 } else { 230 }])
        });
        (gray, map)
    }

    #[test]
    fn a_line_is_found_whichever_way_it_lies() {
        let region = RectMm { x: 0.0, y: 0.0, w: 100.0, h: 100.0 };
        for turned in [0.0, -3.0, 12.0, 90.0, 84.0] {
            let (gray, map) = page(turned);
            let found = find(&gray, &map, region, &[]);
            assert_eq!((found.pieces.len(), found.lines.len()), (12, 1), "{turned}");
            let line = found.lines[0];
            assert!((line.length - 48.2).abs() < 1.5 && (line.height - 3.0).abs() < 1.2, "{turned} {line:?}");
            assert!((line.angle.to_degrees() - turned).abs() < 0.5, "{turned} {line:?}");
            let cut = line.cut(&gray, &map);
            let ink = cut.as_raw().iter().filter(|&&level| level < 160).count() as f64;
            // 12 blocks of 6 mm².
            let share = ink / cut.as_raw().len() as f64 * (line.length + 1.4) * (line.height + 1.4);
            assert!((share - 72.0).abs() < 25.0, "{turned}: {share} mm² of ink");
        }
    }

    #[test]
    fn a_dashed_frame_is_no_line_and_a_dash_in_a_line_stays() {
        let (mut gray, map) = page(0.0);
        // Dashes of 1.5 × 0.3 mm every 2.5 mm across the page, and one between two blocks of the line.
        let dash = |gray: &mut GrayImage, x: u32, y: u32| {
            (0..12).for_each(|dx| (0..3).for_each(|dy| gray.put_pixel(x + dx, y + dy, Luma([90]))));
        };
        (0..40).for_each(|place| dash(&mut gray, place * 20, 300));
        let region = RectMm { x: 0.0, y: 0.0, w: 100.0, h: 100.0 };
        let before = find(&gray, &map, region, &[]).lines;
        assert_eq!(before.iter().map(|line| line.tall).collect::<Vec<_>>(), [12]);
        // Behind the last block, which ends at 48.2 mm of the line.
        dash(&mut gray, (25 + 49) * 8 - 2, 399);
        let with_dash = find(&gray, &map, region, &[]).lines;
        assert_eq!(with_dash.iter().map(|line| line.tall).collect::<Vec<_>>(), [12]);
        assert!(with_dash[0].length > before[0].length + 1.5, "{with_dash:?}");
    }

    /// The dots that a black-and-white scan makes of a tint's edge.
    #[test]
    fn a_row_of_specks_is_no_line() {
        let (mut gray, map) = page(0.0);
        for place in 0..40 {
            let (x, y) = (100 + place * 15, 300 + place * 7 % 12);
            (0..5).for_each(|dx| (0..5).for_each(|dy| gray.put_pixel(x + dx, y + dy, Luma([90]))));
        }
        let region = RectMm { x: 0.0, y: 0.0, w: 100.0, h: 100.0 };
        let found = find(&gray, &map, region, &[]);
        assert_eq!((found.pieces.len(), found.lines.len()), (52, 1), "{:?}", found.lines);
    }

    /// A tint's edge that lies askew, as long as print and as high, is nothing that twelve digits may be.
    #[test]
    fn an_edge_in_steps_has_no_digits() {
        let (mut gray, map) = page(0.0);
        for step in 0..12u32 {
            let (left, top) = (100 + step * 45, 300 + step);
            (0..40).for_each(|dx| (0..8).for_each(|dy| gray.put_pixel(left + dx, top + dy, Luma([90]))));
        }
        let region = RectMm { x: 0.0, y: 0.0, w: 100.0, h: 100.0 };
        let mut lines = find(&gray, &map, region, &[]).lines;
        lines.sort_by_key(|line| line.digits);
        let counts: Vec<(usize, usize)> = lines.iter().map(|line| (line.tall, line.digits)).collect();
        assert_eq!(counts, [(12, 0), (12, 12)]);
        assert_eq!(lines.iter().map(Place::may_be_digits).collect::<Vec<_>>(), [false, true]);
        let sparse = Place { length: 40.0 * lines[1].height, ..lines[1] };
        assert!(!sparse.may_be_digits(), "an edge that reaches across the page");
    }

    #[test]
    fn rules_and_the_forms_own_print_are_no_lines() {
        let (mut gray, map) = page(0.0);
        (0..800).for_each(|x| gray.put_pixel(x, 414, Luma([0])));
        let region = RectMm { x: 0.0, y: 0.0, w: 100.0, h: 100.0 };
        assert_eq!(find(&gray, &map, region, &[]).lines.len(), 1);
        let printed = RectMm { x: 20.0, y: 45.0, w: 60.0, h: 10.0 };
        assert_eq!(find(&gray, &map, region, &[printed]), Found::default());
    }
}
