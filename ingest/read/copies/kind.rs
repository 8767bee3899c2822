//! What a copy is of, by the words printed on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CopyKind {
    /// 通帳.
    Passbook,
    /// キャッシュカード.
    CashCard,
    /// 運転免許証.
    Licence,
    /// The front of an individual number card, which has no number.
    NumberCardFront,
    /// The back of one, or a 通知カード: what must not be sent.
    NumberCardBack,
    /// 健康保険証 and its like.
    InsuranceCard,
    /// 年金手帳 and its like.
    PensionBook,
    Passport,
    /// 在留カード, 特別永住者証明書.
    ResidenceCard,
    /// Another paper that says who somebody is.
    OtherProof,
}

impl CopyKind {
    /// Shows whose account it is.
    pub fn is_of_account(self) -> bool {
        matches!(self, Self::Passbook | Self::CashCard)
    }

    /// Shows who somebody is.
    pub fn is_of_identity(self) -> bool {
        !self.is_of_account() && self != Self::NumberCardBack
    }
}

/// Words that stand on one kind of copy only; the first kind whose word is found is taken. What
/// carries numbers that must go comes first.
const WORDS: [(CopyKind, &[&str]); 10] = [
    (CopyKind::NumberCardBack, &["通知カード", "個人番号通知書"]),
    (CopyKind::PensionBook, &["年金手帳", "基礎年金番号", "年金証書"]),
    (
        CopyKind::InsuranceCard,
        &[
            "被保険者証",
            "保険者番号",
            "健康保険",
            "被保険者",
            "保険者名称",
            "資格取得年月日",
            "後期高齢者医療",
            "資格確認書",
        ],
    ),
    (CopyKind::NumberCardFront, &["個人番号カード", "マイナンバーカード"]),
    (CopyKind::Licence, &["運転免許証", "公安委員会", "運転経歴証明書", "免許の条件等"]),
    (CopyKind::Passport, &["PASSPORT", "旅券番号", "日本国旅券"]),
    (CopyKind::ResidenceCard, &["在留カード", "RESIDENCECARD", "特別永住者", "在留資格", "在留期間"]),
    (CopyKind::CashCard, &["キャッシュカード", "CASHCARD", "ICキャッシュ", "VALIDTHRU"]),
    (
        CopyKind::Passbook,
        &[
            "総合口座",
            "通帳",
            "普通預金",
            "当座預金",
            "口座番号",
            "お取引店",
            "通常貯金",
            "他金融機関からの振込",
            "店番",
        ],
    ),
    (
        CopyKind::OtherProof,
        &["障害者手帳", "住民票", "印鑑登録", "住民基本台帳カード", "学生証", "身分証明書"],
    ),
];

/// Longer rows are sentences: a form that speaks of documents is none of them.
const LONGEST_ROW: usize = 36;

/// The kind of copy that the rows of print are of; none where no word tells.
pub(super) fn kind(rows: &[&str]) -> Option<CopyKind> {
    let mut tidy: Vec<Vec<char>> = rows.iter().map(|row| letters(row)).collect();
    tidy.retain(|row| row.len() <= LONGEST_ROW);
    if tidy.iter().any(|row| names_a_number(row)) {
        return Some(CopyKind::NumberCardBack);
    }
    let has = |word: &&str| tidy.iter().any(|row| contains(row, word));
    WORDS.iter().find(|(_, words)| words.iter().any(has)).map(|&(kind, _)| kind)
}

/// Whether a row carries a text, but for a few letters.
pub(super) fn carries(row: &str, text: &str) -> bool {
    contains(&letters(row), &letters(text).into_iter().collect::<String>())
}

/// A row that is a label of the individual number: the word in a sentence, or in the name of the card,
/// is none.
fn names_a_number(row: &[char]) -> bool {
    const LABEL: &str = "個人番号";
    const LONGEST: usize = 22;
    let short = row.len() <= LONGEST && contains(row, LABEL);
    short && !["番号カード", "個人番号力ード", "個人番号ヵード"].iter().any(|card| contains(row, card))
}

/// Without blanks, in capitals.
fn letters(row: &str) -> Vec<char> {
    row.chars().filter(|character| !character.is_whitespace()).flat_map(char::to_uppercase).collect()
}

/// Whether a word stands in a row; of four letters one may be misread, of eight two.
fn contains(row: &[char], word: &str) -> bool {
    let word: Vec<char> = word.chars().collect();
    let wrong = |window: &[char]| window.iter().zip(&word).filter(|(a, b)| a != b).count();
    row.windows(word.len()).any(|window| wrong(window) <= word.len() / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_a_copy_is_of() {
        for (rows, expected) in [
            (&["氏名 山田 太郎", "見本 運転免許証"][..], Some(CopyKind::Licence)),
            (&["運転免計証"], Some(CopyKind::Licence)),
            (&["横浜銀行 総合口座通帳"], Some(CopyKind::Passbook)),
            (&["個人番号カード", "氏名 山田 太郎"], Some(CopyKind::NumberCardFront)),
            (&["個人番号 1234 5678 9018"], Some(CopyKind::NumberCardBack)),
            (&["個人番号", "1234"], Some(CopyKind::NumberCardBack)),
            (&["国民健康保険被保険者証", "記号 12 番号 345"], Some(CopyKind::InsuranceCard)),
            (&["年金手帳"], Some(CopyKind::PensionBook)),
            (&["マイナンバー(個人番号)が記載された面、通知カドの写しは送らないでください"], None),
            (
                &[
                    "運転免許証、マイナンバーカード(表面のみ)、健康保険証、年金手帳、パスポート、在留カードなど",
                ],
                None,
            ),
            (&["お知らせ"], None),
        ] {
            assert_eq!(kind(rows), expected, "{rows:?}");
        }
    }
}
