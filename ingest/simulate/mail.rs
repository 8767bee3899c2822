//! One application on its way: decided, printed, filled in, scanned. Everything about it is drawn
//! from the seed and its application ID.

use std::collections::BTreeMap;

use rand::Rng;
use tiny_skia::{BlendMode, Color, FilterQuality, Pixmap, PixmapPaint, Transform};

use super::applicant::{self, Application};
use super::copies::Enclosures;
use super::hand::Hand;
use super::material::Material;
use super::press::Press;
use super::scanner::{self, Feed, Raster, Scanner};
use super::truth::{CopyTruth, PageTruth, SymbolTruth};
use super::{SimulateError, copies, disturbance, gesture, handwriting, ink, random};
use crate::form::{Form, FormPage};
use crate::register::Household;

/// Pages are drawn at no less than this; coarser scans are resampled from it, as a lens would.
const MIN_DRAWN_DPI: u32 = 300;
/// Of applications that have several pages.
const PAGE_MISSING: f64 = 0.02;
const PAGES_SWAPPED: f64 = 0.05;
/// Of pages.
const SYMBOL_SPOILT: f64 = 0.04;
/// Of pages with a spoilt symbol.
const ALL_SYMBOLS_SPOILT: f64 = 0.08;
/// How much of the front is seen on the back.
const SHOWS_THROUGH: f32 = 0.05;

/// What is the same for all applications.
pub(super) struct Mailroom<'a> {
    pub seed: u64,
    pub material: &'a Material,
    pub press: &'a Press,
    /// Nothing goes wrong on the way; handwriting stays what it is.
    pub clean: bool,
    /// Numbers of the pages that are scanned; all where it is empty.
    pub pages: &'a [u32],
    pub enclosures: Enclosures,
}

/// Scans the pages of one application in the order in which they come out of the scanner; each is
/// handed to `take` with its truth, in which the file is still to be named.
pub(super) fn send(
    mailroom: &Mailroom<'_>,
    form: &Form,
    household: &Household,
    scanner: &Scanner,
    duplex: bool,
    take: &mut dyn FnMut(Raster, PageTruth) -> Result<(), SimulateError>,
) -> Result<(), SimulateError> {
    let chance = |what: &str| random::source(mailroom.seed, &format!("{what} {}", household.application_id));
    let application = applicant::decide(form, household, &mut chance("applicant"), &mut chance("mishap of"));
    let hand = Hand::of_chance(mailroom.material, &mut chance("hand"));
    let mut way = chance("way");
    let dpi = scanner.dpi.max(MIN_DRAWN_DPI);
    let is_wanted = |page: &FormPage| mailroom.pages.is_empty() || mailroom.pages.contains(&page.number);
    let mut pages = mailroom.press.print(form, household, f64::from(dpi), &is_wanted)?;
    if pages.len() > 1 && !mailroom.clean {
        if way.random_bool(PAGES_SWAPPED) {
            pages.reverse();
        }
        if way.random_bool(PAGE_MISSING) {
            pages.pop();
        }
    }
    for (page, mut front) in pages {
        let mut writing = chance(&format!("writing on page {} of", page.number));
        let (mut inks, copies) = fill_in(mailroom, page, household, &application, &hand, &mut writing);
        let symbols = spoil(page, mailroom.clean, &mut way, &mut inks);
        let disturbances = if mailroom.clean {
            Vec::new()
        } else {
            let mut source = chance(&format!("disturbances on page {} of", page.number));
            disturbance::befall(page, &mailroom.material.fonts, &mut source, &mut inks)
        };
        ink::draw(&inks, &mut front, f64::from(dpi));
        let back = duplex.then(|| back_of(&front));
        for (side, number) in [(Some(front), Some(page.number)), (back, None)] {
            let Some(side) = side else { continue };
            let feed = if mailroom.clean { Feed::straight() } else { Feed::of_chance(&mut way) };
            let (raster, map) = scanner::scan(&side, f64::from(dpi), scanner, &feed, &mut way);
            let is_front = number.is_some();
            let fields = if is_front { entries(page, &application) } else { BTreeMap::new() };
            let truth = PageTruth {
                file: String::new(),
                page_index: 0,
                application_id: household.application_id,
                form: form.id.clone(),
                version: form.version.clone(),
                page: number,
                blank: !is_front,
                rotation: feed.rotation(),
                skew_deg: feed.skew_deg,
                dpi: scanner.dpi,
                map: is_front.then_some(map),
                symbols: if is_front { symbols.clone() } else { Vec::new() },
                copies: if is_front { copies.clone() } else { Vec::new() },
                disturbances: if is_front { disturbances.clone() } else { Vec::new() },
                fields,
            };
            take(raster, truth)?;
        }
    }
    Ok(())
}

/// What the applicant puts onto a page: handwriting, or copies where there is nothing to write.
fn fill_in(
    mailroom: &Mailroom<'_>,
    page: &FormPage,
    household: &Household,
    application: &Application,
    hand: &Hand<'_>,
    source: &mut impl Rng,
) -> (Vec<ink::Ink>, Vec<CopyTruth>) {
    let fonts = &mailroom.material.fonts;
    if page.fields.iter().any(|field| !field.printed) {
        return (handwriting::fill_in(page, application, hand, fonts, source), Vec::new());
    }
    copies::glue(page, household, application, mailroom.enclosures, fonts, source)
}

/// Makes some symbols unreadable, rarely all of a page.
fn spoil(page: &FormPage, clean: bool, source: &mut impl Rng, inks: &mut Vec<ink::Ink>) -> Vec<SymbolTruth> {
    let spoils = !clean && source.random_bool(SYMBOL_SPOILT);
    let all = source.random_bool(ALL_SYMBOLS_SPOILT);
    let chosen = source.random_range(0..page.symbols.len().max(1));
    let mut symbols = Vec::new();
    for (place, symbol) in page.symbols.iter().enumerate() {
        let spoilt = spoils && (all || place == chosen);
        if spoilt {
            gesture::spoil(symbol.area, source, inks);
        }
        symbols.push(SymbolTruth { role: symbol.role, symbology: symbol.symbology, intact: !spoilt });
    }
    symbols
}

/// The back of a sheet: white, with a shadow of the front, mirrored.
fn back_of(front: &Pixmap) -> Pixmap {
    let mut back = front.clone();
    back.fill(Color::WHITE);
    let paint = PixmapPaint {
        opacity: SHOWS_THROUGH,
        blend_mode: BlendMode::SourceOver,
        quality: FilterQuality::Nearest,
    };
    let mirrored = Transform::from_row(-1.0, 0.0, 0.0, 1.0, front.width() as f32, 0.0);
    back.draw_pixmap(0, 0, front.as_ref(), &paint, mirrored, None);
    back
}

fn entries(page: &FormPage, application: &Application) -> BTreeMap<String, applicant::Entry> {
    let names = page.fields.iter().map(|field| &field.name);
    names.filter_map(|name| Some((name.clone(), application.entries.get(name)?.clone()))).collect()
}
