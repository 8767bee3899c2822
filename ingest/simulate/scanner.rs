//! The scanner: a clean page in, what a scanner makes of it out, with the map from millimetres on
//! the form to its pixels. The page is resampled once.

use rand::{Rng, RngCore};
use tiny_skia::Pixmap;

use super::{optics, random};
use crate::geometry::{Affine, Millimetres, PointMm};

/// What one pixel of a scan holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Gray,
    Colour,
    Bilevel,
}

/// A page as the scanner gives it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raster {
    pub width: u32,
    pub height: u32,
    pub mode: Mode,
    pub dpi: u32,
    /// Row by row: one byte a pixel, three for colour; 0 or 255 where it is bilevel.
    pub data: Vec<u8>,
}

/// How a scanner was set when it scanned a file, and its age.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scanner {
    pub dpi: u32,
    pub mode: Mode,
    /// 1 to 100.
    pub jpeg_quality: u8,
    /// Bilevel: the share of white below which a pixel is black.
    pub threshold: f64,
    /// Bilevel: white is measured around the pixel, not once for all.
    pub adaptive: bool,
    /// What white paper and black ink come out as, 0 to 255.
    pub white: [f64; 3],
    pub black: f64,
    /// Where there is no paper.
    lid: u8,
    /// Standard deviation of a pixel, of 255.
    pub noise: f64,
    /// Loss of light towards the edges: across and along, as shares.
    pub shading: (f64, f64),
    soft: bool,
    /// Dirt on the glass: place across the image as a share, width in pixels, change of brightness.
    pub streaks: Vec<(f64, u32, i32)>,
    /// Specks of dust a page.
    pub specks: u32,
}

/// How one page went through.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Feed {
    /// Quarter turns clockwise that the page is turned by on the image.
    pub quarter_turns: u32,
    /// Clockwise, in degrees.
    pub skew_deg: f64,
    /// From the middle of the image, in millimetres.
    offset: (f64, f64),
    /// The image's size beyond the page's, in millimetres; less than 0 crops.
    margin: (f64, f64),
    /// Along the image's axes.
    stretch: (f64, f64),
}

impl Scanner {
    /// A scanner drawn by chance, among the modes of `modes`.
    pub(super) fn of_chance(modes: &[(Mode, f64)], source: &mut impl Rng) -> Self {
        let white = source.random_range(228.0..255.0);
        let tint = if source.random_bool(0.3) { source.random_range(0.0..9.0) } else { 0.0 };
        let streaked = source.random_bool(0.12);
        Self {
            dpi: random::weighted(source, &[(200, 0.25), (300, 0.57), (400, 0.18)]),
            mode: random::weighted(source, modes),
            jpeg_quality: source.random_range(45..=92),
            threshold: source.random_range(0.52..0.74),
            adaptive: source.random_bool(0.6),
            white: [white, white - 0.4 * tint, white - tint],
            black: source.random_range(4.0..48.0),
            lid: if source.random_bool(0.08) { source.random_range(18..60) } else { 250 },
            noise: random::weighted(source, &[(1.2, 0.4), (3.0, 0.4), (6.5, 0.2)]),
            shading: (source.random_range(0.0..0.09), source.random_range(-0.05..0.05)),
            soft: source.random_bool(0.25),
            streaks: (0..if streaked { source.random_range(1..4) } else { 0 })
                .map(|_| {
                    let change = if source.random_bool(0.7) { -1 } else { 1 } * source.random_range(18..90);
                    (source.random_range(0.03..0.97), source.random_range(1..=3), change)
                })
                .collect(),
            specks: source.random_range(0..40),
        }
    }

    /// A new scanner with clean glass: gray, 300 dpi, nothing lost.
    pub(super) fn clean(modes: &[(Mode, f64)]) -> Self {
        Self {
            dpi: 300,
            mode: modes.first().map_or(Mode::Gray, |(mode, _)| *mode),
            jpeg_quality: 92,
            threshold: 0.6,
            adaptive: false,
            white: [255.0; 3],
            black: 0.0,
            lid: 255,
            noise: 0.0,
            shading: (0.0, 0.0),
            soft: false,
            streaks: Vec::new(),
            specks: 0,
        }
    }
}

impl Feed {
    pub(super) fn of_chance(source: &mut impl Rng) -> Self {
        Self {
            quarter_turns: random::weighted(source, &[(0, 0.84), (2, 0.10), (1, 0.03), (3, 0.03)]),
            skew_deg: (1.0 * random::bell(source)).clamp(-3.0, 3.0),
            offset: (1.1 * random::bell(source), 1.3 * random::bell(source)),
            margin: (source.random_range(-1.5..2.0), source.random_range(-2.0..5.0)),
            stretch: (1.0 + source.random_range(-0.0008..0.0008), 1.0 + source.random_range(-0.003..0.003)),
        }
    }

    pub(super) fn straight() -> Self {
        Self { quarter_turns: 0, skew_deg: 0.0, offset: (0.0, 0.0), margin: (0.0, 0.0), stretch: (1.0, 1.0) }
    }

    /// Quarter turns clockwise, in degrees, that bring the image upright.
    pub(super) fn rotation(&self) -> u32 {
        (4 - self.quarter_turns) % 4 * 90
    }

    /// The image's size in pixels, and where the millimetres of a page of this size lie on it.
    fn geometry(&self, width_mm: f64, height_mm: f64, dpi: u32) -> (u32, u32, Affine) {
        let scale = Millimetres(1.0).to_pixels(f64::from(dpi));
        let turned = self.quarter_turns % 2 == 1;
        let (across, along) = if turned { (height_mm, width_mm) } else { (width_mm, height_mm) };
        let width = ((across + self.margin.0) * scale).round();
        let height = ((along + self.margin.1) * scale).round();
        let angle = (f64::from(self.quarter_turns) * 90.0 + self.skew_deg).to_radians();
        let (sin, cos) = angle.sin_cos();
        let (x_scale, y_scale) = (scale * self.stretch.0, scale * self.stretch.1);
        let mut map = Affine {
            a: x_scale * cos,
            b: -x_scale * sin,
            c: 0.0,
            d: y_scale * sin,
            e: y_scale * cos,
            f: 0.0,
        };
        let middle = map.apply(PointMm { x: width_mm / 2.0, y: height_mm / 2.0 });
        map.c = width / 2.0 + self.offset.0 * scale - middle.x;
        map.f = height / 2.0 + self.offset.1 * scale - middle.y;
        (width as u32, height as u32, map)
    }
}

/// Scans `page`, which was drawn at `page_dpi`.
pub(super) fn scan(
    page: &Pixmap,
    page_dpi: f64,
    scanner: &Scanner,
    feed: &Feed,
    source: &mut impl RngCore,
) -> (Raster, Affine) {
    let millimetres = |pixels: u32| f64::from(pixels) / page_dpi * Millimetres::PER_INCH;
    let (width, height, map) =
        feed.geometry(millimetres(page.width()), millimetres(page.height()), scanner.dpi);
    let data = match scanner.mode {
        Mode::Colour => {
            optics::resample::<3, 4>(page.data(), page, page_dpi, &map, (width, height), scanner.lid)
        }
        Mode::Gray | Mode::Bilevel => {
            let gray: Vec<u8> = page
                .data()
                .chunks_exact(4)
                .map(|rgba| {
                    ((u32::from(rgba[0]) * 77 + u32::from(rgba[1]) * 150 + u32::from(rgba[2]) * 29) >> 8)
                        as u8
                })
                .collect();
            optics::resample::<1, 1>(&gray, page, page_dpi, &map, (width, height), scanner.lid)
        }
    };
    let mut raster = Raster { width, height, mode: scanner.mode, dpi: scanner.dpi, data };
    optics::expose(&mut raster, scanner, source);
    if scanner.soft {
        optics::soften(&mut raster);
    }
    if scanner.mode == Mode::Bilevel {
        optics::threshold(&mut raster, scanner);
    }
    optics::dust(&mut raster, scanner, source);
    (raster, map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::PointPx;
    use crate::page::Registration;

    #[test]
    fn turn_and_skew_are_those_that_registration_means() {
        for quarter_turns in 0..4 {
            for skew_deg in [-2.5, 0.0, 1.3] {
                let feed = Feed { quarter_turns, skew_deg, ..Feed::straight() };
                let (_, _, map) = feed.geometry(210.0, 297.0, 300);
                let registration = Registration { map, residual_px: 0.0 };
                assert_eq!(registration.rotation(), feed.rotation());
                assert!((registration.skew_deg() - skew_deg).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_map_says_where_ink_comes_out() {
        let mut source = random::source(5, "scanner");
        for _ in 0..12 {
            let mut page = Pixmap::new(1200, 1600).expect("small");
            page.fill(tiny_skia::Color::WHITE);
            // A black square of 40 pixels around (300.0, 1100.0) at 200 dpi.
            let rect = tiny_skia::Rect::from_xywh(280.0, 1080.0, 40.0, 40.0).expect("a rectangle");
            page.fill_rect(rect, &tiny_skia::Paint::default(), tiny_skia::Transform::identity(), None);
            let mut scanner = Scanner::of_chance(&[(Mode::Gray, 1.0), (Mode::Bilevel, 1.0)], &mut source);
            scanner.lid = 250;
            scanner.streaks.clear();
            let feed = Feed::of_chance(&mut source);
            let (raster, map) = scan(&page, 200.0, &scanner, &feed, &mut source);
            let to_mm = |pixels: f64| pixels / 200.0 * Millimetres::PER_INCH;
            let expected = map.apply(PointMm { x: to_mm(300.0), y: to_mm(1100.0) });
            let (mut x, mut y, mut weight) = (0.0, 0.0, 0.0);
            for (place, &value) in raster.data.iter().enumerate() {
                let at = PointPx {
                    x: (place % raster.width as usize) as f64 + 0.5,
                    y: (place / raster.width as usize) as f64 + 0.5,
                };
                if value < 110 && at.distance(&expected) < 90.0 {
                    x += at.x;
                    y += at.y;
                    weight += 1.0;
                }
            }
            let found = PointPx { x: x / weight, y: y / weight };
            assert!(found.distance(&expected) < 0.6, "{found:?} {expected:?} {feed:?}");
        }
    }
}
