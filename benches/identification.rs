//! Are form pages identified, and how exactly are they registered?
//!
//! `cargo bench --bench identification [-- PAGES [FOLDER]]` simulates as many form pages (1,000)
//! with all that paper, mail and scanners do to them, looks at each as a reader would, and compares
//! with what is true of them. With a FOLDER the pages are kept there, and used again where it
//! already holds some.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use uketsuke::decode::Scan;
use uketsuke::form::Forms;
use uketsuke::geometry::Affine;
use uketsuke::identify::{self, Identification, Symbol, SymbolFinder};
use uketsuke::page;
use uketsuke::pipeline::{self, PageLook};
use uketsuke::settings::Settings;
use uketsuke::simulate::{
    Enclosures, Format, Hands, Material, Order, PageTruth, Press, Writing, register, simulate,
};

/// Of the simulation: the same pages every time.
const SEED: u64 = 20_200_427;
/// Without PDF: pdfium, which prints the pages, can be loaded only once by a process.
const FORMATS: [Format; 3] = [Format::Tiff, Format::Jpeg, Format::Png];

fn main() -> anyhow::Result<()> {
    // cargo adds arguments of its own, which begin with a dash.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let pages: u64 = arguments.next().map_or(Ok(1000), |pages| pages.parse()).context("PAGES is a number")?;
    let kept = arguments.next().map(PathBuf::from);
    let settings = Settings::load(None)?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let temporary = tempfile::tempdir()?;
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let truths = simulated(pages, &settings, &forms, folder)?;
    eprintln!("looking at them");
    let mut report = Report::default();
    let finder = SymbolFinder::new(&settings.identify);
    for (file, truths) in by_file(&truths) {
        let scan = Scan::open(&folder.join(file), &settings.decode, &settings.paths.pdfium())
            .with_context(|| file.to_owned())?;
        for truth in truths {
            let image = scan.page(truth.page_index)?;
            let start = ProcessorTime::now();
            let look = pipeline::look(&image, truth.page_index, None, &finder, &forms, &settings);
            report.time("look, in all", start.elapsed());
            report.stages(&image.gray, &look, &finder, &forms, &settings);
            report.page(truth, &look, &forms);
        }
    }
    report.print();
    Ok(())
}

/// What is true of the first `pages` form pages in `folder`, and of the blank backs among them.
fn simulated(
    pages: u64,
    settings: &Settings,
    forms: &Forms,
    folder: &Path,
) -> anyhow::Result<Vec<PageTruth>> {
    if !folder.join("truth.jsonl").exists() {
        eprintln!("simulating {pages} form pages");
        simulate_into(folder, pages, settings, forms)?;
    }
    let text = std::fs::read_to_string(folder.join("truth.jsonl"))?;
    let mut truths: Vec<PageTruth> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut form_pages = 0;
    truths.retain(|truth| {
        let wanted = form_pages < pages;
        form_pages += u64::from(wanted && truth.page.is_some());
        wanted
    });
    Ok(truths)
}

fn simulate_into(folder: &Path, pages: u64, settings: &Settings, forms: &Forms) -> anyhow::Result<()> {
    let all: Vec<_> = forms.iter().cloned().collect();
    let per_application = all.iter().map(|form| form.pages.len() as f64).sum::<f64>() / all.len() as f64;
    let applications = (pages as f64 / per_application * 1.03).ceil() as u64 + 1;
    let order = Order {
        forms: all,
        households: (0..applications).map(|place| register::household(SEED, place)).collect(),
        seed: SEED,
        formats: FORMATS.to_vec(),
        stations: vec!["station".to_owned()],
        clean: false,
        pages: Vec::new(),
        enclosures: Enclosures::Plain,
    };
    let material = Material::load(Hands::Testing, Writing::Mixed, None)?;
    let press = Press::bind(&settings.paths.pdfium())?;
    simulate(&order, &material, &press, folder, &|_| ())?;
    Ok(())
}

fn by_file(truths: &[PageTruth]) -> BTreeMap<&str, Vec<&PageTruth>> {
    let mut files: BTreeMap<&str, Vec<&PageTruth>> = BTreeMap::new();
    for truth in truths {
        files.entry(&truth.file).or_default().push(truth);
    }
    files
}

#[derive(Default)]
struct Report {
    counts: BTreeMap<&'static str, u32>,
    carried_by: BTreeMap<String, u32>,
    reasons: BTreeMap<String, u32>,
    /// Page by page, by name of the measure.
    values: BTreeMap<&'static str, Vec<f64>>,
    times: BTreeMap<&'static str, Vec<f64>>,
    wrong: Vec<String>,
    missed: Vec<String>,
}

impl Report {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn value(&mut self, what: &'static str, value: f64) {
        self.values.entry(what).or_default().push(value);
    }

    fn time(&mut self, what: &'static str, time: Duration) {
        self.times.entry(what).or_default().push(time.as_secs_f64() * 1000.0);
    }

    /// The parts of a look, each measured alone.
    fn stages(
        &mut self,
        gray: &image::GrayImage,
        look: &PageLook,
        finder: &SymbolFinder,
        forms: &Forms,
        settings: &Settings,
    ) {
        let start = ProcessorTime::now();
        let bare = page::is_blank(&page::quality(gray), &settings.page);
        self.time("quality", start.elapsed());
        let start = ProcessorTime::now();
        let has_id = |found: &[Symbol]| found.iter().any(|symbol| identify::application_id(symbol).is_some());
        let found = finder.find(gray, |found| bare || has_id(found));
        self.time(if bare { "symbols, bare page" } else { "symbols" }, start.elapsed());
        let start = ProcessorTime::now();
        finder.find_missing(gray, forms, &found);
        self.time("the other symbol", start.elapsed());
        if let Identification::Identified(identity) = &look.identification
            && let Some(page) =
                forms.find(&identity.form, &identity.version).and_then(|form| form.page(identity.page))
        {
            let start = ProcessorTime::now();
            page::register(gray, page, &identify::anchors(page, &look.symbols));
            self.time("registration", start.elapsed());
        } else {
            let start = ProcessorTime::now();
            page::skew_of(gray);
            self.time("skew of an unknown page", start.elapsed());
        }
    }

    fn page(&mut self, truth: &PageTruth, look: &PageLook, forms: &Forms) {
        let place = format!("{} page {} ({} dpi)", truth.file, truth.page_index, truth.dpi);
        let Some(number) = truth.page else {
            self.count("blank backs");
            self.value("ink of blank backs", look.quality.ink * 1e4);
            if look.blank {
                self.count("blank backs found blank");
            }
            if matches!(look.identification, Identification::Identified(_)) {
                self.wrong.push(format!("{place}: a blank back was identified"));
            }
            return;
        };
        self.value("ink of form pages", look.quality.ink * 1e4);
        if look.blank {
            self.wrong.push(format!("{place}: a form page was found blank"));
        }
        let intact = truth.symbols.iter().any(|symbol| symbol.intact);
        self.count(if intact { "pages with an intact symbol" } else { "pages without an intact symbol" });
        let identity = match &look.identification {
            Identification::Identified(identity) => identity,
            Identification::Unassigned(reason) => {
                *self
                    .reasons
                    .entry(format!("{reason:?}{}", if intact { "" } else { " (no intact symbol)" }))
                    .or_default() += 1;
                if intact {
                    self.missed.push(format!("{place}: {reason:?}"));
                }
                return;
            }
        };
        let read =
            (identity.application_id, identity.form.as_str(), identity.version.as_str(), identity.page);
        if read != (truth.application_id, truth.form.as_str(), truth.version.as_str(), number) {
            self.wrong.push(format!("{place}: another page's identity"));
            return;
        }
        self.count(if intact { "  of them identified" } else { "  of those identified" });
        if identity.confirmed {
            self.count("identified by two decoders alike");
        }
        *self.carried_by.entry(format!("{:?}", identity.carried_by)).or_default() += 1;
        let Some(registration) = &look.registration else {
            self.count("identified but not registered");
            self.missed.push(format!("{place}: not registered"));
            return;
        };
        self.value("residual, as reported", registration.residual_px);
        if registration.residual_px > 1.5 {
            self.missed.push(format!("{place}: residual {:.2} px", registration.residual_px));
        }
        if let (Some(map), Some(page)) =
            (&truth.map, forms.find(&truth.form, &truth.version).and_then(|form| form.page(number)))
        {
            let fields = page.fields.iter().flat_map(|field| {
                field.cells.iter().copied().chain(field.options.iter().map(|option| option.area))
            });
            let corners = fields.flat_map(|area| area.corners());
            if let Some(error) =
                corners.map(|corner| distance(&registration.map, map, corner)).reduce(f64::max)
            {
                self.value("error at field corners", error);
            }
            let marks = page.marks.iter().map(|&mark| distance(&registration.map, map, mark));
            self.value("error at marks", marks.fold(0.0, f64::max));
        }
    }

    fn print(&self) {
        for (what, count) in &self.counts {
            println!("{count:>7}  {what}");
        }
        println!("{:>7}  wrong", self.wrong.len());
        println!("\nThe application ID was carried by");
        for (symbols, count) in &self.carried_by {
            println!("{count:>7}  {symbols}");
        }
        println!("\nNot identified");
        for (reason, count) in &self.reasons {
            println!("{count:>7}  {reason}");
        }
        println!("\nPixels at 300 dpi (ink: pixels of ten thousand)   median      p99      max      min");
        for (what, values) in &self.values {
            let [median, p99, max, min] = [0.5, 0.99, 1.0, 0.0].map(|share| quantile(values, share));
            println!("{what:<44}  {median:>9.3} {p99:>8.3} {max:>8.3} {min:>8.3}");
        }
        println!("\nMilliseconds of processor time                    median      p95    pages");
        for (what, times) in &self.times {
            let [median, p95] = [0.5, 0.95].map(|share| quantile(times, share));
            println!("{what:<44}  {median:>9.1} {p95:>8.1} {:>8}", times.len());
        }
        for line in self.wrong.iter().map(|line| format!("WRONG {line}")).chain(self.missed.iter().cloned()) {
            eprintln!("{line}");
        }
    }
}

/// Of this thread: what other programs on the machine do does not count.
struct ProcessorTime(Duration);

impl ProcessorTime {
    fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Self(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    fn elapsed(&self) -> Duration {
        Self::now().0 - self.0
    }
}

/// Between where two maps put a point, in pixels at 300 dpi.
fn distance(map: &Affine, truth: &Affine, point: uketsuke::geometry::PointMm) -> f64 {
    map.apply(point).distance(&truth.apply(point)) * 300.0 / truth.dpi()
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * (sorted.len().max(1) - 1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}
