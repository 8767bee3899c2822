//! How the names of banks and branches are written by hand.

use super::{BankCode, Branch};

/// One way to write a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Spelling {
    pub text: String,
    /// How much rarer somebody who means this bank or branch, and writes this text, is than with a
    /// text that names it fully: 0 to 1.
    pub weight: f64,
}

/// A kind of institution: how the table abbreviates it at the end of a name, in full, and how
/// people write it otherwise.
struct Kind {
    short: &'static str,
    full: &'static str,
    also: &'static [&'static str],
    /// Stands before the name instead.
    before: Option<&'static str>,
}

const KINDS: [Kind; 7] = [
    Kind { short: "信金", full: "信用金庫", also: &["しんきん"], before: None },
    Kind { short: "信組", full: "信用組合", also: &[], before: None },
    Kind { short: "労金", full: "労働金庫", also: &["ろうきん"], before: None },
    Kind { short: "農協", full: "農業協同組合", also: &[], before: Some("JA") },
    Kind { short: "信連", full: "信用農業協同組合連合会", also: &[], before: Some("JA") },
    Kind { short: "信漁連", full: "信用漁業協同組合連合会", also: &[], before: None },
    Kind { short: "漁協", full: "漁業協同組合", also: &[], before: None },
];

/// A bank may go without 銀行; whoever leaves out 信用金庫 or the like is rare, as the form asks for
/// it, and as 横浜 alone is 横浜銀行.
const WITHOUT_BANK: f64 = 0.7;
const WITHOUT_KIND: f64 = 0.01;

/// A suffix that the branch does not have, or one left out that tells it from another branch.
const UNUSUAL: f64 = 0.05;

/// The official name, of the table's short one: 横浜銀行 of 横浜, 横浜信用金庫 of 横浜信金.
pub(super) fn official(code: BankCode, short: &str) -> String {
    match kind(code, short) {
        Some((stem, kind)) => format!("{stem}{}", kind.full),
        None if is_bank(code, short) => format!("{short}銀行"),
        None => short.to_owned(),
    }
}

/// All spellings, each once.
pub(super) fn of_bank(code: BankCode, short: &str, aliases: &[String]) -> Vec<Spelling> {
    let mut spellings = Vec::new();
    let mut add = |text: String, weight: f64| {
        if !spellings.iter().any(|spelling: &Spelling| spelling.text == text) {
            spellings.push(Spelling { text, weight });
        }
    };
    add(official(code, short), 1.0);
    match kind(code, short) {
        Some((stem, kind)) => {
            add(short.to_owned(), 1.0);
            kind.also.iter().for_each(|suffix| add(format!("{stem}{suffix}"), 1.0));
            if let Some(before) = kind.before {
                add(format!("{before}{stem}"), 1.0);
            }
            add(stem.to_owned(), WITHOUT_KIND);
        }
        None => add(short.to_owned(), WITHOUT_BANK),
    }
    aliases.iter().for_each(|alias| add(alias.clone(), 1.0));
    spellings
}

impl Branch {
    /// All spellings, each once.
    pub fn spellings(&self) -> Vec<Spelling> {
        let name = self.name.as_str();
        let mut spellings = vec![Spelling { text: name.to_owned(), weight: 1.0 }];
        let mut add = |text: String, weight: f64| {
            if !text.is_empty() && !spellings.iter().any(|spelling| spelling.text == text) {
                spellings.push(Spelling { text, weight });
            }
        };
        match name.strip_suffix("出張所") {
            Some(stem) => {
                add(stem.to_owned(), UNUSUAL);
                add(format!("{stem}支店"), UNUSUAL);
            }
            None if name.starts_with("本店") => {
                add("本店".to_owned(), if name == "本店" { 1.0 } else { WITHOUT_BANK });
                add("本店営業部".to_owned(), WITHOUT_BANK);
                add("本所".to_owned(), UNUSUAL);
            }
            None if name.ends_with(['店', '部', '所']) => {}
            None => {
                add(format!("{name}支店"), 1.0);
                add(format!("{name}支所"), UNUSUAL);
                add(format!("{name}店"), UNUSUAL);
            }
        }
        // ゆうちょ's branches are called by their digits.
        if name.chars().all(|character| "〇一二三四五六七八九".contains(character)) {
            add(self.code.to_string(), 1.0);
        }
        spellings
    }
}

fn kind(code: BankCode, short: &str) -> Option<(&str, &'static Kind)> {
    // 0001 to 0999 are banks, whatever their names end with.
    let kinds = KINDS.iter().filter(|_| code.0[0] != b'0');
    kinds.filter_map(|kind| Some((short.strip_suffix(kind.short)?, kind))).find(|(stem, _)| !stem.is_empty())
}

fn is_bank(code: BankCode, short: &str) -> bool {
    // 02 are payment services; foreign banks have their word for it in the name.
    let is_ours = code.0[0] == b'0' && &code.0[..2] != b"02" || short.ends_with("信託");
    (is_ours && !short.contains("バンク")) || code == BankCode::YUCHO
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::BranchCode;

    fn code(text: &str) -> BankCode {
        BankCode::parse(text).expect("a code")
    }

    #[test]
    fn official_names_say_what_kind_of_institution_it_is() {
        for (bank, short, name) in [
            ("0138", "横浜", "横浜銀行"),
            ("0288", "三菱UFJ信託", "三菱UFJ信託銀行"),
            ("0200", "ワイズ・ペイメンツ・ジャパン", "ワイズ・ペイメンツ・ジャパン"),
            ("0401", "シティバンク、エヌ・エイ", "シティバンク、エヌ・エイ"),
            ("1000", "信金中央金庫", "信金中央金庫"),
            ("1280", "横浜信金", "横浜信用金庫"),
            ("2950", "労金連", "労金連"),
            ("5114", "横浜農協", "横浜農業協同組合"),
            ("9900", "ゆうちょ", "ゆうちょ銀行"),
        ] {
            assert_eq!(official(code(bank), short), name);
        }
    }

    #[test]
    fn a_name_alone_means_the_bank_before_the_cooperative() {
        let weight = |bank: &str, short: &str| {
            let spellings = of_bank(code(bank), short, &[]);
            spellings.iter().find(|spelling| spelling.text == "横浜").map(|spelling| spelling.weight)
        };
        assert!(weight("0138", "横浜") > weight("1280", "横浜信金"));
        assert!(weight("5114", "横浜農協").is_some());
    }

    #[test]
    fn branches_go_with_and_without_their_suffix() {
        let spellings = |code: &str, name: &str| -> Vec<String> {
            let code = BranchCode::parse(code).expect("a code");
            let branch = Branch { code, name: name.to_owned(), kana: String::new() };
            branch.spellings().into_iter().map(|spelling| spelling.text).collect()
        };
        assert_eq!(spellings("310", "関内"), ["関内", "関内支店", "関内支所", "関内店"]);
        assert_eq!(spellings("200", "本店営業部"), ["本店営業部", "本店", "本所"]);
        assert_eq!(spellings("123", "金沢出張所"), ["金沢出張所", "金沢", "金沢支店"]);
        assert!(spellings("058", "〇五八").contains(&"058".to_owned()));
    }
}
