//! zbar, the decoder that confirms: one symbology on one upright crop.

use image::GrayImage;
use zbar_rust::{ZBarConfig, ZBarError, ZBarImageScanner, ZBarSymbolType};

use crate::form::Symbology;

/// ITF has no start or end that could not also stand inside a longer code, so a slanted line
/// through one reads as a shorter one (all decoders do it). Ours has 13 digits and a leading 0.
const ITF_MIN_LENGTH: i32 = 14;

/// The texts of `symbology` on `crop`, each once. The symbol must stand upright with a wide white
/// margin.
pub(super) fn read(crop: &GrayImage, symbology: Symbology) -> Vec<String> {
    let Ok(mut scanner) = scanner_for(symbology) else {
        return Vec::new();
    };
    let Ok(results) = scanner.scan_y800(crop.as_raw(), crop.width(), crop.height()) else {
        return Vec::new();
    };
    let mut texts: Vec<String> =
        results.into_iter().filter_map(|result| String::from_utf8(result.data).ok()).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn scanner_for(symbology: Symbology) -> Result<ZBarImageScanner, ZBarError> {
    let kind = match symbology {
        Symbology::Qr => ZBarSymbolType::ZBarQRCode,
        Symbology::Code128 => ZBarSymbolType::ZBarCode128,
        Symbology::Code39 => ZBarSymbolType::ZBarCode39,
        Symbology::Nw7 => ZBarSymbolType::ZBarCodeBar,
        Symbology::Itf => ZBarSymbolType::ZBarI25,
        Symbology::Ean13 => ZBarSymbolType::ZBarEAN13,
    };
    let mut scanner = ZBarImageScanner::new();
    // Everything off first: DataBar costs time and writes warnings to stderr.
    scanner.set_config(ZBarSymbolType::ZBarNone, ZBarConfig::ZBarCfgEnable, 0)?;
    scanner.set_config(kind, ZBarConfig::ZBarCfgEnable, 1)?;
    if symbology == Symbology::Itf {
        scanner.set_config(kind, ZBarConfig::ZBarCfgMinLen, ITF_MIN_LENGTH)?;
    }
    if symbology != Symbology::Qr {
        // Upright bars need no vertical lines of sight.
        scanner.set_config(ZBarSymbolType::ZBarNone, ZBarConfig::ZBarCfgXDensity, 0)?;
    }
    Ok(scanner)
}
