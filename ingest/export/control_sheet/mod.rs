//! The sheet that goes with transfer files to the bank, and into the municipality's folder: how many
//! payments, how much, and the digest of each file. In Japanese, as staff and bank read it; as text, and
//! as a page with boxes for the seals of maker, checker and bank.

mod page;
mod text;

pub use page::control_page;
pub use text::control_text;

use chrono::{DateTime, NaiveDate, Utc};

use crate::check::JAPAN;
use crate::digest::Sha256;

/// What a sheet tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSheet<'a> {
    /// Number of the transfer.
    pub transfer: i64,
    pub profile: &'a str,
    pub consignor: &'a str,
    pub pay_on: NaiveDate,
    pub maker: &'a str,
    pub checker: &'a str,
    pub approved_at: DateTime<Utc>,
    pub files: Vec<ListedFile>,
}

/// A file of the transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    pub name: String,
    pub payments: usize,
    /// Yen.
    pub total: u64,
    pub sha256: Sha256,
}

impl ControlSheet<'_> {
    fn payments(&self) -> u64 {
        self.files.iter().map(|file| file.payments as u64).sum()
    }

    fn total(&self) -> u64 {
        self.files.iter().map(|file| file.total).sum()
    }

    fn approved_at(&self) -> String {
        self.approved_at.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M (日本時間)").to_string()
    }
}

#[cfg(test)]
pub(super) fn example(files: usize) -> ControlSheet<'static> {
    let file = |place| ListedFile {
        name: format!("transfer-12-{place}.txt"),
        payments: if place == 1 { 9999 } else { 1 },
        total: if place == 1 { 1_000_000 } else { 100 },
        sha256: Sha256::of(b"a file"),
    };
    ControlSheet {
        transfer: 12,
        profile: "example",
        consignor: "ﾖｺﾊﾏｼ",
        pay_on: NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date"),
        maker: "sato",
        checker: "ito",
        approved_at: DateTime::from_timestamp(1_782_000_000, 0).expect("a time"),
        files: (1..=files).map(file).collect(),
    }
}
