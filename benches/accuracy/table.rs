//! The one table.

use std::collections::BTreeSet;
use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use uketsuke::evaluate::reliability;

use crate::Variant;
use crate::engines::Engine;
use crate::tally::{Accuracy, Share, Tally};

/// One column a source.
pub fn of(tallies: &[Tally], variants: &[Variant], engines: &[Box<dyn Engine>]) -> String {
    let mut rows = Rows { tallies, table: Table::new() };
    let sources = tallies.iter().map(|tally| tally.source);
    rows.table.load_preset(presets::ASCII_MARKDOWN).set_header(std::iter::once("").chain(sources));
    rows.shares("digits, a character", |tally| tally.ours.digits);
    rows.shares("account number exact, before any rejection", |tally| tally.ours.account_number);
    for (place, variant) in variants.iter().enumerate() {
        let name = format!("holder exact after normalisation, {}", variant.name);
        rows.shares(&name, |tally| tally.holders.get(place).copied().unwrap_or_default());
    }
    rows.shares("blank cells taken for characters", |tally| tally.blank_cells);
    rows.shares("struck-out cells taken for characters", |tally| tally.struck_cells);
    rows.shares("combs with a mishap read as something else", |tally| tally.mishaps_unnoticed);
    rows.shares("marks wrong", |tally| tally.marks_wrong);
    rows.shares("marks unclear", |tally| tally.marks_unclear);
    let names: BTreeSet<&str> =
        tallies.iter().flat_map(|tally| tally.scores.keys()).map(String::as_str).collect();
    for name in names {
        let scores = |tally: &Tally| tally.scores.get(name).cloned().unwrap_or_default();
        rows.shares(&format!("{name}: accepted"), |tally| scores(tally).accepted);
        rows.shares(&format!("{name}: of these wrong"), |tally| scores(tally).accepted_wrong);
        rows.texts(&format!("{name}: expected calibration error"), |tally| {
            let error = reliability(&scores(tally).readings).expected_calibration_error;
            error.map_or_else(|| "–".to_owned(), |error| format!("{:.2} %", error * 100.0))
        });
    }
    for engine in engines.iter().map(|engine| engine.name()) {
        let accuracy = |tally: &Tally| tally.others.get(engine).cloned().unwrap_or_default();
        let mut row = |what: &str, share: fn(Accuracy) -> Share| {
            rows.shares(&format!("{engine}: {what}"), |tally| share(accuracy(tally)));
        };
        row("digits, a character", |accuracy| accuracy.digits);
        row("account number exact", |accuracy| accuracy.account_number);
        if engine_reads_kana(tallies, engine) {
            row("holder exact", |accuracy| accuracy.holder);
        }
    }
    rows.texts("all fields of a page, median", |tally| format!("{:.0} ms", median(&tally.reading_ms)));
    rows.texts("pages a minute, one core", |tally| {
        let mean = tally.page_ms.iter().sum::<f64>() / tally.page_ms.len() as f64;
        format!("{:.0}", 60_000.0 / mean)
    });
    rows.texts("pages read", |tally| {
        let mut text = tally.page_ms.len().to_string();
        if tally.unidentified + tally.unregistered > 0 {
            // Writing to a String does not fail.
            let _ = write!(
                text,
                " ({} not identified, {} not registered)",
                tally.unidentified, tally.unregistered
            );
        }
        text
    });
    for column in rows.table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    rows.table.to_string()
}

fn engine_reads_kana(tallies: &[Tally], engine: &str) -> bool {
    tallies.iter().any(|tally| tally.others.get(engine).is_some_and(|accuracy| accuracy.holder.whole > 0))
}

struct Rows<'a> {
    tallies: &'a [Tally],
    table: Table,
}

impl Rows<'_> {
    fn texts(&mut self, name: &str, text: impl Fn(&Tally) -> String) {
        let cells = std::iter::once(name.to_owned()).chain(self.tallies.iter().map(text));
        self.table.add_row(cells);
    }

    fn shares(&mut self, name: &str, share: impl Fn(&Tally) -> Share) {
        self.texts(name, |tally| match share(tally) {
            Share { whole: 0, .. } => "–".to_owned(),
            Share { part, whole } => format!("{:.2} % of {whole}", part as f64 / whole as f64 * 100.0),
        });
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
