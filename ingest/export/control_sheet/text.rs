//! The sheet as text.

use std::fmt::Write as _;

use super::ControlSheet;
use crate::form::print::grouped;

pub fn control_text(sheet: &ControlSheet<'_>) -> String {
    let mut text = format!(
        "総合振込データ 送付票\n\n\
         振込番号      {}\n委託者        {}\nプロファイル  {}\n振込指定日    {}\n\
         件数          {} 件\n金額          {} 円\nファイル数    {}\n\
         作成者        {}\n確認者        {}\n確認日時      {}\n\n",
        sheet.transfer,
        sheet.consignor,
        sheet.profile,
        sheet.pay_on,
        grouped(sheet.payments()),
        grouped(sheet.total()),
        sheet.files.len(),
        sheet.maker,
        sheet.checker,
        sheet.approved_at(),
    );
    for file in &sheet.files {
        // Writing to a text never fails.
        let _ = writeln!(
            text,
            "{}\n  {} 件  {} 円\n  SHA-256 {}",
            file.name,
            grouped(file.payments as u64),
            grouped(file.total),
            file.sha256
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_sheet_tells_counts_sums_and_digests() {
        let sheet = example(2);
        let text = control_text(&sheet);
        for told in ["10,000 件", "1,000,100 円", "2026-06-30", "作成者        sato", "2026-06-21 09:00"]
        {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert_eq!(text.matches(&sheet.files[0].sha256.to_string()).count(), 2);
    }
}
