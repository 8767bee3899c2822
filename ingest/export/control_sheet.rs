//! The sheet that goes with transfer files to the bank, and into the municipality's folder: how many
//! payments, how much, and the digest of each file. In Japanese, as staff and bank read it.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};

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
    /// Name, payments, yen and digest of each file.
    pub files: Vec<(String, usize, u64, Sha256)>,
}

pub fn control_sheet(sheet: &ControlSheet<'_>) -> String {
    let payments: usize = sheet.files.iter().map(|(_, payments, ..)| payments).sum();
    let total: u64 = sheet.files.iter().map(|(_, _, total, _)| total).sum();
    let japan = chrono::FixedOffset::east_opt(9 * 3600);
    let approved = japan.map_or_else(
        || sheet.approved_at.to_rfc3339(),
        |japan| sheet.approved_at.with_timezone(&japan).format("%Y-%m-%d %H:%M (日本時間)").to_string(),
    );
    let mut text = format!(
        "総合振込データ 送付票\n\n\
         振込番号      {}\n委託者        {}\nプロファイル  {}\n振込指定日    {}\n\
         件数          {} 件\n金額          {} 円\nファイル数    {}\n\
         作成者        {}\n確認者        {}\n確認日時      {approved}\n\n",
        sheet.transfer,
        sheet.consignor,
        sheet.profile,
        sheet.pay_on,
        grouped(payments as u64),
        grouped(total),
        sheet.files.len(),
        sheet.maker,
        sheet.checker,
    );
    for (name, payments, total, sha256) in &sheet.files {
        // Writing to a text never fails.
        let _ = writeln!(
            text,
            "{name}\n  {} 件  {} 円\n  SHA-256 {sha256}",
            grouped(*payments as u64),
            grouped(*total)
        );
    }
    text
}

/// With a comma every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_tells_counts_sums_and_digests() {
        let sha256 = Sha256::of(b"a file");
        let sheet = ControlSheet {
            transfer: 12,
            profile: "example",
            consignor: "ﾖｺﾊﾏｼ",
            pay_on: NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date"),
            maker: "sato",
            checker: "ito",
            approved_at: DateTime::from_timestamp(1_782_000_000, 0).expect("a time"),
            files: vec![
                ("a-1.txt".to_owned(), 9999, 1_000_000, sha256),
                ("a-2.txt".to_owned(), 1, 100, sha256),
            ],
        };
        let text = control_sheet(&sheet);
        for told in ["10,000 件", "1,000,100 円", "2026-06-30", "作成者        sato", "2026-06-21 09:00"]
        {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert_eq!(text.matches(&sha256.to_string()).count(), 2);
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
    }
}
