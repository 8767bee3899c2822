//! Are numbers that must not be kept blacked out, and what is read of passbooks?
//!
//! `cargo bench --bench copies [-- APPLICATIONS [SEED [FOLDER]]]` simulates the pages for copies of as
//! many applications (1,000) with varied enclosures: cards of all kinds with made-up numbers, askew,
//! turned, faint, of all scanners. Each page goes through look and read as a reader has it; then the
//! blacked-out image is compared with where the numbers were printed. Pages with a number that stayed
//! are written to FOLDER as PNG. Numbers that a scan in black and white lost by itself are counted apart.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use chrono::NaiveDate;
use uketsuke::application_id::ApplicationId;
use uketsuke::decode::{PageImage, Scan};
use uketsuke::form::{Form, Forms};
use uketsuke::geometry::{Affine, PointMm};
use uketsuke::identify::SymbolFinder;
use uketsuke::page;
use uketsuke::pipeline;
use uketsuke::read::{self, CopiesSeen, CopyKind, Readers, Sheet};
use uketsuke::settings::Settings;
use uketsuke::simulate::{CopyTruth, Enclosures, Hands, Material, PageTruth, Writing};

const FORM: &str = "benefit-2020";
/// A number is not on the scan where less of its area than this is darker than [`PAPER`]; its digits would fill a
/// sixth. A scan in black and white may have lost what was faint.
const SEEN: f64 = 0.02;
/// The gray level of white paper, at the least: tinted cards are darker everywhere, and so are never called lost.
const PAPER: u8 = 235;

/// A day on which simulated applicants apply.
const APPLIED_ON: NaiveDate = NaiveDate::from_ymd_opt(2020, 7, 1).unwrap();

/// A number is gone when this share of its area is black: a digit at its edge says nothing.
const GONE: f64 = 0.97;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let number =
        |place: usize, or: u64| arguments.get(place).and_then(|text| text.parse().ok()).unwrap_or(or);
    let (applications, seed) = (number(0, 1000), number(1, 20_200_528));
    let settings = Settings::load(None)?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let form: Form = forms.iter().find(|form| form.id == FORM).context("the standard form")?.clone();
    let copies_page =
        form.pages.iter().find(|page| !page.copy_areas().is_empty()).context("a page for copies")?.number;
    let folder = tempfile::tempdir()?;
    let households = support::households(applications, seed);
    let heads: BTreeMap<ApplicationId, String> =
        households.iter().map(|of| (of.application_id, of.head_name.clone())).collect();
    let mut order = support::order(vec![form], households, seed);
    order.enclosures = Enclosures::Varied;
    order.pages = vec![copies_page];
    let material = Material::load(Hands::Testing, Writing::Mixed, None)?;
    eprintln!("simulating {applications} applications");
    let truths = support::simulated_with(&order, &material, &settings, folder.path(), &|_| ())?;

    eprintln!("reading their copies");
    let finder = SymbolFinder::new(&settings.identify);
    let readers = Readers::load(&settings)?;
    let mut tally = Tally::default();
    for truth in truths.iter().filter(|truth| truth.page == Some(copies_page)) {
        let scan = Scan::open(&folder.path().join(&truth.file), &settings.decode, &settings.paths.pdfium())?;
        let mut image = scan.page(truth.page_index)?;
        let look = pipeline::look(&image, truth.page_index, None, &finder, &forms, &settings);
        let Some(registration) = &look.registration else {
            tally.unregistered += 1;
            continue;
        };
        let form_page = forms.find(&truth.form, &truth.version).and_then(|form| form.page(copies_page));
        let sheet = Sheet::Form { page: form_page.context("the page")?, registration };
        let begun = Instant::now();
        let head = heads.get(&truth.application_id).map(String::as_str);
        let gray = page::without_streaks(&image.gray);
        let copies = read::read_copies(&gray, sheet, &look.symbols, head, &readers)?;
        tally.milliseconds.push(begun.elapsed().as_secs_f64() * 1e3);
        read::black_out(&mut image, copies.black.iter().map(|place| &place.corners));
        let stayed = tally.page(truth, &image, &copies.seen);
        if let (true, Some(into)) = (stayed, arguments.get(2)) {
            save(&image, Path::new(into), truth)?;
        }
    }
    tally.print();
    Ok(())
}

fn save(image: &PageImage, folder: &Path, truth: &PageTruth) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = truth.file.replace('/', "-");
    Ok(image.gray.save(folder.join(format!("{name}-{}.png", truth.page_index)))?)
}

#[derive(Default)]
struct Tally {
    unregistered: usize,
    milliseconds: Vec<f64>,
    /// Numbers printed and those that stayed, by the kind of their copy.
    numbers: BTreeMap<CopyKind, (usize, usize)>,
    /// Copies without a number, and those of them on which something was blacked out, by kind.
    harmless: BTreeMap<CopyKind, (usize, usize)>,
    /// Copies by kind, told as what they are.
    told: BTreeMap<CopyKind, (usize, usize)>,
    /// Numbers that the scan itself had lost.
    lost: usize,
    hidden: u32,
    doubtful: u32,
    pages: usize,
    /// Proofs of identity that had expired and that had not; those of another person and of the head.
    expired: [Proofs; 2],
    anothers: [Proofs; 2],
}

/// Proofs of identity: all, those that are said to be flawed so, and those of which nothing is said.
#[derive(Default)]
struct Proofs {
    all: usize,
    flawed: usize,
    unsaid: usize,
}

impl Proofs {
    fn count(&mut self, is_flawed: Option<bool>) {
        self.all += 1;
        self.flawed += usize::from(is_flawed == Some(true));
        self.unsaid += usize::from(is_flawed.is_none());
    }
}

impl Tally {
    /// Counts a page; whether a number stayed on it.
    fn page(&mut self, truth: &PageTruth, image: &PageImage, seen: &CopiesSeen) -> bool {
        self.pages += 1;
        self.hidden += seen.hidden;
        self.doubtful += seen.doubtful;
        let mut stayed = false;
        let Some(map) = truth.map else { return false };
        for copy in truth.copies.iter().filter(|copy| copy.kind.is_of_identity()) {
            let identity = seen.identity.unwrap_or_default();
            if matches!(copy.kind, CopyKind::Licence | CopyKind::NumberCardFront) {
                let is_over = identity.valid_until.map(|last| last < APPLIED_ON);
                self.expired[usize::from(!copy.expired)].count(is_over);
            }
            self.anothers[usize::from(!copy.anothers)].count(identity.is_heads.map(|is_heads| !is_heads));
        }
        for copy in &truth.copies {
            let told = self.told.entry(copy.kind).or_default();
            told.0 += 1;
            told.1 += usize::from(seen.kinds.contains(&Some(copy.kind)));
            for number in &copy.numbers {
                let is_gone = share(image, &map, number, |level| level == 0) >= GONE;
                if !is_gone && share(image, &map, number, |level| level < PAPER) < SEEN {
                    self.lost += 1;
                    continue;
                }
                let counts = self.numbers.entry(copy.kind).or_default();
                counts.0 += 1;
                counts.1 += usize::from(!is_gone);
                stayed |= !is_gone;
            }
        }
        let is_harmless = |copy: &&CopyTruth| copy.numbers.is_empty();
        if truth.copies.iter().all(|copy| is_harmless(&copy)) {
            for copy in &truth.copies {
                let counts = self.harmless.entry(copy.kind).or_default();
                counts.0 += 1;
                counts.1 += usize::from(seen.is_sensitive());
            }
        }
        stayed
    }

    fn print(&mut self) {
        self.milliseconds.sort_by(f64::total_cmp);
        let median = self.milliseconds.get(self.milliseconds.len() / 2).copied().unwrap_or(0.0);
        let mean = self.milliseconds.iter().sum::<f64>() / self.milliseconds.len().max(1) as f64;
        println!(
            "{} pages, {} not registered; {mean:.0} ms a page (median {median:.0})",
            self.pages, self.unregistered
        );
        let (mut all, mut stayed) = (0, 0);
        for (kind, (count, left)) in &self.numbers {
            println!("numbers on {kind:?}: {} of {count} gone", count - left);
            all += count;
            stayed += left;
        }
        println!(
            "numbers gone: {} of {all}, {:.2} %; {} more were lost by the scan",
            all - stayed,
            100.0 * (all - stayed) as f64 / all.max(1) as f64,
            self.lost
        );
        for (kind, (count, struck)) in &self.harmless {
            println!("{kind:?} on pages without a number: something blacked out on {struck} of {count}");
        }
        for (kind, (count, told)) in &self.told {
            println!("{kind:?}: told as such {told} of {count}");
        }
        for (what, [flawed, right]) in [("expired", &self.expired), ("of another person", &self.anothers)] {
            println!(
                "proofs {what}: {} of {} found, {} unsaid; of {} others {} called so, {} unsaid",
                flawed.flawed, flawed.all, flawed.unsaid, right.all, right.flawed, right.unsaid
            );
        }
        println!("copies blacked out whole: {}; rows in doubt: {}", self.hidden, self.doubtful);
    }
}

/// How much of a place on the page has such a gray level; what lies off the page has any.
fn share(image: &PageImage, map: &Affine, corners: &[PointMm; 4], is_such: impl Fn(u8) -> bool) -> f64 {
    const STEPS: usize = 40;
    let between = |from: PointMm, to: PointMm, part: f64| PointMm {
        x: from.x + (to.x - from.x) * part,
        y: from.y + (to.y - from.y) * part,
    };
    let mut such = 0;
    for across in 0..STEPS {
        for down in 0..STEPS {
            let part = |step: usize| (step as f64 + 0.5) / STEPS as f64;
            let upper = between(corners[0], corners[1], part(across));
            let lower = between(corners[3], corners[2], part(across));
            let at = map.apply(between(upper, lower, part(down)));
            let (x, y) = (at.x.max(0.0) as u32, at.y.max(0.0) as u32);
            let is_inside = x < image.gray.width() && y < image.gray.height();
            such += usize::from(!is_inside || is_such(image.gray.get_pixel(x, y).0[0]));
        }
    }
    such as f64 / (STEPS * STEPS) as f64
}
