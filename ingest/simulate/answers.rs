//! What an applicant decides to write into each field: a value, and the character of each box.
//! Fields are known by the names that records use; a field of another name stays empty.

use rand::Rng;
use rand::seq::IndexedRandom;
use unicode_normalization::UnicodeNormalization;

use super::applicant::{Correction, Entry, Habits, Outcome, Written};
use super::bank::AccountKind;
use crate::form::{Align, Field, FieldKind};
use crate::register::Household;

/// What one applicant puts into one field.
pub(super) fn entry(field: &Field, household: &Household, habits: &Habits, source: &mut impl Rng) -> Entry {
    match field.kind {
        FieldKind::Digits => digits(field, household, habits, source),
        FieldKind::Kana => kana(field, household, habits, source),
        FieldKind::Text | FieldKind::Signature => line(field, household, habits, source),
        FieldKind::Mark => mark(field, habits, source),
    }
}

fn digits(field: &Field, household: &Household, habits: &Habits, source: &mut impl Rng) -> Entry {
    let width = field.cells.len();
    let account_is_written = !habits.forgets_account && !habits.declines;
    let in_bank_block = account_is_written && !habits.is_yucho();
    // What is meant, and what is written of it.
    let (value, text) = match (field.name.as_str(), &habits.account.kind) {
        ("application_date", _) => date(width, source),
        ("phone", _) => same(phone(source)),
        ("account_number", _) if in_bank_block => {
            let number = habits.account.number.clone();
            let short = number.trim_start_matches('0').to_owned();
            (Some(number.clone()), if habits.pads_with_zeros { number } else { short })
        }
        // What is to be paid to is known all the same, from the ゆうちょ block.
        ("account_number", _) if account_is_written => (Some(habits.account.number.clone()), String::new()),
        ("bank_code", AccountKind::Bank { bank, .. }) if in_bank_block && habits.fills_codes => {
            same(bank.code.to_owned())
        }
        ("bank_code", AccountKind::Yucho(_)) if in_bank_block && habits.fills_codes => {
            same("9900".to_owned())
        }
        ("branch_code", AccountKind::Bank { branch, .. }) if in_bank_block && habits.fills_codes => {
            same(branch.0.to_owned())
        }
        ("branch_code", AccountKind::Yucho(yucho)) if in_bank_block => same(yucho.branch_code()),
        ("yucho_symbol", AccountKind::Yucho(yucho)) if account_is_written && !in_bank_block => {
            same(yucho.symbol.clone())
        }
        ("yucho_number", AccountKind::Yucho(yucho)) if account_is_written && !in_bank_block => {
            same(yucho.number.clone())
        }
        ("members", _) => same(household.members.to_string()),
        ("amount", _) => same(household.amount.to_string()),
        _ => (None, String::new()),
    };
    let align = match field.align {
        Some(Align::Right) if !habits.begins_left || text.len() >= width => Align::Right,
        _ => Align::Left,
    };
    let characters: Vec<String> =
        text.chars().map(|digit| if digit == ' ' { String::new() } else { digit.to_string() }).collect();
    let mut cells = in_comb(characters, width, align);
    let corrected = slip(&mut cells, &DIGITS, habits.slips, source);
    Entry { written: Written::Cells(cells), value, corrected }
}

/// What may stand somewhere by mistake.
pub(super) const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
pub(super) const KANA: [&str; 9] = ["ア", "カ", "シ", "ツ", "ナ", "マ", "ヤ", "ラ", "ワ"];

fn same(text: String) -> (Option<String>, String) {
    (Some(text.clone()), text)
}

/// A day between the first letters and the deadline, as year of Reiwa, month and day, two digits
/// each; of the year as much as the comb has room for. Some leave the tens empty.
fn date(width: usize, source: &mut impl Rng) -> (Option<String>, String) {
    let month: u32 = source.random_range(6..=9);
    let day: u32 = source.random_range(1..=if month == 9 { 10 } else { 28 });
    let year = if width >= 8 { "2020" } else { "02" };
    let value = format!("{year}{month:02}{day:02}");
    let value = value[value.len() - width.min(value.len())..].to_owned();
    let written = if source.random_bool(0.5) {
        value.clone()
    } else {
        // "02" "06" "05" as " 2" " 6" " 5"
        let pairs = value.as_bytes().chunks(2);
        pairs
            .map(|pair| match pair {
                [b'0', ones] => format!(" {}", char::from(*ones)),
                pair => pair.iter().map(|&digit| char::from(digit)).collect(),
            })
            .collect()
    };
    (Some(value), written)
}

fn phone(source: &mut impl Rng) -> String {
    let rest = |source: &mut _, digits: u32| {
        format!("{:0>1$}", Rng::random_range(source, 0..10u64.pow(digits)), digits as usize)
    };
    match source.random_range(0..10) {
        0..3 => format!("045{}", rest(source, 7)),
        3..7 => format!("090{}", rest(source, 8)),
        _ => format!("080{}", rest(source, 8)),
    }
}

fn kana(field: &Field, household: &Household, habits: &Habits, source: &mut impl Rng) -> Entry {
    let meant = match field.name.as_str() {
        "account_holder_kana" if habits.forgets_account || habits.declines => None,
        "account_holder_kana" => Some(habits.holder_kana.clone()),
        _ => Some(household.head_kana.nfkc().collect::<String>()),
    };
    let Some(meant) = meant else {
        return nothing(field);
    };
    let joins_names = source.random_bool(0.08);
    let mut characters = Vec::new();
    for character in meant.chars() {
        match character {
            ' ' if joins_names => {}
            ' ' => characters.push(String::new()),
            _ => characters.extend(kana_boxes(character, habits)),
        }
    }
    let mut cells = in_comb(characters, field.cells.len(), Align::Left);
    let corrected = slip(&mut cells, &KANA, habits.slips, source);
    Entry { written: Written::Cells(cells), value: Some(meant), corrected }
}

/// The boxes that one kana of a name takes.
fn kana_boxes(character: char, habits: &Habits) -> Vec<String> {
    let small = "ァィゥェォッャュョヮ";
    let large = "アイウエオツヤユヨワ";
    let mut character = character;
    if habits.writes_small_kana_large
        && let Some(place) = small.chars().position(|kana| kana == character)
    {
        character = large.chars().nth(place).unwrap_or(character);
    }
    if habits.writes_hiragana && ('ァ'..='ン').contains(&character) {
        // The blocks of both kana run alike, 0x60 apart.
        character = char::from_u32(character as u32 - 0x60).unwrap_or(character);
    }
    if !habits.marks_apart {
        return vec![character.to_string()];
    }
    let apart = character.nfd().map(|part| match part {
        '\u{3099}' => "゛".to_owned(),
        '\u{309a}' => "゜".to_owned(),
        part => part.to_string(),
    });
    apart.collect()
}

fn line(field: &Field, household: &Household, habits: &Habits, source: &mut impl Rng) -> Entry {
    let in_bank_block = !habits.forgets_account && !habits.declines && !habits.is_yucho();
    let (value, text) = match (field.name.as_str(), &habits.account.kind) {
        ("bank_name", AccountKind::Bank { bank, .. }) if in_bank_block => {
            let other = bank.also.choose(source).filter(|_| source.random_bool(0.3));
            (Some(bank.name.to_owned()), (*other.unwrap_or(&bank.name)).to_owned())
        }
        ("bank_name", AccountKind::Yucho(_)) if in_bank_block => {
            let written = ["ゆうちょ銀行", "ゆうちょ", "郵便局"].choose(source).expect("not empty");
            (Some("ゆうちょ銀行".to_owned()), (*written).to_owned())
        }
        ("branch_name", AccountKind::Bank { branch, .. }) if in_bank_block => {
            let (_, name) = branch;
            let complete = name.ends_with("部") || name.ends_with("所") || name.ends_with("店");
            let suffix = if !complete && source.random_bool(0.2) { "支店" } else { "" };
            (Some((*name).to_owned()), format!("{name}{suffix}"))
        }
        ("branch_name", AccountKind::Yucho(yucho)) if in_bank_block => same(yucho.branch_name()),
        ("head_name", _) => same(household.head_name.clone()),
        ("signature", _) if !field.printed && source.random_bool(0.01) => (None, String::new()),
        ("signature", _) => same(household.head_name.clone()),
        ("head_kana", _) => same(household.head_kana.clone()),
        ("address", _) => same(household.address.clone()),
        ("postal_code", _) => same(household.postal_code.clone()),
        ("birth_date", _) => same(household.birth_date.clone()),
        ("members", _) => same(household.members.to_string()),
        ("amount", _) => same(household.amount.to_string()),
        _ => (None, String::new()),
    };
    Entry { written: Written::Line(text), value, corrected: Vec::new() }
}

fn mark(field: &Field, habits: &Habits, source: &mut impl Rng) -> Entry {
    let account_is_written = !habits.forgets_account && !habits.declines;
    let wanted = match (field.name.as_str(), &habits.account.kind) {
        ("account_route", _) if account_is_written => Some(if habits.is_yucho() { "yucho" } else { "bank" }),
        ("account_type", AccountKind::Bank { current: true, .. }) if account_is_written => Some("current"),
        ("account_type", _) if account_is_written && !habits.is_yucho() => Some("ordinary"),
        // Where a form has a pair of boxes, wanting comes before not wanting (rules.md 1.1).
        ("declined", _) if habits.declines => field.options.last().map(|option| option.value.as_str()),
        _ => None,
    };
    let marked = field
        .options
        .iter()
        .map(|option| &option.value)
        .find(|value| Some(value.as_str()) == wanted)
        .filter(|_| field.name == "declined" || !source.random_bool(0.02))
        .cloned();
    Entry { written: Written::Line(marked.clone().unwrap_or_default()), value: marked, corrected: Vec::new() }
}

fn nothing(field: &Field) -> Entry {
    let written = Written::Cells(vec![String::new(); field.cells.len()]);
    Entry { written, value: None, corrected: Vec::new() }
}

/// Lays characters into a comb of `width` boxes; what finds no room is left out at the end.
fn in_comb(mut characters: Vec<String>, width: usize, align: Align) -> Vec<String> {
    characters.truncate(width);
    let empty = vec![String::new(); width - characters.len()];
    match align {
        Align::Left => [characters, empty].concat(),
        Align::Right => [empty, characters].concat(),
    }
}

/// Some characters are first written wrong, struck out, and put right above the box.
fn slip(cells: &mut [String], instead: &[&str], chance: f64, source: &mut impl Rng) -> Vec<Correction> {
    let mut corrections = Vec::new();
    for (cell, right) in cells.iter().enumerate() {
        let slips = source.random_bool(chance);
        let wrong = instead.choose(source).copied().unwrap_or_default();
        if slips && !right.is_empty() && right != wrong {
            corrections.push(Correction { cell, struck: wrong.to_owned(), outcome: Outcome::WrittenAbove });
        }
    }
    corrections
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::RectMm;
    use crate::simulate::random;
    use crate::simulate::register::household;

    fn field(name: &str, kind: FieldKind, cells: usize, align: Option<Align>) -> Field {
        let cell = RectMm { x: 0.0, y: 0.0, w: 6.0, h: 8.0 };
        Field {
            name: name.to_owned(),
            kind,
            printed: false,
            align,
            cells: vec![cell; cells],
            options: Vec::new(),
        }
    }

    fn decisions(field: &Field) -> impl Iterator<Item = Entry> + '_ {
        (0..2000).map(move |place| {
            let household = household(1, place);
            let mut source = random::source(1, &format!("{place}"));
            let habits = Habits::of(&household, &mut source);
            entry(field, &household, &habits, &mut source)
        })
    }

    #[test]
    fn an_account_number_is_meant_in_seven_digits_however_it_is_written() {
        let field = field("account_number", FieldKind::Digits, 7, Some(Align::Right));
        let (mut short, mut at_the_left, mut blank) = (0, 0, 0);
        for entry in decisions(&field) {
            let Written::Cells(cells) = &entry.written else { panic!("a comb has cells") };
            assert_eq!(cells.len(), 7);
            let written = cells.concat();
            match &entry.value {
                Some(value) => {
                    assert_eq!(value.len(), 7);
                    assert!(
                        written.is_empty()
                            || written.trim_start_matches('0') == value.trim_start_matches('0')
                    );
                }
                None => assert!(written.is_empty()),
            }
            short += u32::from((1..7).contains(&written.len()));
            at_the_left += u32::from(written.len() < 7 && !cells[0].is_empty());
            blank += u32::from(written.is_empty());
        }
        assert!(short > 50 && at_the_left > 5 && blank > 300, "{short} {at_the_left} {blank}");
    }

    #[test]
    fn a_kana_takes_one_box_or_gives_its_mark_another() {
        let field = field("account_holder_kana", FieldKind::Kana, 30, Some(Align::Left));
        let (mut together, mut apart) = (0, 0);
        for entry in decisions(&field) {
            let Written::Cells(cells) = entry.written else { panic!("a comb has cells") };
            assert!(cells.iter().all(|cell| cell.chars().count() <= 1));
            apart += u32::from(cells.iter().any(|cell| cell == "゛"));
            together += u32::from(cells.iter().any(|cell| cell == "ダ"));
        }
        assert!(together > 100 && apart > 100, "{together} {apart}");
    }

    #[test]
    fn tens_of_a_date_may_be_left_empty() {
        let field = field("application_date", FieldKind::Digits, 6, None);
        for entry in decisions(&field) {
            let Written::Cells(cells) = &entry.written else { panic!("a comb has cells") };
            let filled: String =
                cells.iter().map(|cell| if cell.is_empty() { "0" } else { cell.as_str() }).collect();
            assert_eq!(Some(&filled), entry.value.as_ref());
        }
    }
}
