//! What simulated handwriting is made of.

use std::path::Path;

use super::SimulateError;
use super::digit_pictures::DigitPictures;
use super::fonts::{Fonts, Hands};

/// What the characters in boxes are made of. Lines of any characters are always of fonts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Writing {
    /// Most digits as strokes of a pen, some as fonts have them; kana of fonts.
    #[default]
    Mixed,
    /// As fonts have them.
    Fonts,
    /// Digits and katakana as strokes of a pen.
    Strokes,
}

/// Everything that hands are made of.
pub struct Material {
    pub(super) fonts: Fonts,
    pub(super) writing: Writing,
    /// Real digits, in place of any other.
    pub(super) digits: Option<DigitPictures>,
}

impl Material {
    /// Reads the fonts of `hands` and, where a folder is named, MNIST's test digits from it.
    ///
    /// # Errors
    /// A font or a picture that cannot be used, or material for testing in hands for training.
    pub fn load(hands: Hands, writing: Writing, digits_from: Option<&Path>) -> Result<Self, SimulateError> {
        if hands == Hands::Training && (writing == Writing::Strokes || digits_from.is_some()) {
            return Err(SimulateError::ForTestingOnly);
        }
        Ok(Self {
            fonts: Fonts::load(hands)?,
            writing,
            digits: digits_from.map(DigitPictures::load).transpose()?,
        })
    }
}
