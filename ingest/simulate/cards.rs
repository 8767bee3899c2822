//! Copies of cards that say who somebody is, with numbers that must not be kept. Plain but plausible,
//! and nobody's: every number is drawn by chance.

use rand::Rng;

use super::copies::{CARD_MM, Copy};
use super::random;
use crate::application_id::ApplicationId;
use crate::geometry::RectMm;
use crate::read::CopyKind;
use crate::register::Household;

/// What may be wrong with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Expired,
    /// It is another person's.
    Anothers,
}

impl Flaw {
    /// One card in ten has each. It follows from the application alone: nothing else that is drawn changes.
    pub fn of(application: ApplicationId) -> Option<Self> {
        match random::source(0, &format!("flaw {application}")).random_range(0..10) {
            0 => Some(Self::Expired),
            1 => Some(Self::Anothers),
            _ => None,
        }
    }
}

/// Whether the card of this household's head was valid until a day long gone.
fn is_expired(household: &Household) -> bool {
    Flaw::of(household.application_id) == Some(Flaw::Expired)
}

type Card<R> = fn(&mut Copy<'_>, &Household, &mut R) -> CopyKind;

/// Draws one of the cards of a household's head and says which.
pub(super) fn draw<R: Rng>(copy: &mut Copy<'_>, household: &Household, source: &mut R) -> CopyKind {
    use CopyKind::{InsuranceCard, Licence, NumberCardBack, NumberCardFront, PensionBook};
    let draw = random::weighted(
        source,
        &[
            (number_card_back as Card<R>, 0.35),
            (notice_card, 0.10),
            (number_card_front, 0.10),
            (insurance_card, 0.15),
            (pension_book, 0.10),
            (licence, 0.20),
        ],
    );
    let kind = draw(copy, household, source);
    debug_assert!(matches!(kind, InsuranceCard | Licence | NumberCardBack | NumberCardFront | PensionBook));
    kind
}

/// Twelve digits with their check digit, parted as cards part them, or not.
fn my_number(source: &mut impl Rng) -> String {
    let body: Vec<u32> = (0..11).map(|_| source.random_range(0..10)).collect();
    let weights = [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2];
    let rest = body.iter().zip(weights).map(|(digit, weight)| digit * weight).sum::<u32>() % 11;
    let check = if rest <= 1 { 0 } else { 11 - rest };
    let digits: String = body.iter().chain([&check]).map(u32::to_string).collect();
    match source.random_range(0..4) {
        0 => digits,
        1 => format!("{}  {}  {}", &digits[..4], &digits[4..8], &digits[8..]),
        _ => format!("{} {} {}", &digits[..4], &digits[4..8], &digits[8..]),
    }
}

fn some_digits(count: usize, source: &mut impl Rng) -> String {
    (0..count).map(|_| char::from(b'0' + source.random_range(0..10u8))).collect()
}

fn number_card_back<R: Rng>(copy: &mut Copy<'_>, household: &Household, source: &mut R) -> CopyKind {
    copy.area(RectMm { x: 6.0, y: 18.0, w: 13.0, h: 12.0 }, 150);
    copy.text("個人番号", 30.0, 10.0, 2.4);
    let size = source.random_range(3.2..4.2);
    copy.number(&my_number(source), 30.0, 16.0, size);
    copy.text("氏名", 30.0, 24.0, 2.2);
    copy.text(&household.head_name, 38.0, 24.0, 3.2);
    copy.text(&format!("{}生", household.birth_date.replace('-', ".")), 30.0, 31.0, 2.6);
    copy.text("この面をコピーしてはいけません", 24.0, 49.0, 2.2);
    CopyKind::NumberCardBack
}

fn notice_card<R: Rng>(copy: &mut Copy<'_>, household: &Household, source: &mut R) -> CopyKind {
    copy.text("通知カード", 4.0, 7.0, 3.6);
    copy.text("個人番号", 5.0, 14.0, 2.6);
    copy.number(&my_number(source), 20.0, 14.5, 4.4);
    copy.text("氏名", 5.0, 22.0, 2.4);
    copy.text(&household.head_name, 14.0, 22.0, 3.4);
    copy.text("住所", 5.0, 29.0, 2.4);
    copy.text(&household.address, 14.0, 29.0, 2.4);
    copy.text(&format!("{}生", household.birth_date.replace('-', ".")), 14.0, 36.0, 2.6);
    CopyKind::NumberCardBack
}

fn number_card_front<R: Rng>(copy: &mut Copy<'_>, household: &Household, _: &mut R) -> CopyKind {
    copy.text("個人番号カード", 50.0, 6.0, 3.2);
    copy.text("氏名", 3.0, 10.0, 2.2);
    copy.text(&household.head_name, 11.0, 10.0, 3.4);
    copy.text("住所", 3.0, 17.0, 2.2);
    copy.text(&household.address, 11.0, 17.0, 2.4);
    copy.text(&format!("{}生", household.birth_date.replace('-', ".")), 30.0, 26.0, 2.6);
    copy.text(if is_expired(household) { "2019年まで有効" } else { "2025年まで有効" }, 30.0, 33.0, 2.4);
    copy.area(RectMm { x: 4.0, y: 22.0, w: 22.0, h: 27.0 }, 168);
    copy.disc(15.0, 32.0, 5.5, 70);
    CopyKind::NumberCardFront
}

fn insurance_card<R: Rng>(copy: &mut Copy<'_>, household: &Household, source: &mut R) -> CopyKind {
    copy.text("健康保険被保険者証", 4.0, 7.0, 3.4);
    let symbol = source.random_range(3..=8);
    let symbol = some_digits(symbol, source);
    let number = source.random_range(2..=5);
    let number = some_digits(number, source);
    copy.text("記号", 50.0, 14.0, 2.4);
    copy.number(&symbol, 57.0, 14.0, 3.0);
    copy.text("番号", 50.0, 19.0, 2.4);
    copy.number(&number, 57.0, 19.0, 3.0);
    copy.text("氏名", 4.0, 15.0, 2.4);
    copy.text(&household.head_name, 13.0, 15.0, 3.4);
    copy.text("生年月日", 4.0, 24.0, 2.4);
    copy.text(&day(&household.birth_date), 17.0, 24.0, 2.8);
    copy.text("保険者番号", 4.0, 40.0, 2.4);
    copy.number(&some_digits(8, source), 20.0, 40.0, 3.2);
    copy.text("保険者名称  みなと健康保険組合", 4.0, 47.0, 2.6);
    CopyKind::InsuranceCard
}

fn pension_book<R: Rng>(copy: &mut Copy<'_>, household: &Household, source: &mut R) -> CopyKind {
    copy.text("年金手帳", 30.0, 8.0, 4.6);
    copy.text("基礎年金番号", 8.0, 18.0, 2.8);
    let number = format!("{}-{}", some_digits(4, source), some_digits(6, source));
    copy.number(&number, 30.0, 18.2, 3.8);
    copy.text("氏名", 8.0, 28.0, 2.6);
    copy.text(&household.head_name, 20.0, 28.0, 3.6);
    copy.text("生年月日", 8.0, 37.0, 2.6);
    copy.text(&day(&household.birth_date), 24.0, 37.0, 3.0);
    CopyKind::PensionBook
}

fn licence<R: Rng>(copy: &mut Copy<'_>, household: &Household, source: &mut R) -> CopyKind {
    copy.text("氏名", 3.0, 6.0, 2.2);
    copy.text(&household.head_name, 11.0, 6.2, 3.6);
    copy.text(&format!("{}生", day(&household.birth_date)), 48.0, 6.0, 2.4);
    copy.text("住所", 3.0, 12.0, 2.2);
    copy.text(&household.address, 11.0, 12.0, 2.4);
    copy.area(RectMm { x: 0.0, y: 15.5, w: CARD_MM.0, h: 6.0 }, 205);
    let last_day = match is_expired(household) {
        true => "2019年(平成31年)04月10日まで有効",
        false => "2024年(令和06年)06月10日まで有効",
    };
    copy.text(last_day, 3.0, 19.6, 2.8);
    copy.text("免許の", 3.0, 26.0, 2.0);
    copy.text("条件等", 3.0, 29.0, 2.0);
    copy.text("眼鏡等", 14.0, 27.5, 2.4);
    copy.text("番号", 3.0, 36.0, 2.0);
    copy.text(&format!("第 {} 号", some_digits(12, source)), 10.0, 36.2, 3.2);
    copy.text("運転免許証", 3.0, 48.0, 3.6);
    copy.text("神奈川県公安委員会", 26.0, 48.0, 2.4);
    let photo = RectMm { x: 58.0, y: 22.0, w: 24.0, h: 29.0 };
    copy.area(photo, 168);
    copy.disc(70.0, 33.0, 6.0, 70);
    copy.frame(photo, 0.25);
    CopyKind::Licence
}

/// `1970-01-31` as 1970年01月31日.
fn day(date: &str) -> String {
    match date.split('-').collect::<Vec<_>>()[..] {
        [year, month, day] => format!("{year}年{month}月{day}日"),
        _ => date.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_drawn_are_legal() {
        let mut source = random::source(1, "cards");
        assert!((0..300).all(|_| crate::read::holds_my_number(&my_number(&mut source))));
    }
}
