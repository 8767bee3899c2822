//! What may stand in a comb, and which characters of a line model mean the same ink: a line model
//! knows thousands of characters, and reads ニ as 二 where no context says otherwise.

use crate::kana::katakana;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Digits,
    Kana,
}

const KANA: &str = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン\
                    ガギグゲゴザジズゼゾダヂヅデドバビブベボヴパピプペポー・().-";

/// Other characters of the same shape.
const LIKE_DIGITS: [(char, char); 8] =
    [('O', '0'), ('o', '0'), ('〇', '0'), ('○', '0'), ('l', '1'), ('I', '1'), ('|', '1'), ('ノ', '1')];
const LIKE_KANA: [(char, char); 30] = [
    ('二', 'ニ'),
    ('口', 'ロ'),
    ('力', 'カ'),
    ('夕', 'タ'),
    ('八', 'ハ'),
    ('卜', 'ト'),
    ('工', 'エ'),
    ('千', 'チ'),
    ('三', 'ミ'),
    ('乂', 'メ'),
    ('一', 'ー'),
    ('—', 'ー'),
    ('（', '('),
    ('）', ')'),
    ('．', '.'),
    ('－', '-'),
    ('·', '・'),
    ('ァ', 'ア'),
    ('ィ', 'イ'),
    ('ゥ', 'ウ'),
    ('ェ', 'エ'),
    ('ォ', 'オ'),
    ('ャ', 'ヤ'),
    ('ュ', 'ユ'),
    ('ョ', 'ヨ'),
    ('ッ', 'ツ'),
    ('ヮ', 'ワ'),
    ('ヵ', 'カ'),
    ('ヶ', 'ケ'),
    ('巳', 'ヨ'),
];

impl Alphabet {
    /// The character of the alphabet that `character` stands for; small kana stand for large ones,
    /// hiragana for katakana.
    pub fn meaning(self, character: char) -> Option<char> {
        let same = |pairs: &[(char, char)], character| {
            pairs.iter().find(|(other, _)| *other == character).map(|&(_, own)| own)
        };
        match self {
            Self::Digits if character.is_ascii_digit() => Some(character),
            Self::Digits => {
                let full_width = u32::from(character).wrapping_sub(u32::from('０'));
                char::from_digit(full_width, 10).or_else(|| same(&LIKE_DIGITS, character))
            }
            Self::Kana => {
                let character = katakana(character);
                KANA.contains(character).then_some(character).or_else(|| same(&LIKE_KANA, character))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_the_same_ink_mean_one() {
        assert_eq!(Alphabet::Digits.meaning('７'), Some('7'));
        assert_eq!(Alphabet::Digits.meaning('O'), Some('0'));
        assert_eq!(Alphabet::Digits.meaning('八'), None);
        assert_eq!(Alphabet::Kana.meaning('ょ'), Some('ヨ'));
        assert_eq!(Alphabet::Kana.meaning('二'), Some('ニ'));
        assert_eq!(Alphabet::Kana.meaning('ガ'), Some('ガ'));
        assert_eq!(Alphabet::Kana.meaning('7'), None);
    }
}
