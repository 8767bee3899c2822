//! Test support: draws a sheet in millimetres and "scans" it through any affine map.

use image::{GrayImage, Luma};
use qrcode::{Color, QrCode};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::digest::Sha256;
use crate::form::{Form, FormPage, Forms, SymbolPlace, SymbolRole, Symbology, symbol};
use crate::geometry::{Affine, PointMm, PointPx, RectMm};

/// Black rectangles on white paper.
pub(crate) struct Sheet {
    pub ink: Vec<RectMm>,
}

pub(crate) const QR_AREA: RectMm = RectMm { x: 165.0, y: 22.0, w: 24.0, h: 24.0 };
pub(crate) const CODE128_AREA: RectMm = RectMm { x: 20.0, y: 25.0, w: 66.0, h: 12.0 };

/// An A4 page with four marks, a QR code and a Code 128.
pub(crate) fn form_page(number: u32) -> FormPage {
    FormPage {
        number,
        width_mm: 210.0,
        height_mm: 297.0,
        mark_size_mm: 5.0,
        marks: [(10.0, 12.0), (200.0, 12.0), (200.0, 285.0), (10.0, 275.0)]
            .map(|(x, y)| PointMm { x, y })
            .to_vec(),
        symbols: vec![
            SymbolPlace { symbology: Symbology::Qr, role: SymbolRole::PageCode, area: QR_AREA },
            SymbolPlace {
                symbology: Symbology::Code128,
                role: SymbolRole::ApplicationId,
                area: CODE128_AREA,
            },
        ],
        printed: Vec::new(),
        fields: Vec::new(),
    }
}

/// One form, `synthetic` in version `1`, with `pages`.
pub(crate) fn forms(pages: Vec<FormPage>) -> Forms {
    let (id, version, title) = ("synthetic".to_owned(), "1".to_owned(), "試".to_owned());
    Forms::of(vec![Form { id, version, title, max_residual_px: 3.0, pages, digest: Sha256::of(b"") }])
}

impl Sheet {
    /// A sheet with the marks of `page` alone.
    pub(crate) fn with_marks(page: &FormPage) -> Self {
        let side = page.mark_size_mm;
        let square =
            |mark: &PointMm| RectMm { x: mark.x - side / 2.0, y: mark.y - side / 2.0, w: side, h: side };
        Self { ink: page.marks.iter().map(square).collect() }
    }

    pub(crate) fn qr(mut self, text: &str) -> Self {
        let code = QrCode::new(text).expect("short enough");
        let module = QR_AREA.w / code.width() as f64;
        for (place, _) in code.to_colors().iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            let (x, y) = (place % code.width(), place / code.width());
            self.ink.push(RectMm {
                x: QR_AREA.x + x as f64 * module,
                y: QR_AREA.y + y as f64 * module,
                w: module,
                h: module,
            });
        }
        self
    }

    pub(crate) fn code128(mut self, text: &str) -> Self {
        let widths = symbol::bars(Symbology::Code128, text).expect("digits");
        let module = CODE128_AREA.w / widths.iter().sum::<f64>();
        let mut x = CODE128_AREA.x;
        for (place, width) in widths.into_iter().enumerate() {
            if place % 2 == 0 {
                self.ink.push(RectMm { x, w: width * module, ..CODE128_AREA });
            }
            x += width * module;
        }
        self
    }

    pub(crate) fn ink(mut self, x: f64, y: f64, w: f64, h: f64) -> Self {
        self.ink.push(RectMm { x, y, w, h });
        self
    }

    /// The sheet as `map` puts it on a picture, edges grayed by how much of a pixel they cover.
    pub(crate) fn scan(&self, map: &Affine, width: u32, height: u32) -> GrayImage {
        let mut cover = vec![0f32; (width * height) as usize];
        for rect in &self.ink {
            let corners = rect.corners().map(|corner| map.apply(corner));
            let bounds = |value: fn(&PointPx) -> f64, limit: u32| {
                let values = || corners.iter().map(value);
                let from = values().fold(f64::MAX, f64::min).floor().clamp(0.0, f64::from(limit));
                let to = values().fold(f64::MIN, f64::max).ceil().clamp(0.0, f64::from(limit));
                from as u32..to as u32
            };
            for y in bounds(|point| point.y, height) {
                for x in bounds(|point| point.x, width) {
                    let covered = (0..16).filter(|part| {
                        let at = PointPx {
                            x: f64::from(x) + (f64::from(part % 4) + 0.5) / 4.0,
                            y: f64::from(y) + (f64::from(part / 4) + 0.5) / 4.0,
                        };
                        let mm = map.invert(at).expect("regular");
                        (rect.x..rect.right()).contains(&mm.x) && (rect.y..rect.bottom()).contains(&mm.y)
                    });
                    cover[(y * width + x) as usize] += covered.count() as f32 / 16.0;
                }
            }
        }
        GrayImage::from_fn(width, height, |x, y| {
            Luma([(235.0 - 205.0 * cover[(y * width + x) as usize].min(1.0)) as u8])
        })
    }
}

/// The map of an A4 page scanned at `dpi`, turned about its middle
/// by `degrees` clockwise and stretched along the page by `stretch`, and the picture's size: 20 mm wider than the page on every side.
pub(crate) fn scan_map(dpi: f64, degrees: f64, stretch: f64) -> (Affine, u32, u32) {
    let scale = dpi / 25.4;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (tall, wide) = (scale * (1.0 + stretch), scale);
    let quarter = (degrees / 90.0).round().rem_euclid(2.0) == 1.0;
    let (width, height) = if quarter { (337.0, 250.0) } else { (250.0, 337.0) };
    let (width, height) = ((width * scale) as u32, (height * scale) as u32);
    let mut map = Affine { a: wide * cos, b: -tall * sin, c: 0.0, d: wide * sin, e: tall * cos, f: 0.0 };
    let middle = map.apply(PointMm { x: 105.0, y: 148.5 });
    map.c = f64::from(width) / 2.0 - middle.x;
    map.f = f64::from(height) / 2.0 - middle.y;
    (map, width, height)
}

/// Adds even noise of `depth` gray levels each way and specks of ink.
pub(crate) fn noisy(mut picture: GrayImage, depth: i16, seed: u64) -> GrayImage {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for value in picture.iter_mut() {
        *value = (i16::from(*value) + random.random_range(-depth..=depth)).clamp(0, 255) as u8;
    }
    for _ in 0..picture.width() / 4 {
        let (x, y) = (random.random_range(0..picture.width()), random.random_range(0..picture.height()));
        picture.put_pixel(x, y, Luma([0]));
    }
    picture
}
