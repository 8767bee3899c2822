//! How many form pages does one core read in a minute, where does the time go, and how much memory
//! does a reader hold?
//!
//! `cargo bench --bench end_to_end [-- APPLICATIONS [SEED]]` simulates as many applications (200),
//! keeps the pages that were scanned at 300 dpi as gray JPEG or as bilevel G4 TIFF, takes each
//! through the stages of a reader on one thread, and lets Tesseract 5 read some of the same pages
//! whole. Medians: machines are noisy.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use uketsuke::decode::{PageImage, Scan};
use uketsuke::fleet::ReaderPool;
use uketsuke::form::Forms;
use uketsuke::identify::{Identification, SymbolFinder};
use uketsuke::page::Registration;
use uketsuke::pipeline;
use uketsuke::publish;
use uketsuke::read::{self, Readers};
use uketsuke::settings::Settings;
use uketsuke::simulate::PageTruth;

/// Resolution that the targets speak of.
const DPI: u32 = 300;

/// Tesseract takes seconds for a page; so many are enough for a median.
const TESSERACT_PAGES: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    GrayJpeg,
    BilevelTiff,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::GrayJpeg => "gray JPEG",
            Self::BilevelTiff => "bilevel TIFF (G4)",
        }
    }

    fn of(truth: &PageTruth, page: &PageImage) -> Option<Self> {
        match truth.file.rsplit('.').next()? {
            "jpg" if !page.bilevel && page.colour.is_none() => Some(Self::GrayJpeg),
            "tif" if page.bilevel => Some(Self::BilevelTiff),
            _ => None,
        }
    }
}

/// Milliseconds of each stage, page by page.
type Times = BTreeMap<&'static str, Vec<f64>>;

const STAGES: [&str; 5] = ["decode", "look", "read: cells and marks", "read: line models", "encode"];

fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let applications = numbers.next().unwrap_or(200);
    let seed = numbers.next().unwrap_or(20_200_528);
    let settings = Settings::load(None)?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let folder = tempfile::tempdir()?;
    eprintln!("simulating {applications} applications");
    let all = forms.iter().filter(|form| form.pages.len() > 1).cloned().collect();
    let truths = support::simulated(all, applications, seed, &settings, folder.path())?;

    eprintln!("reading them");
    let mut bench = Bench::new(settings, forms)?;
    for truth in truths.iter().filter(|truth| truth.page.is_some() && truth.dpi == DPI) {
        bench.page(folder.path(), truth)?;
    }
    for (kind, times) in &bench.times {
        print_stages(*kind, times);
    }
    println!("\npublished page images (mean): {}", bench.sizes());
    let files: Vec<PathBuf> = bench.files.iter().take(40).cloned().collect();
    eprintln!("measuring the memory of a reader");
    println!(
        "memory of one reader, all models loaded: {} MiB at most",
        reader_memory(&bench.settings, &files)?
    );
    eprintln!("letting Tesseract read {TESSERACT_PAGES} whole pages");
    print_tesseract(&bench)?;
    Ok(())
}

struct Bench {
    settings: Settings,
    forms: Forms,
    finder: SymbolFinder,
    readers: Readers,
    times: BTreeMap<Kind, Times>,
    image_bytes: BTreeMap<Kind, Vec<usize>>,
    /// A page of each kind for Tesseract, and all files for the reader.
    pictures: Vec<image::GrayImage>,
    files: Vec<PathBuf>,
}

impl Bench {
    fn new(settings: Settings, forms: Forms) -> anyhow::Result<Self> {
        Ok(Self {
            finder: SymbolFinder::new(&settings.identify),
            readers: Readers::load(&settings)?,
            settings,
            forms,
            times: BTreeMap::new(),
            image_bytes: BTreeMap::new(),
            pictures: Vec::new(),
            files: Vec::new(),
        })
    }

    fn page(&mut self, folder: &Path, truth: &PageTruth) -> anyhow::Result<()> {
        let path = folder.join(&truth.file);
        let scan = Scan::open(&path, &self.settings.decode, &self.settings.paths.pdfium())
            .with_context(|| truth.file.clone())?;
        let start = Instant::now();
        let page = scan.page(truth.page_index)?;
        let decode = milliseconds(start);
        let Some(kind) = Kind::of(truth, &page) else { return Ok(()) };

        let start = Instant::now();
        let look = pipeline::look(&page, truth.page_index, None, &self.finder, &self.forms, &self.settings);
        let look_time = milliseconds(start);
        let (mut cells, mut lines) = (0.0, 0.0);
        if let (Identification::Identified(identity), Some(registration)) =
            (&look.identification, &look.registration)
            && let Some(form_page) =
                self.forms.find(&identity.form, &identity.version).and_then(|form| form.page(identity.page))
        {
            let mut read = |line_models| -> anyhow::Result<f64> {
                let settings = uketsuke::settings::Read { line_models, ..self.settings.read.clone() };
                let start = Instant::now();
                read::read_page(&page, registration, form_page, None, &mut self.readers, &settings)?;
                Ok(milliseconds(start))
            };
            cells = read(false)?;
            lines = (read(true)? - cells).max(0.0);
        }
        let rotation = look.registration.as_ref().map_or(0, Registration::rotation);
        let start = Instant::now();
        let encoded = publish::encode(&page, rotation, &self.settings.publish)?;
        let encode = milliseconds(start);

        let times = self.times.entry(kind).or_default();
        for (stage, time) in STAGES.into_iter().zip([decode, look_time, cells, lines, encode]) {
            times.entry(stage).or_default().push(time);
        }
        self.image_bytes.entry(kind).or_default().push(encoded.bytes.len());
        if self.pictures.len() < TESSERACT_PAGES {
            self.pictures.push(page.gray);
        }
        if self.files.last() != Some(&path) {
            self.files.push(path);
        }
        Ok(())
    }

    fn sizes(&self) -> String {
        let mean = |sizes: &Vec<usize>| sizes.iter().sum::<usize>() / sizes.len().max(1) / 1024;
        let sizes =
            self.image_bytes.iter().map(|(kind, sizes)| format!("{} {} KiB", kind.name(), mean(sizes)));
        sizes.collect::<Vec<_>>().join(", ")
    }
}

fn milliseconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn print_stages(kind: Kind, times: &Times) {
    let pages = times.values().map(Vec::len).max().unwrap_or(0);
    println!("\n{} at {DPI} dpi, {pages} form pages (every other one has fields)", kind.name());
    // A page with fields and one without differ by the reading; the mean of all is what a core does.
    let total: f64 = times.values().map(|values| mean(values)).sum();
    let mut table = Table::new();
    table.load_preset(presets::ASCII_HORIZONTAL_ONLY).set_header(["stage", "ms median", "ms mean", "share"]);
    for stage in STAGES {
        let values = &times[stage];
        let share = format!("{:.0} %", mean(values) / total * 100.0);
        table.add_row([
            stage.to_owned(),
            format!("{:.1}", median(values)),
            format!("{:.1}", mean(values)),
            share,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    let lines = mean(&times["read: line models"]);
    let decode = mean(&times["decode"]);
    let per_minute = |milliseconds: f64| 60_000.0 / milliseconds;
    println!(
        "line models off: {:.0} pages a minute and core, {:.1} times decoding alone",
        per_minute(total - lines),
        (total - lines) / decode
    );
    println!(
        "line models on:  {:.0} pages a minute and core, {:.1} times decoding alone",
        per_minute(total),
        total / decode
    );
}

/// The peak resident memory of a reader process that has read `files`, in MiB.
fn reader_memory(settings: &Settings, files: &[PathBuf]) -> anyhow::Result<u64> {
    let readers = uketsuke::settings::Readers { count: 1, ..settings.readers.clone() };
    let program = PathBuf::from(env!("CARGO_BIN_EXE_uketsuke"));
    tokio::runtime::Runtime::new()?.block_on(async {
        let pool = ReaderPool::start(&readers, program, vec!["reader".into()]).await?;
        let mut reader = pool.acquire().await?;
        for file in files {
            let pages = reader.open(&std::fs::File::open(file)?, "bench").await?;
            for index in 0..pages {
                reader.look(index).await?;
                reader.read(index, None).await?;
            }
        }
        let peak = peak_of_readers()?;
        drop(reader);
        pool.shut_down().await;
        Ok(peak)
    })
}

fn peak_of_readers() -> anyhow::Result<u64> {
    let mut peak = 0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Ok(arguments) = std::fs::read(entry.path().join("cmdline")) else { continue };
        let Ok(status) = std::fs::read_to_string(entry.path().join("status")) else { continue };
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let is_ours = value("PPid:") == Some(u64::from(std::process::id()));
        if is_ours && arguments.split(|&byte| byte == 0).any(|argument| argument == b"reader") {
            peak = peak.max(value("VmHWM:").unwrap_or(0) / 1024);
        }
    }
    Ok(peak)
}

fn print_tesseract(bench: &Bench) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut times = Vec::new();
    for (index, picture) in bench.pictures.iter().enumerate() {
        let path = folder.path().join(format!("{index}.png"));
        picture.save(&path)?;
        let start = Instant::now();
        let output = Command::new("tesseract")
            .arg(&path)
            .args(["stdout", "-l", "jpn", "--dpi", "300"])
            .env("OMP_THREAD_LIMIT", "1")
            .output()
            .context("tesseract cannot be started; scripts/setup installs it")?;
        anyhow::ensure!(output.status.success(), "tesseract failed on a page");
        times.push(milliseconds(start));
    }
    let total = |times: &Times| -> f64 { times.values().map(|values| mean(values)).sum() };
    let ours = bench.times.values().map(total).fold(f64::NAN, f64::max);
    println!(
        "\nTesseract 5 (jpn) on {} of the same pages, whole: {:.0} ms median, {:.1} pages a minute and core; \
         {:.1} times the slower of ours with line models on",
        times.len(),
        median(&times),
        60_000.0 / median(&times),
        median(&times) / ours
    );
    Ok(())
}
