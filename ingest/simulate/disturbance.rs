//! What lies over a whole page and means nothing: the tint of coloured paper or a bad copy, the dark
//! border that a copier leaves, the stamp of the mailroom.

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};
use tiny_skia::PathBuilder;

use super::fonts::{self, Fonts};
use super::hand::placed;
use super::ink::{Ink, Medium, Pen, rectangle};
use super::random;
use crate::form::FormPage;
use crate::geometry::{PointMm, RectMm};

/// No writing, and no mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    Tint,
    DarkBorder,
    Stamp,
}

/// Share of pages with each.
const CHANCES: [(Disturbance, f64); 3] =
    [(Disturbance::Tint, 0.015), (Disturbance::DarkBorder, 0.012), (Disturbance::Stamp, 0.02)];

/// Registration marks begin about 10 mm from the edge; a copy without them is no form any more.
const WIDEST_BORDER_MM: f64 = 7.5;

/// Draws over a page what chance brings; tells what it was.
pub(super) fn befall(
    page: &FormPage,
    fonts: &Fonts,
    source: &mut impl Rng,
    inks: &mut Vec<Ink>,
) -> Vec<Disturbance> {
    let mut befallen = Vec::new();
    for (disturbance, chance) in CHANCES {
        if source.random_bool(chance) {
            match disturbance {
                Disturbance::Tint => tint(page, source, inks),
                Disturbance::DarkBorder => darken_border(page, source, inks),
                Disturbance::Stamp => stamp(page, fonts, source, inks),
            }
            befallen.push(disturbance);
        }
    }
    befallen
}

fn tint(page: &FormPage, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let gray = source.random_range(168..226);
    // Gray, cream, pale blue.
    let colour = *[[gray; 3], [gray + 20, gray + 12, gray - 30], [gray - 30, gray, gray + 20]]
        .choose(source)
        .unwrap_or(&[gray; 3]);
    let whole = RectMm { x: 0.0, y: 0.0, w: page.width_mm, h: page.height_mm };
    let pen = Pen::Area;
    inks.extend(rectangle(whole).map(|path| Ink { path, pen, colour, density: 1.0, medium: Medium::Ink }));
}

/// The lid of the copier was open, or the paper lay askew: one to four edges are dark.
fn darken_border(page: &FormPage, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let (width, height) = (page.width_mm, page.height_mm);
    let colour = [source.random_range(15..80); 3];
    let mut edges = [false; 4].map(|_| source.random_bool(0.6));
    edges[source.random_range(0..4)] = true;
    for (place, _) in edges.into_iter().enumerate().filter(|(_, is_dark)| *is_dark) {
        let [from, to] = [(); 2].map(|()| source.random_range(1.0..WIDEST_BORDER_MM));
        let corners = match place {
            0 => [(0.0, 0.0), (width, 0.0), (width, to), (0.0, from)],
            1 => [(width, 0.0), (width, height), (width - to, height), (width - from, 0.0)],
            2 => [(width, height), (0.0, height), (0.0, height - to), (width, height - from)],
            _ => [(0.0, height), (0.0, 0.0), (to, 0.0), (from, height)],
        };
        let mut builder = PathBuilder::new();
        for (corner, (x, y)) in corners.into_iter().enumerate() {
            match corner {
                0 => builder.move_to(x as f32, y as f32),
                _ => builder.line_to(x as f32, y as f32),
            }
        }
        builder.close();
        let pen = Pen::Area;
        let density = 0.95;
        inks.extend(builder.finish().map(|path| Ink { path, pen, colour, density, medium: Medium::Ink }));
    }
}

/// 受付 and the day in a ring, set where there was room: over a mark, if the page has any.
fn stamp(page: &FormPage, fonts: &Fonts, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let marks: Vec<RectMm> =
        page.fields.iter().flat_map(|field| &field.options).map(|option| option.area).collect();
    let target = marks.choose(source).map_or_else(
        || PointMm {
            x: page.width_mm * source.random_range(0.3..0.7),
            y: page.height_mm * source.random_range(0.3..0.7),
        },
        RectMm::centre,
    );
    let centre =
        PointMm { x: target.x + 5.0 * random::bell(source), y: target.y + 5.0 * random::bell(source) };
    let radius = source.random_range(7.0..12.0);
    // Vermilion, violet, black.
    let colour = *[[206, 60, 48], [96, 66, 140], [52, 52, 58]].choose(source).unwrap_or(&[52, 52, 58]);
    let density = source.random_range(0.35..0.85);
    let (sin, cos) = (0.1 * random::bell(source)).sin_cos();
    let mut push = |path, pen| inks.push(Ink { path, pen, colour, density, medium: Medium::Ink });
    if let Some(ring) = PathBuilder::from_circle(centre.x as f32, centre.y as f32, radius as f32) {
        push(ring, Pen::Line(0.5));
    }
    let day = format!("2.{}.{}", source.random_range(6..=9), source.random_range(1..=28));
    let face = fonts.printed.face();
    for (line, em, y) in
        [("受 付", 0.5 * radius, -0.45), (&day, 0.42 * radius, 0.15), ("市民課", 0.36 * radius, 0.62)]
    {
        let mut pen_x = -0.31 * em * line.chars().count() as f64;
        for character in line.chars() {
            let Some(glyph) = fonts::glyph(&face, character) else {
                pen_x += 0.4 * em;
                continue;
            };
            let path = placed(&glyph, |[glyph_x, glyph_y]| {
                let (x, y) = (pen_x + f64::from(glyph_x) * em, y * radius + (f64::from(glyph_y) - 0.5) * em);
                ((centre.x + x * cos - y * sin) as f32, (centre.y + x * sin + y * cos) as f32)
            });
            pen_x += f64::from(glyph.advance) * em;
            if let Some(path) = path {
                push(path, Pen::Area);
            }
        }
    }
}
