//! Cells, lines and marks of a registered page to readings. Raw scores only: what they are worth
//! is decided in [`crate::score`].
//!
//! Comes in: the page as it was scanned, where the form lies on it, and what the register knows.
//! Goes out: one [`CroppedReading`] a field. Only the fields are cut out of the page ([`crop`]); the
//! cells of a page go through their model in one batch.

mod box_lines;
mod cell_model;
mod comb;
mod components;
mod crop;
mod ctc;
mod digits;
mod field;
mod fuse;
mod line;
mod line_model;
mod mark;
mod readers;
mod recognize;
mod tesseract;
mod tile;

pub use fuse::{Fusion, FusionWeights};
pub use readers::{ReadError, Readers};
pub use recognize::{CellKind, RecognizedRow, recognize};

use readers::{LineReaders, model_bytes};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::PageImage;
use crate::form::{FieldKind, FormPage};
use crate::page::Registration;
use crate::pipeline::KnownApplication;
use crate::settings;

/// Reads every field of a page, in the form's order.
///
/// A comb's value is its characters joined ([`FieldReading::value`]), its score the product of
/// their posteriors: raw, not calibrated, and not comparable between kinds of fields. A text is
/// read by the line readers where `settings` has them on; else only whether there is ink is told.
pub fn read_page(
    page: &PageImage,
    registration: &Registration,
    form_page: &FormPage,
    known: Option<&KnownApplication>,
    readers: &mut Readers,
    settings: &settings::Read,
) -> Result<Vec<CroppedReading>, ReadError> {
    let pieces: Vec<field::Piece> = form_page
        .fields
        .iter()
        .filter_map(|field| field::Piece::cut(&page.gray, &registration.map, form_page, field))
        .collect();
    let tiles: Vec<Vec<Option<tile::Tile>>> = pieces
        .iter()
        .map(|piece| match piece.field.kind {
            FieldKind::Digits | FieldKind::Kana => piece.tiles(),
            FieldKind::Text | FieldKind::Mark | FieldKind::Signature => Vec::new(),
        })
        .collect();
    let written = |kind: FieldKind| -> Vec<&tile::Tile> {
        let combs = pieces.iter().zip(&tiles).filter(|(piece, _)| piece.field.kind == kind);
        combs.flat_map(|(_, tiles)| tiles.iter().flatten()).collect()
    };
    let mut digits = readers.digits.read(&written(FieldKind::Digits))?.into_iter();
    let mut kana = readers.katakana.read(&written(FieldKind::Kana))?.into_iter();
    let mut lines = readers.lines.as_mut().filter(|_| settings.line_models);

    let mut readings = Vec::with_capacity(pieces.len());
    for (piece, tiles) in pieces.iter().zip(&tiles) {
        let reading = match piece.field.kind {
            FieldKind::Digits => field::comb(piece.field, tiles, &mut digits),
            FieldKind::Kana => field::comb(piece.field, tiles, &mut kana),
            FieldKind::Mark => field::mark(piece, form_page),
            FieldKind::Signature => field::signature(piece),
            FieldKind::Text => {
                let expected = known.filter(|_| piece.field.name == "head_name");
                let expected = expected.map(|known| known.head_name.as_str());
                field::text(piece, lines.as_deref_mut(), expected)?
            }
        };
        let crop_png = piece.picture(settings.crop_dpi)?;
        readings.push(CroppedReading { reading, crop_png });
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
    /// There is ink, but more than one reading of it, or none.
    Ambiguous,
}

/// One character, or one cell of a comb (`value` is empty for a blank cell).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CharacterReading {
    pub value: String,
    pub state: CellState,
    /// 0 to 1.
    pub confidence: f64,
    /// Best first, `value` left out.
    pub alternatives: Vec<Alternative>,
}

/// What is in a cell. A character of a line is always `written`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    Blank,
    /// One character.
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
    /// ゆうちょ's check digit over 記号 and 番号: 1 where it holds, else 0.
    CheckDigit,
}
