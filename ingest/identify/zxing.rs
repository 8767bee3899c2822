//! zxing-cpp, the decoder that finds: symbols anywhere on a picture, at any turn.

use image::GrayImage;
use zxingcpp::{Barcode, BarcodeFormat, BarcodeReader, Binarizer, ImageFormat, ImageView, PointI, TextMode};

use crate::form::Symbology;
use crate::geometry::PointPx;

/// A text and where zxing saw it. The corners of a 1D code are those of the first and the last
/// line of pixels that could be read, not those of its bars.
pub(super) struct Sighting {
    pub symbology: Symbology,
    pub text: String,
    /// From the symbol's own top left, clockwise as it is read.
    pub corners: [PointPx; 4],
    /// Modules a side, of a QR code.
    pub modules: Option<f64>,
}

/// How zxing tells ink from paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threshold {
    /// From the surroundings of each pixel: shading does not matter.
    Local,
    /// One for the picture: for pictures that are bilevel already.
    Fixed,
}

/// Every symbol of `symbologies` on `picture`; none where the picture is larger than zxing takes
/// (65,535 pixels a side).
pub(super) fn read(picture: &GrayImage, symbologies: &[Symbology], threshold: Threshold) -> Vec<Sighting> {
    let formats: Vec<BarcodeFormat> = symbologies.iter().copied().map(format_of).collect();
    if formats.is_empty() || picture.is_empty() {
        // No format at all would mean every format to zxing.
        return Vec::new();
    }
    let reader = BarcodeReader::new()
        .formats(formats)
        .try_harder(true)
        .try_rotate(true)
        .try_invert(false)
        .text_mode(TextMode::Plain)
        .binarizer(match threshold {
            Threshold::Local => Binarizer::LocalAverage,
            Threshold::Fixed => Binarizer::FixedThreshold,
        });
    let (width, height) = picture.dimensions();
    let Ok(view) = ImageView::from_slice(picture.as_raw(), width, height, ImageFormat::Lum) else {
        return Vec::new();
    };
    let barcodes = reader.from(view).unwrap_or_default();
    // A mirrored code is that of the other side, shining through.
    let valid = barcodes.iter().filter(|barcode| barcode.is_valid() && !barcode.is_mirrored());
    valid
        .filter_map(|barcode| {
            let position = barcode.position();
            Some(Sighting {
                symbology: symbology_of(barcode.symbology())?,
                text: barcode.text(),
                corners: [position.top_left, position.top_right, position.bottom_right, position.bottom_left]
                    .map(centre_of),
                modules: modules_of(barcode),
            })
        })
        .collect()
}

/// A QR code of version v has 17 + 4·v modules a side; every other symbol has no such version.
fn modules_of(barcode: &Barcode) -> Option<f64> {
    let version: u8 = barcode.extra_with_key("Version").parse().ok()?;
    (barcode.symbology() == BarcodeFormat::QRCode).then_some(17.0 + 4.0 * f64::from(version))
}

fn format_of(symbology: Symbology) -> BarcodeFormat {
    match symbology {
        Symbology::Qr => BarcodeFormat::QRCode,
        Symbology::Code128 => BarcodeFormat::Code128,
        Symbology::Code39 => BarcodeFormat::Code39,
        Symbology::Nw7 => BarcodeFormat::Codabar,
        Symbology::Itf => BarcodeFormat::ITF,
        Symbology::Ean13 => BarcodeFormat::EAN13,
    }
}

/// Takes what `Barcode::symbology` returns. `Barcode::format` must not be called: it ends the
/// process where zxing names a variant that the crate does not know, as Code 32 for Code 39.
fn symbology_of(symbology: BarcodeFormat) -> Option<Symbology> {
    match symbology {
        BarcodeFormat::QRCode => Some(Symbology::Qr),
        BarcodeFormat::Code128 => Some(Symbology::Code128),
        BarcodeFormat::Code39 => Some(Symbology::Code39),
        BarcodeFormat::Codabar => Some(Symbology::Nw7),
        BarcodeFormat::ITF => Some(Symbology::Itf),
        BarcodeFormat::EANUPC => Some(Symbology::Ean13),
        _ => None,
    }
}

fn centre_of(point: PointI) -> PointPx {
    PointPx { x: f64::from(point.x) + 0.5, y: f64::from(point.y) + 0.5 }
}
