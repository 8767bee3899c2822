//! `uketsuke inspect`: what the pipeline sees of files; stores nothing, needs no database.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Common;
use crate::decode::{DecodeError, Scan};
use crate::digest::Sha256;
use crate::form::{Forms, Symbology};
use crate::geometry::PointPx;
use crate::identify::{Identification, Symbol, SymbolFinder};
use crate::pipeline::{self, PageLook};
use crate::settings::Settings;

/// Show what the pipeline sees of scans; one JSON line a file
///
/// Pages, turn, skew, symbols, form and application. Nothing is stored and no database is needed.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scans: TIFF, JPEG, PNG, WebP or PDF
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct InspectedFile {
    file: String,
    sha256: Option<Sha256>,
    error: Option<InspectError>,
    pages: Vec<InspectedPage>,
}

#[derive(Debug, Serialize)]
struct InspectError {
    code: String,
    message: String,
}

#[derive(Debug, Serialize)]
struct InspectedPage {
    index: u32,
    width_px: u32,
    height_px: u32,
    /// Measured on the form's marks, else as the file declares it.
    dpi: Option<f64>,
    /// None where nothing on the page tells which way is up.
    rotation: Option<u32>,
    skew_deg: f64,
    blank: bool,
    symbols: Vec<InspectedSymbol>,
    form: Option<InspectedForm>,
}

#[derive(Debug, Serialize)]
struct InspectedSymbol {
    symbology: Symbology,
    text: String,
    /// x, y, width, height in pixels of the decoded image.
    r#box: [i64; 4],
}

#[derive(Debug, Serialize)]
struct InspectedForm {
    form: String,
    version: String,
    page: u32,
    application_id: String,
    residual_px: Option<f64>,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(common.config.as_deref())?;
    let forms = Forms::load_dir(&settings.paths.forms)?;
    let finder = SymbolFinder::new(&settings.identify);
    let mut failed = 0;
    for path in &arguments.files {
        let inspected = inspect(path, &settings, &forms, &finder);
        failed += usize::from(inspected.error.is_some());
        let mut line = serde_json::to_string(&inspected)?;
        line.push('\n');
        std::io::stdout().write_all(line.as_bytes())?;
    }
    match failed {
        0 => Ok(()),
        1 => anyhow::bail!("1 file could not be read to its end; its line says why"),
        failed => anyhow::bail!("{failed} files could not be read to their end; their lines say why"),
    }
}

fn inspect(path: &Path, settings: &Settings, forms: &Forms, finder: &SymbolFinder) -> InspectedFile {
    let mut inspected = InspectedFile {
        file: path.to_string_lossy().into_owned(),
        sha256: None,
        error: None,
        pages: Vec::new(),
    };
    match std::fs::File::open(path).and_then(Sha256::of_reader) {
        Ok(sha256) => inspected.sha256 = Some(sha256),
        Err(error) => {
            let message = format!("{}: {error}", path.display());
            inspected.error = Some(InspectError { code: "unreadable".to_owned(), message });
            return inspected;
        }
    }
    if let Err(error) = inspect_pages(path, settings, forms, finder, &mut inspected.pages) {
        let message = format!("{}: {error}", path.display());
        inspected.error = Some(InspectError { code: error.code().to_owned(), message });
    }
    inspected
}

/// Looks at every page up to the first that cannot be decoded.
fn inspect_pages(
    path: &Path,
    settings: &Settings,
    forms: &Forms,
    finder: &SymbolFinder,
    pages: &mut Vec<InspectedPage>,
) -> Result<(), DecodeError> {
    let scan = Scan::open(path, &settings.decode, &settings.paths.pdfium())?;
    for index in 0..scan.page_count() {
        let page = scan.page(index)?;
        pages.push(inspected_page(&pipeline::look(&page, index, None, finder, forms, settings)));
    }
    Ok(())
}

fn inspected_page(look: &PageLook) -> InspectedPage {
    let registration = look.registration.as_ref();
    let form = match &look.identification {
        Identification::Unassigned(_) => None,
        Identification::Identified(identity) => Some(InspectedForm {
            form: identity.form.clone(),
            version: identity.version.clone(),
            page: identity.page,
            application_id: identity.application_id.to_string(),
            residual_px: registration.map(|registration| registration.residual_px),
        }),
    };
    InspectedPage {
        index: look.index,
        width_px: look.width_px,
        height_px: look.height_px,
        dpi: registration.map(|registration| registration.map.dpi()).or(look.declared_dpi),
        rotation: registration.map(|registration| registration.rotation()),
        skew_deg: look.skew_deg,
        blank: look.blank,
        symbols: look.symbols.iter().map(inspected_symbol).collect(),
        form,
    }
}

fn inspected_symbol(symbol: &Symbol) -> InspectedSymbol {
    let extent = |part: fn(&PointPx) -> f64| {
        let values = symbol.corners.iter().map(part);
        let low = values.clone().fold(f64::INFINITY, f64::min).floor();
        let high = values.fold(f64::NEG_INFINITY, f64::max).ceil();
        (low as i64, (high - low) as i64)
    };
    let ((x, w), (y, h)) = (extent(|corner| corner.x), extent(|corner| corner.y));
    InspectedSymbol { symbology: symbol.symbology, text: symbol.text.clone(), r#box: [x, y, w, h] }
}
