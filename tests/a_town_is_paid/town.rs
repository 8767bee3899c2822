//! A town: what its people wrote and meant, and a register in which some of them stand otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use uketsuke::application_id::ApplicationId;
use uketsuke::bank_account::{AccountNumber, AccountType, BankAccount};
use uketsuke::check::{HolderCase, compare};
use uketsuke::kana::ZenginName;
use uketsuke::reference::{BankCode, BankTable, Branch, BranchCode};
use uketsuke::register::{Household, read_register};
use uketsuke::simulate::{PageTruth, Written};
use uketsuke::store::field_decisions::Outcome;
use unicode_normalization::UnicodeNormalization;

/// What was written, and what was meant, by field.
pub type Truth = BTreeMap<String, (String, Option<String>)>;

/// An application as it was sent.
#[derive(Default)]
pub struct Sent {
    pub truth: Truth,
    /// The form's pages that were scanned.
    pub pages: BTreeSet<u32>,
}

impl Sent {
    pub fn value(&self, name: &str) -> Option<&str> {
        self.truth.get(name).and_then(|(_, value)| value.as_deref())
    }

    /// Whether anything stands in the field.
    pub fn is_written(&self, name: &str) -> bool {
        self.truth.get(name).is_some_and(|(written, _)| !written.is_empty())
    }

    /// The account's holder as the applicant means it.
    pub fn holder(&self) -> Option<ZenginName> {
        ZenginName::of(self.value("account_holder_kana")?).ok()
    }

    /// Where the applicant wants the money, and under which name; none where they do not say, or want
    /// none.
    pub fn meant(&self, banks: &BankTable) -> Option<(BankAccount, ZenginName)> {
        if self.is_written("declined") {
            return None;
        }
        let holder = self.holder()?;
        if self.is_written("yucho_symbol") {
            let account = BankAccount::of_yucho(self.value("yucho_symbol")?, self.value("yucho_number")?)?;
            return Some((account, holder));
        }
        let (bank, branch) = self.bank_and_branch(banks)?;
        let number = AccountNumber::parse(self.value("account_number")?)?;
        let kind = AccountType::of_mark(self.value("account_type")?)?;
        let (bank, branch) = (BankCode::parse(&bank)?, BranchCode::parse(&branch)?);
        Some((BankAccount { bank, branch, kind, number }, holder))
    }

    /// Codes of the bank and branch whose names were meant, where a bank account was written.
    pub fn bank_and_branch(&self, banks: &BankTable) -> Option<(String, String)> {
        let bank = banks.banks().iter().find(|bank| Some(bank.name.as_str()) == self.value("bank_name"))?;
        let named = |branch: &&Branch| Some(branch.name.as_str()) == self.value("branch_name");
        let branch = bank.branches().iter().find(named)?;
        Some((bank.code.to_string(), branch.code.to_string()))
    }
}

/// What a person who sees the picture decides.
pub fn seen((written, value): &(String, Option<String>)) -> Outcome {
    match value {
        Some(value) if !written.is_empty() => Outcome::Value(value.clone()),
        _ if written.is_empty() => Outcome::Blank,
        _ => Outcome::Illegible,
    }
}

/// Of every application, all fields of its pages.
pub fn sent(path: &Path) -> BTreeMap<ApplicationId, Sent> {
    let mut sent: BTreeMap<ApplicationId, Sent> = BTreeMap::new();
    for line in std::fs::read_to_string(path).expect("the truth").lines() {
        let page: PageTruth = serde_json::from_str(line).expect("a line of it");
        let application = sent.entry(page.application_id).or_default();
        application.pages.extend(page.page);
        for (name, entry) in page.fields {
            let written = match entry.written {
                Written::Cells(cells) => cells.concat(),
                Written::Line(line) => line,
            };
            application.truth.insert(name, (written, entry.value));
        }
    }
    sent
}

/// How a household stands in the register, other than the letter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// The holder differs so from the head: the head's name was changed.
    Holder(HolderCase),
    /// The amount is not that of the members.
    Amount,
    /// The household is not there.
    NotInRegister,
}

/// Of every so many households one of each kind: more than there are (domain rules 5), so that there is
/// something to count.
const EVERY: usize = 40;

fn seed_of(place: usize) -> Option<Seed> {
    match place % EVERY {
        3 => Some(Seed::Holder(HolderCase::Soft)),
        7 => Some(Seed::Holder(HolderCase::Maiden)),
        11 => Some(Seed::Holder(HolderCase::Swapped)),
        15 => Some(Seed::Holder(HolderCase::Alias)),
        19 => Some(Seed::Holder(HolderCase::Other)),
        21 => Some(Seed::Amount),
        23 => Some(Seed::NotInRegister),
        _ => None,
    }
}

/// The register that the letters are checked against, and what was changed in it. The forms were printed
/// from `original`.
pub fn register(original: &Path) -> (Vec<Household>, BTreeMap<ApplicationId, Seed>) {
    let file = std::fs::File::open(original).expect("the register");
    let people: Vec<Household> =
        read_register(file).expect("a header").map(|household| household.expect("a household")).collect();
    let mut seeds = BTreeMap::new();
    let mut register = Vec::new();
    for (place, household) in people.iter().enumerate() {
        let changed = seed_of(place).and_then(|seed| {
            // Somebody of another family and given name.
            let strangers = people.iter().cycle().skip(place + 1).take(people.len());
            let changed = strangers
                .filter_map(|stranger| changed(household, seed, &stranger.head_kana))
                .find(|changed| changed.as_ref().is_none_or(|changed| is_so(household, changed, seed)));
            changed.map(|changed| (seed, changed))
        });
        match changed {
            Some((seed, changed)) => {
                seeds.insert(household.application_id, seed);
                register.extend(changed);
            }
            None => register.push(household.clone()),
        }
    }
    (register, seeds)
}

/// The household as it stands in the register; none inside where it does not stand there, none where it
/// cannot be changed so.
fn changed(household: &Household, seed: Seed, stranger: &str) -> Option<Option<Household>> {
    let (family, given) = household.head_kana.split_once('　')?;
    let (other_family, _) = stranger.split_once('　')?;
    let kana = match seed {
        Seed::Holder(HolderCase::Soft) => softened(&household.head_kana)?,
        Seed::Holder(HolderCase::Maiden) => format!("{other_family}　{given}"),
        Seed::Holder(HolderCase::Swapped) => format!("{given}　{family}"),
        Seed::Holder(_) => stranger.to_owned(),
        Seed::Amount => {
            return Some(Some(Household { amount: household.amount + 100_000, ..household.clone() }));
        }
        Seed::NotInRegister => return Some(None),
    };
    let mut further = household.further.clone();
    if seed == Seed::Holder(HolderCase::Alias) {
        further.insert("alias_kana".to_owned(), household.head_kana.clone());
    }
    Some(Some(Household { head_kana: kana, further, ..household.clone() }))
}

/// The name with another sound mark: the first one is taken away, or one is set.
fn softened(kana: &str) -> Option<String> {
    const MARK: char = '\u{3099}';
    let parts: Vec<char> = kana.nfd().collect();
    let parts = match parts.iter().position(|&part| part == MARK) {
        Some(place) => [&parts[..place], &parts[place + 1..]].concat(),
        None => {
            let place =
                parts.iter().position(|part| "カキクケコサシスセソタチツテトハヒフヘホ".contains(*part))?;
            [&parts[..=place], &[MARK], &parts[place + 1..]].concat()
        }
    };
    Some(parts.into_iter().nfc().collect())
}

/// Whether the case is what it was meant to be.
fn is_so(person: &Household, stands: &Household, seed: Seed) -> bool {
    match seed {
        Seed::Holder(expected) => case(&ZenginName::of(&person.head_kana).expect("kana"), stands) == expected,
        Seed::Amount | Seed::NotInRegister => true,
    }
}

/// How a holder stands to the head of the register.
pub fn case(holder: &ZenginName, stands: &Household) -> HolderCase {
    let aliases: Vec<ZenginName> =
        stands.further.get("alias_kana").and_then(|alias| ZenginName::of(alias).ok()).into_iter().collect();
    compare(holder, &ZenginName::of(&stands.head_kana).expect("kana"), &aliases)
}
