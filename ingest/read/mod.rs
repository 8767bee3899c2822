//! Cells, lines and marks of a registered page to readings. Raw scores only: what they are worth
//! is decided in [`crate::score`].
//!
//! Comes in: the page as it was scanned, where the form lies on it, and what the register knows.
//! Goes out: one [`CroppedReading`] a field. Only the fields are cut out of the page ([`crop`]); the
//! cells of a page go through their model in one batch.

mod agreement;
mod alphabet;
mod bank_names;
mod box_lines;
mod cell_model;
mod comb;
mod comb_line;
mod components;
mod copies;
mod crop;
mod ctc;
mod digits;
mod field;
mod fuse;
mod letters;
mod line;
mod line_model;
mod line_network;
mod lost_writing;
mod mark;
mod names;
mod readers;
mod recognize;
mod register_support;
mod tesseract;
mod tile;

pub(crate) use copies::holds_my_number;
pub use copies::{
    AccountCopy, CopiedValue, Copies, CopiesSeen, CopyKind, Cover, Covered, IdentityCopy, MaskedByHand,
    Sheet, black_out, read_copies,
};
pub use field::comb_area;
pub use fuse::{Fusion, FusionWeights, candidates, fuse, posterior, unnamed};
pub use readers::{ReadError, Readers};
pub use recognize::{CellKind, RecognizedRow, recognize};

use readers::{LineReaders, model_bytes};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::PageImage;
use crate::form::{FieldKind, FormPage};
use crate::page::{self, Registration};
use crate::pipeline::KnownApplication;
use crate::settings;

/// How many further readings of a character are given, and how likely one must be. What a reader by itself says
/// names the next character however unlikely, since how far it lies behind is what tells a doubt.
const ALTERNATIVES: usize = 4;
pub(crate) const LEAST_ALTERNATIVE: f64 = 0.001;

/// Reads every field of a page, in the form's order.
///
/// A comb's value is its characters joined ([`FieldReading::value`]), its score the product of
/// their posteriors: raw, not calibrated, and not comparable between kinds of fields. The combs that
/// `settings` names are read by the line model as well, and both posteriors fused. A text is read
/// by the line readers where `settings` has them on; else only whether there is ink is told. Where
/// the table of banks is there, the names of bank and branch are those of the table where their
/// lines leave no doubt, and what the fields of the page say of each other is evidence. Where a scan may
/// have lost writing, nothing that was to be written by hand is more than ambiguous.
pub fn read_page(
    image: &PageImage,
    registration: &Registration,
    form_page: &FormPage,
    known: Option<&KnownApplication>,
    readers: &mut Readers,
    settings: &settings::Read,
) -> Result<Vec<CroppedReading>, ReadError> {
    let gray = page::without_streaks(&image.gray);
    let pieces: Vec<field::Piece> = form_page
        .fields
        .iter()
        .filter_map(|field| field::Piece::cut(&gray, &registration.map, form_page, field))
        .collect();
    let combs: Vec<comb::Comb> = pieces.iter().map(field::Piece::comb).collect();
    let written = |kind: FieldKind| -> Vec<&tile::Tile> {
        let combs = pieces.iter().zip(&combs).filter(|(piece, _)| piece.field.kind == kind);
        combs.flat_map(|(_, comb)| comb.cells.iter().flatten().map(|cell| &cell.tile)).collect()
    };
    let mut digits = readers.digits.read(&written(FieldKind::Digits))?.into_iter();
    let mut kana = readers.katakana.read(&written(FieldKind::Kana))?.into_iter();
    let names = readers.names.as_ref().filter(|_| settings.lexicon);
    // Marks are judged beside each other.
    let marks: Vec<Vec<mark::BoxInk>> = pieces
        .iter()
        .map(|piece| match piece.field.kind {
            FieldKind::Mark => field::mark_ink(piece, form_page),
            _ => Vec::new(),
        })
        .collect();
    let baseline = mark::baseline(marks.iter().flatten());
    let (line_model, of_combs, mut tesseract) = match readers.lines.as_mut().filter(|_| settings.line_models)
    {
        Some(LineReaders { model, combs, tesseract }) => (Some(&*model), Some(&*combs), Some(tesseract)),
        None => (None, None, None),
    };
    // What the line model says of lines that name a bank or a branch.
    let mut naming = BTreeMap::new();
    let mut readings = Vec::with_capacity(pieces.len());
    for ((piece, comb), ink) in pieces.iter().zip(&combs).zip(&marks) {
        let name = piece.field.name.as_str();
        let expected = known.and_then(|known| known.expected(name));
        let reading = match piece.field.kind {
            FieldKind::Digits | FieldKind::Kana => {
                let is_kana = piece.field.kind == FieldKind::Kana;
                let read: &mut dyn Iterator<Item = CharacterReading> =
                    if is_kana { &mut kana } else { &mut digits };
                let of_cell = |cell: &Option<comb::Cell>| {
                    let Some(cell) = cell else { return cell_model::blank(1.0) };
                    let read = read.next().unwrap_or_else(|| cell_model::blank(1.0));
                    if is_kana { read } else { field::digit_of(cell, read) }
                };
                let of_cells: Vec<CharacterReading> = comb.cells.iter().map(of_cell).collect();
                let second =
                    line_model.zip(of_combs).filter(|_| settings.second_reader.contains(&piece.field.name));
                let of_line = match second {
                    Some((model, of_combs)) => {
                        of_combs.read(model, piece.field.kind, &comb.cells, &of_cells)?
                    }
                    None => None,
                };
                let fusion = readers.fusion;
                let context = field::CombContext {
                    weights: if is_kana { fusion.kana } else { fusion.digits },
                    names,
                    expected,
                };
                field::comb(piece.field, field::CombReading { cells: of_cells, line: of_line }, &context)
            }
            FieldKind::Mark => field::mark(piece.field, ink, baseline),
            FieldKind::Signature => field::signature(piece),
            FieldKind::Text => {
                let line_readers = line_model.zip(tesseract.as_deref_mut());
                let (reading, posteriors) = field::text(piece, line_readers, expected)?;
                let names = posteriors.filter(|_| bank_names::FIELDS.contains(&name));
                naming.extend(names.map(|posteriors| (name, posteriors)));
                reading
            }
        };
        let crop_png = piece.picture(settings.crop_dpi)?;
        readings.push(CroppedReading { reading, crop_png });
    }
    let states = pieces.iter().zip(&readings).map(|(piece, cropped)| (piece.field, cropped.reading.state));
    let lost = lost_writing::is_likely(&combs, states);
    if let Some(banks) = &readers.banks {
        bank_names::settle(&mut readings, &naming, banks);
    }
    agreement::settle(&mut readings, readers.banks.as_ref());
    if lost {
        let by_hand = pieces.iter().zip(&mut readings).filter(|(piece, _)| !piece.field.printed);
        by_hand.for_each(|(_, cropped)| lost_writing::doubted(&mut cropped.reading));
    }
    Ok(readings)
}

/// What was read in one field of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldReading {
    pub field: String,
    /// What the ink says; none for nothing legible. For a mark the option's value; for a signature
    /// `present`.
    pub value: Option<String>,
    /// The reader's own score of the whole value, 0 to 1, not calibrated.
    pub score: f64,
    pub state: InkState,
    pub characters: Vec<CharacterReading>,
    pub evidence: Vec<Evidence>,
}

/// A reading and the picture that it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CroppedReading {
    pub reading: FieldReading,
    /// The field, upright, as a gray PNG at the resolution that the settings name.
    #[serde(with = "serde_bytes")]
    pub crop_png: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InkState {
    /// No ink but the form's own.
    Blank,
    Written,
    /// There is ink, but more than one reading of it, or none; or the scan may have lost what was written.
    Ambiguous,
}

/// One character, or one cell of a comb (`value` is empty for a blank cell).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CharacterReading {
    pub value: String,
    #[serde(default)]
    pub state: CellState,
    /// 0 to 1.
    pub confidence: f64,
    /// Best first, `value` left out.
    pub alternatives: Vec<Alternative>,
}

/// What is in a cell. A character of a line is always `written`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    Blank,
    /// One character.
    #[default]
    Written,
    /// Lines or a scribble through what was written.
    StruckOut,
    /// A character over another one.
    Overwritten,
    /// More than one character side by side.
    Several,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alternative {
    pub value: String,
    pub confidence: f64,
}

/// What speaks for or against a reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub source: EvidenceSource,
    /// What that source read, where it read anything.
    pub value: Option<String>,
    /// 0 to 1, on the source's own scale.
    pub score: f64,
    /// Cell by cell, where the source reads cells: what it alone says, before anything is fused.
    #[serde(default)]
    pub characters: Vec<CharacterReading>,
}

impl Evidence {
    /// Evidence about the value as a whole.
    pub fn whole(source: EvidenceSource, value: Option<String>, score: f64) -> Self {
        Self { source, value, score, characters: Vec::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    CellModel,
    LineModel,
    Tesseract,
    /// Ink inside a mark against the empty form.
    Ink,
    /// What the register says as a hypothesis about the ink, against the best other reading: 1
    /// where the ink says the same, near 0 where it says something else.
    RegisterSupport,
    /// Names that exist, and the sequences of kana in them.
    Lexicon,
    /// Banks and branches that exist; the value is `CODE NAME`.
    ReferenceData,
    /// The enclosed copy of a passbook or card: 1 where it shows the same, 0 where it shows another.
    AccountCopy,
    /// ゆうちょ's check digit over 記号 and 番号: 1 where it holds, else 0.
    CheckDigit,
    /// What is known of banks, and of the page's other fields, leaves no room for the value: 0, with what speaks
    /// against it where that is a value.
    Contradiction,
}
