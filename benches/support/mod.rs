//! Mail for measurements.

use std::path::Path;

use uketsuke::form::Form;
use uketsuke::settings::Settings;
use uketsuke::simulate::{Format, Hands, Material, Order, PageTruth, Press, Writing, register, simulate};

/// Fills in and "scans" as many applications in hands that no model was trained on, as JPEG and TIFF
/// files below `folder`; what is true of their pages.
pub fn simulated(
    forms: Vec<Form>,
    applications: u64,
    seed: u64,
    settings: &Settings,
    folder: &Path,
) -> anyhow::Result<Vec<PageTruth>> {
    let order = Order {
        forms,
        households: (0..applications).map(|place| register::household(seed, place)).collect(),
        seed,
        formats: vec![Format::Jpeg, Format::Tiff],
        stations: vec!["station".to_owned()],
        clean: false,
        pages: Vec::new(),
    };
    let material = Material::load(Hands::Testing, Writing::Mixed, None)?;
    let press = Press::bind(&settings.paths.pdfium())?;
    simulate(&order, &material, &press, folder, &|_| ())?;
    let text = std::fs::read_to_string(folder.join("truth.jsonl"))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
