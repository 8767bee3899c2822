//! What people draw on a form beside characters: ticks, strikes, a signature, a seal; and what
//! happens to a sheet on its way: blots and scratches.

use rand::Rng;
use tiny_skia::PathBuilder;

use super::fonts::{self, Fonts};
use super::hand::{Hand, placed};
use super::ink::{Ink, Medium, Pen, trace};
use super::random;
use crate::geometry::{PointMm, RectMm};

/// How somebody marks an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    Check,
    Cross,
    Circle,
    Fill,
}

impl Tick {
    pub(super) fn of_chance(source: &mut impl Rng) -> Self {
        random::weighted(
            source,
            &[(Self::Check, 0.62), (Self::Circle, 0.2), (Self::Cross, 0.1), (Self::Fill, 0.08)],
        )
    }
}

/// The seal's ink.
const VERMILION: [u8; 3] = [214, 58, 44];

/// Marks an option, often beyond its edges.
pub(super) fn tick(hand: &Hand<'_>, kind: Tick, option: RectMm, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let mut at = |x: f64, y: f64| PointMm {
        x: option.x + option.w * (x + 0.06 * random::bell(source)),
        y: option.y + option.h * (y + 0.06 * random::bell(source)),
    };
    match kind {
        Tick::Check => {
            let points = [at(0.12, 0.45), at(0.38, 0.88), at(0.38, 0.88), at(0.70, 0.35), at(1.12, -0.20)];
            hand.stroke(&points, source, inks);
        }
        Tick::Cross => {
            let (falling, rising) = ([at(0.1, 0.1), at(0.9, 0.92)], [at(0.92, 0.06), at(0.08, 0.94)]);
            hand.stroke(&falling, source, inks);
            hand.stroke(&rising, source, inks);
        }
        Tick::Circle => {
            let points: Vec<PointMm> = (0..=9)
                .map(|step| {
                    let angle = -1.4 - f64::from(step) * 0.72;
                    at(0.5 + 0.66 * angle.cos(), 0.5 + 0.66 * angle.sin())
                })
                .collect();
            hand.stroke(&points, source, inks);
        }
        Tick::Fill => {
            let points: Vec<PointMm> = (0..9)
                .map(|step| at(if step % 2 == 0 { 0.08 } else { 0.92 }, 0.06 + 0.11 * f64::from(step)))
                .collect();
            hand.stroke(&points, source, inks);
        }
    }
}

/// How somebody strikes out what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    SingleLine,
    /// As forms ask for.
    DoubleLine,
    Scribble,
}

impl Strike {
    pub(super) fn of_chance(source: &mut impl Rng) -> Self {
        random::weighted(source, &[(Self::DoubleLine, 0.6), (Self::SingleLine, 0.22), (Self::Scribble, 0.18)])
    }
}

/// Through what stands in a box, or in several beside each other.
pub(super) fn strike_out(
    hand: &Hand<'_>,
    kind: Strike,
    area: RectMm,
    source: &mut impl Rng,
    inks: &mut Vec<Ink>,
) {
    let heights: &[f64] = match kind {
        Strike::SingleLine => &[0.51],
        Strike::DoubleLine => &[0.43, 0.58],
        Strike::Scribble => return scribble(hand, area, source, inks),
    };
    for height in heights {
        let mut at = |x: f64| PointMm {
            x: area.x + area.w * (x + 0.05 * random::bell(source)),
            y: area.y + area.h * (height + 0.03 * random::bell(source)),
        };
        let points = [at(0.06), at(0.5), at(0.94)];
        hand.stroke(&points, source, inks);
    }
}

/// Back and forth until it cannot be read.
fn scribble(hand: &Hand<'_>, area: RectMm, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let turns = (5.0 + 4.0 * area.w / area.h.max(1.0)).round();
    let points: Vec<PointMm> = (0..=turns as u32)
        .map(|turn| {
            let (along, top) = (f64::from(turn) / turns, turn % 2 == 0);
            PointMm {
                x: area.x + area.w * (0.08 + 0.84 * along + 0.03 * random::bell(source)),
                y: area.y + area.h * (if top { 0.2 } else { 0.82 } + 0.06 * random::bell(source)),
            }
        })
        .collect();
    hand.stroke(&points, source, inks);
}

/// A name written fast: tight, leaning, its characters joined by the pen. Gives about where it
/// ends.
pub(super) fn sign(
    hand: &Hand<'_>,
    name: &str,
    area: RectMm,
    source: &mut impl Rng,
    inks: &mut Vec<Ink>,
) -> PointMm {
    let characters: Vec<char> = name.chars().filter(|character| !character.is_whitespace()).collect();
    let em = (area.h * 0.8).min(area.w * 0.72 / characters.len().max(1) as f64).min(12.0);
    let width = em * characters.len() as f64 * 0.9;
    let start = area.x + (area.w - width).max(0.0) * source.random_range(0.05..0.3);
    let line = RectMm { x: start, y: area.centre().y - em * 0.6, w: width * 1.4, h: em * 1.2 };
    hand.write_line(&characters.iter().collect::<String>(), line, source, inks);
    for place in 1..characters.len() {
        if source.random_bool(0.35) {
            let x = line.x + em * 0.95 * place as f64;
            let mut at = |dx: f64, dy: f64| PointMm {
                x: x + em * (dx + 0.05 * random::bell(source)),
                y: line.centre().y + em * (dy + 0.08 * random::bell(source)),
            };
            let points = [at(-0.12, 0.34), at(0.02, 0.1), at(0.16, -0.22)];
            hand.stroke(&points, source, inks);
        }
    }
    PointMm { x: line.x + width, y: line.centre().y }
}

/// A round seal with the family name, worn and unevenly inked, turned by the hand that set it.
pub(super) fn seal(fonts: &Fonts, family: &str, centre: PointMm, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let radius = source.random_range(4.2..6.2);
    let (sin, cos) = (0.12 * random::bell(source)).sin_cos();
    let density = source.random_range(0.6..0.95);
    let mut push = |path, pen| inks.push(Ink { path, pen, colour: VERMILION, density, medium: Medium::Ink });
    if let Some(ring) = PathBuilder::from_circle(centre.x as f32, centre.y as f32, radius as f32) {
        push(ring, Pen::Line(0.55));
    }
    let characters: Vec<char> = family.chars().take(4).collect();
    let face = fonts.printed.face();
    let em = 1.62 * radius / characters.len().max(1) as f64;
    for (place, &character) in characters.iter().enumerate() {
        let Some(glyph) = fonts::glyph(&face, character) else { continue };
        let middle = (place as f64 + 0.5 - characters.len() as f64 / 2.0) * em;
        let path = placed(&glyph, |[x, y]| {
            let (x, y) = ((f64::from(x) - 0.5) * em.min(1.3 * radius), (f64::from(y) - 0.5) * em + middle);
            ((centre.x + x * cos - y * sin) as f32, (centre.y + x * sin + y * cos) as f32)
        });
        if let Some(path) = path {
            push(path, Pen::AreaAndLine(0.12));
        }
    }
    // Where the seal did not take.
    for _ in 0..source.random_range(2..9) {
        let spot = PointMm {
            x: centre.x + radius * 0.7 * random::bell(source),
            y: centre.y + radius * 0.7 * random::bell(source),
        };
        if let Some(path) = trace(&[(spot, source.random_range(0.1..0.35))]) {
            inks.push(Ink {
                path,
                pen: Pen::Area,
                colour: [252, 250, 248],
                density: 0.8,
                medium: Medium::Cover,
            });
        }
    }
}

/// Makes a symbol unreadable: scribbled over, blotted, or scratched off the paper.
pub(super) fn spoil(area: RectMm, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let (colour, medium, radius, turns) = match source.random_range(0..3) {
        // Black pen back and forth; spilt coffee or ink; bare paper.
        0 => ([30, 30, 34], Medium::Ink, 0.7, 26),
        1 => ([44, 40, 48], Medium::Ink, area.h.min(area.w) * 0.35, 5),
        _ => ([248, 247, 244], Medium::Cover, 1.2, 16),
    };
    let points: Vec<(PointMm, f64)> = (0..turns)
        .map(|turn| {
            let along = f64::from(turn) / f64::from(turns - 1);
            let across = if turn % 2 == 0 { 0.06 } else { 0.94 };
            let point = PointMm {
                x: area.x + area.w * (along + 0.02 * random::bell(source)),
                y: area.y + area.h * (across + 0.05 * random::bell(source)),
            };
            (point, radius * source.random_range(0.7..1.1))
        })
        .collect();
    if let Some(path) = trace(&points) {
        inks.push(Ink { path, pen: Pen::Area, colour, density: 0.97, medium });
    }
}
