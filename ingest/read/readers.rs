//! What a process needs to read: the models, loaded once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rten::ThreadPool;

use super::alphabet::Alphabet;
use super::cell_model::CellModel;
use super::comb::Cell;
use super::comb_line::CombLine;
use super::fuse::Fusion;
use super::line_model::{LineAlphabet, LineModel};
use super::names::Names;
use super::tesseract::Tesseract;
use super::{CellState, CharacterReading};
use crate::digest::Sha256;
use crate::form::FieldKind;
use crate::reference::{BankTable, ReferenceError};
use crate::settings::Settings;

/// The models, below `paths.models`.
const DIGITS: &str = "digits.onnx";
const KATAKANA: &str = "katakana.onnx";
const LINES: &str = "lines.onnx";

/// The names of persons, below `paths.models`.
const NAMES: &str = "lexicon/names.tsv";

/// The table of banks with its aliases, among [`Readers::files`].
const BANKS: &str = "banks";

/// Tesseract's data for lines.
const LANGUAGE: &str = "jpn";

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{}: the model is missing or cannot be read ({source}); run scripts/setup", path.display())]
    Missing { path: PathBuf, source: std::io::Error },
    #[error("{}: the model cannot be used: {message}; run scripts/setup, or train it anew as ocr-models/README.md says", path.display())]
    Unusable { path: PathBuf, message: String },
    #[error(
        "Tesseract does not start with the language '{language}'; run scripts/setup, which installs tesseract-ocr-{language}"
    )]
    Tesseract { language: String },
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    #[error("field {field}: its picture cannot be encoded: {source}")]
    Picture { field: String, source: png::EncodingError },
}

/// The models of a reader process, on one thread.
pub struct Readers {
    pub(super) digits: CellModel,
    pub(super) katakana: CellModel,
    /// None where the settings have them off.
    pub(super) lines: Option<LineReaders>,
    /// None where the settings have the lexicon off.
    pub(super) names: Option<Names>,
    pub(super) fusion: Fusion,
    /// None where they have not been fetched; nothing is then said of banks and branches.
    pub(super) banks: Option<BankTable>,
    files: BTreeMap<String, Sha256>,
}

pub(super) struct LineReaders {
    pub model: LineModel,
    pub combs: CombReaders,
    pub tesseract: Tesseract,
}

/// Reads combs as lines, each in its alphabet.
pub(super) struct CombReaders {
    digits: LineAlphabet,
    kana: LineAlphabet,
}

impl CombReaders {
    fn of(model: &LineModel) -> Self {
        Self { digits: model.alphabet(Alphabet::Digits), kana: model.alphabet(Alphabet::Kana) }
    }

    /// What `model` says of a comb's cells, given what the cell model read; none where nothing is
    /// written.
    pub fn read(
        &self,
        model: &LineModel,
        kind: FieldKind,
        cells: &[Option<Cell>],
        read: &[CharacterReading],
    ) -> Result<Option<Vec<Option<CharacterReading>>>, ReadError> {
        let is_mark = |cell: usize| matches!(read[cell].value.as_str(), "゛" | "゜");
        let inked = |cell: usize| cells[cell].clone().filter(|_| read[cell].state != CellState::Blank);
        let cells: Vec<Option<Cell>> = (0..cells.len()).map(inked).collect();
        let Some(line) = CombLine::of(&cells, is_mark) else { return Ok(None) };
        let posteriors = model.posteriors(&line.gray)?;
        let alphabet = if kind == FieldKind::Kana { &self.kana } else { &self.digits };
        Ok(Some(line.readings(&posteriors, alphabet, cells.len())))
    }
}

impl Readers {
    /// Loads the cell models and, where `read.line_models` is on, the line model and Tesseract; the table
    /// of banks where there is one. Some 0.25 s and 160 MiB.
    pub fn load(settings: &Settings) -> Result<Self, ReadError> {
        let threads = Arc::new(ThreadPool::with_num_threads(1));
        let own = |name: &str| settings.paths.models.join(name);
        let mut paths = vec![own(DIGITS), own(KATAKANA)];
        let digits = CellModel::load(&own(DIGITS), &threads)?;
        let katakana = CellModel::load(&own(KATAKANA), &threads)?;
        let lines = if settings.read.line_models {
            let model = LineModel::load(&own(LINES), &settings.paths.onnx_runtime())?;
            paths.push(own(LINES));
            let combs = CombReaders::of(&model);
            Some(LineReaders { model, combs, tesseract: Tesseract::start(LANGUAGE)? })
        } else {
            None
        };
        let names = if settings.read.lexicon {
            let path = own(NAMES);
            let names = Names::load(&path)?;
            paths.push(path);
            Some(names)
        } else {
            None
        };
        let files = paths.iter().map(|path| Ok((name_of(path), digest_of(path)?)));
        let mut files = files.collect::<Result<BTreeMap<_, _>, ReadError>>()?;
        let banks = match BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases) {
            Ok(table) => Some(table),
            Err(error @ ReferenceError::Missing(_)) => {
                tracing::warn!(%error, "reading without knowledge of banks and branches");
                None
            }
            Err(error) => return Err(error.into()),
        };
        files.extend(banks.iter().map(|table| (BANKS.to_owned(), table.digest)));
        Ok(Self { digits, katakana, lines, names, fusion: Fusion::default(), banks, files })
    }

    /// Fuses the two readers of combs with these weights from now on.
    pub fn weigh(&mut self, fusion: Fusion) {
        self.fusion = fusion;
    }

    /// The banks that exist; none where the table has not been fetched.
    pub fn banks(&self) -> Option<&BankTable> {
        self.banks.as_ref()
    }

    /// SHA-256 of each model file by name, and of the table of banks, for a record's provenance.
    pub fn files(&self) -> &BTreeMap<String, Sha256> {
        &self.files
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn digest_of(path: &Path) -> Result<Sha256, ReadError> {
    Ok(Sha256::of(&model_bytes(path)?))
}

pub(super) fn model_bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path).map_err(|source| ReadError::Missing { path: path.to_owned(), source })
}
