//! Fills in one page of a form: what the applicant decided, in this person's hand.

use rand::Rng;

use super::applicant::{Application, Entry, Written};
use super::fonts::Fonts;
use super::gesture::{self, Tick};
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
            Written::Line(text) if text.is_empty() => {}
            Written::Line(value) if field.kind == FieldKind::Mark => {
                if let Some(option) = field.options.iter().find(|option| option.value == *value) {
                    gesture::tick(hand, tick, option.area, source, &mut inks);
                }
            }
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
    for (place, (text, &cell)) in texts.iter().zip(&field.cells).enumerate() {
        match entry.corrected.iter().find(|correction| correction.cell == place) {
            None => write_text(text, cell, hand, source, inks),
            Some(correction) => {
                write_text(&correction.struck, cell, hand, source, inks);
                gesture::strike_out(hand, cell, source, inks);
                let above = RectMm {
                    x: cell.x + 0.1 * cell.w,
                    y: cell.y - 0.52 * cell.h,
                    w: 0.8 * cell.w,
                    h: 0.56 * cell.h,
                };
                write_text(text, above, hand, source, inks);
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
