//! Finds symbols on a page: zxing on views of the whole page, then where a form must have them;
//! zbar reads each again.

use std::borrow::Cow;

use image::GrayImage;

use super::claim::{self, payload, resembles_ours};
use super::views::{self, Cut};
use super::zxing::{self, Sighting, Threshold};
use super::{Claim, Decoder, Symbol, bars, qr, zbar};
use crate::form::{FormPage, Forms, SymbolPlace, Symbology};
use crate::geometry::{Affine, PointMm, PointPx};
use crate::page;
use crate::settings;

/// Looks for the symbols that the settings allow, and for no others.
#[derive(Debug, Clone)]
pub struct SymbolFinder {
    symbologies: Vec<Symbology>,
    zbar_confirms: bool,
}

/// The views of a whole page, in the order in which they are tried. A page of 250 dpi and more
/// shows its QR code at half the size as well, in a third of the time and with less noise.
const VIEWS: [View; 5] = [View::Plain, View::HalfBilevel, View::Bilevel, View::Half, View::Inverted];
const VIEWS_OF_LARGE: [View; 5] = [View::Half, View::Plain, View::HalfBilevel, View::Bilevel, View::Inverted];
/// The longer side of A4 at 250 dpi, in pixels.
const LARGE: u32 = 2923;

#[derive(Debug, Clone, Copy)]
enum View {
    Plain,
    Half,
    HalfBilevel,
    Bilevel,
    /// Light on dark, as on screens and packages.
    Inverted,
}

/// White around a place of the form that is searched for its symbol, in millimetres: half a degree
/// of error in the other symbol's turn, at 250 mm, and the quiet zone.
const PLACE_MARGIN_MM: f64 = 4.0;

impl SymbolFinder {
    pub fn new(settings: &settings::Identify) -> Self {
        Self { symbologies: settings.symbologies.clone(), zbar_confirms: settings.zbar_confirms }
    }

    /// The symbols on `picture`, each once, at any place and turn. One view after another is
    /// searched until `enough` has been found; every view of a page is searched in about 150 ms
    /// at 300 dpi, the first one in 30.
    pub fn find(&self, picture: &GrayImage, enough: impl Fn(&[Symbol]) -> bool) -> Vec<Symbol> {
        let mut found = Vec::new();
        let large = picture.width().max(picture.height()) >= LARGE;
        for view in if large { VIEWS_OF_LARGE } else { VIEWS } {
            for sighting in self.sightings(picture, view) {
                add(&mut found, symbol_of(picture, sighting));
            }
            if enough(&found) {
                break;
            }
        }
        self.confirm(picture, found)
    }

    /// What is still missing of the symbols that a page of a form has, searched in the places that
    /// the symbols in `found` tell. Nothing where none of them is one of a form.
    pub fn find_missing(&self, picture: &GrayImage, forms: &Forms, found: &[Symbol]) -> Vec<Symbol> {
        let mut missing = Vec::new();
        for page in possible_pages(forms, found) {
            let Some(map) = page::map_of_symbols(&anchors(page, found)) else { continue };
            for place in page.symbols.iter().filter(|place| self.symbologies.contains(&place.symbology)) {
                let is_it = |symbol: &Symbol| {
                    symbol.symbology == place.symbology && claim::application_id(symbol).is_some()
                };
                if !found.iter().chain(&missing).any(is_it)
                    && let Some(symbol) = find_in_place(picture, place, &map)
                {
                    missing.push(symbol);
                }
            }
        }
        self.confirm(picture, missing)
    }

    fn sightings(&self, picture: &GrayImage, view: View) -> Vec<Sighting> {
        let (shown, threshold) = match view {
            View::Plain => (Cow::Borrowed(picture), Threshold::Local),
            View::Half => (Cow::Owned(views::halved(picture)), Threshold::Local),
            View::Bilevel => (Cow::Owned(views::bilevel(picture)), Threshold::Fixed),
            View::Inverted => (Cow::Owned(views::inverted(picture)), Threshold::Local),
            View::HalfBilevel => (Cow::Owned(views::bilevel(&views::halved(picture))), Threshold::Fixed),
        };
        let factor = f64::from(picture.width()) / f64::from(shown.width().max(1));
        let mut sightings = zxing::read(&shown, &self.symbologies, threshold);
        for corner in sightings.iter_mut().flat_map(|sighting| &mut sighting.corners) {
            *corner = PointPx { x: corner.x * factor, y: corner.y * factor };
        }
        sightings
    }

    /// Lets zbar read each symbol again. What it reads differently is added where it could be one
    /// of ours, so that the contradiction is seen.
    fn confirm(&self, picture: &GrayImage, found: Vec<Symbol>) -> Vec<Symbol> {
        if !self.zbar_confirms {
            return found;
        }
        let mut confirmed = Vec::with_capacity(found.len());
        for mut symbol in found {
            let texts = second_reading(picture, &symbol);
            let same =
                |text: &String| payload(symbol.symbology, text) == payload(symbol.symbology, &symbol.text);
            if texts.iter().any(same) {
                symbol.decoders.push(Decoder::Zbar);
            } else {
                let ours = resembles_ours(symbol.symbology, &symbol.text);
                let against = texts.into_iter().filter(|text| ours || resembles_ours(symbol.symbology, text));
                confirmed.extend(against.map(|text| Symbol {
                    text,
                    decoders: vec![Decoder::Zbar],
                    ..symbol.clone()
                }));
            }
            confirmed.push(symbol);
        }
        confirmed
    }
}

/// The symbols in `found` that stand in the places of `page`, as anchors of its registration.
pub fn anchors(page: &FormPage, found: &[Symbol]) -> Vec<page::Anchor> {
    let ours = found.iter().filter(|symbol| claim::application_id(symbol).is_some());
    ours.filter_map(|symbol| {
        let place = page.symbols.iter().find(|place| place.symbology == symbol.symbology)?;
        Some(page::Anchor { area: place.area, corners: symbol.corners })
    })
    .collect()
}

/// The pages that the symbols in `found` can belong to: one for a page code, else every page with
/// such a 1D code.
fn possible_pages<'a>(forms: &'a Forms, found: &[Symbol]) -> Vec<&'a FormPage> {
    let claims: Vec<(Symbology, Claim)> =
        found.iter().filter_map(|symbol| Some((symbol.symbology, Claim::of(symbol)?))).collect();
    let code = claims.iter().find_map(|(_, claim)| match claim {
        Claim::Page(code) => Some(code),
        Claim::Application(_) => None,
    });
    match code {
        Some(code) => {
            forms.find(&code.form, &code.version).and_then(|form| form.page(code.page)).into_iter().collect()
        }
        None => {
            let has_one = |page: &&FormPage| {
                page.symbols
                    .iter()
                    .any(|place| claims.iter().any(|(symbology, _)| *symbology == place.symbology))
            };
            forms.iter().flat_map(|form| &form.pages).filter(has_one).collect()
        }
    }
}

/// Adds a symbol unless it was already found there.
fn add(found: &mut Vec<Symbol>, symbol: Symbol) {
    let known = found.iter().any(|other| {
        other.symbology == symbol.symbology && other.text == symbol.text && other.covers_centre_of(&symbol)
    });
    if !known {
        found.push(symbol);
    }
}

fn symbol_of(picture: &GrayImage, Sighting { symbology, text, corners, modules }: Sighting) -> Symbol {
    let corners = match (symbology, modules) {
        (Symbology::Qr, Some(modules)) => qr::corners_of_code(picture, corners, modules),
        (Symbology::Qr, None) => corners,
        _ => bars::corners_of_bars(picture, corners),
    };
    Symbol { symbology, text, corners, decoders: vec![Decoder::Zxing] }
}

/// A form's symbol where it must be, cut out upright in views that the whole page cannot afford.
fn find_in_place(picture: &GrayImage, place: &SymbolPlace, map: &Affine) -> Option<Symbol> {
    let area = place.area.grown(PLACE_MARGIN_MM);
    let [top_left, top_right, _, bottom_left] = area.corners().map(|corner| map.apply(corner));
    let way = |to: PointPx| (to.x - top_left.x, to.y - top_left.y);
    let (across, down) = (way(top_right), way(bottom_left));
    for scale in [1.0, 2.0, 0.6] {
        let length = |way: (f64, f64)| (way.0.hypot(way.1) * scale).round().clamp(8.0, 2000.0) as u32;
        // The bars of a 1D code are averaged along their length: little noise survives.
        let height = if place.symbology == Symbology::Qr { length(down) } else { (length(down) / 8).max(8) };
        let cut = Cut { origin: top_left, across, down, width: length(across), height, margin: 8 };
        let plain = cut.take(picture);
        for (shown, threshold) in [
            (Cow::Borrowed(&plain), Threshold::Local),
            (Cow::Owned(views::bilevel(&plain)), Threshold::Fixed),
        ] {
            let sightings = zxing::read(&shown, &[place.symbology], threshold);
            let ours = sightings.into_iter().map(|sighting| Sighting {
                corners: sighting.corners.map(|corner| cut.on_picture(corner)),
                ..sighting
            });
            let mut symbols = ours.map(|sighting| symbol_of(picture, sighting));
            if let Some(symbol) = symbols.find(|symbol| claim::application_id(symbol).is_some()) {
                return Some(symbol);
            }
        }
    }
    None
}

/// What zbar reads where a symbol was found.
fn second_reading(picture: &GrayImage, symbol: &Symbol) -> Vec<String> {
    let [top_left, top_right, _, bottom_left] = symbol.corners;
    let (wide, high) = (top_left.distance(&top_right), top_left.distance(&bottom_left));
    if wide < 8.0 || high < 2.0 {
        return Vec::new();
    }
    // A QR code comes with a module or two of what surrounds it, a 1D code with the paper at its
    // ends but nothing above and below.
    let (beside, above) = if symbol.symbology == Symbology::Qr { (0.04, 0.04) } else { (0.02, -0.08) };
    let grown = Affine {
        a: top_right.x - top_left.x,
        b: bottom_left.x - top_left.x,
        c: top_left.x,
        d: top_right.y - top_left.y,
        e: bottom_left.y - top_left.y,
        f: top_left.y,
    };
    let corner = |x: f64, y: f64| grown.apply(PointMm { x, y });
    let origin = corner(-beside, -above);
    let way = |to: PointPx| (to.x - origin.x, to.y - origin.y);
    let (across, down) = (way(corner(1.0 + beside, -above)), way(corner(-beside, 1.0 + above)));
    let pixels = |length: f64, at_most: f64| length.clamp(8.0, at_most) as u32;
    let (width, height) = match symbol.symbology {
        Symbology::Qr => (pixels(wide, 400.0), pixels(high, 400.0)),
        // Bars of less than two pixels are told apart better when they are drawn larger.
        _ => (pixels(wide.max(600.0), 1600.0), 16),
    };
    let cut = Cut { origin, across, down, width, height, margin: width / 8 + 20 };
    let plain = cut.take(picture);
    let texts = zbar::read(&plain, symbol.symbology);
    if texts.is_empty() { zbar::read(&views::bilevel(&plain), symbol.symbology) } else { texts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::synthetic::{CODE128_AREA, QR_AREA, Sheet, form_page, forms, noisy, scan_map};
    use crate::settings::Settings;

    const ID: &str = "6291041500213";
    const PAGE_CODE: &str = "U1|synthetic|1|1|6291041500213";

    fn finder() -> SymbolFinder {
        SymbolFinder::new(&Settings::load(None).expect("shipped settings").identify)
    }

    #[test]
    fn corners_are_those_of_the_symbol_whatever_its_turn() {
        let sheet = Sheet::with_marks(&form_page(1)).qr(PAGE_CODE).code128(ID);
        for (dpi, degrees) in [(200.0, 3.0), (300.0, 93.0), (300.0, 178.0), (400.0, 266.0)] {
            let (map, width, height) = scan_map(dpi, degrees, 0.0);
            let found = finder().find(&noisy(sheet.scan(&map, width, height), 20, 9), |_| false);
            assert_eq!(found.len(), 2, "{dpi} {degrees}");
            for symbol in found {
                // The corners of the QR code are measured; where bars end, a line or two is lost.
                let (area, error) =
                    if symbol.symbology == Symbology::Qr { (QR_AREA, 0.6) } else { (CODE128_AREA, 3.0) };
                for (corner, truth) in
                    symbol.corners.iter().zip(area.corners().map(|corner| map.apply(corner)))
                {
                    assert!(
                        corner.distance(&truth) < error,
                        "{dpi} {degrees} {corner:?} {truth:?} {symbol:?}"
                    );
                }
                assert_eq!(symbol.decoders, [Decoder::Zxing, Decoder::Zbar], "{dpi} {degrees} {symbol:?}");
            }
        }
    }

    #[test]
    fn what_the_settings_do_not_allow_is_not_seen() {
        let (map, width, height) = scan_map(200.0, 0.0, 0.0);
        let picture = Sheet::with_marks(&form_page(1)).qr(PAGE_CODE).code128(ID).scan(&map, width, height);
        let only_qr = settings::Identify { symbologies: vec![Symbology::Qr], zbar_confirms: false };
        let found = SymbolFinder::new(&only_qr).find(&picture, |_| false);
        assert_eq!(found.iter().map(|symbol| symbol.symbology).collect::<Vec<_>>(), [Symbology::Qr]);
        let none = settings::Identify { symbologies: Vec::new(), zbar_confirms: true };
        assert_eq!(SymbolFinder::new(&none).find(&picture, |_| false), []);
    }

    #[test]
    fn a_page_code_that_shines_through_from_the_other_side_is_not_read() {
        let (map, width, height) = scan_map(300.0, 0.5, 0.0);
        let front = Sheet::with_marks(&form_page(1)).qr(PAGE_CODE).scan(&map, width, height);
        assert_eq!(finder().find(&front, |_| false).len(), 1);
        let back = image::imageops::flip_horizontal(&front);
        assert_eq!(finder().find(&back, |_| false), []);
    }

    #[test]
    fn the_other_symbol_is_found_in_its_place_under_noise_that_hides_it_on_the_page() {
        let forms = forms(vec![form_page(1)]);
        let (map, width, height) = scan_map(200.0, 1.0, 0.0);
        let sheet = Sheet::with_marks(&form_page(1)).qr(PAGE_CODE).code128(ID);
        let picture = noisy(sheet.scan(&map, width, height), 110, 11);
        let qr = Symbol {
            symbology: Symbology::Qr,
            text: PAGE_CODE.to_owned(),
            corners: QR_AREA.corners().map(|corner| map.apply(corner)),
            decoders: vec![Decoder::Zxing],
        };
        let found = finder().find_missing(&picture, &forms, &[qr]);
        assert_eq!(found.iter().map(|symbol| symbol.text.as_str()).collect::<Vec<_>>(), [ID]);
    }
}
