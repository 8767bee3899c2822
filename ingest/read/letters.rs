//! Texts as hypotheses about a line: how likely is it that exactly this is written there?
//!
//! What looks the same is the same letter: 一 and ー, ニ and 二, ケ and ヶ, 高 and 髙 differ for
//! whoever knows the word, not on paper. A blank between words is not counted.

use std::collections::HashMap;

use super::ctc::{FLOOR, Posteriors, ln_forward};

/// Characters that are told apart by nothing that a line model sees, or that stand for each other
/// in names. Variants of one character that only some registers and no models know are here too.
const ALIKE: &[&str] = &[
    "ー一－-‐−―—",
    "〇○◯0O",
    "二ニ",
    "三ミ",
    "八ハ",
    "カヵ力",
    "ケヶ",
    "口ロ",
    "夕タ",
    "工エ",
    "卜ト",
    "へヘ",
    "べベ",
    "ぺペ",
    "りリ",
    "ツッ",
    "つっ",
    "ヤャ",
    "ユュ",
    "ヨョ",
    "高髙",
    "崎﨑嵜",
    "浜濱濵",
    "沢澤",
    "国國",
    "斎斉齋齊",
    "辺邊邉",
    "広廣",
    "桜櫻",
    "竜龍",
    "亀龜",
    "鉄鐵",
    "島嶋嶌",
    "峰峯",
    "関關",
    "栄榮",
    "真眞",
    "恵惠",
    "槙槇",
    "曽曾",
    "学學",
    "与與",
    "富冨",
    "吉𠮷",
    "徳德",
    "横橫",
    "内內",
];

/// A letter of [`Letters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Letter(usize);

/// Stands for any character: the first letter of all.
const ANY: Letter = Letter(0);

/// The posteriors of a line by letter, worked out as letters are asked for.
pub(super) struct Letters<'a> {
    posteriors: &'a Posteriors<'a>,
    /// Blanks, between characters and between words, step by step.
    blank: Vec<f64>,
    /// By character; those alike have one letter, which is none where the model knows none of them.
    known: HashMap<char, Option<Letter>>,
    /// By letter and step.
    emissions: Vec<Vec<f64>>,
    /// By letter: the logarithm of a bound on the chance that it stands anywhere on the line.
    ln_anywhere: Vec<f64>,
}

impl<'a> Letters<'a> {
    pub fn of(posteriors: &'a Posteriors<'a>) -> Self {
        let space = posteriors.class(' ');
        let at = |step: usize, class: usize| f64::from(posteriors.step(step)[class]);
        let blank: Vec<f64> = (0..posteriors.steps())
            .map(|step| (at(step, 0) + space.map_or(0.0, |space| at(step, space))).max(FLOOR.into()))
            .collect();
        let any = blank.iter().map(|blank| (1.0 - blank).max(FLOOR.into())).collect();
        let mut letters =
            Self { posteriors, blank, known: HashMap::new(), emissions: Vec::new(), ln_anywhere: Vec::new() };
        letters.add(any);
        letters
    }

    /// The letters of a text; none where the model does not know one of them.
    pub fn spell(&mut self, text: &str) -> Option<Vec<Letter>> {
        text.chars().filter(|character| !character.is_whitespace()).map(|one| self.letter(one)).collect()
    }

    /// The letters of a text; for one that the model does not know, any will do.
    pub fn spell_known(&mut self, text: &str) -> Vec<Letter> {
        let written = text.chars().filter(|character| !character.is_whitespace());
        written.map(|character| self.letter(character).unwrap_or(ANY)).collect()
    }

    fn letter(&mut self, character: char) -> Option<Letter> {
        if let Some(&letter) = self.known.get(&character) {
            return letter;
        }
        let single = character.to_string();
        let alike = ALIKE.iter().find(|alike| alike.contains(character)).copied().unwrap_or(&single);
        let wide = |character: char| {
            character.is_ascii_graphic().then(|| char::from_u32(u32::from(character) + 0xfee0)).flatten()
        };
        let variants = alike.chars().flat_map(|variant| [Some(variant), wide(variant)]).flatten();
        let mut classes: Vec<usize> = variants.filter_map(|variant| self.posteriors.class(variant)).collect();
        classes.sort_unstable();
        classes.dedup();
        let letter = (!classes.is_empty()).then(|| {
            let emission = |step: usize| {
                let row = self.posteriors.step(step);
                classes.iter().map(|&class| f64::from(row[class])).sum::<f64>().max(FLOOR.into())
            };
            let emissions = (0..self.posteriors.steps()).map(emission).collect();
            self.add(emissions)
        });
        self.known.extend(alike.chars().map(|variant| (variant, letter)));
        letter
    }

    fn add(&mut self, emissions: Vec<f64>) -> Letter {
        self.ln_anywhere.push(emissions.iter().sum::<f64>().min(1.0).ln());
        self.emissions.push(emissions);
        Letter(self.emissions.len() - 1)
    }

    /// What the logarithm of a text's probability cannot exceed; costs next to nothing. The steps
    /// are independent of each other, so letters that each need a step stand in each other's way:
    /// the chance that all of them stand on the line is at most the product of their own chances
    /// (negative association of multinomial counts, Joag-Dev and Proschan 1983).
    pub fn ln_bound(&self, word: &[Letter]) -> f64 {
        let first = |(place, letter): &(usize, &Letter)| !word[..*place].contains(letter);
        let distinct = word.iter().enumerate().filter(first);
        // A letter for any character overlaps with the others.
        distinct.filter(|(_, letter)| **letter != ANY).map(|(_, letter)| self.ln_anywhere[letter.0]).sum()
    }

    /// The natural logarithm of the probability that the line reads exactly `word`; none where it
    /// is too short for it.
    pub fn ln_probability(&self, word: &[Letter]) -> Option<f64> {
        let labels: Vec<usize> = word.iter().map(|letter| letter.0).collect();
        let emits = |label: usize, step: usize| self.emissions[label][step];
        ln_forward(self.posteriors.steps(), &labels, |step| self.blank[step], emits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows over blank, 〇, 0, 一, 二, 横.
    const KNOWN: [char; 5] = ['〇', '0', '一', '二', '横'];

    fn index() -> HashMap<char, usize> {
        KNOWN.iter().enumerate().map(|(place, &character)| (character, place + 1)).collect()
    }

    fn posteriors<'a>(index: &'a HashMap<char, usize>, rows: &[[f32; 6]]) -> Posteriors<'a> {
        Posteriors::new(rows.concat(), 6, index, 1.0)
    }

    const ROWS: [[f32; 6]; 4] = [
        [0.1, 0.4, 0.4, 0.0, 0.05, 0.05],
        [0.7, 0.1, 0.0, 0.1, 0.1, 0.0],
        [0.1, 0.0, 0.0, 0.8, 0.1, 0.0],
        [0.9, 0.0, 0.0, 0.0, 0.0, 0.1],
    ];

    #[test]
    fn what_looks_the_same_counts_together() {
        let index = index();
        let posteriors = posteriors(&index, &ROWS);
        let mut letters = Letters::of(&posteriors);
        let mut ln = |text| letters.spell(text).map(|word| letters.ln_probability(&word));
        assert_eq!(ln("〇一"), ln("0ー"));
        assert!(ln("〇一") > ln("〇二"));
        assert_eq!(ln("浜"), None);
    }

    #[test]
    fn a_character_that_the_model_lacks_may_be_any() {
        let index = index();
        let posteriors = posteriors(&index, &ROWS);
        let mut letters = Letters::of(&posteriors);
        let known = letters.spell_known("〇浜");
        let other = letters.spell_known("横浜");
        assert!(letters.ln_probability(&known) > letters.ln_probability(&other));
    }

    #[test]
    fn no_text_is_likelier_than_its_bound() {
        let index = index();
        let posteriors = posteriors(&index, &ROWS);
        let mut letters = Letters::of(&posteriors);
        for text in ["", "〇", "〇〇", "一二", "〇一〇", "横", "二一横", "一〇一"] {
            let word = letters.spell(text).expect("known");
            let ln = letters.ln_probability(&word).unwrap_or(f64::NEG_INFINITY);
            assert!(ln <= letters.ln_bound(&word) + 1e-9, "{text}");
        }
    }
}
