//! A rectangle of a form taken out of a scanned page, upright and at a fixed scale. Only what is
//! read is sampled, never the whole page: that would cost more than all reading.

use std::borrow::Cow;

use image::{GrayImage, Luma};

use crate::geometry::{Affine, Millimetres, PointMm, PointPx, RectMm, RectPx};
use crate::page::gray;

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

    /// The same at a coarser resolution; itself where `dpi` is not coarser.
    pub fn coarser(&self, dpi: f64) -> Self {
        if dpi >= self.dpi {
            return self.clone();
        }
        let size = |pixels: u32| ((f64::from(pixels) * dpi / self.dpi).round() as u32).max(1);
        let gray = image::imageops::thumbnail(&self.gray, size(self.gray.width()), size(self.gray.height()));
        Self { gray, area: self.area, dpi }
    }

    /// Paints `area` over.
    pub fn fill(&mut self, area: &RectMm, level: u8) {
        let rect = self.pixels(area);
        for y in rect.y..rect.y + rect.h {
            for x in rect.x..rect.x + rect.w {
                self.gray.put_pixel(x, y, Luma([level]));
            }
        }
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
    let (width, height) = (size(area.w), size(area.h));
    let step = Millimetres::PER_INCH / dpi;
    // How many scan pixels one of the crop spans decides how many are averaged; 4 is 1,200 dpi
    // read at 300.
    let fineness = ((map.scale() * step - 0.3).ceil() as u32).clamp(1, 4);
    let part = step / f64::from(fineness);
    let mut levels = Vec::with_capacity((width * height) as usize);
    let mut sums = vec![0u32; width as usize];
    for y in 0..height {
        sums.fill(0);
        for down in 0..fineness {
            let start = map.apply(PointMm {
                x: area.x + part / 2.0,
                y: area.y + f64::from(y) * step + (f64::from(down) + 0.5) * part,
            });
            let row = Row::new(page, start, (map.a * part, map.d * part), width * fineness);
            row.add_to(&mut sums, fineness as usize);
        }
        let samples = fineness * fineness;
        levels.extend(sums.iter().map(|sum| ((sum + samples / 2) / samples) as u8));
    }
    let gray = GrayImage::from_raw(width, height, levels).unwrap_or_default();
    Crop { gray, area, dpi }
}

/// The page at a whole part of its resolution, though not below `dpi`, and the map onto it; each pixel is the mean of
/// those that it stands for. For all who look at whole pages: no other way of averaging takes as little time.
pub fn reduced<'a>(page: &'a GrayImage, map: &Affine, dpi: f64) -> (Cow<'a, GrayImage>, Affine) {
    // A little below is as good.
    let factor = (map.scale() * Millimetres::PER_INCH / dpi + 0.1) as u32;
    if factor < 2 {
        return (Cow::Borrowed(page), *map);
    }
    let by = f64::from(factor);
    let Affine { a, b, c, d, e, f } = *map;
    let map = Affine { a: a / by, b: b / by, c: c / by, d: d / by, e: e / by, f: f / by };
    (Cow::Owned(gray::reduced(page, factor)), map)
}

/// Points on a page at equal steps; (0.5, 0.5) is the centre of the first pixel.
struct Row<'a> {
    page: &'a GrayImage,
    start: PointPx,
    step: (f64, f64),
    /// All points have four pixels around them.
    is_inside: bool,
}

impl<'a> Row<'a> {
    fn new(page: &'a GrayImage, start: PointPx, step: (f64, f64), count: u32) -> Self {
        let reaches = |start: f64, step: f64, size: u32| {
            let last = i64::from(size) - 1;
            let is_within = |place: f64| (0..last).contains(&(parts(place) >> 8));
            is_within(start) && is_within(start + f64::from(count.saturating_sub(1)) * step)
        };
        let is_inside = reaches(start.x, step.0, page.width()) && reaches(start.y, step.1, page.height());
        Self { page, start, step, is_inside }
    }

    /// Adds the levels of each `run` of points to one sum.
    fn add_to(&self, sums: &mut [u32], run: usize) {
        let level = |x, y| if self.is_inside { self.inside(x, y) } else { self.anywhere(x, y) };
        for (place, sum) in sums.iter_mut().enumerate() {
            for sample in 0..run {
                let index = (place * run + sample) as f64;
                let (x, y) = (self.start.x + index * self.step.0, self.start.y + index * self.step.1);
                *sum += level(parts(x), parts(y));
            }
        }
    }

    fn inside(&self, x: i64, y: i64) -> u32 {
        let width = self.page.width() as usize;
        let at = (y >> 8) as usize * width + (x >> 8) as usize;
        let four = &self.page.as_raw()[at..at + width + 2];
        mean(x, y, [four[0], four[1], four[width], four[width + 1]])
    }

    /// The border goes on outside the page.
    fn anywhere(&self, x: i64, y: i64) -> u32 {
        let (right, bottom) = (i64::from(self.page.width()) - 1, i64::from(self.page.height()) - 1);
        let level = |dx, dy| {
            let place = |place: i64, last: i64| place.clamp(0, last) as u32;
            self.page.get_pixel(place((x >> 8) + dx, right), place((y >> 8) + dy, bottom)).0[0]
        };
        mean(x, y, [level(0, 0), level(1, 0), level(0, 1), level(1, 1)])
    }
}

/// A coordinate in 256ths of a pixel, from the centre of the first on.
fn parts(pixels: f64) -> i64 {
    ((pixels - 0.5) * 256.0) as i64
}

/// The mean of four pixels by how near the point is to each; from the top left in the order of reading.
fn mean(x: i64, y: i64, four: [u8; 4]) -> u32 {
    let (dx, dy) = ((x & 255) as u32, (y & 255) as u32);
    let [upper_left, upper_right, lower_left, lower_right] = four.map(u32::from);
    let upper = upper_left * (256 - dx) + upper_right * dx;
    let lower = lower_left * (256 - dx) + lower_right * dx;
    (upper * (256 - dy) + lower * dy + (1 << 15)) >> 16
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
    fn a_crop_loses_nothing() {
        let gray = GrayImage::from_fn(64, 48, |x, y| Luma([(x * 3 + y * 2) as u8]));
        let map = Affine { a: 10.0, b: 0.0, c: 0.0, d: 0.0, e: 10.0, f: 0.0 };
        let crop = cut(&gray, &map, RectMm { x: 1.0, y: 1.0, w: 4.0, h: 3.0 }, 254.0);
        let bytes = png_of(&crop).expect("small");
        assert_eq!(image::load_from_memory(&bytes).expect("a picture").to_luma8(), crop.gray);
    }

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
    fn whether_it_lies_at_the_border_changes_no_level() {
        let page = GrayImage::from_fn(50, 40, |x, y| Luma([(x * x * 7 + y * 31 + x * y) as u8]));
        let row = Row::new(&page, PointPx { x: 3.2, y: 30.9 }, (0.37, -0.21), 120);
        assert!(row.is_inside);
        let mut sums = vec![0; 120];
        row.add_to(&mut sums, 1);
        let mut careful = vec![0; 120];
        Row { is_inside: false, ..row }.add_to(&mut careful, 1);
        assert_eq!(sums, careful);
        assert!(!Row::new(&page, PointPx { x: 3.2, y: 30.9 }, (0.37, -0.21), 140).is_inside);
    }

    #[test]
    fn a_reduced_page_shows_the_same_in_the_same_place() {
        let page = GrayImage::from_fn(301, 203, |x, y| Luma([((x / 30 * 40 + y / 20 * 10) % 256) as u8]));
        // 254 dpi, a little turned.
        let map = Affine { a: 10.0, b: -0.1, c: 3.0, d: 0.1, e: 10.0, f: 2.0 };
        assert!(matches!(reduced(&page, &map, 140.0), (Cow::Borrowed(_), same) if same == map));
        let (smaller, onto) = reduced(&page, &map, 127.0);
        assert_eq!(smaller.dimensions(), (150, 101));
        let area = RectMm { x: 2.0, y: 2.0, w: 20.0, h: 12.0 };
        let (one, other) = (cut(&page, &map, area, 60.0), cut(&smaller, &onto, area, 60.0));
        let apart =
            one.gray.pixels().zip(other.gray.pixels()).map(|(one, other)| one.0[0].abs_diff(other.0[0]));
        // But for edges, which are as wide as a pixel.
        assert!(apart.filter(|&by| by > 20).count() < one.gray.pixels().len() / 20);
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
