//! The photocopies that applicants glue onto the sheet for them: the inside of a passbook, where
//! the bank shows number and holder, and a card that proves who somebody is. Plain but plausible;
//! the card is nobody's.

use std::cell::Cell;
use std::f64::consts::FRAC_PI_2;

use rand::Rng;
use rand::seq::IndexedRandom;
use tiny_skia::PathBuilder;

use super::applicant::Application;
use super::bank::{self, Account, AccountKind};
use super::cards::{self, Flaw};
use super::fonts::Fonts;
use super::ink::{Ink, Medium, Pen, rectangle};
use super::names::{MEN, WOMEN};
use super::random;
use super::truth::CopyTruth;
use crate::form::FormPage;
use crate::geometry::{PointMm, RectMm};
use crate::read::CopyKind;
use crate::register::Household;

/// ISO/IEC 7810 ID-1.
pub(super) const CARD_MM: (f64, f64) = (85.6, 54.0);
/// The upper page of a passbook that lies open, cut off at the fold.
const PASSBOOK_MM: (f64, f64) = (140.0, 72.0);

/// A copy that was cut out and glued on: millimetres from its top left corner to the page's.
pub(super) struct Copy<'a> {
    fonts: &'a Fonts,
    inks: &'a mut Vec<Ink>,
    corner: PointMm,
    sin: f64,
    cos: f64,
    /// How dark the copier made black.
    toner: f32,
    /// Where numbers were printed that must not be kept.
    pub numbers: Vec<[PointMm; 4]>,
}

/// What is enclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Enclosures {
    /// A licence without a number, and the passbook of the account
    #[default]
    Plain,
    /// Cards of all kinds with made-up numbers, askew, turned and faint; copies that are missing; passbooks of another account
    Varied,
}

/// In varied enclosures, how often a copy is missing, and how often the passbook is another one's.
const MISSING: f64 = 0.06;
const OTHER_ACCOUNT: f64 = 0.08;

/// Glues both copies onto a page: the card into the upper of the places for copies, the passbook into
/// the lower; a copy that fits nowhere is left out. What was glued is told of varied enclosures only.
pub(super) fn glue(
    page: &FormPage,
    household: &Household,
    application: &Application,
    enclosures: Enclosures,
    fonts: &Fonts,
    source: &mut impl Rng,
) -> (Vec<Ink>, Vec<CopyTruth>) {
    let mut inks = Vec::new();
    let mut truths = Vec::new();
    let mut places = page.copy_areas();
    for (size, is_card) in [(CARD_MM, true), (PASSBOOK_MM, false)] {
        let Some(place) = places.iter().position(|area| area.w >= size.0 && area.h >= size.1) else {
            continue;
        };
        let area = places.remove(place);
        if enclosures == Enclosures::Varied && source.random_bool(MISSING) {
            continue;
        }
        let radians = 0.02 * random::bell(source);
        let corner = PointMm {
            x: area.x + (area.w - size.0) * source.random_range(0.25..0.75),
            y: area.y + (area.h - size.1) * source.random_range(0.2..0.8),
        };
        let toner = source.random_range(0.7..1.0);
        let gray = source.random_range(222..252);
        let (sin, cos) = radians.sin_cos();
        let mut copy = Copy { fonts, inks: &mut inks, corner, sin, cos, toner, numbers: Vec::new() };
        if enclosures == Enclosures::Varied {
            copy.lay_anyhow(radians, size, is_card, source);
        }
        copy.area(RectMm { x: 0.0, y: 0.0, w: size.0, h: size.1 }, gray);
        copy.frame(RectMm { x: 0.0, y: 0.0, w: size.0, h: size.1 }, 0.2);
        let flaw = match enclosures {
            Enclosures::Varied if is_card => Flaw::of(household.application_id),
            Enclosures::Plain | Enclosures::Varied => None,
        };
        let (kind, account) = match enclosures {
            Enclosures::Plain if is_card => {
                draw_card(&mut copy, household);
                (CopyKind::Licence, None)
            }
            Enclosures::Varied if is_card => {
                let another = (flaw == Some(Flaw::Anothers)).then(|| another_of_the_family(household));
                let of = another.as_ref().unwrap_or(household);
                (cards::draw(&mut copy, of, source), None)
            }
            Enclosures::Varied if source.random_bool(OTHER_ACCOUNT) => {
                let other = bank::account(source);
                draw_passbook(&mut copy, household, &other, &application.holder_kana);
                (CopyKind::Passbook, Some(other.number))
            }
            Enclosures::Plain | Enclosures::Varied => {
                draw_passbook(&mut copy, household, &application.account, &application.holder_kana);
                (CopyKind::Passbook, None)
            }
        };
        let truth = CopyTruth {
            kind,
            numbers: copy.numbers,
            another_account: account,
            expired: flaw == Some(Flaw::Expired)
                && matches!(kind, CopyKind::Licence | CopyKind::NumberCardFront),
            anothers: flaw == Some(Flaw::Anothers) && kind.is_of_identity(),
        };
        truths.extend(Some(truth).filter(|_| enclosures == Enclosures::Varied));
    }
    (inks, truths)
}

/// Somebody with the family name of the household's head, and a given name without a letter of the head's.
fn another_of_the_family(household: &Household) -> Household {
    let mut source = random::source(0, &format!("another {}", household.application_id));
    let (family, given) = household.head_name.split_once('\u{3000}').unwrap_or((&household.head_name, ""));
    let others: Vec<&str> = [MEN, WOMEN]
        .as_flattened()
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !name.chars().any(|letter| given.contains(letter)))
        .collect();
    let other = others.choose(&mut source).copied().unwrap_or_default();
    Household { head_name: format!("{family}\u{3000}{other}"), ..household.clone() }
}

fn draw_card(copy: &mut Copy<'_>, household: &Household) {
    copy.area(RectMm { x: 0.0, y: 15.5, w: CARD_MM.0, h: 6.0 }, 205);
    copy.text("氏名", 3.0, 6.0, 2.2);
    copy.text(&household.head_name, 11.0, 6.2, 3.6);
    copy.text(&household.birth_date.replace('-', "."), 55.0, 6.0, 2.6);
    copy.text("住所", 3.0, 12.0, 2.2);
    copy.text(&household.address, 11.0, 12.0, 2.4);
    copy.text("有効期限  2024年 誕生日まで", 3.0, 19.6, 3.0);
    copy.text("見本 運転免許証", 3.0, 48.0, 4.2);
    copy.frame(RectMm { x: 3.0, y: 24.0, w: 48.0, h: 18.0 }, 0.2);
    for row in 1..3 {
        let y = 24.0 + 6.0 * f64::from(row);
        copy.area(RectMm { x: 3.0, y, w: 48.0, h: 0.2 }, 90);
    }
    // A face: head and shoulders, as dark as copiers make photographs.
    let photo = RectMm { x: 58.0, y: 22.0, w: 24.0, h: 29.0 };
    copy.area(photo, 168);
    copy.disc(70.0, 33.0, 6.0, 70);
    copy.disc(70.0, 34.5, 4.8, 140);
    copy.disc(70.0, 46.5, 4.4, 50);
    copy.area(RectMm { x: 62.0, y: 44.5, w: 16.0, h: 6.4 }, 50);
    copy.frame(photo, 0.25);
}

fn draw_passbook(copy: &mut Copy<'_>, household: &Household, account: &Account, holder_kana: &str) {
    copy.area(RectMm { x: 0.0, y: 0.0, w: PASSBOOK_MM.0, h: 11.0 }, 196);
    // The fold.
    copy.area(RectMm { x: 0.0, y: PASSBOOK_MM.1 - 1.2, w: PASSBOOK_MM.0, h: 1.2 }, 110);
    let holder = half_width(holder_kana);
    let number = &account.number;
    match &account.kind {
        AccountKind::Bank { bank, branch, current } => {
            copy.text(&format!("{}  総合口座通帳", bank.name), 5.0, 7.5, 4.6);
            copy.text("店番", 6.0, 22.0, 2.6);
            copy.text(branch.0, 6.0, 28.0, 4.4);
            copy.text("科目", 28.0, 22.0, 2.6);
            copy.text(if *current { "当座預金" } else { "普通預金" }, 28.0, 28.0, 3.8);
            copy.text("口座番号", 58.0, 22.0, 2.6);
            copy.text(number, 58.0, 28.0, 4.4);
            copy.text(&format!("お取引店  {}", branch.1), 6.0, 66.0, 3.4);
        }
        AccountKind::Yucho(yucho) => {
            copy.text("ゆうちょ銀行  通常貯金", 5.0, 7.5, 4.6);
            copy.text("記号", 6.0, 22.0, 2.6);
            copy.text(&yucho.symbol, 6.0, 28.0, 4.4);
            copy.text("番号", 40.0, 22.0, 2.6);
            copy.text(&yucho.number, 40.0, 28.0, 4.4);
            let transfer = format!(
                "店名 {}  店番 {}  普通預金  口座番号 {number}",
                yucho.branch_name(),
                yucho.branch_code(),
            );
            copy.text("【他金融機関からの振込用】", 6.0, 62.0, 2.8);
            copy.text(&transfer, 6.0, 68.0, 3.4);
        }
    }
    copy.text("おなまえ", 6.0, 38.0, 2.6);
    copy.text(&holder, 6.0, 44.5, 4.4);
    // Another holder than the head of the household is another name, known by its kana only.
    if holder == half_width(&household.head_kana) {
        copy.text(&format!("{}  様", household.head_name), 6.0, 53.0, 4.8);
    }
    for row in 0..3 {
        copy.area(RectMm { x: 4.0, y: 31.0 + 8.5 * f64::from(row), w: 96.0, h: 0.15 }, 120);
    }
}

impl Copy<'_> {
    /// Turns the copy around its middle, as one that was photographed, or glued on as it came out of
    /// the copier; and makes some of them faint.
    fn lay_anyhow(&mut self, radians: f64, size: (f64, f64), is_card: bool, source: &mut impl Rng) {
        let middle = PointMm { x: self.corner.x + size.0 / 2.0, y: self.corner.y + size.1 / 2.0 };
        let askew: f64 = random::weighted(source, &[(0.0, 0.7), (4.0, 0.2), (10.0, 0.1)]);
        let sideways = if is_card { 0.05 } else { 0.0 };
        let quarters = random::weighted(source, &[(0.0, 0.9 - sideways), (2.0, 0.1), (1.0, sideways)]);
        let turn =
            radians + askew.to_radians() * random::bell(source).clamp(-1.2, 1.2) + FRAC_PI_2 * quarters;
        (self.sin, self.cos) = turn.sin_cos();
        self.corner = PointMm {
            x: middle.x - size.0 / 2.0 * self.cos + size.1 / 2.0 * self.sin,
            y: middle.y - size.0 / 2.0 * self.sin - size.1 / 2.0 * self.cos,
        };
        if source.random_bool(0.2) {
            self.toner = source.random_range(0.4..0.7);
        }
    }

    /// Prints a number that must not be kept; its digits are noted.
    pub(super) fn number(&mut self, text: &str, x: f64, y: f64, em: f64) {
        let width = self.text(text, x, y, em);
        let corners = [(x, y - 0.7 * em), (x + width, y - 0.7 * em), (x + width, y), (x, y)];
        self.numbers.push(corners.map(|(x, y)| {
            let (x, y) = self.place(x, y);
            PointMm { x: f64::from(x), y: f64::from(y) }
        }));
    }

    fn place(&self, x: f64, y: f64) -> (f32, f32) {
        let placed_x = self.corner.x + x * self.cos - y * self.sin;
        let placed_y = self.corner.y + x * self.sin + y * self.cos;
        (placed_x as f32, placed_y as f32)
    }

    fn outline(&self, area: RectMm) -> Option<tiny_skia::Path> {
        let upright = rectangle(area)?;
        let turn = tiny_skia::Transform::from_row(
            self.cos as f32,
            self.sin as f32,
            -self.sin as f32,
            self.cos as f32,
            self.corner.x as f32,
            self.corner.y as f32,
        );
        upright.transform(turn)
    }

    fn push(&mut self, path: Option<tiny_skia::Path>, pen: Pen, gray: u8, density: f32) {
        let medium = Medium::Cover;
        self.inks.extend(path.map(|path| Ink { path, pen, colour: [gray; 3], density, medium }));
    }

    pub(super) fn area(&mut self, area: RectMm, gray: u8) {
        let path = self.outline(area);
        self.push(path, Pen::Area, gray, 1.0);
    }

    pub(super) fn frame(&mut self, area: RectMm, width: f32) {
        let path = self.outline(area);
        self.push(path, Pen::Line(width), 90, 1.0);
    }

    pub(super) fn disc(&mut self, x: f64, y: f64, radius: f32, gray: u8) {
        let (x, y) = self.place(x, y);
        self.push(PathBuilder::from_circle(x, y, radius), Pen::Area, gray, 1.0);
    }

    /// Prints a line whose baseline begins at (x, y), `em` millimetres high; how long it is.
    pub(super) fn text(&mut self, text: &str, x: f64, y: f64, em: f64) -> f64 {
        let width = Cell::new(0.0f64);
        let paths = self.fonts.printed.line(text, em, |dx, dy| {
            width.set(width.get().max(dx));
            self.place(x + dx, y + dy)
        });
        paths.into_iter().for_each(|path| self.push(Some(path), Pen::Area, 36, self.toner));
        width.get()
    }
}

/// Kana as banks print them: half-width, ゛ and ゜ behind the letter.
fn half_width(kana: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    const FULL: &str = "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン";
    kana.nfkc()
        .nfd()
        .map(|part| match part {
            '\u{3099}' => 'ﾞ',
            '\u{309a}' => 'ﾟ',
            part => FULL
                .chars()
                .position(|full| full == part)
                .and_then(|place| char::from_u32('ｦ' as u32 + place as u32))
                .unwrap_or(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passbooks_print_half_width_kana() {
        assert_eq!(half_width("ワタナベ　ショウタ"), "ﾜﾀﾅﾍﾞ ｼｮｳﾀ");
        assert_eq!(half_width("ハットリ パン"), "ﾊｯﾄﾘ ﾊﾟﾝ");
    }
}
