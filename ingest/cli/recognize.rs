//! `uketsuke recognize`: pictures of single cells or rows of cells to text.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::Common;
use crate::read::{self, CellKind, Readers, RecognizedRow};
use crate::settings::Settings;

/// Reads pictures of handwritten cells; prints one JSON line an image
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What stands in the cells
    #[arg(long, value_enum)]
    kind: CellKind,
    /// How many equal cells stand side by side in each image
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=200))]
    cells: u32,
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Output<'a> {
    file: &'a str,
    #[serde(flatten)]
    row: RecognizedRow,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let mut settings = Settings::load(common.config.as_deref())?;
    // Only cells are read.
    settings.read.line_models = false;
    let readers = Readers::load(&settings)?;
    let mut failed = 0;
    for path in &arguments.images {
        match row(path, &arguments, &readers) {
            Ok(row) => {
                let output = Output { file: &path.to_string_lossy(), row };
                println!("{}", serde_json::to_string(&output)?);
            }
            Err(error) => {
                failed += 1;
                eprintln!("uketsuke: {}: {error:#}", path.display());
            }
        }
    }
    let images = arguments.images.len();
    anyhow::ensure!(failed == 0, "{failed} of {images} images could not be read");
    Ok(())
}

fn row(path: &Path, arguments: &Arguments, readers: &Readers) -> anyhow::Result<RecognizedRow> {
    let bytes = std::fs::read(path)?;
    let picture =
        image::load_from_memory(&bytes).context("it is not a PNG or JPEG picture that can be read")?;
    let row = read::recognize(&picture, arguments.kind, arguments.cells, readers)?;
    Ok(row)
}
