//! Forms to PDF: one application after another, in bounded memory; and documents that are put together of
//! forms and leaves of text.
//!
//! The register is read twice: first to gather the characters that the embedded fonts must hold,
//! then to print. What is the same on every application is stored once and drawn by reference.
//! The same form, register and fonts give the same bytes.

mod customer_barcode;
mod data;
mod document;
mod font;
mod leaf;
mod page;
mod printer;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

pub use self::data::{era_date, grouped};
pub use self::leaf::{Addressee, Leaf};

use self::font::Font;
use self::printer::Printer;
use super::{Datum, Face, Form, Piece, Printed, PrintedText};
use crate::application_id::ApplicationId;
use crate::identify::Issue;
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
    #[error(
        "form {form}, page {page}: there is no room for the mark of a form that is sent again; keep the strip from 9 to 17 mm below the page's top free, 50 mm to both sides of its middle"
    )]
    NoRoomForMark { form: String, page: u32 },
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
    let forms = [form];
    let pages = total * form.pages.len() as u64;
    let mut printer = Printer::begin(&form.title, &forms, &fonts, pages, false, out)?;
    for (done, household) in (1..).zip(households()?) {
        printer.application(form, &household?, None)?;
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

/// A part of a document that is put together.
#[derive(Debug, Clone)]
pub enum Part<'a> {
    Leaf(Leaf),
    Form { form: &'a Form, household: &'a Household, again: Again },
}

/// What tells a form that is sent again from those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// In the code of each page.
    pub issue: Issue,
    /// In the strip at the top of each.
    pub mark: String,
}

/// Prints the parts that `parts` gives, which it is asked for twice and must give alike.
pub fn write_parts<'a, I, W>(title: &str, parts: impl Fn() -> I, out: W) -> Result<Report, PrintError>
where
    I: Iterator<Item = Part<'a>>,
    W: Write,
{
    let mut characters = Characters::new();
    let mut forms: Vec<&Form> = Vec::new();
    let mut pages = 0;
    for part in parts() {
        match part {
            Part::Leaf(leaf) => {
                for text in texts_of(&leaf.printed) {
                    add_static(&mut characters, text);
                }
                pages += 1;
            }
            Part::Form { form, household, again } => {
                if !forms.iter().any(|known| (&known.id, &known.version) == (&form.id, &form.version)) {
                    forms.push(form);
                    texts(form).for_each(|text| add_static(&mut characters, text));
                }
                characters.entry(page::MARK_FACE).or_default().extend(again.mark.chars());
                add_characters(&mut characters, form, household);
                pages += form.pages.len() as u64;
            }
        }
    }
    let fonts = fonts(&characters)?;
    let mut printer = Printer::begin(title, &forms, &fonts, pages, false, out)?;
    for part in parts() {
        match part {
            Part::Leaf(leaf) => printer.leaf(&leaf)?,
            Part::Form { form, household, again } => printer.application(form, household, Some(&again))?,
        }
    }
    printer.finish()
}

/// What the register says, as forms show it.
pub fn shown(datum: Datum, household: &Household) -> String {
    data::text_of(&[Piece::Data(datum)], household)
}

/// Prints an empty form to show: 見本 across it, a placeholder for the household.
pub fn write_specimen<W: Write>(form: &Form, out: W) -> Result<Report, PrintError> {
    let household = specimen();
    let mut characters = static_characters(form);
    characters.entry(Face::Gothic).or_default().extend(page::SPECIMEN.chars());
    add_characters(&mut characters, form, &household);
    let fonts = fonts(&characters)?;
    let forms = [form];
    let mut printer = Printer::begin(&form.title, &forms, &fonts, form.pages.len() as u64, true, out)?;
    printer.application(form, &household, None)?;
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
    form.pages.iter().flat_map(|page| texts_of(&page.printed))
}

fn texts_of(printed: &[Printed]) -> impl Iterator<Item = &PrintedText> {
    printed.iter().filter_map(|printed| match printed {
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
    texts(form).for_each(|text| add_static(&mut characters, text));
    characters
}

fn add_static(characters: &mut Characters, text: &PrintedText) {
    characters.entry(text.face).or_default().extend(static_text(text).chars().filter(|c| *c != '\n'));
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
