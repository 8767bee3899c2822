//! What a town shows of the checks: how holders were told apart, which defects were found, and which
//! banks and branches needed nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use uketsuke::application_id::ApplicationId;
use uketsuke::check::{self, Content, FindingCode, HolderCase, Values};
use uketsuke::form::standard::HOLDER;
use uketsuke::publish::Record;
use uketsuke::read::InkState;
use uketsuke::reference::BankTable;
use uketsuke::register::Household;
use uketsuke::score::Disposition;

use crate::town::{Seed, Sent, case};

/// All that there is to count.
pub struct Town<'a> {
    pub sent: &'a BTreeMap<ApplicationId, Sent>,
    pub register: &'a BTreeMap<ApplicationId, Household>,
    pub seeds: &'a BTreeMap<ApplicationId, Seed>,
    /// The first of each application.
    pub records: &'a BTreeMap<ApplicationId, &'a Record>,
    pub came_twice: &'a BTreeSet<ApplicationId>,
    pub paid: &'a BTreeSet<ApplicationId>,
}

fn is_accepted(record: &Record, field: &str) -> bool {
    record
        .fields
        .get(field)
        .is_some_and(|field| matches!(field.disposition, Disposition::Accepted | Disposition::Blank))
}

/// How the holder was told to stand to the head; none where the name could not be read.
fn told(record: &Record) -> Option<HolderCase> {
    let unread = [FindingCode::HolderBlank, FindingCode::HolderNotLegal];
    if record.findings.iter().any(|finding| unread.contains(&finding.code)) {
        return None;
    }
    let differs = record.findings.iter().find(|finding| finding.code == FindingCode::HolderDiffers);
    differs.map_or(Some(HolderCase::Exact), |finding| finding.case)
}

fn name(case: Option<HolderCase>) -> String {
    match case {
        Some(case) if case.is_match() => "match".to_owned(),
        Some(case) => format!("{case:?}").to_lowercase(),
        None => "unread".to_owned(),
    }
}

/// Rows: how the holder stands to the head. Columns: how it was told to.
#[derive(Default)]
pub struct Confusion(BTreeMap<String, BTreeMap<String, u32>>);

impl Confusion {
    /// Of what the machine read; of accepted names alone, which nobody looks at.
    pub fn of(town: &Town<'_>, accepted_only: bool) -> Self {
        let mut counts = Self::default();
        for (application, record) in town.records {
            let Some(stands) = town.register.get(application) else { continue };
            let Some(holder) = town.sent[application].holder() else { continue };
            if !record.fields.contains_key(HOLDER) || accepted_only && !is_accepted(record, HOLDER) {
                continue;
            }
            let row = counts.0.entry(name(Some(case(&holder, stands)))).or_default();
            *row.entry(name(told(record))).or_default() += 1;
        }
        counts
    }

    /// Other holders that were told to be the head.
    pub fn taken_for_the_head(&self) -> u32 {
        let others = self.0.iter().filter(|(row, _)| *row != "match");
        others.filter_map(|(_, row)| row.get("match")).sum()
    }
}

impl fmt::Display for Confusion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: BTreeSet<&String> = self.0.values().flat_map(BTreeMap::keys).collect();
        write!(formatter, "{:<10}", "is / told")?;
        columns.iter().try_for_each(|column| write!(formatter, "{column:>9}"))?;
        for (row, counts) in &self.0 {
            write!(formatter, "\n{row:<10}")?;
            columns
                .iter()
                .try_for_each(|column| write!(formatter, "{:>9}", counts.get(*column).unwrap_or(&0)))?;
        }
        writeln!(formatter)
    }
}

/// One kind of defect: how many applications have it, in how many it was found when they were read, how many
/// are not paid in the end, and in how many it was found though it is not there. What came twice is paid once
/// people have decided all of it.
#[derive(Default)]
pub struct Row {
    pub seeded: u32,
    pub found: u32,
    pub not_paid: u32,
    pub false_alarms: u32,
}

/// By code and what it is called.
pub fn defects(town: &Town<'_>) -> Vec<(&'static str, Row)> {
    let signed = |sent: &Sent| sent.is_written("signature");
    let account = |sent: &Sent| sent.is_written("account_number") || sent.is_written("yucho_symbol");
    let bank = |sent: &Sent| sent.is_written("account_number");
    type Is<'a> = Box<dyn Fn(ApplicationId, &Sent) -> bool + 'a>;
    let kinds: Vec<(&'static str, &[FindingCode], Is<'_>)> = vec![
        (
            "D01 signature missing",
            &[FindingCode::SignatureMissing],
            Box::new(|_, sent| sent.pages.contains(&1) && !signed(sent)),
        ),
        (
            "D03 no account",
            &[FindingCode::AccountRoute],
            Box::new(|_, sent| sent.pages.contains(&1) && !account(sent) && !sent.is_written("declined")),
        ),
        (
            "D03 no type of account",
            &[FindingCode::AccountTypeMissing],
            Box::new(|_, sent| bank(sent) && !sent.is_written("account_type")),
        ),
        (
            "D07 holder is not the head",
            &[FindingCode::HolderDiffers],
            Box::new(|application, sent| {
                let stands = town.register.get(&application);
                let holder = sent.holder().filter(|_| sent.is_written("account_holder_kana"));
                holder.zip(stands).is_some_and(|(holder, stands)| !case(&holder, stands).is_match())
            }),
        ),
        ("D10, D19 page missing", &[FindingCode::MissingPage], Box::new(|_, sent| sent.pages.len() < 2)),
        ("D14 no payment wanted", &[FindingCode::Declined], Box::new(|_, sent| sent.is_written("declined"))),
        (
            "D16 came twice",
            &[FindingCode::DuplicateApplication],
            Box::new(|application, _| town.came_twice.contains(&application)),
        ),
        (
            "D17 amount",
            &[FindingCode::AmountDiffers],
            Box::new(|application, _| town.seeds.get(&application) == Some(&Seed::Amount)),
        ),
        (
            "not in the register",
            &[FindingCode::NotInRegister],
            Box::new(|application, _| town.seeds.get(&application) == Some(&Seed::NotInRegister)),
        ),
    ];
    kinds
        .into_iter()
        .map(|(what, codes, is)| {
            let mut row = Row::default();
            for (&application, record) in town.records {
                // A duplicate is found where there is one: in the second capture.
                let found = record.findings.iter().any(|finding| codes.contains(&finding.code))
                    || codes.contains(&FindingCode::DuplicateApplication)
                        && town.came_twice.contains(&application);
                match is(application, &town.sent[&application]) {
                    true => {
                        row.seeded += 1;
                        row.found += u32::from(found);
                        row.not_paid += u32::from(!town.paid.contains(&application));
                    }
                    false => row.false_alarms += u32::from(found),
                }
            }
            (what, row)
        })
        .collect()
}

/// Bank and branch from handwriting.
#[derive(Default)]
pub struct BankCodes {
    /// Applications that name a bank account.
    pub written: u32,
    /// What was read names the right bank and branch, accepted or not.
    pub right: u32,
    /// Nobody has to look at bank and branch.
    pub without_a_person: u32,
    /// Of these, another bank or branch than was meant.
    pub wrong: u32,
}

impl BankCodes {
    pub fn of(town: &Town<'_>, banks: &BankTable) -> Self {
        let mut counts = Self::default();
        for (application, record) in town.records {
            let sent = &town.sent[application];
            let Some(meant) = sent.bank_and_branch(banks).filter(|_| sent.is_written("account_number"))
            else {
                continue;
            };
            counts.written += 1;
            let read = read(record, banks);
            counts.right += u32::from(read.as_ref() == Some(&meant));
            let answered =
                [("bank_code", "bank_name"), ("branch_code", "branch_name")].iter().all(|(code, name)| {
                    let has_code = record.fields.get(*code).is_some_and(|field| field.value.is_some());
                    is_accepted(record, code) && (has_code || is_accepted(record, name))
                });
            if answered && read.is_some() {
                counts.without_a_person += 1;
                counts.wrong += u32::from(read != Some(meant));
            }
        }
        counts
    }
}

/// The bank and branch that the checks make of what was read, whatever the rest of the account is.
fn read(record: &Record, banks: &BankTable) -> Option<(String, String)> {
    let content = |name: &str| match record.fields.get(name).map(|field| (field.ink, &field.value)) {
        None | Some((Some(InkState::Blank), _)) => Content::Blank,
        Some((_, Some(value))) => Content::Value(value.clone()),
        Some((_, None)) => Content::Unreadable,
    };
    let value = |text: &str| Content::Value(text.to_owned());
    let values: Values = ["bank_code", "bank_name", "branch_code", "branch_name"]
        .map(|name| (name.to_owned(), content(name)))
        .into_iter()
        .chain([
            ("account_number".to_owned(), value("0000001")),
            ("account_type".to_owned(), value("ordinary")),
            ("yucho_symbol".to_owned(), Content::Blank),
            ("yucho_number".to_owned(), Content::Blank),
        ])
        .collect();
    let account = check::account(&values, Some(banks)).account?;
    Some((account.bank.to_string(), account.branch.to_string()))
}
