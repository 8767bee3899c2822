//! Where a QR code ends, to a part of a pixel. A decoder gives its corners in whole pixels of the
//! view in which it read it; the middles of its three finder patterns, solid squares of three by
//! three modules, can be measured as well as registration marks.

use image::GrayImage;

use crate::geometry::{Affine, PointMm, PointPx};
use crate::page;

/// Modules from a corner of the code to the middle of its finder pattern, and the side of the
/// solid square there (ISO/IEC 18004, 6.3.3).
const PATTERN_MIDDLE: f64 = 3.5;
const PATTERN_SIDE: f64 = 3.0;

/// The corners of a QR code of `modules` a side that was seen between `corners`, in the same
/// order; as they were where a finder pattern cannot be measured.
pub(super) fn corners_of_code(picture: &GrayImage, corners: [PointPx; 4], modules: f64) -> [PointPx; 4] {
    measured(picture, corners, modules).unwrap_or(corners)
}

fn measured(picture: &GrayImage, corners: [PointPx; 4], modules: f64) -> Option<[PointPx; 4]> {
    let far = modules - PATTERN_MIDDLE;
    let middles = [(PATTERN_MIDDLE, PATTERN_MIDDLE), (far, PATTERN_MIDDLE), (PATTERN_MIDDLE, far)];
    let seen = affine_of(corners[0], corners[1], corners[3], modules);
    let mut found = [PointPx { x: 0.0, y: 0.0 }; 3];
    for (place, (x, y)) in found.iter_mut().zip(middles) {
        *place = page::solid_square(picture, &seen, PointMm { x, y }, PATTERN_SIDE, 1.5)?;
    }
    // From the square between the patterns to the whole code.
    let between = affine_of(found[0], found[1], found[2], far - PATTERN_MIDDLE);
    let (from, to) = (-PATTERN_MIDDLE, modules - PATTERN_MIDDLE);
    Some([(from, from), (to, from), (to, to), (from, to)].map(|(x, y)| between.apply(PointMm { x, y })))
}

/// The map of a square with sides of `side` onto its top left, top right and bottom left corner.
fn affine_of(top_left: PointPx, top_right: PointPx, bottom_left: PointPx, side: f64) -> Affine {
    Affine {
        a: (top_right.x - top_left.x) / side,
        b: (bottom_left.x - top_left.x) / side,
        c: top_left.x,
        d: (top_right.y - top_left.y) / side,
        e: (bottom_left.y - top_left.y) / side,
        f: top_left.y,
    }
}
