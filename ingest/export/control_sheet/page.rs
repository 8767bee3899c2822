//! The sheet as pages of A4.

use super::{ControlSheet, ListedFile};
use crate::form::print::{Leaf, Part, PrintError, grouped, write_parts};
use crate::form::{Face, TextAlign};

const TITLE: &str = "総合振込データ 送付票";
const LEFT: f64 = 20.0;
const WIDTH: f64 = 170.0;
/// Of a row of the upper table.
const ROW: f64 = 8.0;
/// Of a file: its name, count and sum, and its digest below.
const FILE_ROW: f64 = 11.0;
const SEALS: f64 = 42.0;
/// Nothing is printed below.
const BOTTOM: f64 = 280.0;

/// The PDF. The boxes for seals stand behind the last file.
pub fn control_page(sheet: &ControlSheet<'_>) -> Result<Vec<u8>, PrintError> {
    let leaves = leaves(sheet);
    let mut pdf = Vec::new();
    write_parts(TITLE, || leaves.iter().cloned().map(Part::Leaf), &mut pdf)?;
    Ok(pdf)
}

fn leaves(sheet: &ControlSheet<'_>) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut leaf = Leaf::a4();
    leaf.text([LEFT, 20.0, WIDTH, 10.0], 18.0, Face::Gothic, TextAlign::Centre, TITLE);
    let mut y = 38.0;
    for (name, value) in [
        ("振込番号", sheet.transfer.to_string()),
        ("委託者", sheet.consignor.to_owned()),
        ("プロファイル", sheet.profile.to_owned()),
        ("振込指定日", sheet.pay_on.to_string()),
        ("合計件数", format!("{} 件", grouped(sheet.payments()))),
        ("合計金額", format!("{} 円", grouped(sheet.total()))),
        ("ファイル数", sheet.files.len().to_string()),
        ("確認日時", sheet.approved_at()),
    ] {
        cell(&mut leaf, [LEFT, y, 40.0, ROW], name, TextAlign::Left, Some(0.92));
        cell(&mut leaf, [LEFT + 40.0, y, WIDTH - 40.0, ROW], &value, TextAlign::Left, None);
        y += ROW;
    }
    y += 8.0;
    head(&mut leaf, y);
    y += ROW;
    for listed in &sheet.files {
        if y + FILE_ROW > BOTTOM {
            leaves.push(std::mem::replace(&mut leaf, Leaf::a4()));
            y = 20.0;
            head(&mut leaf, y);
            y += ROW;
        }
        file(&mut leaf, y, listed);
        y += FILE_ROW;
    }
    y += 8.0;
    if y + SEALS > BOTTOM {
        leaves.push(std::mem::replace(&mut leaf, Leaf::a4()));
        y = 20.0;
    }
    seals(&mut leaf, y, sheet);
    leaves.push(leaf);
    leaves
}

fn cell(leaf: &mut Leaf, area: [f64; 4], words: &str, align: TextAlign, fill: Option<f64>) {
    leaf.frame(area, fill);
    let [x, y, w, h] = area;
    leaf.text([x + 2.0, y, w - 4.0, h], 10.5, Face::Gothic, align, words);
}

/// Columns of the files: left edge and width.
const NAME: (f64, f64) = (LEFT, 90.0);
const COUNT: (f64, f64) = (110.0, 30.0);
const SUM: (f64, f64) = (140.0, 50.0);

fn head(leaf: &mut Leaf, y: f64) {
    for ((x, width), words) in [(NAME, "ファイル（下段は SHA-256）"), (COUNT, "件数"), (SUM, "金額（円）")]
    {
        cell(leaf, [x, y, width, ROW], words, TextAlign::Centre, Some(0.92));
    }
}

fn file(leaf: &mut Leaf, y: f64, file: &ListedFile) {
    leaf.frame([LEFT, y, WIDTH, FILE_ROW], None);
    for ((x, width), words, align) in [
        (NAME, file.name.clone(), TextAlign::Left),
        (COUNT, grouped(file.payments as u64), TextAlign::Right),
        (SUM, grouped(file.total), TextAlign::Right),
    ] {
        leaf.text([x + 2.0, y + 0.5, width - 4.0, 5.5], 10.0, Face::Gothic, align, &words);
    }
    let digest = file.sha256.to_string();
    leaf.text([LEFT + 2.0, y + 5.8, WIDTH - 4.0, 4.5], 8.5, Face::Gothic, TextAlign::Left, &digest);
}

/// Who made it and who checked it are named by their accounts; they sign and seal.
fn seals(leaf: &mut Leaf, y: f64, sheet: &ControlSheet<'_>) {
    let width = WIDTH / 3.0;
    for (place, (what, who)) in
        [("作成者", sheet.maker), ("確認者", sheet.checker), ("金融機関 受領", "")].into_iter().enumerate()
    {
        let x = LEFT + place as f64 * width;
        cell(leaf, [x, y, width, 7.0], what, TextAlign::Centre, Some(0.92));
        leaf.frame([x, y + 7.0, width, SEALS - 7.0], None);
        leaf.text([x + 2.0, y + 8.0, width - 4.0, 6.0], 10.5, Face::Gothic, TextAlign::Left, who);
        leaf.text([x + width - 14.0, y + 18.0, 10.0, 10.0], 13.0, Face::Mincho, TextAlign::Centre, "㊞");
        leaf.text(
            [x + 2.0, y + SEALS - 7.0, width - 4.0, 6.0],
            9.0,
            Face::Mincho,
            TextAlign::Right,
            "年　　月　　日",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn every_file_is_listed_and_the_seals_stand_behind_the_last() {
        assert_eq!(leaves(&example(2)).len(), 1);
        let leaves = leaves(&example(40));
        assert_eq!(leaves.len(), 3);
        let count = |words: &str| {
            let text = leaves.iter().map(|leaf| format!("{:?}", leaf.printed)).collect::<String>();
            text.matches(words).count()
        };
        assert_eq!((count("transfer-12-"), count("㊞"), count("sato")), (40, 3, 1));
        assert!(control_page(&example(40)).expect("printed").starts_with(b"%PDF"));
    }
}
