//! What the register says as a hypothesis about a line.

use unicode_normalization::UnicodeNormalization;

use super::CharacterReading;
use super::ctc::Posteriors;
use super::letters::Letters;

/// An alternative that was too unlikely to be listed counts as this likely.
const UNLISTED: f64 = 0.001;

/// How much `posteriors` speak for `expected` against the best other reading, 0 to 1: the share of
/// the expected text's probability in the sum of both. The odds are tempered by half the number of
/// characters, so that the score tells how alike a long name and its line are, and not how long it
/// is: a name that is read as expected has some 0.95, one with a character that the ink contradicts
/// less than 0.1.
///
/// Width variants and blanks do not count, nor do variants of one character (高, 髙) nor what the
/// model does not know (a rare variant of a name's character): there any ink will do.
pub(super) fn of_line(posteriors: &Posteriors<'_>, read: &[CharacterReading], expected: &str) -> f64 {
    let mut letters = Letters::of(posteriors);
    let normal = |text: &str| text.nfkc().collect::<String>();
    let hypothesis = letters.spell_known(&normal(expected));
    let text: String = read.iter().map(|character| character.value.as_str()).collect();
    let other = letters.spell_known(&normal(&text));
    if hypothesis.is_empty() {
        return 0.0;
    }
    let Some(ln_expected) = letters.ln_probability(&hypothesis) else { return 0.0 };
    let ln_read = letters.ln_probability(&other).unwrap_or(f64::NEG_INFINITY);
    // Where the line reads what is expected, the best other reading is one character off.
    let ln_other = if other == hypothesis { ln_read + ln_least_change(read) } else { ln_read };
    let temper = (hypothesis.len() as f64 / 2.0).max(1.0);
    1.0 / (1.0 + ((ln_other - ln_expected) / temper).exp())
}

/// By how much the likeliest change of one character makes a reading less likely.
fn ln_least_change(read: &[CharacterReading]) -> f64 {
    let changes = read.iter().filter(|character| !character.value.trim().is_empty()).map(|character| {
        let next = character.alternatives.first().map_or(0.0, |next| next.confidence);
        next.max(UNLISTED) / character.confidence.max(UNLISTED)
    });
    changes.fold(UNLISTED, f64::max).ln()
}
