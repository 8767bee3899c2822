//! A rectangle of a form taken out of a scanned page, upright and at a fixed scale. Only what is
//! read is sampled, never the whole page: that would cost more than all reading.

use image::{GrayImage, Luma};

use crate::geometry::{Affine, Millimetres, PointMm, RectMm, RectPx};

/// A piece of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Crop {
    pub gray: GrayImage,
    /// What it shows, in millimetres on the form.
    pub area: RectMm,
    pub dpi: f64,
}

impl Crop {
    /// Where `rect` lies in the crop, rounded to pixels and cut off at its borders.
    pub fn pixels(&self, rect: &RectMm) -> RectPx {
        let place = |length: f64, size: u32| {
            Millimetres(length).to_pixels(self.dpi).round().clamp(0.0, f64::from(size)) as u32
        };
        let (width, height) = self.gray.dimensions();
        let (x, y) = (place(rect.x - self.area.x, width), place(rect.y - self.area.y, height));
        let (right, bottom) =
            (place(rect.right() - self.area.x, width), place(rect.bottom() - self.area.y, height));
        RectPx { x, y, w: right - x, h: bottom - y }
    }

    /// The part that shows `area` with `margin` millimetres around it, as far as the crop reaches.
    pub fn part(&self, area: &RectMm, margin: f64) -> Self {
        let rect = self.pixels(&area.grown(margin));
        let side = Millimetres::PER_INCH / self.dpi;
        Self {
            gray: image::imageops::crop_imm(&self.gray, rect.x, rect.y, rect.w, rect.h).to_image(),
            area: RectMm {
                x: self.area.x + f64::from(rect.x) * side,
                y: self.area.y + f64::from(rect.y) * side,
                w: f64::from(rect.w) * side,
                h: f64::from(rect.h) * side,
            },
            dpi: self.dpi,
        }
    }
}

/// Samples `area` of the form out of `page` at `dpi`. Where the scan is finer, each pixel of the
/// crop is the mean over its own area; what lies outside the page repeats its border.
pub fn cut(page: &GrayImage, map: &Affine, area: RectMm, dpi: f64) -> Crop {
    let size = |length: f64| Millimetres(length).to_pixels(dpi).round().max(1.0) as u32;
    let step = Millimetres::PER_INCH / dpi;
    // How many scan pixels one of the crop spans decides how many are averaged; 4 is 1,200 dpi
    // read at 300.
    let fineness = ((map.scale() * step - 0.3).ceil() as i32).clamp(1, 4);
    let samples: Vec<f64> =
        (0..fineness).map(|index| (f64::from(index) + 0.5) / f64::from(fineness)).collect();
    let gray = GrayImage::from_fn(size(area.w), size(area.h), |x, y| {
        let mut sum = 0.0;
        for down in &samples {
            for across in &samples {
                let point = PointMm {
                    x: area.x + (f64::from(x) + across) * step,
                    y: area.y + (f64::from(y) + down) * step,
                };
                let at = map.apply(point);
                sum += bilinear(page, at.x as f32, at.y as f32);
            }
        }
        Luma([(sum / (samples.len() * samples.len()) as f32).round() as u8])
    });
    Crop { gray, area, dpi }
}

/// The level at a point, where (0.5, 0.5) is the centre of the first pixel.
fn bilinear(page: &GrayImage, x: f32, y: f32) -> f32 {
    let (width, height) = (page.width() as i32, page.height() as i32);
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (dx, dy) = (x - left, y - top);
    let column = |offset: i32| (left as i32).saturating_add(offset).clamp(0, width - 1) as usize;
    let row =
        |offset: i32| (top as i32).saturating_add(offset).clamp(0, height - 1) as usize * width as usize;
    let level = |row: usize, column: usize| f32::from(page.as_raw()[row + column]);
    let upper = level(row(0), column(0)) * (1.0 - dx) + level(row(0), column(1)) * dx;
    let lower = level(row(1), column(0)) * (1.0 - dx) + level(row(1), column(1)) * dx;
    upper * (1.0 - dy) + lower * dy
}

/// A gray PNG, compressed for speed: a field takes a millisecond and some 10 kB.
pub fn png_of(crop: &Crop) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, crop.gray.width(), crop.gray.height());
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let dots = (crop.dpi / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: dots, yppu: dots, unit: png::Unit::Meter }));
    encoder.write_header()?.write_image_data(crop.gray.as_raw())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 pixels a millimetre, turned by a quarter: the form's x runs down the image.
    const TURNED: Affine = Affine { a: 0.0, b: -10.0, c: 400.0, d: 10.0, e: 0.0, f: 0.0 };

    #[test]
    fn a_turned_page_gives_an_upright_crop() {
        let mut page = GrayImage::from_pixel(400, 600, Luma([255]));
        // A bar of 10 mm × 1 mm at (5 mm, 20 mm) of the form.
        for y in 50..150 {
            for x in 190..200 {
                page.put_pixel(x, y, Luma([0]));
            }
        }
        let area = RectMm { x: 4.0, y: 19.0, w: 12.0, h: 3.0 };
        let crop = cut(&page, &TURNED, area, 254.0);
        assert_eq!(crop.gray.dimensions(), (120, 30));
        let bar = crop.pixels(&RectMm { x: 5.0, y: 20.0, w: 10.0, h: 1.0 });
        assert_eq!(bar, RectPx { x: 10, y: 10, w: 100, h: 10 });
        for (x, y, level) in crop.gray.enumerate_pixels() {
            let inside = (bar.x..bar.x + bar.w).contains(&x) && (bar.y..bar.y + bar.h).contains(&y);
            assert_eq!(level.0[0] < 128, inside, "at {x}, {y}");
        }
    }

    #[test]
    fn outside_the_page_the_border_goes_on() {
        let page = GrayImage::from_pixel(40, 60, Luma([200]));
        let crop = cut(&page, &TURNED, RectMm { x: -50.0, y: -50.0, w: 30.0, h: 20.0 }, 100.0);
        assert!(crop.gray.pixels().all(|level| level.0[0] == 200));
    }

    #[test]
    fn a_fine_scan_is_averaged() {
        // Columns of black and white, one pixel each, read at a third of their resolution.
        let page = GrayImage::from_fn(300, 300, |x, _| Luma([if x % 2 == 0 { 0 } else { 255 }]));
        let map = Affine { a: 30.0, b: 0.0, c: 0.0, d: 0.0, e: 30.0, f: 0.0 };
        let crop = cut(&page, &map, RectMm { x: 2.0, y: 2.0, w: 4.0, h: 4.0 }, 254.0);
        assert!(crop.gray.pixels().all(|level| (64..=191).contains(&level.0[0])));
    }
}
