//! What can be said of a page before it is read: blank or not, its quality, and where the form's
//! millimetres lie on it.

mod fit;
pub(crate) mod gray;
mod marks;
mod overview;
mod quality;
mod register;
mod skew;
mod streaks;
#[cfg(test)]
pub(crate) mod synthetic;

pub use quality::{is_blank, quality, skew_of};
pub(crate) use register::solid_square;
pub use register::{Anchor, map_of_symbols, register, register_by_marks};
pub use streaks::without_streaks;

use serde::{Deserialize, Serialize};

use crate::geometry::Affine;

/// A form's page found on an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// From millimetres on the form to pixels on the decoded image, turn and skew included.
    pub map: Affine,
    /// The largest distance between a registration mark and where the map puts it, in pixels at
    /// 300 dpi.
    pub residual_px: f64,
}

impl Registration {
    /// Quarter turns clockwise, in degrees, that bring the image upright: 0, 90, 180 or 270.
    pub fn rotation(&self) -> u32 {
        (-self.map.angle_deg() / 90.0).round().rem_euclid(4.0) as u32 * 90
    }

    /// What is left of the page's turn after [`Self::rotation`], clockwise, in degrees.
    pub fn skew_deg(&self) -> f64 {
        let angle = self.map.angle_deg();
        angle - (angle / 90.0).round() * 90.0
    }
}

/// Measures of a scanned page, each independent of its content.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Quality {
    /// Share of pixels that are ink, 0 to 1, the border left out.
    pub ink: f64,
    /// Difference between paper and ink, 0 to 1.
    pub contrast: f64,
    /// Sharpness of edges, 0 (blurred) to 1.
    pub sharpness: f64,
}
