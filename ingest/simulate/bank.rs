//! Banks, branches and accounts that applicants name. The codes are real, the account numbers are
//! drawn by chance.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::random;
use crate::reference::check_digit;

/// A bank with some of its branches, codes as of 2026-08 (PyPI zengin-code 1.1.0.20260824, MIT).
#[derive(Debug)]
pub(super) struct Bank {
    pub code: &'static str,
    pub name: &'static str,
    /// How people also write it.
    pub also: &'static [&'static str],
    /// Code and name.
    pub branches: &'static [(&'static str, &'static str)],
    /// Share of applicants.
    share: f64,
}

const fn bank(
    code: &'static str,
    name: &'static str,
    also: &'static [&'static str],
    branches: &'static [(&'static str, &'static str)],
    share: f64,
) -> Bank {
    Bank { code, name, also, branches, share }
}

/// Yokohama's mix without ゆうちょ, after rules.md 5: 横浜 25, big banks 30, all others 20.
const BANKS: [Bank; 20] = [
    bank(
        "0138",
        "横浜銀行",
        &["横浜", "はまぎん"],
        &[
            ("310", "関内"),
            ("322", "上大岡"),
            ("331", "保土ケ谷"),
            ("335", "二俣川"),
            ("340", "新戸塚"),
            ("200", "本店営業部"),
        ],
        25.0,
    ),
    bank(
        "0001",
        "みずほ銀行",
        &["みずほ"],
        &[("357", "横浜"), ("356", "新横浜"), ("362", "鶴見"), ("363", "戸塚")],
        8.0,
    ),
    bank(
        "0005",
        "三菱UFJ銀行",
        &["三菱UFJ", "三菱東京UFJ銀行"],
        &[("251", "横浜駅前"), ("215", "新横浜"), ("124", "東戸塚"), ("262", "上大岡")],
        10.0,
    ),
    bank(
        "0009",
        "三井住友銀行",
        &["三井住友"],
        &[("547", "横浜駅前"), ("322", "新横浜"), ("566", "上大岡"), ("330", "金沢文庫")],
        9.0,
    ),
    bank("0010", "りそな銀行", &["りそな"], &[("709", "横浜"), ("373", "戸塚"), ("720", "鶴見")], 3.0),
    bank(
        "1280",
        "横浜信用金庫",
        &["横浜信金", "よこしん"],
        &[("004", "鶴見"), ("013", "保土ケ谷"), ("016", "戸塚"), ("018", "上大岡")],
        4.0,
    ),
    bank(
        "1281",
        "かながわ信用金庫",
        &["かながわ信金"],
        &[("012", "二俣川"), ("017", "金沢文庫"), ("040", "横浜西口")],
        1.5,
    ),
    bank("1282", "湘南信用金庫", &["湘南信金"], &[("024", "横浜西口"), ("035", "戸塚")], 1.0),
    bank("1283", "川崎信用金庫", &["川崎信金"], &[("015", "鶴見"), ("057", "日吉")], 1.0),
    bank(
        "5114",
        "横浜農業協同組合",
        &["JA横浜", "横浜農協"],
        &[("019", "戸塚"), ("029", "港北"), ("044", "二俣川")],
        2.5,
    ),
    bank("2963", "中央労働金庫", &["中央労金"], &[("321", "横浜"), ("325", "鶴見"), ("667", "戸塚")], 1.5),
    bank(
        "0036",
        "楽天銀行",
        &["楽天"],
        &[("251", "第一営業"), ("252", "第二営業"), ("253", "第三営業")],
        2.5,
    ),
    bank(
        "0033",
        "PayPay銀行",
        &["ジャパンネット銀行"],
        &[("002", "すずめ"), ("003", "はやぶさ"), ("004", "ふくろう")],
        1.5,
    ),
    bank(
        "0038",
        "ドコモSMTBネット銀行",
        &["住信SBIネット銀行"],
        &[("101", "イチゴ"), ("102", "ブドウ"), ("103", "ミカン")],
        1.5,
    ),
    bank("0137", "きらぼし銀行", &["きらぼし"], &[("037", "横浜"), ("888", "横浜西口")], 0.8),
    bank("0525", "東日本銀行", &["東日本"], &[("502", "横浜")], 0.5),
    bank("0526", "東京スター銀行", &[], &[("201", "横浜")], 0.4),
    bank("0040", "イオン銀行", &["イオン"], &[("051", "本店")], 0.5),
    bank("0142", "山梨中央銀行", &[], &[("101", "本店営業部")], 0.4),
    bank("0130", "常陽銀行", &[], &[("123", "金沢出張所")], 0.4),
];

/// ゆうちょ branches around Yokohama that exist, as digits 2 and 3 of a symbol.
const YUCHO_OFFICES: [&str; 10] = ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09"];

/// ゆうちょ's share of all applicants (rules.md 5).
pub(super) const YUCHO_SHARE: f64 = 0.25;

/// The account that the applicant wants to be paid to.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub kind: AccountKind,
    /// The 7 digits to pay to.
    pub number: String,
}

#[derive(Debug, Clone)]
pub(super) enum AccountKind {
    Bank {
        bank: &'static Bank,
        /// Code and name.
        branch: (&'static str, &'static str),
        current: bool,
    },
    Yucho(Yucho),
}

/// An account of ゆうちょ銀行 as its passbook shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Yucho {
    /// 記号, 5 digits.
    pub symbol: String,
    /// 番号, 7 or 8 digits, the last of them 1.
    pub number: String,
}

impl Yucho {
    /// The branch code of transfers (rules.md 2.6).
    pub(super) fn branch_code(&self) -> String {
        format!("{}8", &self.symbol[1..3])
    }

    /// The branch's name: its code in kanji.
    pub(super) fn branch_name(&self) -> String {
        let kanji = ['〇', '一', '二', '三', '四', '五', '六', '七', '八', '九'];
        self.branch_code().bytes().map(|digit| kanji[usize::from(digit - b'0')]).collect()
    }

    /// The 7 digits that transfers name: 番号 without its last digit.
    pub(super) fn account_number(&self) -> String {
        format!("{:0>7}", &self.number[..self.number.len() - 1])
    }
}

/// Draws an account: a bank, a branch, a number; short numbers begin with zeros.
pub(super) fn account(source: &mut impl Rng) -> Account {
    if source.random_bool(YUCHO_SHARE) {
        let yucho = yucho(source);
        return Account { number: yucho.account_number(), kind: AccountKind::Yucho(yucho) };
    }
    let shares: Vec<(&Bank, f64)> = BANKS.iter().map(|bank| (bank, bank.share)).collect();
    let bank = random::weighted(source, &shares);
    let branch = *bank.branches.choose(source).expect("a bank has a branch");
    let below = random::weighted(source, &[(10_000_000, 0.88), (1_000_000, 0.10), (100_000, 0.02)]);
    let number = format!("{:07}", source.random_range(below / 10..below));
    Account { kind: AccountKind::Bank { bank, branch, current: source.random_bool(0.01) }, number }
}

fn yucho(source: &mut impl Rng) -> Yucho {
    let office = YUCHO_OFFICES.choose(source).expect("there is an office");
    let number = if source.random_bool(0.85) {
        source.random_range(1_000_000..10_000_000)
    } else {
        source.random_range(100_000..1_000_000)
    };
    let number = format!("{number}1");
    let digit = check_digit(&format!("1{office}00"), &number).expect("digits, as many as there are");
    Yucho { symbol: format!("1{office}{digit}0"), number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_can_be_paid_to() {
        let mut source = random::source(1, "accounts");
        for _ in 0..500 {
            let account = account(&mut source);
            assert_eq!(account.number.len(), 7, "{account:?}");
            if let AccountKind::Yucho(yucho) = account.kind {
                assert!(yucho.number.ends_with('1') && yucho.symbol.len() == 5, "{yucho:?}");
                assert_eq!(yucho.branch_code().len(), 3);
            }
        }
    }
}
