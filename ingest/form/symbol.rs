//! What the symbols of a form look like: bars and spaces of a 1D symbol, modules of a QR code.
//! Shared by the printer, which draws them, and the loader, which computes the width of a module.

use super::{Form, SymbolPlace, SymbolRole, Symbology};
use crate::application_id::ApplicationId;
use crate::identify::{Issue, PageCode};

/// Wide to narrow elements of NW-7, Code 39 and ITF. JIS X 0503 and X 0506 allow 2 to 3; 2.5 keeps
/// wide and narrow apart at 200 dpi and is shorter than 3.
const WIDE: f64 = 2.5;

/// A symbol as modules.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    /// Widths of bars and spaces in modules, in turn, a bar first and last.
    Bars(Vec<f64>),
    /// Rows of dark modules from the top, each from the left.
    Modules(Vec<Vec<bool>>),
}

impl Pattern {
    /// Modules across.
    pub fn width(&self) -> f64 {
        match self {
            Self::Bars(widths) => widths.iter().sum(),
            Self::Modules(rows) => rows.len() as f64,
        }
    }

    /// Modules that must stay empty on each side: JIS X 0504 and its kin ask for 10 beside a 1D
    /// symbol, JIS X 0510 for 4 around a QR code.
    pub fn quiet_zone(&self) -> f64 {
        match self {
            Self::Bars(_) => 10.0,
            Self::Modules(_) => 4.0,
        }
    }
}

/// The pattern of a symbol of page `page` of `form` for an application; none for a symbology that
/// cannot carry it. Its width does not depend on the application.
pub fn pattern(
    form: (&str, &str),
    page: u32,
    place: &SymbolPlace,
    id: ApplicationId,
    issue: Issue,
) -> Option<Pattern> {
    match place.role {
        SymbolRole::ApplicationId => bars(place.symbology, &id.to_string()).map(Pattern::Bars),
        SymbolRole::PageCode if place.symbology == Symbology::Qr => {
            let (form, version) = (form.0.to_owned(), form.1.to_owned());
            let code = PageCode { form, version, page, application_id: id, issue };
            modules(&code.to_string()).map(Pattern::Modules)
        }
        SymbolRole::PageCode => None,
    }
}

impl Form {
    /// The pattern of a symbol of this form, see [`pattern`].
    pub fn pattern(
        &self,
        page: u32,
        place: &SymbolPlace,
        id: ApplicationId,
        issue: Issue,
    ) -> Option<Pattern> {
        pattern((&self.id, &self.version), page, place, id, issue)
    }
}

/// A valid application ID that no household has: of serial number 0.
pub fn placeholder_id() -> ApplicationId {
    ApplicationId::from_serial(0).expect("0 has at most 12 digits")
}

/// Error correction Q: a quarter of the symbol may be lost to streaks, folds and stamps.
fn modules(text: &str) -> Option<Vec<Vec<bool>>> {
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::Q).ok()?;
    let dark: Vec<bool> = code.to_colors().into_iter().map(|colour| colour == qrcode::Color::Dark).collect();
    Some(dark.chunks(code.width()).map(<[bool]>::to_vec).collect())
}

/// Bars and spaces of `digits` (ASCII digits only), check characters included where the symbology
/// has an own one.
pub fn bars(symbology: Symbology, digits: &str) -> Option<Vec<f64>> {
    let values: Vec<u8> = digits
        .chars()
        .map(|character| character.to_digit(10).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    match symbology {
        Symbology::Code128 => Some(code128(&values)),
        Symbology::Nw7 => Some(nw7(&values)),
        Symbology::Itf => Some(itf(&values)),
        Symbology::Code39 => Some(code39(&values)),
        Symbology::Qr | Symbology::Ean13 => None,
    }
}

/// Code 128 (JIS X 0504): pairs of digits in code set C; a digit left over in front in code set B.
fn code128(digits: &[u8]) -> Vec<f64> {
    const START_B: usize = 104;
    const START_C: usize = 105;
    const TO_C: usize = 99;
    const ZERO_IN_B: usize = 16;
    let (single, pairs) = digits.split_at(digits.len() % 2);
    let mut values = match single.first() {
        Some(&digit) if pairs.is_empty() => vec![START_B, ZERO_IN_B + usize::from(digit)],
        Some(&digit) => vec![START_B, ZERO_IN_B + usize::from(digit), TO_C],
        None => vec![START_C],
    };
    values.extend(pairs.chunks(2).map(|pair| usize::from(pair[0]) * 10 + usize::from(pair[1])));
    let check: usize = values.iter().enumerate().map(|(place, value)| value * place.max(1)).sum();
    values.push(check % 103);
    let mut widths: Vec<f64> = values
        .into_iter()
        .flat_map(|value| CODE128[value].bytes().map(|width| f64::from(width - b'0')))
        .collect();
    widths.extend([2.0, 3.0, 3.0, 1.0, 1.0, 1.0, 2.0]);
    widths
}

/// NW-7 (JIS X 0506, Codabar) with `A` as start and stop character.
fn nw7(digits: &[u8]) -> Vec<f64> {
    const START_AND_STOP: &str = "0011010";
    const DIGITS: [&str; 10] = [
        "0000011", "0000110", "0001001", "1100000", "0010010", "1000010", "0100001", "0100100", "0110000",
        "1001000",
    ];
    let inner = digits.iter().map(|&digit| DIGITS[usize::from(digit)]);
    let characters = std::iter::once(START_AND_STOP).chain(inner).chain(std::iter::once(START_AND_STOP));
    with_gaps(characters)
}

/// Code 39 (JIS X 0503) with its `*` as start and stop character, without a check character.
fn code39(digits: &[u8]) -> Vec<f64> {
    const START_AND_STOP: &str = "010010100";
    const DIGITS: [&str; 10] = [
        "000110100",
        "100100001",
        "001100001",
        "101100000",
        "000110001",
        "100110000",
        "001110000",
        "000100101",
        "100100100",
        "001100100",
    ];
    let inner = digits.iter().map(|&digit| DIGITS[usize::from(digit)]);
    let characters = std::iter::once(START_AND_STOP).chain(inner).chain(std::iter::once(START_AND_STOP));
    with_gaps(characters)
}

/// Characters of narrow (`0`) and wide (`1`) elements, parted by a narrow space.
fn with_gaps<'a>(characters: impl Iterator<Item = &'a str>) -> Vec<f64> {
    let mut widths = Vec::new();
    for character in characters {
        if !widths.is_empty() {
            widths.push(1.0);
        }
        widths.extend(character.bytes().map(element));
    }
    widths
}

/// ITF (JIS X 0502): an odd number of digits gets a 0 in front.
fn itf(digits: &[u8]) -> Vec<f64> {
    const DIGITS: [&[u8; 5]; 10] =
        [b"00110", b"10001", b"01001", b"11000", b"00101", b"10100", b"01100", b"00011", b"10010", b"01010"];
    let padded: Vec<u8> = std::iter::repeat_n(0, digits.len() % 2).chain(digits.iter().copied()).collect();
    let mut widths = vec![1.0; 4];
    for pair in padded.chunks(2) {
        let (bars, spaces) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        widths.extend(bars.iter().zip(spaces).flat_map(|(&bar, &space)| [element(bar), element(space)]));
    }
    widths.extend([WIDE, 1.0, 1.0]);
    widths
}

fn element(kind: u8) -> f64 {
    if kind == b'1' { WIDE } else { 1.0 }
}

/// Widths of the six elements of the characters 0 to 105 (JIS X 0504, table 1).
const CODE128: [&str; 106] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213",
    "221312", "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132",
    "221231", "213212", "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211",
    "212123", "212321", "232121", "111323", "131123", "131321", "112313", "132113", "132311", "211313",
    "231113", "231311", "112133", "112331", "132131", "113123", "113321", "133121", "313121", "211331",
    "231131", "213113", "213311", "213131", "311123", "311321", "331121", "312113", "312311", "332111",
    "314111", "221411", "431111", "111224", "111422", "121124", "121421", "141122", "141221", "112214",
    "112412", "122114", "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111",
    "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211", "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311", "113141",
    "114131", "311141", "411131", "211412", "211214", "211232",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A picture of a symbol, 4 pixels a module, with its quiet zone.
    fn picture(pattern: &Pattern) -> image::GrayImage {
        const SCALE: f64 = 4.0;
        let quiet = (pattern.quiet_zone() * SCALE) as u32;
        let side = (pattern.width() * SCALE) as u32 + 2 * quiet;
        match pattern {
            Pattern::Bars(widths) => {
                let mut image = image::GrayImage::from_pixel(side, 100, image::Luma([255]));
                let mut x = f64::from(quiet);
                for (index, width) in widths.iter().enumerate() {
                    let end = x + width * SCALE;
                    if index % 2 == 0 {
                        for column in x as u32..end as u32 {
                            (10..90).for_each(|row| image.put_pixel(column, row, image::Luma([0])));
                        }
                    }
                    x = end;
                }
                image
            }
            Pattern::Modules(rows) => image::GrayImage::from_fn(side, side, |x, y| {
                let module = |at: u32| at.checked_sub(quiet).map(|at| (f64::from(at) / SCALE) as usize);
                let dark = module(x)
                    .zip(module(y))
                    .and_then(|(column, row)| rows.get(row)?.get(column).copied())
                    .unwrap_or(false);
                image::Luma([if dark { 0 } else { 255 }])
            }),
        }
    }

    fn zxing(image: &image::GrayImage) -> Vec<String> {
        use zxingcpp::BarcodeFormat::{Codabar, Code39, Code128, ITF, QRCode};
        let reader = zxingcpp::read().formats([Codabar, Code39, Code128, ITF, QRCode]);
        let (width, height) = image.dimensions();
        let view = zxingcpp::ImageView::from_slice(image.as_raw(), width, height, zxingcpp::ImageFormat::Lum);
        reader.from(&view.expect("an image")).expect("an image").iter().map(zxingcpp::Barcode::text).collect()
    }

    fn zbar(image: &image::GrayImage) -> Vec<String> {
        let mut scanner = zbar_rust::ZBarImageScanner::new();
        let found =
            scanner.scan_y800(image.as_raw().as_slice(), image.width(), image.height()).expect("an image");
        found.into_iter().map(|symbol| String::from_utf8_lossy(&symbol.data).into_owned()).collect()
    }

    const ONE_DIMENSIONAL: [(Symbology, &str, &str); 4] = [
        (Symbology::Code128, "", ""),
        (Symbology::Nw7, "A", "A"),
        (Symbology::Itf, "0", ""),
        (Symbology::Code39, "", ""),
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn both_decoders_read_back_every_symbology(serial in 0u64..1_000_000_000_000) {
            let id = ApplicationId::from_serial(serial).expect("in range").to_string();
            for (symbology, before, after) in ONE_DIMENSIONAL {
                let image = picture(&Pattern::Bars(bars(symbology, &id).expect("a 1D symbology")));
                let expected = vec![format!("{before}{id}{after}")];
                prop_assert_eq!(zxing(&image), expected.clone(), "{:?}", symbology);
                prop_assert_eq!(zbar(&image), expected, "{:?}", symbology);
            }
            let text = format!("U1|benefit-2020|1|2|{id}");
            let image = picture(&Pattern::Modules(modules(&text).expect("short")));
            prop_assert_eq!(zxing(&image), vec![text.clone()]);
            prop_assert_eq!(zbar(&image), vec![text]);
        }

        #[test]
        fn the_width_of_a_symbol_does_not_depend_on_the_digits(a in "[0-9]{13}", b in "[0-9]{13}") {
            for (symbology, ..) in ONE_DIMENSIONAL {
                let width = |digits: &str| Pattern::Bars(bars(symbology, digits).expect("digits")).width();
                prop_assert_eq!(width(&a), width(&b), "{:?}", symbology);
            }
        }
    }

    #[test]
    fn only_digits_are_encoded() {
        assert_eq!(bars(Symbology::Code128, "12a"), None);
        assert_eq!(bars(Symbology::Ean13, "6291041500213"), None);
    }
}
