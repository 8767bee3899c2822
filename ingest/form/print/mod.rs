//! Forms to PDF: one application after another, in bounded memory.
//!
//! The register is read twice: first to gather the characters that the embedded fonts must hold,
//! then to print. What is the same on every application is stored once and drawn by reference.
//! The same form, register and fonts give the same bytes.

mod customer_barcode;
mod data;
mod document;
mod font;
mod page;
mod printer;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use self::font::Font;
use self::printer::Printer;
use super::{Face, Form, Piece, Printed, PrintedText};
use crate::application_id::ApplicationId;
use crate::register::{Household, RegisterError};

type Fonts = BTreeMap<Face, Font>;

#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    #[error("the register: {0}")]
    Register(#[from] RegisterError),
    #[error("the register changed while it was printed; print it again")]
    RegisterChanged,
    #[error("the register has no rows, nothing to print")]
    NoApplications,
    #[error("the font {path} cannot be read: {source}; install the Debian package {package}")]
    FontMissing { path: &'static str, package: &'static str, source: std::io::Error },
    #[error("the font {path} cannot be used: {reason}; install the Debian package {package} again")]
    FontUnusable { path: &'static str, package: &'static str, reason: String },
    #[error(
        "form {form}, page {page}: the text '{text}…' does not fit into its area; make the area larger or the size smaller"
    )]
    TextTooLarge { form: String, page: u32, text: String },
    #[error("the PDF would be larger than 10 GB; print the register in parts")]
    TooLarge,
    #[error("the PDF cannot be written: {0}")]
    Output(std::io::Error),
    #[error("the offsets of the PDF's objects cannot be kept in a temporary file: {0}")]
    Offsets(std::io::Error),
}

/// How far a print is, in applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Looked through so far.
    Counted(u64),
    Printed {
        done: u64,
        total: u64,
    },
}

/// What was printed, and what a person should know of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub applications: u64,
    pub pages: u64,
    /// Applications with a character that the font lacks, printed as 〓; the first of them.
    pub lacking_characters: u64,
    pub lacking_first: Vec<ApplicationId>,
    /// Applications without a customer barcode, because their postal code has not seven digits.
    pub without_customer_barcode: u64,
}

/// Prints `form` for the households that `households` gives, which it is asked for twice and must
/// give alike. Nothing is written before the whole register was seen to be right.
pub fn write_pdf<I, W>(
    form: &Form,
    households: impl Fn() -> Result<I, RegisterError>,
    out: W,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, PrintError>
where
    I: Iterator<Item = Result<Household, RegisterError>>,
    W: Write,
{
    let mut characters = static_characters(form);
    let mut total = 0;
    for household in households()? {
        add_characters(&mut characters, form, &household?);
        total += 1;
        progress(Progress::Counted(total));
    }
    if total == 0 {
        return Err(PrintError::NoApplications);
    }
    let fonts = fonts(&characters)?;
    let mut printer = Printer::begin(form, &fonts, total, false, out)?;
    for (done, household) in (1..).zip(households()?) {
        printer.application(&household?)?;
        progress(Progress::Printed { done, total });
    }
    printer.finish()
}

/// The PDF of a few applications, in memory.
pub fn pdf_of(form: &Form, households: &[Household]) -> Result<Vec<u8>, PrintError> {
    let mut out = Vec::new();
    write_pdf(form, || Ok(households.iter().cloned().map(Ok)), &mut out, &mut |_| {})?;
    Ok(out)
}

/// Prints an empty form to show: 見本 across it, a placeholder for the household.
pub fn write_specimen<W: Write>(form: &Form, out: W) -> Result<Report, PrintError> {
    let household = specimen();
    let mut characters = static_characters(form);
    characters.entry(Face::Gothic).or_default().extend(page::SPECIMEN.chars());
    add_characters(&mut characters, form, &household);
    let fonts = fonts(&characters)?;
    let mut printer = Printer::begin(form, &fonts, 1, true, out)?;
    printer.application(&household)?;
    printer.finish()
}

/// The household of a specimen; its application ID is a valid placeholder.
fn specimen() -> Household {
    Household {
        application_id: super::symbol::placeholder_id(),
        head_name: "見本　太郎".to_owned(),
        head_kana: "ミホン　タロウ".to_owned(),
        postal_code: "000-0000".to_owned(),
        address: "見本県見本市見本町１丁目２番３号".to_owned(),
        birth_date: "1970-01-01".to_owned(),
        members: 1,
        amount: 100_000,
        further: BTreeMap::new(),
    }
}

fn texts(form: &Form) -> impl Iterator<Item = &PrintedText> {
    let printed = form.pages.iter().flat_map(|page| &page.printed);
    printed.filter_map(|printed| match printed {
        Printed::Text(text) => Some(text),
        _ => None,
    })
}

fn static_text(text: &PrintedText) -> String {
    let literal = |piece: &Piece| match piece {
        Piece::Literal(literal) => literal.clone(),
        Piece::Data(_) => String::new(),
    };
    text.pieces.iter().map(literal).collect()
}

type Characters = BTreeMap<Face, BTreeSet<char>>;

fn static_characters(form: &Form) -> Characters {
    let mut characters = Characters::new();
    for text in texts(form) {
        characters.entry(text.face).or_default().extend(static_text(text).chars().filter(|c| *c != '\n'));
    }
    characters
}

fn add_characters(characters: &mut Characters, form: &Form, household: &Household) {
    for text in texts(form).filter(|text| !text.is_static()) {
        characters.entry(text.face).or_default().extend(data::text_of(&text.pieces, household).chars());
    }
}

fn fonts(characters: &Characters) -> Result<Fonts, PrintError> {
    characters.iter().map(|(&face, characters)| Ok((face, Font::subset(face, characters)?))).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    miniz_oxide::deflate::compress_to_vec_zlib(bytes, 6)
}
