//! `uketsuke simulate` says the truth about every page that it writes, and writes the same again.

#[path = "support/libtiff_and_friends.rs"]
mod libtiff_and_friends;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use image::GrayImage;
use uketsuke::form::Forms;
use uketsuke::geometry::{Millimetres, PointPx};
use uketsuke::simulate::{PageTruth, Written};

/// Further than any other ink is from a mark's edge on our forms.
const AROUND_MARK: f64 = 1.35;

#[test]
fn every_page_is_told_once_and_its_map_hits_the_marks() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = simulate(folder.path(), &["--count", "14", "--seed", "11"]);
    let truth = truth(&out);

    let mut told: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for page in &truth {
        let new = told.entry(&page.file).or_default().insert(page.page_index);
        assert!(new, "{} page {} is told twice", page.file, page.page_index);
    }
    assert_eq!(files(&out), told.keys().map(|file| out.join(file)).collect::<BTreeSet<_>>());

    let forms = Forms::load_dir(Path::new("config/forms")).expect("the shipped forms");
    let mut hit = 0;
    for (file, indexes) in &told {
        let images = libtiff_and_friends::pages(&out.join(file));
        assert_eq!(indexes.iter().copied().collect::<Vec<_>>(), (0..images.len() as u32).collect::<Vec<_>>());
        for page in truth.iter().filter(|page| page.file == *file) {
            hit += marks_hit(page, &images[page.page_index as usize], &forms);
        }
    }
    let forms_told: BTreeSet<&str> = truth.iter().map(|page| page.form.as_str()).collect();
    assert_eq!(forms_told.len(), 2, "each of the two forms came");
    assert!(hit >= 4 * 14, "only {hit} marks were inside their pages");
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_more_applications_change_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second, more] = ["first", "second", "more"].map(|name| folder.path().join(name));
    for (path, count) in [(&first, "3"), (&second, "3"), (&more, "5")] {
        std::fs::create_dir(path).expect("a folder");
        simulate(path, &["--count", count, "--seed", "5", "--formats", "png,jpeg"]);
    }
    let [first, second, more] = [first, second, more].map(|path| path.join("out"));
    let read = |path: &Path| std::fs::read(path).expect("a file that was written");
    assert_eq!(read(&first.join("truth.jsonl")), read(&second.join("truth.jsonl")));
    assert!(read(&more.join("truth.jsonl")).starts_with(&read(&first.join("truth.jsonl"))));
    for file in files(&first) {
        let file = file.strip_prefix(&first).expect("inside");
        assert_eq!(read(&first.join(file)), read(&second.join(file)), "{}", file.display());
        assert_eq!(read(&first.join(file)), read(&more.join(file)), "{}", file.display());
    }
}

#[test]
fn a_clean_page_is_straight_complete_and_written_as_its_truth_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let out =
        simulate(folder.path(), &["--count", "4", "--clean", "--formats", "png", "--form", "benefit-2020"]);
    let truth = truth(&out);
    assert_eq!(truth.len(), 8);
    for page in &truth {
        assert_eq!((page.rotation, page.skew_deg, page.dpi, page.blank), (0, 0.0, 300, false));
        assert!(page.symbols.len() == 2 && page.symbols.iter().all(|symbol| symbol.intact));
    }
    // Ink stands in a box where the truth has a character, and nowhere else.
    let forms = Forms::load_dir(Path::new("config/forms")).expect("the shipped forms");
    for page in truth.iter().filter(|page| page.page == Some(1)) {
        let image = &libtiff_and_friends::pages(&out.join(&page.file))[0];
        let map = page.map.expect("not blank");
        let form = forms.find(&page.form, &page.version).expect("a shipped form");
        let field = form.pages[0].fields.iter().find(|field| field.name == "phone").expect("a phone number");
        let Written::Cells(cells) = &page.fields["phone"].written else { panic!("a comb") };
        let corrected = &page.fields["phone"].corrected;
        for (place, (cell, text)) in field.cells.iter().zip(cells).enumerate() {
            if corrected.iter().any(|correction| correction.cell == place) {
                continue;
            }
            let inner = cell.grown(-0.18 * cell.w);
            let [from, _, to, _] = inner.corners().map(|corner| map.apply(corner));
            let ink = (from.y as u32..to.y as u32)
                .flat_map(|y| (from.x as u32..to.x as u32).map(move |x| (x, y)))
                .filter(|&(x, y)| image.get_pixel(x, y).0[0] < 150)
                .count();
            assert_eq!(ink > 40, !text.is_empty(), "{ink} dark pixels");
        }
    }
}

#[test]
fn only_the_pages_asked_for_are_scanned() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = simulate(folder.path(), &["--count", "4", "--pages", "1", "--writing", "strokes"]);
    let truth = truth(&out);
    let front: BTreeSet<_> = truth.iter().filter(|page| !page.blank).map(|page| page.page).collect();
    assert_eq!(front, BTreeSet::from([Some(1)]));
    assert_eq!(truth.iter().filter(|page| !page.blank).count(), 4);
}

/// Runs both commands as a user would; gives the folder of the scans.
fn simulate(folder: &Path, arguments: &[&str]) -> PathBuf {
    let (register, out) = (folder.join("register.csv"), folder.join("out"));
    let run = |command: &mut Command| {
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let program = env!("CARGO_BIN_EXE_uketsuke");
    run(Command::new(program)
        .args(["register", "generate", "--count", "20", "--seed", "2", "--out"])
        .arg(&register));
    let mut command = Command::new(program);
    command.arg("simulate").arg("--register").arg(&register).arg("--out").arg(&out);
    if !arguments.contains(&"--form") {
        command.args(["--form", "benefit-2020,benefit-b5"]);
    }
    run(command.args(arguments));
    out
}

fn truth(out: &Path) -> Vec<PageTruth> {
    let text = std::fs::read_to_string(out.join("truth.jsonl")).expect("truth");
    text.lines().map(|line| serde_json::from_str(line).expect("a page")).collect()
}

/// All scans.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.file_name().is_some_and(|name| name != "truth.jsonl") {
            found.insert(path);
        }
    }
    found
}

/// How many marks of the page lie inside the image; each of them is where the map puts it.
fn marks_hit(truth: &PageTruth, image: &GrayImage, forms: &Forms) -> usize {
    let (Some(map), Some(number)) = (truth.map, truth.page) else { return 0 };
    let page =
        forms.find(&truth.form, &truth.version).and_then(|form| form.page(number)).expect("a shipped form");
    let mut hit = 0;
    for &mark in &page.marks {
        let expected = map.apply(mark);
        let reach = AROUND_MARK * page.mark_size_mm / 2.0 * map.scale();
        let (left, top) = (expected.x - reach, expected.y - reach);
        let (right, bottom) = (expected.x + reach, expected.y + reach);
        if left < 0.0 || top < 0.0 || right >= f64::from(image.width()) || bottom >= f64::from(image.height())
        {
            continue;
        }
        let found = dark_centre(image, [left, top, right, bottom]);
        let allowed = 1.5 * f64::from(truth.dpi) / 300.0;
        let off = found.distance(&expected);
        assert!(off <= allowed, "{} page {}: a mark is {off:.2} px off", truth.file, truth.page_index);
        hit += 1;
    }
    // A symbol is about as large as the form says, or the map's scale is wrong.
    let dpi = map.scale() * Millimetres::PER_INCH;
    assert!((dpi / f64::from(truth.dpi) - 1.0).abs() < 0.004, "{dpi} dpi");
    hit
}

/// The middle of what is darker than halfway between the darkest and the brightest.
fn dark_centre(image: &GrayImage, [left, top, right, bottom]: [f64; 4]) -> PointPx {
    let pixels =
        || (top as u32..=bottom as u32).flat_map(|y| (left as u32..=right as u32).map(move |x| (x, y)));
    let value = |(x, y): (u32, u32)| image.get_pixel(x, y).0[0];
    let (dark, bright) = (pixels().map(value).min().unwrap_or(0), pixels().map(value).max().unwrap_or(0));
    let middle = u8::midpoint(dark, bright);
    let inked: Vec<(u32, u32)> = pixels().filter(|&at| value(at) < middle).collect();
    let count = inked.len() as f64;
    PointPx {
        x: inked.iter().map(|at| f64::from(at.0) + 0.5).sum::<f64>() / count,
        y: inked.iter().map(|at| f64::from(at.1) + 0.5).sum::<f64>() / count,
    }
}
