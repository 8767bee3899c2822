//! One person's handwriting: a font, stroke skeletons or pictures, and how this person bends them.
//! Characters and lines in, ink out; what is written where is decided elsewhere.

use rand::Rng;
use tiny_skia::{Path, PathBuilder};

use super::fonts::{self, Glyph, Segment};
use super::ink::{self, Ink, Medium, Pen};
use super::katakana::{self, Letter};
use super::material::{Material, Writing};
use super::penmanship::{Penmanship, curve_through};
use super::{random, skeleton};
use crate::geometry::{PointMm, RectMm};

/// A writer's constant traits; each character adds its own chance to them.
#[derive(Clone)]
pub struct Hand<'a> {
    material: &'a Material,
    /// The writer's font, in its group.
    font: usize,
    digits: Digits,
    /// None writes kana as the font has them.
    kana: Option<Penmanship>,
    /// Height of a character as a share of its box.
    size: f64,
    /// Width to height of a digit.
    breadth: f64,
    /// Shear: how far the top of a character leans to the right, as a share of its height.
    slant: f64,
    /// Clockwise, in radians.
    turn: f64,
    /// Where characters sit in their boxes, as a share of the box from its centre.
    drift: (f64, f64),
    /// How much characters differ from each other: 0.4 neat to 1.8 hasty.
    haste: f64,
    /// Width of the pen's line.
    pen_mm: f64,
    colour: [u8; 3],
    density: f32,
}

/// What a writer's digits are made of.
#[derive(Debug, Clone, Copy)]
enum Digits {
    Font,
    /// Which of the ways to write each digit.
    Strokes([usize; 10]),
    /// Real ones, as far as they are at least so dark (0 to 1): the lower, the thicker.
    Pictures {
        level: f64,
    },
}

/// Black ball-point, ball-point that runs dry, blue-black, blue.
const INKS: [([u8; 3], f64); 4] =
    [([28, 28, 32], 0.60), ([70, 70, 74], 0.18), ([34, 42, 82], 0.14), ([38, 62, 140], 0.08)];

/// Share of writers who take a pencil, all the same.
const PENCIL: f64 = 0.05;

impl<'a> Hand<'a> {
    /// Draws a writer by chance.
    pub fn of_chance(material: &'a Material, source: &mut impl Rng) -> Self {
        let ways = skeleton::digits(material.fonts.group);
        let digits_by_strokes = match material.writing {
            Writing::Mixed => source.random_bool(0.75),
            Writing::Fonts => false,
            Writing::Strokes => true,
        };
        let digits = match digits_by_strokes {
            true => Digits::Strokes(std::array::from_fn(|digit| source.random_range(0..ways[digit].len()))),
            false => Digits::Font,
        };
        let mut hand = Self {
            material,
            font: source.random_range(0..material.fonts.handwritten.len()),
            digits,
            kana: None,
            size: source.random_range(0.52..0.82),
            breadth: source.random_range(0.48..0.74),
            slant: 0.06 + 0.10 * random::bell(source),
            turn: 0.02 * random::bell(source),
            drift: (0.05 * random::bell(source), 0.05 * random::bell(source)),
            haste: source.random_range(0.4..1.5),
            pen_mm: source.random_range(0.28..0.56),
            colour: random::weighted(source, &INKS),
            density: source.random_range(0.82..1.0),
        };
        // What follows is drawn last, so that it changes nothing of the writers who do without.
        if source.random_bool(PENCIL) {
            hand.colour = [source.random_range(58..88); 3];
            hand.density = source.random_range(0.58..0.82);
        }
        if material.writing == Writing::Strokes {
            hand.kana = Some(Penmanship::of_chance(source));
        }
        if material.digits.is_some() {
            hand.digits = Digits::Pictures { level: source.random_range(0.3..0.6) };
        }
        hand
    }

    /// The same writer, pressing harder.
    pub(super) fn pressing(&self) -> Self {
        Self { pen_mm: self.pen_mm * 1.35, density: self.density.max(0.95), ..self.clone() }
    }

    /// Writes one character into a box, more or less in the middle.
    pub fn write(&self, character: char, cell: RectMm, source: &mut impl Rng, inks: &mut Vec<Ink>) {
        // A digit is as high as the hand is large, but no digit is broader than its box by much.
        let height =
            (self.size * cell.h).min(cell.w * 1.25) * (1.0 + 0.05 * self.haste * random::bell(source));
        let centre = PointMm {
            x: cell.centre().x + cell.w * (self.drift.0 + 0.05 * self.haste * random::bell(source)),
            y: cell.centre().y + cell.h * (self.drift.1 + 0.04 * self.haste * random::bell(source)),
        };
        if let Some(digit) = character.to_digit(10).map(|digit| digit as usize) {
            match self.digits {
                Digits::Strokes(ways) => self.stroke_digit(digit, ways[digit], centre, height, source, inks),
                Digits::Font => self.print_glyph(character, centre, height, Anchor::Ink, source, inks),
                Digits::Pictures { level } => {
                    self.paste_digit(digit, level, centre, height.min(0.95 * cell.w), source, inks);
                }
            }
            return;
        }
        if let (Some(penmanship), Some(letter)) = (&self.kana, katakana::letter(character)) {
            let height = (self.size * cell.h).min(0.85 * cell.w);
            self.stroke_letter(penmanship, character, &letter, centre, height, source, inks);
            return;
        }
        // The em square of kana is larger than what is drawn in it.
        let em = (1.25 * self.size * cell.h).min(1.15 * cell.w);
        self.print_glyph(character, centre, em, Anchor::Em, source, inks);
    }

    /// Writes a line of any characters, beginning near the left end of `area`.
    pub fn write_line(&self, text: &str, area: RectMm, source: &mut impl Rng, inks: &mut Vec<Ink>) {
        let count = text.chars().count().max(1) as f64;
        let em = (area.h * (self.size + 0.05)).min(area.w / (count + 1.0)).min(9.0);
        let pitch = em * source.random_range(0.92..1.06);
        let slope = 0.012 * random::bell(source);
        let start = area.x + (area.w - pitch * count).max(0.0) * source.random_range(0.02..0.25);
        let middle = area.centre().y + area.h * self.drift.1;
        for (place, character) in text.chars().enumerate() {
            let along = pitch * (place as f64 + 0.5);
            let centre = PointMm {
                x: start + along + 0.03 * em * self.haste * random::bell(source),
                y: middle + slope * along + 0.03 * em * self.haste * random::bell(source),
            };
            self.print_glyph(character, centre, em, Anchor::Em, source, inks);
        }
    }

    /// Draws the pen through `points`, on a curve, pressing more here and less there.
    pub(super) fn stroke(&self, points: &[PointMm], source: &mut impl Rng, inks: &mut Vec<Ink>) {
        let pressure = source.random_range(0.85..1.15);
        let phase = source.random_range(0.0..6.0);
        let curve = curve_through(points);
        let count = curve.len().max(2) as f64;
        let line: Vec<(PointMm, f64)> = curve
            .into_iter()
            .enumerate()
            .map(|(place, point)| {
                let along = place as f64 / (count - 1.0);
                // Lighter where the pen lands and where it leaves.
                let ends = 0.78 + 0.22 * (along * (1.0 - along) * 8.0).min(1.0);
                let waver = 1.0 + 0.12 * (along * 7.0 + phase).sin();
                (point, self.pen_mm / 2.0 * pressure * ends * waver)
            })
            .collect();
        if let Some(path) = ink::trace(&line) {
            inks.push(self.ink(path, Pen::Area));
        }
    }

    fn ink(&self, path: Path, pen: Pen) -> Ink {
        Ink { path, pen, colour: self.colour, density: self.density, medium: Medium::Ink }
    }

    fn stroke_digit(
        &self,
        digit: usize,
        way: usize,
        centre: PointMm,
        height: f64,
        source: &mut impl Rng,
        inks: &mut Vec<Ink>,
    ) {
        let bend = Bend::of_chance(self, source);
        let breadth = height * self.breadth * (1.0 + 0.10 * self.haste * random::bell(source));
        // A 1 is a stroke, not a box full.
        let breadth = if digit == 1 { breadth * 0.8 } else { breadth };
        for stroke in skeleton::digits(self.material.fonts.group)[digit][way] {
            let points: Vec<PointMm> = stroke
                .iter()
                .map(|&(x, y)| {
                    let x = x - 0.5 + 0.022 * self.haste * random::bell(source);
                    let y = y - 0.5 + 0.018 * self.haste * random::bell(source);
                    bend.place(x * breadth / height, y, height, centre)
                })
                .collect();
            self.stroke(&points, source, inks);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a letter, where it goes, and where its ink goes")]
    fn stroke_letter(
        &self,
        penmanship: &Penmanship,
        character: char,
        letter: &Letter,
        centre: PointMm,
        height: f64,
        source: &mut impl Rng,
        inks: &mut Vec<Ink>,
    ) {
        let bend = Bend::of_chance(self, source);
        for trail in penmanship.trails(character, letter, self.haste, source) {
            let line: Vec<(PointMm, f64)> = trail
                .into_iter()
                .map(|(x, y, width)| (bend.place(x, y, height, centre), self.pen_mm / 2.0 * width))
                .collect();
            inks.extend(ink::trace(&line).map(|path| self.ink(path, Pen::Area)));
        }
    }

    /// A real digit; its shape is its writer's, so that it is turned a little and never bent.
    fn paste_digit(
        &self,
        digit: usize,
        level: f64,
        centre: PointMm,
        em: f64,
        source: &mut impl Rng,
        inks: &mut Vec<Ink>,
    ) {
        let (sin, cos) = (self.turn + 0.02 * self.haste * random::bell(source)).sin_cos();
        let pictures = self.material.digits.as_ref();
        let Some(picture) = pictures.and_then(|pictures| pictures.choose(digit, source)) else { return };
        let path = placed(&picture.outline(level), |[x, y]| {
            let (x, y) = ((f64::from(x) - 0.5) * em, (f64::from(y) - 0.5) * em);
            ((centre.x + x * cos - y * sin) as f32, (centre.y + x * sin + y * cos) as f32)
        });
        inks.extend(path.map(|path| self.ink(path, Pen::Area)));
    }

    fn print_glyph(
        &self,
        character: char,
        centre: PointMm,
        em: f64,
        anchor: Anchor,
        source: &mut impl Rng,
        inks: &mut Vec<Ink>,
    ) {
        let bend = Bend::of_chance(self, source);
        let Some(glyph) = self.glyph(character) else {
            return;
        };
        let [left, top, right, bottom] = glyph.bounds.map(f64::from);
        let (origin, scale) = match anchor {
            Anchor::Em => ((f64::from(glyph.advance) / 2.0, 0.5), em),
            Anchor::Ink => (((left + right) / 2.0, (top + bottom) / 2.0), em / (bottom - top).max(0.2)),
        };
        let place = |point: [f32; 2]| {
            let placed =
                bend.place(f64::from(point[0]) - origin.0, f64::from(point[1]) - origin.1, scale, centre);
            (placed.x as f32, placed.y as f32)
        };
        if let Some(path) = placed(&glyph, place) {
            // Fonts are drawn with a thin pen; a broader one is drawn around the outline.
            let broader = (self.pen_mm - 0.34).max(0.0) * source.random_range(0.7..1.2);
            inks.push(self.ink(path, Pen::AreaAndLine(broader.max(0.01) as f32)));
        }
    }

    /// Of the writer's font, else of another of its group, else as printed.
    fn glyph(&self, character: char) -> Option<Glyph> {
        let fonts = &self.material.fonts;
        let others = fonts.handwritten.iter().chain(std::iter::once(&fonts.printed));
        std::iter::once(&fonts.handwritten[self.font])
            .chain(others)
            .find_map(|font| fonts::glyph(&font.face(), character))
    }
}

/// What of a glyph is put in the middle.
#[derive(Clone, Copy)]
enum Anchor {
    Em,
    Ink,
}

/// How one character is bent: turned, leaning, and pushed about as by a slow wave.
struct Bend {
    sin: f64,
    cos: f64,
    slant: f64,
    stretch: (f64, f64),
    wave: f64,
    phases: [f64; 2],
    pitch: [f64; 2],
}

impl Bend {
    fn of_chance(hand: &Hand<'_>, source: &mut impl Rng) -> Self {
        let (sin, cos) = (hand.turn + 0.035 * hand.haste * random::bell(source)).sin_cos();
        Self {
            sin,
            cos,
            slant: hand.slant + 0.05 * hand.haste * random::bell(source),
            stretch: (
                1.0 + 0.05 * hand.haste * random::bell(source),
                1.0 + 0.05 * hand.haste * random::bell(source),
            ),
            wave: 0.016 * hand.haste * (1.0 + 0.4 * random::bell(source)).max(0.0),
            phases: [source.random_range(0.0..6.3), source.random_range(0.0..6.3)],
            pitch: [source.random_range(3.0..6.5), source.random_range(3.0..6.5)],
        }
    }

    /// A point of the character, from its centre in units of `scale` millimetres, on the page.
    fn place(&self, x: f64, y: f64, scale: f64, centre: PointMm) -> PointMm {
        let waved_x = x * self.stretch.0 + self.wave * (self.pitch[0] * y + self.phases[0]).sin();
        let waved_y = y * self.stretch.1 + self.wave * (self.pitch[1] * x + self.phases[1]).sin();
        let leaning = waved_x - self.slant * waved_y;
        PointMm {
            x: centre.x + scale * (leaning * self.cos - waved_y * self.sin),
            y: centre.y + scale * (leaning * self.sin + waved_y * self.cos),
        }
    }
}

/// A glyph's outline with every point put through `place`.
pub(super) fn placed(glyph: &Glyph, place: impl Fn([f32; 2]) -> (f32, f32)) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for segment in &glyph.outline {
        match *segment {
            Segment::Move(to) => {
                let to = place(to);
                builder.move_to(to.0, to.1);
            }
            Segment::Line(to) => {
                let to = place(to);
                builder.line_to(to.0, to.1);
            }
            Segment::Quad(control, to) => {
                let (control, to) = (place(control), place(to));
                builder.quad_to(control.0, control.1, to.0, to.1);
            }
            Segment::Cubic(first, second, to) => {
                let (first, second, to) = (place(first), place(second), place(to));
                builder.cubic_to(first.0, first.1, second.0, second.1, to.0, to.1);
            }
            Segment::Close => builder.close(),
        }
    }
    builder.finish()
}
