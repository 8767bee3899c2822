//! The account holder against the head of the household (the decision table of domain rules 3.3): only
//! a name that is the same, blanks aside, is a match. Everything else goes to people, with the case
//! that says how the names differ.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kana::ZenginName;

/// How two names compare; the first that fits, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HolderCase {
    /// The same, blanks and points aside.
    Exact,
    /// The same as another name that the register has for the head (通称, 旧氏).
    Alias,
    /// A company or shop name.
    Business,
    /// Of a guardian, or of their ward.
    Guardian,
    /// The same names in another order.
    Swapped,
    /// The same but for sound marks and long vowels: most of all a misreading.
    Soft,
    /// The given name is the same, the family name is not.
    Maiden,
    /// The family name is the same, the given name is not.
    Family,
    /// So near that it may be misread.
    Near,
    /// Another name.
    Other,
}

impl HolderCase {
    /// Pays without a person.
    pub fn is_match(self) -> bool {
        matches!(self, Self::Exact | Self::Alias)
    }

    /// What staff read.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::Exact => "世帯主名と一致",
            Self::Alias => "通称・旧氏と一致",
            Self::Business => "法人・屋号の口座の疑い",
            Self::Guardian => "成年後見人等の口座の疑い",
            Self::Swapped => "姓名の順序が逆",
            Self::Soft => "濁点・長音のみ相違(読み誤りの疑い)",
            Self::Maiden => "名が同じで姓が相違(旧姓の疑い)",
            Self::Family => "姓が同じで名が相違(家族の口座の疑い)",
            Self::Near => "よく似た名義(読み誤りの疑い)",
            Self::Other => "世帯主と異なる名義",
        }
    }
}

/// Compares the holder with the head and with their other names.
pub fn compare(holder: &ZenginName, head: &ZenginName, aliases: &[ZenginName]) -> HolderCase {
    let (key, head_key) = (holder.key(), head.key());
    if key == head_key {
        return HolderCase::Exact;
    }
    if aliases.iter().any(|alias| alias.key() == key) {
        return HolderCase::Alias;
    }
    if is_business(holder) {
        return HolderCase::Business;
    }
    if GUARDIANS.iter().any(|word| key.contains(word)) {
        return HolderCase::Guardian;
    }
    let (names, head_names) = (names(holder), names(head));
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    };
    if names.len() > 1 && sorted(&names) == sorted(&head_names) {
        return HolderCase::Swapped;
    }
    if without_long_vowels(&key) == without_long_vowels(&head_key)
        || without_marks(&key) == without_marks(&head_key)
    {
        return HolderCase::Soft;
    }
    if let ([family, given], [head_family, head_given]) = (&names[..], &head_names[..]) {
        if given == head_given {
            return HolderCase::Maiden;
        }
        if family == head_family {
            return HolderCase::Family;
        }
    }
    if distance(&key, &head_key) <= NEAR * head_key.chars().count() as f64 {
        return HolderCase::Near;
    }
    HolderCase::Other
}

/// Names may differ by this share of the head's length and still be near (domain rules 3.3).
const NEAR: f64 = 0.15;

/// What a pair of kana that look alike counts, of 1.
const ALIKE: f64 = 0.3;

/// Kana that are taken for each other in handwriting (domain rules 1.5).
const LOOK_ALIKE: [&str; 9] = ["ｼﾂ", "ｿﾝ", "ｸﾜ", "ｺﾕ", "ﾁﾃ", "ﾅﾒ", "ｽﾇ", "ﾌﾗｵ", "-1"];

const GUARDIANS: [&str; 2] = ["ｾｲﾈﾝｺｳｹﾝﾆﾝ", "ﾋｺｳｹﾝﾆﾝ"];

/// Words of companies and shops; brackets are written for those of law (ｶ), too.
const BUSINESS: [&str; 5] = ["ﾀﾞｲﾋﾖｳ", "ﾀﾞｲﾋﾖｳｼﾔ", "ｼﾖｳﾃﾝ", "ｺｳﾑﾃﾝ", "ｶﾌﾞｼｷｶﾞｲｼﾔ"];

fn is_business(holder: &ZenginName) -> bool {
    holder.as_str().contains(['(', ')']) || names(holder).iter().any(|name| BUSINESS.contains(&name.as_str()))
}

fn names(name: &ZenginName) -> Vec<String> {
    name.as_str().split([' ', '.']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The vowel that a kana ends in, as ｱ ｲ ｳ ｴ ｵ; none of ﾝ and other characters.
fn vowel(kana: char) -> Option<char> {
    const ROWS: [(char, &str); 5] =
        [('ｱ', "ｱｶｻﾀﾅﾊﾏﾔﾗﾜ"), ('ｲ', "ｲｷｼﾁﾆﾋﾐﾘ"), ('ｳ', "ｳｸｽﾂﾇﾌﾑﾕﾙ"), ('ｴ', "ｴｹｾﾃﾈﾍﾒﾚ"), ('ｵ', "ｵｺｿﾄﾉﾎﾓﾖﾛ")];
    ROWS.iter().find(|(_, row)| row.contains(kana)).map(|&(vowel, _)| vowel)
}

/// Key K3 of the rules: ﾕｳｺ, ﾕ-ｺ and ﾕｺ are the same.
fn without_long_vowels(key: &str) -> String {
    let mut kept = String::with_capacity(key.len());
    let mut before = None;
    for character in key.chars() {
        let lengthens = match character {
            '-' => true,
            'ｵ' => before == Some('ｵ'),
            'ｳ' => matches!(before, Some('ｳ' | 'ｵ')),
            'ｲ' | 'ｴ' => before == Some('ｴ'),
            _ => false,
        };
        if lengthens {
            continue;
        }
        kept.push(character);
        if !matches!(character, 'ﾞ' | 'ﾟ') {
            before = vowel(character);
        }
    }
    kept
}

/// Key K4: K3 without sound marks; ﾁﾞ is ｼﾞ, ﾂﾞ is ｽﾞ.
fn without_marks(key: &str) -> String {
    let same = without_long_vowels(key).replace("ﾁﾞ", "ｼﾞ").replace("ﾂﾞ", "ｽﾞ");
    same.chars().filter(|character| !matches!(character, 'ﾞ' | 'ﾟ')).collect()
}

/// How much of two names differs: their distance, as a share of the longer one's letters.
pub(super) fn share_that_differs(one: &ZenginName, other: &ZenginName) -> f64 {
    let (one, other) = (one.key(), other.key());
    let longest = one.chars().count().max(other.chars().count()).max(1);
    distance(&one, &other) / longest as f64
}

/// Damerau and Levenshtein's, in which kana that look alike are nearer to each other.
fn distance(one: &str, other: &str) -> f64 {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).map(|place| place as f64).collect::<Vec<f64>>()];
    for (i, &a) in one.iter().enumerate() {
        let mut row = vec![(i + 1) as f64];
        for (j, &b) in other.iter().enumerate() {
            let above = &rows[i];
            let mut best = (above[j] + exchange(a, b)).min(above[j + 1] + 1.0).min(row[j] + 1.0);
            if i > 0 && j > 0 && a == other[j - 1] && one[i - 1] == b {
                best = best.min(rows[i - 1][j - 1] + 1.0);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows.last().and_then(|row| row.last()).copied().unwrap_or(0.0)
}

fn exchange(a: char, b: char) -> f64 {
    let alike = |pair: &&str| pair.contains(a) && pair.contains(b);
    match a == b {
        true => 0.0,
        false if LOOK_ALIKE.iter().any(alike) => ALIKE,
        false => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> ZenginName {
        ZenginName::of(text).expect("kana")
    }

    fn case(holder: &str, head: &str) -> HolderCase {
        compare(&name(holder), &name(head), &[name("ヨコハマ　ハナコ"), name("ALLEN JACKSON")])
    }

    /// The table of domain rules 3.3, a row or more of each case.
    #[test]
    fn every_case_of_the_table_is_told_apart() {
        use HolderCase::{Alias, Business, Exact, Family, Guardian, Maiden, Near, Other, Soft, Swapped};
        for (holder, head, expected) in [
            ("サトウ ジョウジ", "さとう　じょうじ", Exact),
            ("サトウジヨウジ", "サトウ　ジョウジ", Exact),
            ("スミス.ジョン", "スミス ジョン", Exact),
            ("ヨコハマハナコ", "カワサキ　ハナコ", Alias),
            ("ALLEN  JACKSON", "スズキ イチロウ", Alias),
            ("ジョン スミス", "スミス ジョン", Swapped),
            ("ジョン スミス リー", "スミス ジョン リー", Swapped),
            ("ヤマサキ ユウコ", "ヤマザキ ユウコ", Soft),
            ("ヤマザキ ユーコ", "ヤマザキ ユウコ", Soft),
            ("オオノ ケイコ", "オノ ケーコ", Soft),
            ("シヅカ ミヂ", "シズカ ミジ", Soft),
            ("カワサキ ハナ", "ヨコハマ ハナ", Maiden),
            ("サトウ ハナコ", "サトウ ジョウジ", Family),
            ("カ)サトウショウテン", "サトウ ジョウジ", Business),
            ("サトウ ジョウジ ダイヒョウ", "サトウ ジョウジ", Business),
            ("スズキ セイネンコウケンニン サトウ", "サトウ ジョウジ", Guardian),
            ("ソトウヅョウジ", "ソトウ ジョウジ", Near),
            ("タナカ イチロウ", "サトウ ジョウジ", Other),
        ] {
            assert_eq!(case(holder, head), expected, "{holder} / {head}");
        }
    }

    #[test]
    fn a_mark_that_is_lost_or_a_kana_that_looks_alike_is_never_a_match() {
        for holder in ["サトウ ジヨウシ", "サトウ ジヨウツ", "サトウ", "サトウ ジ", "サトウ ジヨウジロウ"]
        {
            assert!(!case(holder, "サトウ ジョウジ").is_match(), "{holder}");
        }
    }

    proptest! {
        #[test]
        fn only_the_same_letters_match(holder in "[ア-ン ]{1,12}", head in "[ア-ン ]{1,12}") {
            if let (Ok(holder), Ok(head)) = (ZenginName::of(&holder), ZenginName::of(&head)) {
                prop_assert_eq!(compare(&holder, &head, &[]).is_match(), holder.key() == head.key());
                prop_assert_eq!(compare(&holder, &head, &[]) == HolderCase::Exact, compare(&head, &holder, &[]) == HolderCase::Exact);
            }
        }

        #[test]
        fn the_distance_is_that_of_letters(one in "[ｱ-ﾝ]{0,8}", other in "[ｱ-ﾝ]{0,8}") {
            prop_assert_eq!(distance(&one, &one), 0.0);
            prop_assert!((distance(&one, &other) - distance(&other, &one)).abs() < 1e-9);
            prop_assert!(distance(&one, &other) <= one.chars().count().max(other.chars().count()) as f64 + 1e-9);
        }
    }
}
