//! Fills in one page of a form: what the applicant decided, in this person's hand.

use rand::Rng;

use super::applicant::{Application, Correction, Entry, Outcome, Written};
use super::fonts::Fonts;
use super::gesture::{self, Strike, Tick};
use super::hand::Hand;
use super::ink::Ink;
use crate::form::{Field, FieldKind, FormPage};
use crate::geometry::{PointMm, RectMm};

/// Share of signatures with a seal over them.
const SEALED: f64 = 0.6;
/// Of these, share of those that touch the name.
const ON_THE_NAME: f64 = 0.6;

/// The ink of all fields of `page` that the applicant fills in.
pub(super) fn fill_in(
    page: &FormPage,
    application: &Application,
    hand: &Hand<'_>,
    fonts: &Fonts,
    source: &mut impl Rng,
) -> Vec<Ink> {
    let mut inks = Vec::new();
    let tick = Tick::of_chance(source);
    for field in page.fields.iter().filter(|field| !field.printed) {
        let Some(entry) = application.entries.get(&field.name) else { continue };
        match &entry.written {
            Written::Cells(_) => write_cells(field, entry, hand, source, &mut inks),
            Written::Line(value) if field.kind == FieldKind::Mark => {
                if let Some(option) = field.options.iter().find(|option| option.value == *value) {
                    gesture::tick(hand, tick, option.area, source, &mut inks);
                }
                for struck in &entry.corrected {
                    let Some(option) = field.options.get(struck.cell) else { continue };
                    gesture::tick(hand, tick, option.area, source, &mut inks);
                    let beyond = option.area.grown(0.15 * option.area.w);
                    gesture::strike_out(hand, Strike::of_chance(source), beyond, source, &mut inks);
                }
            }
            Written::Line(text) if text.is_empty() => {}
            Written::Line(text) => {
                let Some(area) = RectMm::around(field.cells.iter().copied()) else { continue };
                if field.kind == FieldKind::Signature {
                    write_signature(text, area, hand, fonts, source, &mut inks);
                } else {
                    hand.write_line(text, area, source, &mut inks);
                }
            }
        }
    }
    inks
}

fn write_cells(field: &Field, entry: &Entry, hand: &Hand<'_>, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    let Written::Cells(texts) = &entry.written else { return };
    // Boxes beside each other are struck out with one move.
    let mut struck: Vec<RectMm> = Vec::new();
    for (place, (text, &cell)) in texts.iter().zip(&field.cells).enumerate() {
        let correction = entry.corrected.iter().find(|correction| correction.cell == place);
        let is_struck = correction.is_some_and(|correction| correction.outcome == Outcome::StruckOut);
        if !is_struck || struck.last().is_some_and(|last| last.y != cell.y) {
            strike_out(&mut struck, hand, source, inks);
        }
        if is_struck {
            struck.push(cell);
        }
        match correction {
            None => write_text(text, cell, hand, source, inks),
            Some(correction) => write_corrected(correction, text, cell, hand, source, inks),
        }
    }
    strike_out(&mut struck, hand, source, inks);
}

fn strike_out(struck: &mut Vec<RectMm>, hand: &Hand<'_>, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    if let Some(area) = RectMm::around(struck.drain(..)) {
        gesture::strike_out(hand, Strike::of_chance(source), area, source, inks);
    }
}

fn write_corrected(
    correction: &Correction,
    text: &str,
    cell: RectMm,
    hand: &Hand<'_>,
    source: &mut impl Rng,
    inks: &mut Vec<Ink>,
) {
    write_text(&correction.struck, cell, hand, source, inks);
    match correction.outcome {
        Outcome::StruckOut => {}
        Outcome::WrittenAbove => {
            gesture::strike_out(hand, Strike::DoubleLine, cell, source, inks);
            let above = RectMm {
                x: cell.x + 0.1 * cell.w,
                y: cell.y - 0.52 * cell.h,
                w: 0.8 * cell.w,
                h: 0.56 * cell.h,
            };
            write_text(text, above, hand, source, inks);
        }
        Outcome::Overwritten => write_text(text, cell, &hand.pressing(), source, inks),
        Outcome::Several => {
            let count = text.chars().count().max(1) as f64;
            for (place, character) in text.chars().enumerate() {
                let part =
                    RectMm { x: cell.x + cell.w * place as f64 / count, w: 1.15 * cell.w / count, ..cell };
                hand.write(character, part, source, inks);
            }
        }
    }
}

fn write_text(text: &str, cell: RectMm, hand: &Hand<'_>, source: &mut impl Rng, inks: &mut Vec<Ink>) {
    for character in text.chars() {
        hand.write(character, cell, source, inks);
    }
}

fn write_signature(
    name: &str,
    area: RectMm,
    hand: &Hand<'_>,
    fonts: &Fonts,
    source: &mut impl Rng,
    inks: &mut Vec<Ink>,
) {
    let end = gesture::sign(hand, name, area, source, inks);
    if source.random_bool(SEALED) {
        let family = name.split_whitespace().next().unwrap_or(name);
        // On the end of the name, or beside it, where forms print ㊞.
        let x = if source.random_bool(ON_THE_NAME) {
            end.x + source.random_range(-4.0..3.0)
        } else {
            area.x + area.w * source.random_range(0.8..0.95)
        };
        let centre = PointMm { x, y: area.centre().y + area.h * source.random_range(-0.15..0.15) };
        gesture::seal(fonts, family, centre, source, inks);
    }
}
