//! Blacking out: what lies inside a quadrangle of a page is gone from the image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::PageImage;
use crate::geometry::PointPx;

/// Why a place of a page is black.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cover {
    /// A number that must not be kept was found there. It is never seen again.
    Number,
    /// A row that could not be read well enough: a person may say that it holds none.
    Doubt,
    /// A copy of which nothing tells what it is of: so may they of it.
    Untold,
}

/// A place that is black.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Covered {
    pub cover: Cover,
    /// Of a convex quadrangle, in pixels.
    pub corners: [PointPx; 4],
}

/// Paints convex quadrangles black, in gray and in colour.
pub fn black_out<'a>(image: &mut PageImage, places: impl IntoIterator<Item = &'a [PointPx; 4]>) {
    let (width, height) = image.gray.dimensions();
    for place in places {
        let ys = place.map(|corner| corner.y);
        let top = ys.iter().copied().fold(f64::INFINITY, f64::min).floor().max(0.0) as u32;
        let bottom = ys.iter().copied().fold(0.0, f64::max).ceil().clamp(0.0, f64::from(height)) as u32;
        for y in top..bottom {
            let Some((left, right)) = extent(place, f64::from(y)) else { continue };
            let from = left.floor().clamp(0.0, f64::from(width)) as u32;
            let to = right.ceil().clamp(0.0, f64::from(width)) as u32;
            for x in from..to {
                image.gray.put_pixel(x, y, image::Luma([0]));
                if let Some(colour) = &mut image.colour {
                    colour.put_pixel(x, y, image::Rgb([0; 3]));
                }
            }
        }
    }
}

/// From where to where the quadrangle reaches inside the row of pixels that begins at `y`.
fn extent(place: &[PointPx; 4], y: f64) -> Option<(f64, f64)> {
    let mut reach: Option<(f64, f64)> = None;
    for (at, from) in place.iter().enumerate() {
        let to = &place[(at + 1) % 4];
        let (low, high) = (from.y.min(to.y).max(y), from.y.max(to.y).min(y + 1.0));
        if low > high {
            continue;
        }
        let x_at = |y: f64| match to.y - from.y {
            rise if rise.abs() < 1e-9 => [from.x, to.x],
            rise => [from.x + (to.x - from.x) * (y - from.y) / rise; 2],
        };
        for x in x_at(low).into_iter().chain(x_at(high)) {
            let (left, right) = reach.unwrap_or((x, x));
            reach = Some((left.min(x), right.max(x)));
        }
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, RgbImage};

    #[test]
    fn what_lies_inside_is_black_in_gray_and_in_colour() {
        let mut page = PageImage {
            gray: GrayImage::from_pixel(100, 100, image::Luma([200])),
            colour: Some(RgbImage::from_pixel(100, 100, image::Rgb([200; 3]))),
            bilevel: false,
            declared_dpi: None,
        };
        // A square of 40 pixels, turned by 45 degrees, and one that reaches over the edge.
        let turned = [(50.0, 22.0), (78.0, 50.0), (50.0, 78.0), (22.0, 50.0)].map(|(x, y)| PointPx { x, y });
        let beyond = [(90.0, -5.0), (130.0, -5.0), (130.0, 5.0), (90.0, 5.0)].map(|(x, y)| PointPx { x, y });
        black_out(&mut page, [&turned, &beyond]);
        let black = page.gray.pixels().filter(|level| level.0[0] == 0).count();
        assert!((1568 + 50..1568 + 50 + 130).contains(&black), "{black}");
        for (x, y, level) in page.gray.enumerate_pixels() {
            let colour = page.colour.as_ref().map(|colour| colour.get_pixel(x, y).0);
            assert_eq!(colour, Some([level.0[0]; 3]));
        }
        assert_eq!(page.gray.get_pixel(50, 50).0, [0]);
        assert_eq!(page.gray.get_pixel(30, 30).0, [200]);
    }
}
