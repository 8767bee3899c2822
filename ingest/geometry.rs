//! Lengths on paper and on images, and the map between them.
//!
//! On paper: millimetres from the top left corner of the page, x to the right, y down. On an
//! image: pixels from the top left corner of the image as it was decoded; (0, 0) is the corner of
//! the first pixel, its centre is (0.5, 0.5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length on paper.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millimetres(pub f64);

impl Millimetres {
    pub const PER_INCH: f64 = 25.4;

    /// PostScript points, 1/72 inch, as PDF measures.
    pub fn to_points(self) -> f32 {
        (self.0 / Self::PER_INCH * 72.0) as f32
    }

    pub fn to_pixels(self, dpi: f64) -> f64 {
        self.0 / Self::PER_INCH * dpi
    }
}

impl std::ops::Add for Millimetres {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Sub for Millimetres {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

/// A point on paper, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PointMm {
    pub x: f64,
    pub y: f64,
}

/// A rectangle on paper, in millimetres; `x`, `y` is its top left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RectMm {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl RectMm {
    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }

    pub fn centre(&self) -> PointMm {
        PointMm { x: self.x + self.w / 2.0, y: self.y + self.h / 2.0 }
    }

    /// Clockwise from top left.
    pub fn corners(&self) -> [PointMm; 4] {
        [
            PointMm { x: self.x, y: self.y },
            PointMm { x: self.right(), y: self.y },
            PointMm { x: self.right(), y: self.bottom() },
            PointMm { x: self.x, y: self.bottom() },
        ]
    }

    /// Grown by `margin` on every side (shrunk where it is negative).
    pub fn grown(&self, margin: f64) -> Self {
        Self { x: self.x - margin, y: self.y - margin, w: self.w + 2.0 * margin, h: self.h + 2.0 * margin }
    }

    pub fn contains(&self, other: &Self) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// The smallest rectangle around all of `rects`; none for none.
    pub fn around(rects: impl IntoIterator<Item = Self>) -> Option<Self> {
        rects.into_iter().reduce(|a, b| {
            let x = a.x.min(b.x);
            let y = a.y.min(b.y);
            Self { x, y, w: a.right().max(b.right()) - x, h: a.bottom().max(b.bottom()) - y }
        })
    }
}

/// A point on an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PointPx {
    pub x: f64,
    pub y: f64,
}

impl PointPx {
    pub fn distance(&self, other: &Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

/// A rectangle of whole pixels inside an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RectPx {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

/// An affine map from millimetres on a form's page to pixels of a decoded image:
/// `x' = a·x + b·y + c`, `y' = d·x + e·y + f`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    pub a: f64,
    pub b: f64,
    pub c: f64,
    pub d: f64,
    pub e: f64,
    pub f: f64,
}

impl Affine {
    pub fn apply(&self, point: PointMm) -> PointPx {
        PointPx {
            x: self.a * point.x + self.b * point.y + self.c,
            y: self.d * point.x + self.e * point.y + self.f,
        }
    }

    /// The way back; none where the map is degenerate.
    pub fn invert(&self, point: PointPx) -> Option<PointMm> {
        let determinant = self.a * self.e - self.b * self.d;
        if determinant.abs() < 1e-12 {
            return None;
        }
        let (x, y) = (point.x - self.c, point.y - self.f);
        Some(PointMm {
            x: (self.e * x - self.b * y) / determinant,
            y: (self.a * y - self.d * x) / determinant,
        })
    }

    /// Pixels a millimetre, as the geometric mean of both axes.
    pub fn scale(&self) -> f64 {
        (self.a * self.e - self.b * self.d).abs().sqrt()
    }

    /// Pixels an inch.
    pub fn dpi(&self) -> f64 {
        self.scale() * Millimetres::PER_INCH
    }

    /// Degrees by which the page's x axis is turned clockwise on the image, in (-180, 180].
    pub fn angle_deg(&self) -> f64 {
        self.d.atan2(self.a).to_degrees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn inverting_undoes_applying(
            angle in -3.1f64..3.1, scale in 5.0f64..20.0,
            shift in -500.0f64..500.0, x in 0.0f64..210.0, y in 0.0f64..297.0,
        ) {
            let (sin, cos) = angle.sin_cos();
            let map = Affine {
                a: scale * cos, b: -scale * sin, c: shift,
                d: scale * sin, e: scale * cos, f: -shift,
            };
            let back = map.invert(map.apply(PointMm { x, y })).expect("regular");
            prop_assert!((back.x - x).abs() < 1e-6 && (back.y - y).abs() < 1e-6);
            prop_assert!((map.scale() - scale).abs() < 1e-9);
            prop_assert!((map.angle_deg() - angle.to_degrees()).abs() < 1e-6);
        }
    }
}
