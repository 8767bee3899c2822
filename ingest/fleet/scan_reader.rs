//! The reader that a reader process is: strings decode, look, read and encode together.

use std::collections::BTreeMap;
use std::fs::File;

use super::protocol::{Loaded, Refusal};
use super::reader::PageReader;
use crate::decode::{PageImage, Scan, pdfium};
use crate::digest::Sha256;
use crate::form::{Form, FormPage, Forms};
use crate::identify::{Identification, Identity, SymbolFinder};
use crate::page::{self, Registration};
use crate::pipeline::{self, KnownApplication, PageLook, PageRead, Unmasked};
use crate::publish::{self, registration_for_reading};
use crate::read::{self, Cover, Covered, Readers, Sheet};
use crate::score::{ScoreFileError, ScoreFiles};
use crate::settings::{self, Settings};
use crate::turn::Turn;

/// A picture that another one is made of must lose less than that one.
const UNMASKED: settings::Publish = settings::Publish { jpeg_quality: 95 };

pub struct ScanReader {
    settings: Settings,
    forms: Forms,
    finder: SymbolFinder,
    readers: Readers,
    /// Of the file that the readers were weighed by.
    calibration: Option<Sha256>,
    open: Option<Open>,
}

struct Open {
    scan: Scan,
    file_name: String,
    /// The page last looked at.
    page: Option<(PageImage, PageLook)>,
}

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Forms(#[from] crate::form::FormError),
    #[error(transparent)]
    Readers(#[from] read::ReadError),
    #[error(transparent)]
    Calibration(#[from] ScoreFileError),
    #[error("{0}; run scripts/setup")]
    Pdfium(String),
}

impl ScanReader {
    /// Loads all engines now: one that is missing is the fault of the machine, and must not be
    /// found out at the cost of the first scan that needs it.
    pub fn load(settings: Settings) -> Result<Self, LoadError> {
        pdfium::load(&settings.paths.pdfium()).map_err(|fault| LoadError::Pdfium(fault.to_string()))?;
        let mut readers = Readers::load(&settings)?;
        let score_files = ScoreFiles::load(&settings.paths.calibration)?;
        readers.weigh(score_files.fusion(readers.files()));
        Ok(Self {
            forms: Forms::load_dir(&settings.paths.forms)?,
            finder: SymbolFinder::new(&settings.identify),
            readers,
            calibration: score_files.calibration.map(|file| file.sha256),
            settings,
            open: None,
        })
    }
}

impl PageReader for ScanReader {
    fn loaded(&self) -> Loaded {
        let forms = self.forms.iter().map(|form| (format!("{}@{}", form.id, form.version), form.digest));
        Loaded {
            software: env!("CARGO_PKG_VERSION").to_owned(),
            models: self.readers.files().clone(),
            forms: forms.collect::<BTreeMap<_, _>>(),
            calibration: self.calibration,
        }
    }

    fn open(&mut self, scan: File, file_name: &str) -> Result<u32, Refusal> {
        self.open = None;
        let Settings { decode, paths, .. } = &self.settings;
        let scan = Scan::of_file(scan, decode, &paths.pdfium())
            .map_err(|error| refusal(error.code(), format!("{file_name}: {error}")))?;
        let pages = scan.page_count();
        self.open = Some(Open { scan, file_name: file_name.to_owned(), page: None });
        Ok(pages)
    }

    fn look(&mut self, index: u32, given: Option<&Identity>) -> Result<PageLook, Refusal> {
        let open = self.open.as_mut().ok_or_else(|| out_of_order("no scan is open"))?;
        // Let go of the page before first: two at a time would double the memory.
        open.page = None;
        let image = open
            .scan
            .page(index)
            .map_err(|error| refusal(error.code(), format!("{}: {error}", open.file_name)))?;
        let look = pipeline::look(&image, index, given, &self.finder, &self.forms, &self.settings);
        open.page = Some((image, look.clone()));
        Ok(look)
    }

    fn read(&mut self, index: u32, known: Option<&KnownApplication>) -> Result<PageRead, Refusal> {
        let open = self.open.as_mut().ok_or_else(|| out_of_order("no scan is open"))?;
        let (image, look) = open
            .page
            .as_mut()
            .filter(|(_, look)| look.index == index)
            .ok_or_else(|| out_of_order("another page was looked at last"))?;
        let failed = |code: &str, error: &dyn std::fmt::Display| {
            refusal(code, format!("{}, page {}: {error}", open.file_name, index + 1))
        };
        let readings = match page_to_read(&self.forms, look) {
            Some((form_page, registration)) => {
                read::read_page(image, registration, form_page, known, &mut self.readers, &self.settings.read)
                    .map_err(|error| failed("unreadable_fields", &error))?
            }
            None => Vec::new(),
        };
        let titles: Vec<&str> = self.forms.iter().map(|form| form.title.as_str()).collect();
        let sheet = self.settings.read.copies.then(|| sheet_of_copies(&self.forms, &titles, look));
        let rotation = look.registration.as_ref().map_or(0, Registration::rotation);
        let mut unmasked = None;
        let copies = match sheet.flatten() {
            Some(sheet) => {
                let page = page::without_streaks(&image.gray);
                let head = known.map(|known| known.head_name.as_str());
                let copies = read::read_copies(&page, sheet, &look.symbols, head, &self.readers)
                    .map_err(|error| failed("unreadable_copies", &error))?;
                // What was found goes first: nobody ever sees it again.
                let (found, untold): (Vec<Covered>, Vec<Covered>) =
                    copies.black.iter().partition(|place| place.cover == Cover::Number);
                read::black_out(image, found.iter().map(|place| &place.corners));
                if !untold.is_empty() {
                    let picture = publish::encode(image, rotation, &UNMASKED)
                        .map_err(|error| failed("not_encoded", &error))?;
                    let (turn, size) = (Turn::clockwise(rotation), image.gray.dimensions());
                    let on_picture = |place: &Covered| Covered {
                        corners: place.corners.map(|corner| turn.point(corner, size)),
                        ..*place
                    };
                    unmasked =
                        Some(Unmasked { picture, areas: copies.black.iter().map(on_picture).collect() });
                    read::black_out(image, untold.iter().map(|place| &place.corners));
                }
                Some(copies.seen)
            }
            None => None,
        };
        let image = publish::encode(image, rotation, &self.settings.publish)
            .map_err(|error| failed("not_encoded", &error))?;
        Ok(PageRead { image, readings, copies, unmasked })
    }

    fn close(&mut self) {
        self.open = None;
    }
}

/// The form's page to read by, where the page is identified and registered well enough.
fn page_to_read<'a>(forms: &'a Forms, look: &'a PageLook) -> Option<(&'a FormPage, &'a Registration)> {
    let Identification::Identified(identity) = &look.identification else { return None };
    let form: &Form = forms.find(&identity.form, &identity.version)?;
    Some((form.page(identity.page)?, registration_for_reading(form, look)?))
}

/// The page as one that copies may be on: the form's page for them, or any page without an ID. None for
/// blank pages and for those that are filled in.
fn sheet_of_copies<'a>(forms: &'a Forms, titles: &'a [&'a str], look: &'a PageLook) -> Option<Sheet<'a>> {
    let loose = Sheet::Loose { declared_dpi: look.declared_dpi, titles };
    match (&look.identification, page_to_read(forms, look)) {
        (_, Some((page, registration))) => {
            page.fields.is_empty().then_some(Sheet::Form { page, registration })
        }
        (Identification::Identified(identity), None) => {
            let form = forms.find(&identity.form, &identity.version);
            let page = form.and_then(|form| form.page(identity.page));
            page.is_none_or(|page| page.fields.is_empty()).then_some(loose)
        }
        (Identification::Unassigned(_), None) => (!look.blank).then_some(loose),
    }
}

fn refusal(code: &str, message: String) -> Refusal {
    Refusal { code: code.to_owned(), message }
}

fn out_of_order(what: &str) -> Refusal {
    refusal("out_of_order", format!("asked out of order: {what}"))
}
