//! Ink on a page, in millimetres, and how it is drawn onto pixels.

use tiny_skia::{
    BlendMode, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform,
};

use crate::geometry::{Millimetres, PointMm, RectMm};

/// One shape of one colour.
#[derive(Debug, Clone)]
pub struct Ink {
    /// In millimetres from the page's top left corner.
    pub path: Path,
    pub pen: Pen,
    pub colour: [u8; 3],
    /// How much of what is below shows through: 0 all, 1 nothing.
    pub density: f32,
    pub medium: Medium,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pen {
    /// The shape is filled.
    Area,
    /// The shape's outline is drawn, so many millimetres wide.
    Line(f32),
    /// Filled, and drawn around as by a broader pen.
    AreaAndLine(f32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Darkens what is below, as ink does.
    Ink,
    /// Covers what is below, as paper that is glued on, or scratched bare.
    Cover,
}

/// Draws onto a page of `dpi`.
pub fn draw(inks: &[Ink], page: &mut Pixmap, dpi: f64) {
    let scale = Millimetres(1.0).to_pixels(dpi) as f32;
    let to_pixels = Transform::from_scale(scale, scale);
    for ink in inks {
        let [red, green, blue] = ink.colour;
        let mut paint = Paint {
            blend_mode: match ink.medium {
                Medium::Ink => BlendMode::Multiply,
                Medium::Cover => BlendMode::SourceOver,
            },
            ..Paint::default()
        };
        paint.set_color_rgba8(red, green, blue, (ink.density.clamp(0.0, 1.0) * 255.0) as u8);
        if let Pen::Area | Pen::AreaAndLine(_) = ink.pen {
            page.fill_path(&ink.path, &paint, FillRule::Winding, to_pixels, None);
        }
        if let Pen::Line(width) | Pen::AreaAndLine(width) = ink.pen {
            let stroke =
                Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
            page.stroke_path(&ink.path, &paint, &stroke, to_pixels, None);
        }
    }
}

/// The line that a pen with changing pressure leaves: `points` with the half width at each, all in
/// millimetres. None for no point.
pub fn trace(points: &[(PointMm, f64)]) -> Option<Path> {
    let mut builder = PathBuilder::new();
    // Every part turns the same way round, so that where parts overlap they add up.
    for &(centre, radius) in points {
        for corner in 0..10 {
            let angle = f64::from(corner) / 10.0 * std::f64::consts::TAU;
            let (x, y) = ((centre.x + radius * angle.cos()) as f32, (centre.y + radius * angle.sin()) as f32);
            if corner == 0 {
                builder.move_to(x, y);
            } else {
                builder.line_to(x, y);
            }
        }
        builder.close();
    }
    for pair in points.windows(2) {
        let [(from, from_width), (to, to_width)] = [pair[0], pair[1]];
        let length = (to.x - from.x).hypot(to.y - from.y);
        if length < 1e-6 {
            continue;
        }
        let (nx, ny) = ((to.y - from.y) / length, -(to.x - from.x) / length);
        builder.move_to((from.x + nx * from_width) as f32, (from.y + ny * from_width) as f32);
        builder.line_to((to.x + nx * to_width) as f32, (to.y + ny * to_width) as f32);
        builder.line_to((to.x - nx * to_width) as f32, (to.y - ny * to_width) as f32);
        builder.line_to((from.x - nx * from_width) as f32, (from.y - ny * from_width) as f32);
        builder.close();
    }
    builder.finish()
}

/// A rectangle's outline.
pub fn rectangle(area: RectMm) -> Option<Path> {
    let rect = tiny_skia::Rect::from_xywh(area.x as f32, area.y as f32, area.w as f32, area.h as f32)?;
    Some(PathBuilder::from_rect(rect))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_crosses_itself_has_no_holes() {
        let point = |x: f64, y: f64| (PointMm { x, y }, 0.5);
        let path =
            trace(&[point(1.0, 1.0), point(9.0, 9.0), point(9.0, 1.0), point(1.0, 9.0)]).expect("a path");
        let mut page = Pixmap::new(100, 100).expect("small");
        page.fill(tiny_skia::Color::WHITE);
        let ink = Ink { path, pen: Pen::Area, colour: [0; 3], density: 1.0, medium: Medium::Ink };
        draw(&[ink], &mut page, 254.0);
        for at in [20, 40, 50, 60, 80] {
            assert_eq!(page.pixel(at, at).expect("inside").red(), 0, "at {at}");
        }
        assert_eq!(page.pixel(50, 20).expect("inside").red(), 255);
    }
}
