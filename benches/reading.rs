//! How much of what is written on simulated pages is read right, field by field?
//!
//! `cargo bench --bench reading [-- APPLICATIONS [SEED]]` simulates as many applications (60) in
//! hands that no model was trained on, and reads every page where the truth says that the form
//! lies, so that nothing but the reading is measured. Small kana count as large; a bank may be
//! read as it is written or by its official name. Boxes with a
//! struck-out character are counted apart.

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use comfy_table::{CellAlignment, Table, presets};
use uketsuke::decode::Scan;
use uketsuke::evaluate::Truth;
use uketsuke::form::{Field, FieldKind, Forms};
use uketsuke::page::Registration;
use uketsuke::read::{FieldReading, InkState, Readers, read_page};
use uketsuke::settings::Settings;
use uketsuke::simulate::{Entry, Written};
use unicode_normalization::UnicodeNormalization;

#[derive(Default)]
struct Count {
    fields: usize,
    right: usize,
    cells: usize,
    right_cells: usize,
    blank_cells: usize,
    taken_for_ink: usize,
    corrected: usize,
    corrected_taken_as_read: usize,
    unclear: usize,
}

#[derive(Default)]
struct Counts {
    fields: BTreeMap<String, Count>,
    confusions: BTreeMap<(String, String), usize>,
    /// Of a page, without and with the line models.
    milliseconds: [Vec<f64>; 2],
}

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let applications = numbers.next().unwrap_or(60);
    let seed = numbers.next().unwrap_or(77);
    let settings = Settings::load(None)?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let mut readers = Readers::load(&settings)?;
    let folder = tempfile::tempdir()?;
    eprintln!("simulating {applications} applications");
    let all = forms.iter().cloned().collect();
    let truths = support::simulated(all, applications, seed, &settings, folder.path())?;

    eprintln!("reading them");
    let mut counts = Counts::default();
    for truth in &truths {
        let form_page = truth.page.and_then(|page| forms.find(&truth.form, &truth.version)?.page(page));
        let (Some(form_page), Some(map)) = (form_page, truth.map) else { continue };
        if form_page.fields.is_empty() {
            continue;
        }
        let path = folder.path().join(&truth.file);
        let scan = Scan::open(&path, &settings.decode, &settings.paths.pdfium())?;
        let page = scan.page(truth.page_index)?;
        let registration = Registration { map, residual_px: 0.0 };
        let mut read = |line_models| {
            let read = uketsuke::settings::Read { line_models, ..settings.read.clone() };
            let start = Instant::now();
            let readings = read_page(&page, &registration, form_page, None, &mut readers, &read);
            counts.milliseconds[usize::from(line_models)].push(start.elapsed().as_secs_f64() * 1000.0);
            readings
        };
        read(false)?;
        let readings = read(true)?;
        for (field, reading) in form_page.fields.iter().zip(&readings) {
            if let Some(entry) = truth.fields.get(&field.name) {
                counts.add(field, entry, &reading.reading);
            }
        }
    }
    counts.print();
    Ok(())
}

impl Counts {
    fn add(&mut self, field: &Field, entry: &Entry, reading: &FieldReading) {
        let count = self.fields.entry(field.name.clone()).or_default();
        count.unclear += usize::from(reading.state == InkState::Ambiguous);
        let cells = match &entry.written {
            Written::Cells(cells) => cells,
            Written::Line(line) => {
                let unwritten = line.is_empty() && field.kind == FieldKind::Text;
                let right = Truth::of(field, entry).admits(field.kind, reading.value.as_deref());
                count.fields += usize::from(!unwritten);
                count.right += usize::from(!unwritten && right);
                return;
            }
        };
        if !entry.corrected.is_empty() {
            count.corrected += 1;
            count.corrected_taken_as_read += usize::from(reading.state == InkState::Written);
            return;
        }
        let mut right = true;
        for (index, written) in cells.iter().enumerate() {
            let read = reading.characters.get(index).map_or("", |character| &character.value);
            let same = plain(written) == plain(read);
            right &= same;
            if written.trim().is_empty() {
                count.blank_cells += 1;
                count.taken_for_ink += usize::from(!read.is_empty());
            } else {
                count.cells += 1;
                count.right_cells += usize::from(same);
            }
            if !same {
                *self.confusions.entry((plain(written), plain(read))).or_default() += 1;
            }
        }
        if cells.iter().any(|cell| !cell.trim().is_empty()) {
            count.fields += 1;
            count.right += usize::from(right);
        }
    }

    fn print(self) {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header([
            "field",
            "written",
            "right",
            "characters",
            "right",
            "empty boxes",
            "read as ink",
            "corrected",
            "not noticed",
            "unclear",
        ]);
        let percent = |part: usize, whole: usize| match whole {
            0 => "-".to_owned(),
            _ => format!("{:.1} %", part as f64 / whole as f64 * 100.0),
        };
        for (name, count) in &self.fields {
            table.add_row([
                name.clone(),
                count.fields.to_string(),
                percent(count.right, count.fields),
                count.cells.to_string(),
                percent(count.right_cells, count.cells),
                count.blank_cells.to_string(),
                count.taken_for_ink.to_string(),
                count.corrected.to_string(),
                count.corrected_taken_as_read.to_string(),
                count.unclear.to_string(),
            ]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        let mut confusions: Vec<_> = self.confusions.into_iter().collect();
        confusions.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
        let worst = confusions.iter().take(25);
        let worst: Vec<String> =
            worst.map(|((written, read), times)| format!("{written}→{read} {times}")).collect();
        println!("most frequent confusions: {}", worst.join(", "));
        let median = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let pages = self.milliseconds[0].len();
        let [cells, all] = self.milliseconds.map(median);
        println!("{pages} pages; median {cells:.0} ms for cells and marks, {all:.0} ms with the line models");
    }
}

/// Without spaces and width variants, small kana large.
fn plain(text: &str) -> String {
    let large = |character: char| {
        "ァィゥェォャュョッ"
            .chars()
            .zip("アイウエオヤユヨツ".chars())
            .find(|(small, _)| *small == character)
            .map_or(character, |(_, large)| large)
    };
    text.nfkc().filter(|character| !character.is_whitespace()).map(large).collect()
}
