//! What a passbook or a cash card says of its account, out of its lines of print. Labels tell what a
//! value is, wherever a bank prints it; what is not clear is left out.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::bank_account::BankAccount;
use crate::kana::ZenginName;
use crate::reference::{self, Bank, BankTable, Branch, BranchCode};

/// A value that a copy shows.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CopiedValue {
    /// As the form's field of that name has it.
    pub value: String,
    /// That of the least sure character of its line, 0 to 1.
    pub confidence: f64,
}

/// Accounts and names are personal.
impl fmt::Debug for CopiedValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CopiedValue(***)")
    }
}

/// The account that a copy shows, by the names of the form's fields.
pub type AccountCopy = BTreeMap<String, CopiedValue>;

/// A line of print.
#[derive(Debug, Clone)]
pub(super) struct Print {
    /// Of one width (NFKC).
    pub text: String,
    /// Of its least sure character.
    pub confidence: f64,
    /// Its left end and its middle in the direction of reading, and down, in millimetres.
    pub left: f64,
    pub down: f64,
    pub length: f64,
    pub height: f64,
}

impl Print {
    pub fn new(text: &str, confidence: f64, place: &super::lines::Place) -> Self {
        let (along, down) = place.middle();
        Self {
            text: text.nfkc().collect(),
            confidence,
            left: along - place.length / 2.0,
            down,
            length: place.length,
            height: place.height,
        }
    }

    fn bare(&self) -> String {
        self.text.chars().filter(|letter| !letter.is_whitespace()).collect()
    }

    /// Digits with nothing between them.
    fn numbers(&self) -> impl Iterator<Item = &str> {
        self.text.split(|letter: char| !letter.is_ascii_digit()).filter(|number| !number.is_empty())
    }

    fn value(&self, value: impl Into<String>) -> CopiedValue {
        CopiedValue { value: value.into(), confidence: self.confidence }
    }
}

/// Below this a line says nothing: one of its characters is a guess.
const LEGIBLE: f64 = 0.5;

/// How far below its label a value stands, as a multiple of its height, and how far beside.
const BELOW: f64 = 3.2;
const BESIDE_MM: f64 = 25.0;
/// How far to the left of its label a value below may begin.
const ASTRAY_MM: f64 = 8.0;

const BRANCH_LABELS: [&str; 4] = ["店番", "支店番号", "店舗番号", "店番号"];
const NUMBER_LABELS: [&str; 2] = ["口座番号", "口座No"];
const HOLDER_LABELS: [&str; 6] = ["おなまえ", "お名前", "ご名義", "名義人", "おところ", "口座名義"];
const BRANCH_NAME_LABELS: [&str; 4] = ["お取引店", "取扱店", "お取扱店", "店名"];

/// What the lines say of an account. Without a table of banks neither bank nor branch is told.
pub(super) fn account(lines: &[Print], banks: Option<&BankTable>) -> AccountCopy {
    let legible: Vec<&Print> = lines.iter().filter(|line| line.confidence >= LEGIBLE).collect();
    let mut account = AccountCopy::new();
    let mut tell = |field: &str, value: Option<CopiedValue>| {
        if let Some(value) = value {
            account.entry(field.to_owned()).or_insert(value);
        }
    };
    if let Some((symbol, number, confidence)) = giro(&legible) {
        let of = |value: String| Some(CopiedValue { value, confidence });
        if let Some(paid) = BankAccount::of_yucho(&symbol, &number) {
            tell("bank_code", of(paid.bank.to_string()));
            tell("branch_code", of(paid.branch.to_string()));
            tell("account_number", of(paid.number.to_string()));
        }
        tell("yucho_symbol", of(symbol));
        tell("yucho_number", of(number));
        tell("account_holder_kana", holder(&legible, None));
        return account;
    }
    let bank = banks.and_then(|banks| bank(&legible, banks));
    tell("bank_code", bank.map(|(bank, line)| line.value(bank.code.to_string())));
    tell("branch_code", branch(&legible, bank.map(|(bank, _)| bank)));
    tell("account_type", kind(&legible));
    let of_seven = |text: &str| text.len() == 7;
    tell("account_number", labelled(&legible, &NUMBER_LABELS, of_seven).or_else(|| lone(&legible, of_seven)));
    tell("account_holder_kana", holder(&legible, bank.map(|(bank, _)| bank)));
    account
}

/// ゆうちょ's 記号 and 番号: two numbers whose check digit holds, on a copy that is ゆうちょ's.
fn giro(lines: &[&Print]) -> Option<(String, String, f64)> {
    let is_giro = |line: &&Print| {
        ["ゆうちょ", "記号", "通常貯金", "通常貯蓄"].iter().any(|word| line.bare().contains(word))
    };
    if !lines.iter().any(is_giro) {
        return None;
    }
    let numbers = || lines.iter().flat_map(|line| line.numbers().map(|number| (number, line.confidence)));
    let mut found = numbers().filter(|(symbol, _)| symbol.len() == 5).flat_map(|(symbol, sure)| {
        numbers()
            .filter(move |(number, _)| {
                (6..=8).contains(&number.len()) && reference::check_digit_holds(symbol, number)
            })
            .map(move |(number, also)| (symbol.to_owned(), number.to_owned(), sure.min(also)))
    });
    found.next()
}

/// The bank whose name stands on the copy: the longest that does.
fn bank<'t, 'l>(lines: &[&'l Print], banks: &'t BankTable) -> Option<(&'t Bank, &'l Print)> {
    let bare: Vec<(String, &Print)> = lines.iter().map(|line| (line.bare(), *line)).collect();
    let mut best: Option<(usize, &Bank, &Print)> = None;
    for bank in banks.banks() {
        let names = bank.spellings.iter().filter(|spelling| spelling.weight > 0.5);
        for name in names.map(|spelling| spelling.text.as_str()) {
            let length = name.chars().count();
            // 横浜 alone is a town.
            if length < 4 || best.is_some_and(|(longest, ..)| length <= longest) {
                continue;
            }
            if let Some((_, line)) = bare.iter().find(|(text, _)| text.contains(name)) {
                best = Some((length, bank, line));
            }
        }
    }
    best.map(|(_, bank, line)| (bank, line))
}

/// The branch's code, as it is printed or as its name tells; none where the two disagree.
fn branch(lines: &[&Print], bank: Option<&Bank>) -> Option<CopiedValue> {
    let code = labelled(lines, &BRANCH_LABELS, |text| text.len() == 3);
    let name = bank.and_then(|bank| branch_by_name(lines, bank));
    match (code, name) {
        (Some(code), Some(name)) if code.value != name.value => None,
        (Some(code), Some(name)) => {
            Some(CopiedValue { confidence: code.confidence.max(name.confidence), ..code })
        }
        (Some(code), None) => {
            let exists =
                |bank: &Bank| BranchCode::parse(&code.value).is_some_and(|code| bank.branch(code).is_some());
            bank.is_none_or(exists).then_some(code)
        }
        (None, name) => name,
    }
}

fn branch_by_name(lines: &[&Print], bank: &Bank) -> Option<CopiedValue> {
    let named = lines.iter().filter_map(|line| {
        let bare = line.bare();
        let label = BRANCH_NAME_LABELS
            .iter()
            .find_map(|label| bare.split_once(label).map(|(_, name)| name.to_owned()));
        let rest = label.filter(|name| !name.is_empty());
        let ends = ["支店", "出張所", "営業部", "支所"].iter().any(|end| bare.ends_with(end));
        rest.or_else(|| ends.then_some(bare)).map(|name| (name, *line))
    });
    let mut found = named.filter_map(|(name, line)| match branches_named(bank, &name)[..] {
        [branch] => Some(line.value(branch.code.to_string())),
        _ => None,
    });
    found.next()
}

/// The branches of a bank of that very name.
fn branches_named<'t>(bank: &'t Bank, name: &str) -> Vec<&'t Branch> {
    let is_named = |branch: &&Branch| {
        branch.spellings().iter().any(|spelling| spelling.weight >= 1.0 && name == spelling.text)
    };
    bank.branches().iter().filter(is_named).collect()
}

fn kind(lines: &[&Print]) -> Option<CopiedValue> {
    let has = |word: &str| lines.iter().find(|line| line.bare().contains(word));
    match (has("当座預金"), has("普通預金").or_else(|| has("総合口座"))) {
        (Some(line), None) => Some(line.value("current")),
        (None, Some(line)) => Some(line.value("ordinary")),
        _ => None,
    }
}

/// The number that a label names: behind it, beside it, or below.
fn labelled(lines: &[&Print], labels: &[&str], is_right: impl Fn(&str) -> bool) -> Option<CopiedValue> {
    for label in lines {
        let bare = label.bare();
        let Some(rest) = labels.iter().find_map(|name| bare.split_once(name).map(|(_, rest)| rest)) else {
            continue;
        };
        let behind = rest.split(|letter: char| !letter.is_ascii_digit()).find(|number| !number.is_empty());
        if let Some(number) = behind.filter(|number| is_right(number)) {
            return Some(label.value(number));
        }
        let distance = |line: &Print| {
            let (right, down) = (line.left - label.left, line.down - label.down);
            let is_beside = down.abs() < 0.6 * label.height.max(line.height)
                && (0.0..BESIDE_MM + label.length).contains(&right);
            let is_below = (0.0..BELOW * line.height.max(label.height)).contains(&down)
                && (-ASTRAY_MM..label.length + ASTRAY_MM).contains(&right);
            (is_beside || is_below).then(|| right.abs() + down.abs())
        };
        let near = lines.iter().filter_map(|line| {
            let number = line.numbers().find(|number| is_right(number))?;
            Some((distance(line)?, line.value(number)))
        });
        if let Some((_, value)) = near.min_by(|a, b| a.0.total_cmp(&b.0)) {
            return Some(value);
        }
    }
    None
}

/// The only number of its kind.
fn lone(lines: &[&Print], is_right: impl Fn(&str) -> bool) -> Option<CopiedValue> {
    let mut found = lines.iter().flat_map(|line| line.numbers().map(move |number| (number, line)));
    let (number, line) = found.find(|(number, _)| is_right(number))?;
    found.all(|(other, _)| other == number || !is_right(other)).then(|| line.value(number))
}

/// The holder in kana: the longest row of nothing but kana that is no label and no branch of the bank. Family and given
/// name may be lines of their own.
fn holder(lines: &[&Print], bank: Option<&Bank>) -> Option<CopiedValue> {
    let mut kana: Vec<Print> = lines.iter().filter_map(|line| in_kana(line)).collect();
    kana.sort_by(|a, b| a.left.total_cmp(&b.left));
    let mut rows: Vec<Print> = Vec::new();
    for line in kana {
        match rows.iter_mut().find(|row| is_next_name(row, &line)) {
            Some(row) => {
                row.text = format!("{} {}", row.text, line.text);
                row.confidence = row.confidence.min(line.confidence);
                row.length = line.left + line.length - row.left;
            }
            None => rows.push(line),
        }
    }
    let is_branch = |name: &str| bank.is_some_and(|bank| !branches_named(bank, name).is_empty());
    let names = rows.iter().filter(|row| !is_branch(&row.bare())).filter_map(|row| {
        let count = row.text.chars().filter(|letter| is_katakana(*letter)).count();
        let name = ZenginName::of(&row.text).ok().filter(|_| count >= 3)?;
        Some((count, row.value(name.as_str())))
    });
    names.max_by_key(|(count, _)| *count).map(|(_, value)| value)
}

/// The line without its label and 様, where it is nothing but kana then.
fn in_kana(line: &Print) -> Option<Print> {
    let name = line.text.trim();
    let name = name.strip_suffix('様').or_else(|| name.strip_suffix("サマ")).unwrap_or(name).trim();
    let name = HOLDER_LABELS.iter().fold(name, |name, label| name.strip_prefix(label).unwrap_or(name).trim());
    let is_kana = |letter: char| is_katakana(letter) || " ー-()・.゛゜".contains(letter);
    let is_name = name.chars().any(is_katakana)
        && name.chars().all(is_kana)
        && !name.contains("カード")
        && !name.contains("クレジット");
    is_name.then(|| Print { text: name.to_owned(), ..line.clone() })
}

fn is_katakana(letter: char) -> bool {
    ('ァ'..='ヺ').contains(&letter)
}

/// How far apart family and given name stand, as a multiple of their height.
const BETWEEN_NAMES: f64 = 2.5;

/// Whether a line goes on with the name that a row begins; it begins no farther left.
fn is_next_name(row: &Print, line: &Print) -> bool {
    let height = row.height.max(line.height);
    let gap = line.left - (row.left + row.length);
    (row.down - line.down).abs() < 0.5 * height && (-0.5 * height..BETWEEN_NAMES * height).contains(&gap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn banks() -> BankTable {
        let settings = Settings::load(None).expect("shipped settings");
        BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup has run")
    }

    fn told(lines: &[(&str, f64, f64)]) -> Vec<String> {
        let print = |&(text, left, down): &(&str, f64, f64)| Print {
            text: text.nfkc().collect(),
            confidence: 0.9,
            left,
            down,
            length: 2.5 * text.chars().count() as f64,
            height: 3.0,
        };
        let lines: Vec<Print> = lines.iter().map(print).collect();
        let account = account(&lines, Some(&banks()));
        account.into_iter().map(|(field, copied)| format!("{field}={}", copied.value)).collect()
    }

    #[test]
    fn values_stand_below_beside_or_behind_their_labels() {
        let expected = [
            "account_holder_kana=ｻﾄｳ ｼﾞﾕﾝ",
            "account_number=0123456",
            "account_type=ordinary",
            "bank_code=0138",
            "branch_code=310",
        ];
        let below = [
            ("横浜銀行 総合口座通帳", 5.0, 5.0),
            ("店番", 6.0, 21.0),
            ("310", 6.0, 26.0),
            ("科目", 28.0, 21.0),
            ("普通預金", 28.0, 26.0),
            ("口座番号", 58.0, 21.0),
            ("0123456", 58.0, 26.0),
            ("おなまえ", 6.0, 37.0),
            ("ｻﾄｳ ｼﾞｭﾝ", 6.0, 43.0),
            ("佐藤 純 様", 6.0, 51.0),
            ("お取引店 関内", 6.0, 65.0),
        ];
        assert_eq!(told(&below), expected);
        let behind = [
            ("横浜銀行 関内支店", 5.0, 5.0),
            ("普通預金", 5.0, 12.0),
            ("店番 310 口座番号 0123456", 5.0, 20.0),
            ("サトウ ジュン 様", 5.0, 30.0),
        ];
        assert_eq!(told(&behind), expected);
    }

    #[test]
    fn a_code_and_a_name_of_two_branches_tell_none() {
        let two = [("横浜銀行", 5.0, 5.0), ("店番 310", 5.0, 12.0), ("お取引店 上大岡", 5.0, 20.0)];
        assert_eq!(told(&two), ["bank_code=0138"]);
        let unknown = [("横浜銀行", 5.0, 5.0), ("店番 999", 5.0, 12.0)];
        assert_eq!(told(&unknown), ["bank_code=0138"]);
    }

    #[test]
    fn the_holder_is_no_branch_and_may_be_two_lines() {
        let net = [("ドコモSMTBネット銀行", 5.0, 5.0), ("お取引店", 6.0, 65.0), ("ミカン", 28.0, 65.0)];
        assert_eq!(told(&net), ["bank_code=0038"]);
        let parts = [("横浜銀行", 5.0, 5.0), ("ﾋﾛｼ", 16.0, 43.0), ("ﾜﾀﾞ", 6.0, 43.2), ("佐藤", 6.0, 51.0)];
        assert_eq!(told(&parts), ["account_holder_kana=ﾜﾀﾞ ﾋﾛｼ", "bank_code=0138"]);
        let apart = [("横浜銀行", 5.0, 5.0), ("ﾀﾅｶ ﾋﾛｼ", 6.0, 43.0), ("ﾐﾎﾝ", 60.0, 43.0)];
        assert_eq!(told(&apart), ["account_holder_kana=ﾀﾅｶ ﾋﾛｼ", "bank_code=0138"]);
    }

    #[test]
    fn a_giro_account_is_told_by_its_check_digit() {
        let digit = reference::check_digit("10200", "12345671").expect("a number");
        let symbol = format!("102{digit}0");
        let lines = [
            ("ゆうちょ銀行 通常貯金", 5.0, 5.0),
            ("記号", 6.0, 21.0),
            (symbol.as_str(), 6.0, 26.0),
            ("番号", 40.0, 21.0),
            ("12345671", 40.0, 26.0),
        ];
        let expected = [
            "account_number=1234567".to_owned(),
            "bank_code=9900".to_owned(),
            "branch_code=028".to_owned(),
            "yucho_number=12345671".to_owned(),
            format!("yucho_symbol={symbol}"),
        ];
        assert_eq!(told(&lines), expected);
        let misread = [("ゆうちょ銀行", 5.0, 5.0), (symbol.as_str(), 6.0, 26.0), ("12345611", 40.0, 26.0)];
        assert_eq!(told(&misread), ["bank_code=9900"]);
    }
}
