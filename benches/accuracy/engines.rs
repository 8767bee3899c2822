//! Other engines, each alone, as somebody would use it who has nothing else: the picture of a field
//! in, a text out. Nothing of ours helps them, and nothing of theirs is tuned.

use std::path::{Path, PathBuf};

use anyhow::Context;
use image::GrayImage;
use image::imageops::FilterType;
use rten::Model;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use tesseract::{PageSegMode, Tesseract};
use uketsuke::form::FieldKind;
use uketsuke::settings::Settings;

/// The resolution of the crops.
const DPI: i32 = 300;

/// PP-OCRv6 small as it was published, below `paths.vendor` (`scripts/setup --published-lines`).
const PUBLISHED_LINES: &str = "PP-OCRv6_rec_small.onnx";

/// The height of PP-OCR's input, and the least width of it, in pixels.
const LINE_HEIGHT: u32 = 48;
const LEAST_WIDTH: u32 = 48;

const DIGITS: &str = "0123456789";
const KATAKANA: &str = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポヴァィゥェォッャュョー゛゜ ";

/// Something that reads the picture of a comb as one line.
pub trait Engine {
    fn name(&self) -> &'static str;

    /// None where it is not meant for fields of this kind.
    fn read(&mut self, crop: &GrayImage, kind: FieldKind) -> anyhow::Result<Option<String>>;
}

/// All that the chain is held against.
pub fn all(settings: &Settings) -> anyhow::Result<Vec<Box<dyn Engine>>> {
    let line_model = settings.paths.vendor.join(PUBLISHED_LINES);
    Ok(vec![
        Box::new(TesseractLine::start("Tesseract 5 jpn", "jpn", None)?),
        Box::new(TesseractLine::start("Tesseract 5 eng", "eng", None)?),
        Box::new(TesseractLine::start("Tesseract 5 eng, digits only", "eng", Some(DIGITS))?),
        Box::new(PpOcr::load("PP-OCRv6", &line_model, false)?),
        Box::new(PpOcr::load("PP-OCRv6, its characters only", &line_model, true)?),
    ])
}

/// Tesseract, told that the picture is one line.
struct TesseractLine {
    name: &'static str,
    language: &'static str,
    whitelist: Option<&'static str>,
    /// Its calls take the engine and give it back.
    engine: Option<Tesseract>,
}

impl TesseractLine {
    fn start(
        name: &'static str,
        language: &'static str,
        whitelist: Option<&'static str>,
    ) -> anyhow::Result<Self> {
        let mut engine = Tesseract::new(None, Some(language))
            .with_context(|| format!("Tesseract does not start with '{language}'"))?
            .set_variable("debug_file", "/dev/null")?;
        if let Some(whitelist) = whitelist {
            engine = engine.set_variable("tessedit_char_whitelist", whitelist)?;
        }
        engine.set_page_seg_mode(PageSegMode::PsmSingleLine);
        Ok(Self { name, language, whitelist, engine: Some(engine) })
    }
}

impl Engine for TesseractLine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, crop: &GrayImage, kind: FieldKind) -> anyhow::Result<Option<String>> {
        if kind == FieldKind::Kana && (self.language != "jpn" || self.whitelist.is_some()) {
            return Ok(None);
        }
        let (width, height) = (crop.width() as i32, crop.height() as i32);
        let engine = self.engine.take().context("Tesseract was lost to an earlier error")?;
        let mut engine = engine.set_frame(crop.as_raw(), width, height, 1, width)?.set_source_resolution(DPI);
        let text = engine.get_text()?;
        self.engine = Some(engine);
        Ok(Some(text))
    }
}

/// PP-OCRv6's recogniser with its own greedy decoding of the whole line.
struct PpOcr {
    name: &'static str,
    model: Model,
    path: PathBuf,
    /// By class; 0 is CTC's blank.
    characters: Vec<String>,
    /// Only the characters that a field can hold count.
    is_restricted: bool,
}

impl PpOcr {
    fn load(name: &'static str, path: &Path, is_restricted: bool) -> anyhow::Result<Self> {
        let model =
            Model::load(std::fs::read(path).with_context(|| format!("{}: unreadable", path.display()))?)
                .with_context(|| format!("{}: unusable", path.display()))?;
        let dictionary = model.metadata().get("character").context("the line model has no dictionary")?;
        let characters = std::iter::once("")
            .chain(dictionary.lines())
            .chain(std::iter::once(" "))
            .map(str::to_owned)
            .collect();
        Ok(Self { name, model, path: path.to_owned(), characters, is_restricted })
    }

    fn may_be(&self, class: usize, kind: FieldKind) -> bool {
        let allowed = if kind == FieldKind::Digits { DIGITS } else { KATAKANA };
        class == 0 || !self.is_restricted || allowed.contains(self.characters[class].as_str())
    }
}

impl Engine for PpOcr {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, crop: &GrayImage, kind: FieldKind) -> anyhow::Result<Option<String>> {
        let ratio = f64::from(crop.width()) / f64::from(crop.height().max(1));
        let width = ((f64::from(LINE_HEIGHT) * ratio).round() as u32).max(LEAST_WIDTH);
        let line = image::imageops::resize(crop, width, LINE_HEIGHT, FilterType::Triangle);
        let input = NdTensor::from_fn([1, 3, LINE_HEIGHT as usize, width as usize], |[_, _, y, x]| {
            f32::from(line.get_pixel(x as u32, y as u32).0[0]) / 127.5 - 1.0
        });
        let output = self
            .model
            .run_one(input.view().into(), None)
            .with_context(|| format!("{}: fails", self.path.display()))?;
        let output: NdTensor<f32, 3> = output.try_into().ok().context("the line model's output is flat")?;
        let allowed: Vec<bool> = (0..self.characters.len()).map(|class| self.may_be(class, kind)).collect();
        let mut text = String::new();
        let mut before = 0;
        for step in 0..output.size(1) {
            let row = output.slice((0, step));
            let (best, _) = row
                .iter()
                .enumerate()
                .filter(|(class, _)| allowed[*class])
                .fold((0, f32::MIN), |best, (class, &next)| if next > best.1 { (class, next) } else { best });
            if best != before {
                text.push_str(&self.characters[best]);
            }
            before = best;
        }
        Ok(Some(text))
    }
}
