//! A page of which a person said what must be black: its picture, and the record that names it. Pure
//! functions.

use super::{CapturedPage, EncodeError, EncodedImage, Record, encode};
use crate::check;
use crate::decode::PageImage;
use crate::geometry::PointPx;
use crate::read::{CopiesSeen, black_out};
use crate::{score, settings};

#[derive(Debug, thiserror::Error)]
pub enum RemaskError {
    #[error("a picture of ours cannot be decoded: {0}")]
    Picture(#[from] image::ImageError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Corners of the whole of any picture: far beyond the largest.
const WHOLE: [PointPx; 4] = [
    PointPx { x: 0.0, y: 0.0 },
    PointPx { x: 1e6, y: 0.0 },
    PointPx { x: 1e6, y: 1e6 },
    PointPx { x: 0.0, y: 1e6 },
];

/// What of a picture becomes black.
#[derive(Debug, Clone, PartialEq)]
pub enum Black {
    Whole,
    Places(Vec<[PointPx; 4]>),
}

/// The picture with exactly that black. `picture` is one of [`encode`]'s; those of one bit a pixel are PNG.
pub fn remask(
    picture: &[u8],
    bilevel: bool,
    black: &Black,
    settings: &settings::Publish,
) -> Result<EncodedImage, RemaskError> {
    let decoded = image::load_from_memory(picture)?;
    let gray = decoded.to_luma8();
    let colour = decoded.color().has_color().then(|| decoded.into_rgb8());
    let mut page = PageImage { gray, colour, bilevel, declared_dpi: None };
    match black {
        Black::Whole => black_out(&mut page, [&WHOLE]),
        Black::Places(places) => black_out(&mut page, places),
    }
    // It stands upright.
    Ok(encode(&page, 0, settings)?)
}

/// Has the record name the page's new picture, and say what a person left black. `before` is what was seen
/// of the page's copies until now.
pub fn mask_record(record: &mut Record, page: &CapturedPage, before: Option<&CopiesSeen>) {
    let of_page =
        |named: &&mut super::RecordPage| named.sha256 == page.sha256 && named.page_index == page.look.index;
    if let Some(named) = record.pages.iter_mut().find(of_page) {
        named.image = page.image.to_string();
        named.copies = page.copies.clone();
    }
    let findings = |copies: Option<&CopiesSeen>| {
        copies.map_or(Vec::new(), |copies| check::blacked_out(page.identity.page, copies))
    };
    let (gone, now) = (findings(before), findings(page.copies.as_ref()));
    let place = record.findings.iter().position(|finding| gone.contains(finding));
    record.findings.retain(|finding| !gone.contains(finding));
    let place = place.unwrap_or(record.findings.len());
    record.findings.splice(place..place, now);
    record.disposition =
        score::record_disposition(record.fields.values().map(|field| field.disposition), &record.findings);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::ImageFormat;
    use image::GrayImage;

    const SETTINGS: settings::Publish = settings::Publish { jpeg_quality: 75 };

    fn square(left: f64, top: f64, side: f64) -> [PointPx; 4] {
        [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
            .map(|(x, y)| PointPx { x, y })
    }

    #[test]
    fn exactly_what_was_chosen_is_black() {
        let gray = GrayImage::from_pixel(60, 40, image::Luma([255]));
        for bilevel in [true, false] {
            let page = PageImage { gray: gray.clone(), colour: None, bilevel, declared_dpi: None };
            let picture = encode(&page, 0, &SETTINGS).expect("small");
            let black = Black::Places(vec![square(8.0, 8.0, 16.0)]);
            let masked = remask(&picture.bytes, bilevel, &black, &SETTINGS).expect("a picture");
            assert_eq!(masked.format == ImageFormat::Png, bilevel);
            let seen = image::load_from_memory(&masked.bytes).expect("a picture").to_luma8();
            assert!(seen.get_pixel(16, 16).0[0] < 10 && seen.get_pixel(40, 30).0[0] > 245);
            let whole = remask(&picture.bytes, bilevel, &Black::Whole, &SETTINGS).expect("a picture");
            let seen = image::load_from_memory(&whole.bytes).expect("a picture").to_luma8();
            assert!(seen.pixels().all(|pixel| pixel.0[0] < 10));
        }
    }
}
