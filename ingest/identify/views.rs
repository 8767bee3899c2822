//! Other views of a picture, in which a decoder may see what it missed in the first: smaller,
//! bilevel, cut out upright.

use image::{GrayImage, Luma};

use crate::geometry::PointPx;
use crate::page::gray::{otsu, sample};

/// Half the size, each pixel the mean of four: what noise hides at full size often shows here.
pub(super) fn halved(picture: &GrayImage) -> GrayImage {
    let (width, height) = (picture.width() / 2, picture.height() / 2);
    let stride = picture.width() as usize;
    let pixels = picture.as_raw();
    let mut half = Vec::with_capacity((width * height) as usize);
    for y in 0..height as usize {
        let upper = &pixels[2 * y * stride..][..2 * width as usize];
        let lower = &pixels[(2 * y + 1) * stride..][..2 * width as usize];
        half.extend(upper.chunks_exact(2).zip(lower.chunks_exact(2)).map(|(above, below)| {
            let sum = u16::from(above[0]) + u16::from(above[1]) + u16::from(below[0]) + u16::from(below[1]);
            ((sum + 2) / 4) as u8
        }));
    }
    GrayImage::from_raw(width, height, half).unwrap_or_default()
}

/// Black and white, parted where the two classes of gray differ most (Otsu 1979).
pub(super) fn bilevel(picture: &GrayImage) -> GrayImage {
    let mut histogram = [0u32; 256];
    for &value in picture.as_raw() {
        histogram[usize::from(value)] += 1;
    }
    let threshold = otsu(&histogram);
    let mut result = picture.clone();
    for value in result.iter_mut() {
        *value = if *value > threshold { 255 } else { 0 };
    }
    result
}

/// Black for white.
pub(super) fn inverted(picture: &GrayImage) -> GrayImage {
    let mut result = picture.clone();
    image::imageops::invert(&mut result);
    result
}

/// A rectangle of a picture in any turn, to be cut out upright.
pub(super) struct Cut {
    /// The top left corner on the picture, and the ways from it to the top right and the bottom
    /// left corner.
    pub origin: PointPx,
    pub across: (f64, f64),
    pub down: (f64, f64),
    /// Pixels of the result, and of the white margin around it.
    pub width: u32,
    pub height: u32,
    pub margin: u32,
}

impl Cut {
    /// The cut as a picture. Each pixel is the mean of as many samples as it covers on the
    /// picture, up to four by four; what lies outside the picture is white.
    pub(super) fn take(&self, picture: &GrayImage) -> GrayImage {
        let step = |way: (f64, f64), count: u32| (way.0 / f64::from(count), way.1 / f64::from(count));
        let across = step(self.across, self.width);
        let down = step(self.down, self.height);
        let samples = |way: (f64, f64)| (way.0.hypot(way.1).round() as u32).clamp(1, 4);
        let (columns, rows) = (samples(across), samples(down));
        let margin = self.margin;
        let mut result =
            GrayImage::from_pixel(self.width + 2 * margin, self.height + 2 * margin, Luma([255]));
        for y in 0..self.height {
            for x in 0..self.width {
                let mut sum = 0.0;
                for row in 0..rows {
                    let v = f64::from(y) + (f64::from(row) + 0.5) / f64::from(rows);
                    for column in 0..columns {
                        let u = f64::from(x) + (f64::from(column) + 0.5) / f64::from(columns);
                        sum += sample(
                            picture,
                            PointPx {
                                x: self.origin.x + u * across.0 + v * down.0,
                                y: self.origin.y + u * across.1 + v * down.1,
                            },
                        );
                    }
                }
                let mean = sum / f64::from(rows * columns);
                result.put_pixel(x + margin, y + margin, Luma([mean.round() as u8]));
            }
        }
        result
    }

    /// Where a point of the cut lies on the picture.
    pub(super) fn on_picture(&self, point: PointPx) -> PointPx {
        let u = (point.x - f64::from(self.margin)) / f64::from(self.width);
        let v = (point.y - f64::from(self.margin)) / f64::from(self.height);
        PointPx {
            x: self.origin.x + u * self.across.0 + v * self.down.0,
            y: self.origin.y + u * self.across.1 + v * self.down.1,
        }
    }
}
