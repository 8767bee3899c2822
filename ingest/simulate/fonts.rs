//! Fonts drawn after handwriting, as glyph outlines, in three groups that never meet: what a reader
//! of handwriting is trained on, what its confidence is fitted on, and what it is tested on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use ttf_parser::{Face, OutlineBuilder};

use super::SimulateError;
use super::hand::placed;

/// Whose handwriting is imitated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Hands {
    /// Fonts and strokes that no model of ours is trained on.
    Testing,
    /// Fonts and strokes that models may be trained on.
    Training,
    /// Fonts that neither train nor test anything: for calibration. scripts/calibrate installs them.
    Calibrating,
}

/// Where Debian puts fonts; the names are of the packages in `scripts/setup`.
const FOLDER: &str = "/usr/share/fonts/truetype";
const TESTING: [&str; 5] = [
    "kiloji/kiloji.ttf",
    "kiloji/kiloji_b.ttf",
    "kiloji/kiloji_d.ttf",
    "kiloji/kiloji_p.ttf",
    "seto/setofont.ttf",
];
const TRAINING: [&str; 3] =
    ["klee/KleeOne-Regular.ttf", "klee/KleeOne-SemiBold.ttf", "yusei-magic/YuseiMagic-Regular.ttf"];
const CALIBRATING: [&str; 4] = [
    "yozvox-yozfont/YOzRS_.ttf",
    "yozvox-yozfont/YOzRS_90.ttf",
    "yozvox-yozfont/YOzRSX.ttf",
    "yozvox-yozfont/YOzBS_.ttf",
];
/// What passbooks and cards are printed with.
const PRINTED: &str = "/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf";

/// The fonts of one group, and one for print.
pub struct Fonts {
    pub(super) group: Hands,
    pub(super) handwritten: Vec<Font>,
    pub(super) printed: Font,
}

/// A font's outlines.
pub struct Font {
    bytes: Vec<u8>,
}

impl Fonts {
    /// Reads the fonts of `group` from where Debian installs them.
    ///
    /// # Errors
    /// A font that is not installed, with its path.
    pub fn load(group: Hands) -> Result<Self, SimulateError> {
        let names: &[&str] = match group {
            Hands::Testing => &TESTING,
            Hands::Training => &TRAINING,
            Hands::Calibrating => &CALIBRATING,
        };
        let handwritten =
            names.iter().map(|name| Font::load(&Path::new(FOLDER).join(name))).collect::<Result<_, _>>()?;
        Ok(Self { group, handwritten, printed: Font::for_print()? })
    }
}

impl Font {
    /// The one for print.
    ///
    /// # Errors
    /// It is not installed.
    pub fn for_print() -> Result<Self, SimulateError> {
        Self::load(Path::new(PRINTED))
    }

    /// The outlines of a line of print whose baseline begins at (0, 0), `em` high, x to the right and
    /// y down, with every point put through `place`.
    pub fn line(&self, text: &str, em: f64, place: impl Fn(f64, f64) -> (f32, f32)) -> Vec<tiny_skia::Path> {
        let face = self.face();
        let baseline = f64::from(face.ascender()) / f64::from(face.units_per_em());
        let mut along = 0.0;
        let mut paths = Vec::new();
        for character in text.chars() {
            let Some(glyph) = glyph(&face, character) else {
                along += em / 2.0;
                continue;
            };
            let at = |[x, y]: [f32; 2]| place(along + f64::from(x) * em, (f64::from(y) - baseline) * em);
            paths.extend(placed(&glyph, at));
            along += f64::from(glyph.advance) * em;
        }
        paths
    }

    fn load(path: &Path) -> Result<Self, SimulateError> {
        let unusable = |reason: String| SimulateError::Font { path: PathBuf::from(path), reason };
        let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
        Face::parse(&bytes, 0).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { bytes })
    }

    pub(super) fn face(&self) -> Face<'_> {
        Face::parse(&self.bytes, 0).expect("it was parsed when it was loaded")
    }
}

/// A glyph's outline in its em square: x to the right from 0, y down, 1 the size of the em.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    pub advance: f32,
    /// Left, top, right and bottom of the ink.
    pub bounds: [f32; 4],
    pub outline: Vec<Segment>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Segment {
    Move([f32; 2]),
    Line([f32; 2]),
    Quad([f32; 2], [f32; 2]),
    Cubic([f32; 2], [f32; 2], [f32; 2]),
    Close,
}

/// None where the font has no such character, or an empty one.
pub(super) fn glyph(face: &Face<'_>, character: char) -> Option<Glyph> {
    let id = face.glyph_index(character)?;
    let em = f32::from(face.units_per_em());
    let top = f32::from(face.ascender()) / em;
    let mut collector = Collector { em, top, outline: Vec::new() };
    let bounds = face.outline_glyph(id, &mut collector)?;
    Some(Glyph {
        advance: f32::from(face.glyph_hor_advance(id)?) / em,
        bounds: [
            f32::from(bounds.x_min) / em,
            top - f32::from(bounds.y_max) / em,
            f32::from(bounds.x_max) / em,
            top - f32::from(bounds.y_min) / em,
        ],
        outline: collector.outline,
    })
}

struct Collector {
    em: f32,
    /// Of the em square above the baseline, in ems.
    top: f32,
    outline: Vec<Segment>,
}

impl Collector {
    fn point(&self, x: f32, y: f32) -> [f32; 2] {
        [x / self.em, self.top - y / self.em]
    }
}

impl OutlineBuilder for Collector {
    fn move_to(&mut self, x: f32, y: f32) {
        self.outline.push(Segment::Move(self.point(x, y)));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.outline.push(Segment::Line(self.point(x, y)));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.outline.push(Segment::Quad(self.point(x1, y1), self.point(x, y)));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.outline.push(Segment::Cubic(self.point(x1, y1), self.point(x2, y2), self.point(x, y)));
    }

    fn close(&mut self) {
        self.outline.push(Segment::Close);
    }
}
