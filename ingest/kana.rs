//! Names in the character set of bank transfers: the one form in which holders of accounts are
//! compared and published (rules of the bank association's appendix 1; domain rules 3.1).

use std::fmt;

use unicode_normalization::UnicodeNormalization;

/// A party's name as a transfer file writes it: half-width kana with ﾞ and ﾟ as characters of their
/// own, no small kana, no ｦ, `-` for a long vowel, single blanks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZenginName(String);

/// Names are personal.
impl fmt::Debug for ZenginName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ZenginName(***)")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KanaError {
    /// `place` counts characters of the normalised text from 0.
    #[error("character {} of the name cannot be written in a transfer file", place + 1)]
    Refused { place: usize },
    #[error("the name has no characters")]
    Empty,
}

/// Full-width kana of the set, and the half-width kana that they become; voiced ones are taken apart
/// before. Small and old kana become those that banks write.
const KANA: [(char, char); 65] = [
    ('ア', 'ｱ'),
    ('イ', 'ｲ'),
    ('ウ', 'ｳ'),
    ('エ', 'ｴ'),
    ('オ', 'ｵ'),
    ('カ', 'ｶ'),
    ('キ', 'ｷ'),
    ('ク', 'ｸ'),
    ('ケ', 'ｹ'),
    ('コ', 'ｺ'),
    ('サ', 'ｻ'),
    ('シ', 'ｼ'),
    ('ス', 'ｽ'),
    ('セ', 'ｾ'),
    ('ソ', 'ｿ'),
    ('タ', 'ﾀ'),
    ('チ', 'ﾁ'),
    ('ツ', 'ﾂ'),
    ('テ', 'ﾃ'),
    ('ト', 'ﾄ'),
    ('ナ', 'ﾅ'),
    ('ニ', 'ﾆ'),
    ('ヌ', 'ﾇ'),
    ('ネ', 'ﾈ'),
    ('ノ', 'ﾉ'),
    ('ハ', 'ﾊ'),
    ('ヒ', 'ﾋ'),
    ('フ', 'ﾌ'),
    ('ヘ', 'ﾍ'),
    ('ホ', 'ﾎ'),
    ('マ', 'ﾏ'),
    ('ミ', 'ﾐ'),
    ('ム', 'ﾑ'),
    ('メ', 'ﾒ'),
    ('モ', 'ﾓ'),
    ('ヤ', 'ﾔ'),
    ('ユ', 'ﾕ'),
    ('ヨ', 'ﾖ'),
    ('ラ', 'ﾗ'),
    ('リ', 'ﾘ'),
    ('ル', 'ﾙ'),
    ('レ', 'ﾚ'),
    ('ロ', 'ﾛ'),
    ('ワ', 'ﾜ'),
    ('ン', 'ﾝ'),
    ('ヲ', 'ｵ'),
    ('ヰ', 'ｲ'),
    ('ヱ', 'ｴ'),
    ('ァ', 'ｱ'),
    ('ィ', 'ｲ'),
    ('ゥ', 'ｳ'),
    ('ェ', 'ｴ'),
    ('ォ', 'ｵ'),
    ('ッ', 'ﾂ'),
    ('ャ', 'ﾔ'),
    ('ュ', 'ﾕ'),
    ('ョ', 'ﾖ'),
    ('ヮ', 'ﾜ'),
    ('ヵ', 'ｶ'),
    ('ヶ', 'ｹ'),
    ('・', '.'),
    ('゛', VOICED),
    ('\u{3099}', VOICED),
    ('゜', HALF_VOICED),
    ('\u{309a}', HALF_VOICED),
];

const VOICED: char = 'ﾞ';
const HALF_VOICED: char = 'ﾟ';

/// Which kana take a mark.
const TAKES_VOICED: &str = "ｳｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎ";
const TAKES_HALF_VOICED: &str = "ﾊﾋﾌﾍﾎ";

/// Characters that people write for a long vowel or a hyphen.
const DASHES: &str = "ー－−‐‑‒–—―─━ｰ-";

impl ZenginName {
    /// Half-width and full-width, small and large, hiragana and katakana alike.
    ///
    /// # Errors
    /// A character that no transfer file may hold (kanji, a sound mark without its kana), with its
    /// place; no reading is guessed.
    pub fn of(text: &str) -> Result<Self, KanaError> {
        let folded = text.chars().map(|character| if DASHES.contains(character) { '-' } else { character });
        let mut name = String::with_capacity(text.len());
        // NFKC joins half-width kana with their marks and folds full-width letters, and turns a
        // stand-alone mark into a blank and a combining one; NFD takes the marks off again.
        let marked = folded.map(|character| match character {
            '゛' => '\u{3099}',
            '゜' => '\u{309a}',
            other => other,
        });
        for (place, character) in marked.nfkc().nfd().enumerate() {
            let refused = KanaError::Refused { place };
            let last = name.chars().next_back();
            match narrow(character).ok_or(refused)? {
                ' ' if last.is_none() || last == Some(' ') => {}
                VOICED if !last.is_some_and(|last| TAKES_VOICED.contains(last)) => return Err(refused),
                HALF_VOICED if !last.is_some_and(|last| TAKES_HALF_VOICED.contains(last)) => {
                    return Err(refused);
                }
                narrow => name.push(narrow),
            }
        }
        name.truncate(name.trim_end().len());
        if name.is_empty() { Err(KanaError::Empty) } else { Ok(Self(name)) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One byte a character in a transfer file, which has room for 30.
    pub fn bytes(&self) -> usize {
        self.0.chars().count()
    }

    /// What two writings of one name share: without blanks and points (key K2 of the rules).
    pub fn key(&self) -> String {
        self.0.chars().filter(|character| !matches!(character, ' ' | '.')).collect()
    }
}

impl fmt::Display for ZenginName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn narrow(character: char) -> Option<char> {
    match character {
        ' ' | '(' | ')' | '-' | '.' | 'A'..='Z' | '0'..='9' => Some(character),
        'a'..='z' => Some(character.to_ascii_uppercase()),
        'ぁ'..='ゖ' => narrow(katakana(character)),
        _ => KANA.iter().find(|(wide, _)| *wide == character).map(|&(_, narrow)| narrow),
    }
}

/// The katakana of a hiragana; any other character as it is.
pub fn katakana(character: char) -> char {
    match character {
        // The two blocks run alike.
        'ぁ'..='ゖ' => char::from_u32(character as u32 + 0x60).unwrap_or(character),
        other => other,
    }
}

/// The large form of small kana; any other character as it is.
pub fn large(character: char) -> char {
    let place = "ァィゥェォッャュョヮヵヶ".chars().position(|small| small == character);
    place.and_then(|place| "アイウエオツヤユヨワカケ".chars().nth(place)).unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Option<String> {
        ZenginName::of(text).ok().map(|name| name.to_string())
    }

    #[test]
    fn every_way_of_writing_a_name_gives_one() {
        for text in ["さとう　じょうじ", "ｻﾄｳ ｼﾞｮｳｼﾞ", "サトウ　ジヨウジ", " サトウ  シ゛ョウシ゛ "]
        {
            assert_eq!(name(text).as_deref(), Some("ｻﾄｳ ｼﾞﾖｳｼﾞ"), "{text}");
        }
        assert_eq!(name("ヱビス　ヰチロウ").as_deref(), Some("ｴﾋﾞｽ ｲﾁﾛｳ"));
        assert_eq!(name("ヲノ　カヲル").as_deref(), Some("ｵﾉ ｶｵﾙ"));
        assert_eq!(name("ミュラー−ヨハン").as_deref(), Some("ﾐﾕﾗ--ﾖﾊﾝ"));
        assert_eq!(name("スミス・ジョン　Ａ").as_deref(), Some("ｽﾐｽ.ｼﾞﾖﾝ A"));
        assert_eq!(name("キャノン（カ").as_deref(), Some("ｷﾔﾉﾝ(ｶ"));
        assert_eq!(ZenginName::of("ヴァン・ゴッホ").expect("kana").key(), "ｳﾞｱﾝｺﾞﾂﾎ");
        assert_eq!(ZenginName::of("ｻﾄｳ ｼﾞｮｳｼﾞ").expect("kana").bytes(), 10);
    }

    #[test]
    fn what_no_file_may_hold_is_refused_with_its_place() {
        assert_eq!(ZenginName::of("サトウ太郎"), Err(KanaError::Refused { place: 3 }));
        assert_eq!(ZenginName::of("ヷン"), Err(KanaError::Refused { place: 1 }));
        assert_eq!(ZenginName::of("゛ア"), Err(KanaError::Refused { place: 0 }));
        assert_eq!(ZenginName::of("　"), Err(KanaError::Empty));
    }

    proptest! {
        #[test]
        fn a_normal_name_stays_as_it_is(text in "[ア-ンァ-ヶー・ A-Za-zあ-ん]{1,30}") {
            if let Ok(name) = ZenginName::of(&text) {
                prop_assert_eq!(ZenginName::of(name.as_str()), Ok(name.clone()));
                prop_assert!(!name.as_str().contains("  "));
            }
        }
    }
}
