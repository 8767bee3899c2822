//! Mail for measurements.

#![allow(dead_code, reason = "each benchmark takes what it needs of this")]

use std::path::Path;

use uketsuke::form::Form;
use uketsuke::register::Household;
use uketsuke::settings::Settings;
use uketsuke::simulate::{
    Enclosures, Format, Hands, Material, Order, PageTruth, Press, Writing, register, simulate,
};

/// Fills in and "scans" as many applications in hands that no model was trained on, as JPEG and TIFF
/// files below `folder`; what is true of their pages.
pub fn simulated(
    forms: Vec<Form>,
    applications: u64,
    seed: u64,
    settings: &Settings,
    folder: &Path,
) -> anyhow::Result<Vec<PageTruth>> {
    let material = Material::load(Hands::Testing, Writing::Mixed, None)?;
    let order = order(forms, households(applications, seed), seed);
    simulated_with(&order, &material, settings, folder, &|_| ())
}

/// Households that apply.
pub fn households(applications: u64, seed: u64) -> Vec<Household> {
    (0..applications).map(|place| register::household(seed, place)).collect()
}

/// All pages of their applications as JPEG and TIFF files of one station.
pub fn order(forms: Vec<Form>, households: Vec<Household>, seed: u64) -> Order {
    Order {
        forms,
        households,
        seed,
        formats: vec![Format::Jpeg, Format::Tiff],
        stations: vec!["station".to_owned()],
        clean: false,
        pages: Vec::new(),
        enclosures: Enclosures::Plain,
    }
}

/// What is true of the pages of `order`, once they are made; `progress` is told how many
/// applications are done since.
pub fn simulated_with(
    order: &Order,
    material: &Material,
    settings: &Settings,
    folder: &Path,
    progress: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Vec<PageTruth>> {
    let press = Press::bind(&settings.paths.pdfium())?;
    simulate(order, material, &press, folder, progress)?;
    let text = std::fs::read_to_string(folder.join("truth.jsonl"))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
