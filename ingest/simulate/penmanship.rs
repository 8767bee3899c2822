//! How one writer's pen goes through the strokes of a letter. A writer has shapes of their own that
//! return with each letter; what a single letter adds to them is chance.

use rand::Rng;

use super::katakana::{End, Letter, Skeleton, Stroke};
use super::random;
use crate::geometry::PointMm;

/// A writer's constant traits.
#[derive(Debug, Clone)]
pub(super) struct Penmanship {
    /// Of what is this writer's own in each letter.
    seed: u64,
    /// How far the writer's shapes are from the skeletons: 0.4 as taught to 1.6 hard to read.
    own: f64,
    /// Width to height of a letter.
    breadth: f64,
    /// Where the weight of a letter lies: more than 0 pushes it right and down.
    balance: (f64, f64),
    /// How far lines rise to the right, as a share of their length.
    rise: f64,
    /// 0.5 straightens curves, 1.4 rounds them.
    curvature: f64,
    /// How far straight strokes are bowed, as a share of their length.
    bow: f64,
    /// Corners become curves.
    rounds_corners: bool,
    /// Length of hooks, 1 as drawn; short ones are left out.
    hook: f64,
    /// Chance that the pen is not lifted between two strokes.
    joins: f64,
    /// Strokes longer, or shorter, than they should be, as a share of the letter.
    overshoot: f64,
    /// Width where a sweep ends, as a share of the pen's.
    sweep: f64,
    /// Additional width where the pen lands.
    landing: f64,
    /// Additional width where the pen moves at this angle (radians, clockwise from the right).
    pressure: (f64, f64),
}

/// A point of a letter in a box of 1 × 1 around its middle, and the pen's width there, as a share.
pub(super) type Trail = Vec<(f64, f64, f64)>;

/// Points laid through two neighbouring points of a skeleton.
const CURVE_STEPS: usize = 7;
/// Hooks shorter than this share of the drawn one are left out.
const SHORTEST_HOOK: f64 = 0.35;
/// Strokes whose ends are further apart than this share of the letter are not joined.
const WIDEST_JOIN: f64 = 0.75;
/// Height of ッ as a share of ツ.
const SMALL: f64 = 0.62;
/// A letter makes room for ゛ and ゜.
const BESIDE_MARK: f64 = 0.9;

impl Penmanship {
    pub(super) fn of_chance(source: &mut impl Rng) -> Self {
        Self {
            seed: source.random(),
            own: source.random_range(0.4..1.6),
            breadth: source.random_range(0.78..1.12),
            balance: (0.16 * random::bell(source), 0.14 * random::bell(source)),
            rise: 0.06 + 0.05 * random::bell(source),
            curvature: source.random_range(0.5..1.4),
            bow: 0.03 * random::bell(source),
            rounds_corners: source.random_bool(0.3),
            hook: source.random_range(0.0..1.4),
            joins: if source.random_bool(0.25) { source.random_range(0.05..0.35) } else { 0.0 },
            overshoot: 0.03 * random::bell(source),
            sweep: source.random_range(0.3..1.0),
            landing: source.random_range(0.0..0.35),
            pressure: (source.random_range(0.0..0.25), source.random_range(0.0..std::f64::consts::TAU)),
        }
    }

    /// The pen's trails for one letter; `haste` as of the hand.
    pub(super) fn trails(
        &self,
        character: char,
        letter: &Letter,
        haste: f64,
        source: &mut impl Rng,
    ) -> Vec<Trail> {
        let mut own = random::source(self.seed, &format!("way of {character}"));
        let way = letter.ways[own.random_range(0..letter.ways.len())];
        let mut trails = self.skeleton(character, way, haste, source);
        if let Some(mark) = letter.mark {
            for point in trails.iter_mut().flatten() {
                (point.0, point.1) = (point.0 * BESIDE_MARK - 0.05, point.1 * BESIDE_MARK + 0.05);
            }
            trails.extend(self.skeleton(mark_name(mark), mark, haste, source));
        }
        if letter.small {
            for point in trails.iter_mut().flatten() {
                (point.0, point.1) = (point.0 * SMALL - 0.06, point.1 * SMALL + 0.16);
            }
        }
        trails
    }

    fn skeleton(&self, name: char, skeleton: Skeleton, haste: f64, source: &mut impl Rng) -> Vec<Trail> {
        let mut trails: Vec<Trail> = Vec::with_capacity(skeleton.len());
        for (place, stroke) in skeleton.iter().enumerate() {
            let mut own = random::source(self.seed, &format!("stroke {place} of {name}"));
            let curve = curve_through(&self.points(stroke, haste, &mut own, source));
            let trail = self.press(&curve, stroke.end, source);
            let before = trails.last().and_then(|trail| trail.last().copied());
            if let (Some(from), Some(&to)) = (before, trail.first())
                && (to.0 - from.0).hypot(to.1 - from.1) < WIDEST_JOIN
                && source.random_bool(self.joins)
            {
                trails.push(vec![(from.0, from.1, 0.45), (to.0, to.1, 0.45)]);
            }
            trails.push(trail);
        }
        trails
    }

    /// A stroke's points as this writer sets them, around the letter's middle.
    fn points(&self, stroke: &Stroke, haste: f64, own: &mut impl Rng, source: &mut impl Rng) -> Vec<PointMm> {
        let offset = (self.shift(0.022, haste, own, source), self.shift(0.022, haste, own, source));
        let mut points: Vec<PointMm> = Vec::with_capacity(stroke.points.len() + 1);
        for (place, &(x, y)) in stroke.points.iter().enumerate() {
            let is_corner = place > 0 && stroke.points[place - 1] == (x, y);
            match points.last().copied() {
                Some(corner) if is_corner && !self.rounds_corners => points.push(corner),
                Some(_) if is_corner => {}
                _ => points.push(PointMm {
                    x: x + offset.0 + self.shift(0.014, haste, own, source),
                    y: y + offset.1 + self.shift(0.014, haste, own, source),
                }),
            }
        }
        self.hook_of(stroke, &mut points);
        self.bend(&mut points, stroke);
        self.overshoot(&mut points);
        points.iter().map(|point| self.proportioned(point)).collect()
    }

    /// What a point's place differs by: for good with this writer, and this once.
    fn shift(&self, amount: f64, haste: f64, own: &mut impl Rng, source: &mut impl Rng) -> f64 {
        amount * (self.own * random::bell(own) + 0.5 * haste * random::bell(source))
    }

    /// Makes the hook at the end longer or shorter, or leaves it out.
    fn hook_of(&self, stroke: &Stroke, points: &mut Vec<PointMm>) {
        let [.., corner, end] = &mut points[..] else { return };
        if stroke.end != End::Hook {
            return;
        }
        if self.hook < SHORTEST_HOOK {
            points.pop();
            return;
        }
        *end = between(corner, end, self.hook);
    }

    /// Curves rounder or straighter, straight strokes bowed.
    fn bend(&self, points: &mut Vec<PointMm>, stroke: &Stroke) {
        let [first, .., last] = points[..] else { return };
        let (dx, dy) = (last.x - first.x, last.y - first.y);
        if points.len() == 2 {
            let middle = between(&first, &last, 0.5);
            points.insert(1, PointMm { x: middle.x - self.bow * dy, y: middle.y + self.bow * dx });
            return;
        }
        let has_corner = stroke.points.windows(2).any(|pair| pair[0] == pair[1]);
        // A ring has no chord to be pulled to.
        if has_corner || dx.hypot(dy) < 0.3 {
            return;
        }
        for point in points.iter_mut() {
            let along = ((point.x - first.x) * dx + (point.y - first.y) * dy) / (dx * dx + dy * dy);
            let foot = between(&first, &last, along);
            *point = between(&foot, point, self.curvature);
        }
    }

    fn overshoot(&self, points: &mut [PointMm]) {
        if let [.., before, last] = points {
            let length = (last.x - before.x).hypot(last.y - before.y);
            // Dots stay what they are.
            if length > 0.2 {
                *last = between(before, last, 1.0 + self.overshoot / length);
            }
        }
    }

    fn proportioned(&self, point: &PointMm) -> PointMm {
        let pushed = |share: f64, by: f64| share + by * share * (1.0 - share).max(0.0);
        let (x, y) = (pushed(point.x, self.balance.0) - 0.5, pushed(point.y, self.balance.1) - 0.5);
        PointMm { x: x * self.breadth, y: y - self.rise * x }
    }

    /// The pen's width along a curve.
    fn press(&self, curve: &[PointMm], end: End, source: &mut impl Rng) -> Trail {
        let firmness = 1.0 + 0.08 * random::bell(source);
        let last = curve.len().saturating_sub(1).max(1) as f64;
        let width = |place: usize, from: &PointMm, to: &PointMm| {
            let along = place as f64 / last;
            let angle = (to.y - from.y).atan2(to.x - from.x);
            let by_direction = 1.0 + self.pressure.0 * (angle - self.pressure.1).cos();
            let landing = 1.0 + self.landing * (1.0 - along / 0.15).max(0.0);
            let lift = match end {
                End::Stop => 1.0,
                End::Hook => 1.0 - 0.5 * ((along - 0.85) / 0.15).max(0.0),
                End::Sweep => 1.0 - (1.0 - self.sweep) * ((along - 0.5) / 0.5).max(0.0),
            };
            firmness * by_direction * landing * lift
        };
        (0..curve.len())
            .map(|place| {
                let next = curve[(place + 1).min(curve.len() - 1)];
                let before = curve[place.saturating_sub(1)];
                (curve[place].x, curve[place].y, width(place, &before, &next))
            })
            .collect()
    }
}

/// The marks are the same on every letter.
fn mark_name(mark: Skeleton) -> char {
    if mark.len() == 1 { '゜' } else { '゛' }
}

/// The point that lies `share` of the way from one to the other, beyond it for more than 1.
fn between(from: &PointMm, to: &PointMm, share: f64) -> PointMm {
    PointMm { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }
}

/// A Catmull-Rom curve through all points; a point given twice is a corner.
pub(super) fn curve_through(points: &[PointMm]) -> Vec<PointMm> {
    let [first, .., last] = points else {
        return points.to_vec();
    };
    let mut curve = vec![*first];
    for place in 0..points.len() - 1 {
        let at =
            |offset: isize| points[(place as isize + offset).clamp(0, points.len() as isize - 1) as usize];
        let (before, from, to, after) = (at(-1), at(0), at(1), at(2));
        for step in 1..=CURVE_STEPS {
            let t = step as f64 / CURVE_STEPS as f64;
            let between = |before: f64, from: f64, to: f64, after: f64| {
                0.5 * (2.0 * from
                    + (to - before) * t
                    + (2.0 * before - 5.0 * from + 4.0 * to - after) * t * t
                    + (3.0 * from - before - 3.0 * to + after) * t * t * t)
            };
            curve.push(PointMm {
                x: between(before.x, from.x, to.x, after.x),
                y: between(before.y, from.y, to.y, after.y),
            });
        }
    }
    curve.push(*last);
    curve
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::katakana;

    #[test]
    fn letters_stay_near_their_boxes_whoever_writes() {
        for writer in 0..200 {
            let mut source = random::source(writer, "writer");
            let penmanship = Penmanship::of_chance(&mut source);
            for character in "アシツガポャー゛".chars() {
                let letter = katakana::letter(character).expect("katakana");
                let trails = penmanship.trails(character, &letter, 1.5, &mut source);
                for (x, y, width) in trails.iter().flatten() {
                    assert!(x.abs() < 1.0 && y.abs() < 1.0, "{character} of {writer}: {x} {y}");
                    assert!((0.1..2.2).contains(width), "{character} of {writer}: {width}");
                }
            }
        }
    }

    #[test]
    fn a_writers_letters_are_more_alike_than_those_of_two() {
        let letter = katakana::letter('ウ').expect("katakana");
        let mut source = random::source(7, "writers");
        let [mut same, mut other] = [0.0, 0.0];
        for _ in 0..50 {
            let [one, two] = std::array::from_fn(|_| Penmanship::of_chance(&mut source));
            let [first, second, third] = [&one, &one, &two].map(|penmanship| {
                // Where the writer's first stroke begins.
                penmanship.trails('ウ', &letter, 0.5, &mut source)[0][0]
            });
            same += (first.0 - second.0).hypot(first.1 - second.1);
            other += (first.0 - third.0).hypot(first.1 - third.1);
        }
        assert!(2.0 * same < other, "{same} {other}");
    }
}
