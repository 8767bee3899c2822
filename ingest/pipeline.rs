//! The order of the stages inside a reader: one page, from its image to its readings.
//!
//! The talk has two turns. [`look`] says which application a page belongs to; the worker then
//! hands over what is known of it, and [`read`] reads the page and scores what is known as
//! hypotheses. Nothing here opens a file, a socket or a clock.

use serde::{Deserialize, Serialize};

use crate::decode::PageImage;
use crate::form::{FormPage, Forms};
use crate::identify::{self, Identification, Identity, Symbol, SymbolFinder};
use crate::page::{self, Quality, Registration};
use crate::publish::EncodedImage;
use crate::read::{self, CopiesSeen, Covered, CroppedReading};
use crate::settings::Settings;

/// What is seen of a page before it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageLook {
    /// The page's place in its scan, from 0.
    pub index: u32,
    pub width_px: u32,
    pub height_px: u32,
    pub declared_dpi: Option<f64>,
    pub quality: Quality,
    pub blank: bool,
    /// Clockwise; of the registration where there is one, else of the page's own lines.
    pub skew_deg: f64,
    pub symbols: Vec<Symbol>,
    pub identification: Identification,
    /// Where the form lies on the page; none where its marks were not found.
    pub registration: Option<Registration>,
}

/// What the worker knows of the application that a page belongs to, as hypotheses for the reader.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownApplication {
    pub head_name: String,
    pub head_kana: String,
}

impl KnownApplication {
    /// What the register says stands in a field, by the field's name; the account's holder should
    /// be the head of the household.
    pub fn expected(&self, field: &str) -> Option<&str> {
        match field {
            "head_name" => Some(&self.head_name),
            "account_holder_kana" => Some(&self.head_kana),
            _ => None,
        }
    }
}

impl std::fmt::Debug for KnownApplication {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KnownApplication(***)")
    }
}

/// A page read: its image to be published, and what stands in its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PageRead {
    pub image: EncodedImage,
    /// Empty where the page is not part of an application or could not be registered.
    pub readings: Vec<CroppedReading>,
    /// None where the page was not searched for copies.
    pub copies: Option<CopiesSeen>,
    /// Where something was blacked out that could not be told.
    pub unmasked: Option<Unmasked>,
}

/// The page as it is published, but that only numbers which were found are black on it: for the person who
/// says what else must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unmasked {
    pub picture: EncodedImage,
    /// All that is black on the published image, in its pixels.
    pub areas: Vec<Covered>,
}

/// Looks at a page: its quality, its symbols, whose it is and where the form lies on it. `given` is what a
/// person said that it is: then its symbols are not asked.
pub fn look(
    image: &PageImage,
    index: u32,
    given: Option<&Identity>,
    finder: &SymbolFinder,
    forms: &Forms,
    settings: &Settings,
) -> PageLook {
    let gray = &image.gray;
    let quality = page::quality(gray);
    let bare = page::is_blank(&quality, &settings.page);
    // A page with hardly any ink is searched once only: no symbol of ours has so little.
    let enough =
        |found: &[Symbol]| bare || found.iter().any(|symbol| identify::application_id(symbol).is_some());
    let mut symbols = finder.find(gray, enough);
    symbols.extend(finder.find_missing(gray, forms, &symbols));

    let register =
        |form_page: &FormPage| page::register(gray, form_page, &identify::anchors(form_page, &symbols));
    let identification = match given {
        Some(identity) => Identification::Identified(identity.clone()),
        None => identify::identify(&symbols, forms, |form, form_page| {
            register(form_page).is_some_and(|found| found.residual_px <= form.max_residual_px)
        }),
    };
    let form_page = match &identification {
        Identification::Identified(identity) => {
            forms.find(&identity.form, &identity.version).and_then(|form| form.page(identity.page))
        }
        Identification::Unassigned(_) => None,
    };
    let registration = form_page.and_then(|form_page| {
        let by_marks = || page::register_by_marks(gray, form_page, image.declared_dpi);
        register(form_page).or_else(|| given.and_then(|_| by_marks()))
    });
    // What is seen is stored and shown.
    for symbol in &mut symbols {
        if identify::application_id(symbol).is_none() && read::holds_my_number(&symbol.text) {
            symbol.withhold();
        }
    }
    PageLook {
        index,
        width_px: gray.width(),
        height_px: gray.height(),
        declared_dpi: image.declared_dpi,
        quality,
        blank: bare && symbols.is_empty(),
        skew_deg: registration.as_ref().map_or_else(|| page::skew_of(gray), Registration::skew_deg),
        symbols,
        identification,
        registration,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Symbology;
    use crate::identify::UnassignedReason;
    use crate::page::synthetic::{Sheet, form_page, forms, noisy, scan_map};
    use image::GrayImage;

    const ID: &str = "6291041500213";

    fn looked_at(gray: GrayImage) -> PageLook {
        look_as(gray, None)
    }

    fn look_as(gray: GrayImage, given: Option<&Identity>) -> PageLook {
        let settings = Settings::load(None).expect("shipped settings");
        let image = PageImage { gray, colour: None, bilevel: false, declared_dpi: None };
        let mut second = form_page(2);
        second.symbols[1].area.x += 40.0;
        let (finder, forms) = (SymbolFinder::new(&settings.identify), forms(vec![form_page(1), second]));
        look(&image, 0, given, &finder, &forms, &settings)
    }

    fn page_code() -> String {
        format!("U1|synthetic|1|1|{ID}")
    }

    #[test]
    fn a_page_is_identified_and_registered_at_every_turn_and_resolution() {
        let sheet = Sheet::with_marks(&form_page(1)).qr(&page_code()).code128(ID);
        for (turn, dpi, skew) in
            [(0.0, 200.0, -3.0), (90.0, 300.0, 2.0), (180.0, 200.0, 0.4), (270.0, 400.0, 3.0)]
        {
            let (truth, width, height) = scan_map(dpi, turn + skew, 0.001);
            let look = looked_at(noisy(sheet.scan(&truth, width, height), 25, 7));
            let Identification::Identified(identity) = &look.identification else {
                panic!("{turn} {dpi}: {:?}", look.identification)
            };
            assert_eq!((identity.application_id.to_string().as_str(), identity.page), (ID, 1));
            assert_eq!(identity.carried_by, [Symbology::Qr, Symbology::Code128], "{turn} {dpi}");
            assert!(identity.confirmed);
            let registration = look.registration.expect("registered");
            assert!(registration.residual_px < 0.5, "{registration:?}");
            assert!((registration.map.dpi() - dpi * 1.0005).abs() < 0.2);
            assert!((look.skew_deg - skew).abs() < 0.05);
            assert!(!look.blank);
        }
    }

    #[test]
    fn a_page_with_one_legible_symbol_is_identified() {
        let (truth, width, height) = scan_map(200.0, 1.0, 0.0);
        let page = form_page(1);
        for sheet in [Sheet::with_marks(&page).qr(&page_code()), Sheet::with_marks(&page).code128(ID)] {
            let look = looked_at(noisy(sheet.scan(&truth, width, height), 20, 3));
            let Identification::Identified(identity) = look.identification else {
                panic!("{:?}", look.identification)
            };
            assert_eq!((identity.application_id.to_string().as_str(), identity.page), (ID, 1));
            assert_eq!(identity.carried_by.len(), 1);
            assert!(look.registration.expect("registered").residual_px < 0.5);
        }
    }

    #[test]
    fn a_page_without_symbols_is_never_assigned() {
        let (truth, width, height) = scan_map(200.0, 1.0, 0.0);
        let look = looked_at(noisy(Sheet::with_marks(&form_page(1)).scan(&truth, width, height), 20, 3));
        assert_eq!(look.identification, Identification::Unassigned(UnassignedReason::NoSymbol));
        assert_eq!((look.registration, look.blank), (None, false));
    }

    #[test]
    fn a_page_of_which_a_person_says_what_it_is_is_registered_without_symbols() {
        let (truth, width, height) = scan_map(200.0, 1.0, 0.0);
        let scan = noisy(Sheet::with_marks(&form_page(1)).scan(&truth, width, height), 20, 3);
        let given = Identity::by_hand(ID.parse().expect("an ID"), "synthetic", "1", 1);
        let look = look_as(scan, Some(&given));
        assert_eq!(look.identification, Identification::Identified(given));
        assert!(look.registration.expect("registered").residual_px < 0.5);
    }

    #[test]
    fn an_empty_page_is_blank() {
        let look = looked_at(noisy(GrayImage::from_pixel(1654, 2339, image::Luma([225])), 20, 3));
        assert!(look.blank, "{:?}", look.quality);
        assert_eq!(look.identification, Identification::Unassigned(UnassignedReason::NoSymbol));
    }

    #[test]
    fn symbols_of_two_applications_are_no_application() {
        let (truth, width, height) = scan_map(200.0, 0.0, 0.0);
        let sheet = Sheet::with_marks(&form_page(1)).qr(&page_code()).code128("0000000000017");
        let look = looked_at(sheet.scan(&truth, width, height));
        assert_eq!(look.identification, Identification::Unassigned(UnassignedReason::SymbolsDisagree));
    }

    #[test]
    fn a_picture_of_a_single_pixel_is_a_page_like_any_other() {
        let look = looked_at(GrayImage::from_pixel(1, 1, image::Luma([0])));
        assert_eq!(look.identification, Identification::Unassigned(UnassignedReason::NoSymbol));
    }
}
