//! The letter's page, and a second one where there is much to mend. A4, folded in three: the address
//! stands where the window of a 長形3号 envelope shows it.

use chrono::NaiveDate;

use super::Letter;
use super::wording::{Wording, wording};
use crate::form::print::{Addressee, Leaf, era_date, shown};
use crate::form::{CustomerBarcodePlace, Datum, Face, Printed, TextAlign};
use crate::geometry::{PointMm, RectMm};
use crate::settings;

/// Left and right edge of what is printed.
const LEFT: f64 = 20.0;
const RIGHT: f64 = 190.0;
const WIDTH: f64 = RIGHT - LEFT;
/// Nothing is printed below.
const BOTTOM: f64 = 283.0;
/// Of running text, in points, and what a line of it takes.
const SIZE: f64 = 10.0;
const LINE: f64 = 5.2;

/// Columns of the table: left edge and width.
const NUMBER: (f64, f64) = (LEFT, 9.0);
const WRONG: (f64, f64) = (29.0, 62.0);
const REQUEST: (f64, f64) = (91.0, 83.0);
const PAGE: (f64, f64) = (174.0, 16.0);

pub(super) fn leaves(
    letter: &Letter<'_>,
    written_on: NaiveDate,
    reply_by: NaiveDate,
    settings: &settings::Letters,
) -> Vec<Leaf> {
    let mut sheet = Sheet { leaves: Vec::new(), leaf: first_leaf(letter, written_on, settings), y: 71.0 };
    let title = format!("{}の不備について（再提出のお願い）", letter.form.title);
    sheet.leaf.text([LEFT, sheet.y, WIDTH, 9.0], 15.0, Face::Gothic, TextAlign::Centre, &title);
    sheet.y += 13.0;
    let due = era_date(reply_by);
    sheet.paragraph(&format!(
        "　先日お送りいただいた{}を確認したところ、下記のとおり不備がありました。このままでは給付金をお支払いすることができません。",
        letter.form.title
    ));
    sheet.paragraph(&format!(
        "　お手数をおかけしますが、同封の「再提出用」の申請書にあらためて記入し、必要な書類の写しを添えて、{due}までに、同封の返信用封筒でお送りください。"
    ));
    sheet.y += 1.0;
    sheet.leaf.text([LEFT, sheet.y, WIDTH, LINE], SIZE, Face::Mincho, TextAlign::Centre, "記");
    sheet.y += 7.0;
    sheet.table(letter);
    sheet.y += 4.0;
    sheet.enclosures(letter);
    sheet.y += 3.0;
    sheet.notes(letter);
    sheet.contact(settings);
    sheet.leaves.push(sheet.leaf);
    sheet.leaves
}

/// The address in the window, and who writes when.
fn first_leaf(letter: &Letter<'_>, written_on: NaiveDate, settings: &settings::Letters) -> Leaf {
    let household = letter.household;
    let mut leaf = Leaf::a4();
    let RectMm { x, y, w, h } = settings.address();
    let postal_code = format!("〒{}", shown(Datum::PostalCode, household));
    leaf.text([x, y, w, 5.0], 10.5, Face::Mincho, TextAlign::Left, &postal_code);
    let address = shown(Datum::Address, household);
    leaf.text([x, y + 5.5, w, 10.5], 10.5, Face::Mincho, TextAlign::Left, &address);
    let name = format!("{}　様", shown(Datum::HeadName, household));
    leaf.text([x + 4.0, y + 17.0, w - 4.0, 7.5], 14.0, Face::Mincho, TextAlign::Left, &name);
    let mut barcode = CustomerBarcodePlace { at: PointMm { x, y }, points: 10.0 };
    barcode.points = (barcode.points * w / barcode.area().w).clamp(8.0, 10.0);
    barcode.at.y = y + h - barcode.area().h - 2.0;
    leaf.printed.push(Printed::CustomerBarcode(barcode));
    leaf.addressee =
        Some(Addressee { postal_code: household.postal_code.clone(), address: household.address.clone() });
    let right = |leaf: &mut Leaf, y: f64, h: f64, size: f64, words: &str| {
        leaf.text([122.0, y, RIGHT - 122.0, h], size, Face::Mincho, TextAlign::Right, words);
    };
    right(&mut leaf, 18.0, 5.0, SIZE, &era_date(written_on));
    right(&mut leaf, 23.5, 4.5, 9.0, &format!("申請番号　{}", household.application_id));
    right(&mut leaf, 28.0, 4.5, 9.0, &format!("通知番号　{}", letter.reference()));
    right(&mut leaf, 40.0, 14.0, 12.0, &settings.sender);
    // Where it is folded.
    for fold in [99.0, 198.0] {
        leaf.line([4.0, fold], [8.0, fold]);
    }
    leaf
}

/// Pages as they are filled.
struct Sheet {
    leaves: Vec<Leaf>,
    leaf: Leaf,
    /// Down to here the leaf is full.
    y: f64,
}

impl Sheet {
    /// Goes to the next page where `height` is more than what is left.
    fn make_room(&mut self, height: f64) {
        if self.y + height > BOTTOM {
            self.leaves.push(std::mem::replace(&mut self.leaf, Leaf::a4()));
            self.y = 20.0;
        }
    }

    fn paragraph(&mut self, words: &str) {
        let height = lines(words, WIDTH, SIZE) as f64 * LINE;
        self.make_room(height);
        self.leaf.text([LEFT, self.y, WIDTH, height], SIZE, Face::Mincho, TextAlign::Left, words);
        self.y += height;
    }

    fn table(&mut self, letter: &Letter<'_>) {
        self.row("", "不備の内容", "お願いすること", "用紙", true);
        for (number, deficiency) in (1..).zip(letter.deficiencies) {
            let Wording { wrong, request } = wording(deficiency);
            let page = format!("{}枚目", deficiency.page());
            self.row(&format!("{number}"), &wrong, &request, &page, false);
        }
    }

    fn row(&mut self, number: &str, wrong: &str, request: &str, page: &str, is_head: bool) {
        const SIZE: f64 = 9.5;
        const LINE: f64 = 4.75;
        const MARGIN: f64 = 1.5;
        let inside = |(_, width): (f64, f64)| width - 2.0 * MARGIN;
        let most = lines(wrong, inside(WRONG), SIZE).max(lines(request, inside(REQUEST), SIZE));
        let height = most as f64 * LINE + 2.0 * MARGIN;
        self.make_room(height);
        for ((x, width), words, align) in [
            (NUMBER, number, TextAlign::Centre),
            (WRONG, wrong, TextAlign::Left),
            (REQUEST, request, TextAlign::Left),
            (PAGE, page, TextAlign::Centre),
        ] {
            self.leaf.frame([x, self.y, width, height], is_head.then_some(0.92));
            let area = [x + MARGIN, self.y, width - 2.0 * MARGIN, height];
            let align = if is_head { TextAlign::Centre } else { align };
            self.leaf.text(area, SIZE, Face::Gothic, align, words);
        }
        self.y += height;
    }

    /// Every page of the form: whoever sends a part of it has the rest asked for again.
    fn enclosures(&mut self, letter: &Letter<'_>) {
        self.make_room(6.0 + 5.5 * (letter.form.pages.len() as f64 + 1.0));
        self.leaf.text([LEFT, self.y, WIDTH, 6.0], 10.5, Face::Gothic, TextAlign::Left, "お送りいただくもの");
        self.y += 6.5;
        let pages = letter.form.pages.iter().map(|page| match page.fields.is_empty() {
            true => format!(
                "□　再提出用の用紙（{}枚目）に、本人確認書類の写しと、振込先口座が確認できる書類の写しを貼り付けたもの",
                page.number
            ),
            false => format!("□　再提出用の申請書（{}枚目）", page.number),
        });
        for line in pages {
            self.leaf.text([LEFT + 4.0, self.y, WIDTH - 4.0, 5.0], 9.5, Face::Mincho, TextAlign::Left, &line);
            self.y += 5.5;
        }
    }

    fn notes(&mut self, letter: &Letter<'_>) {
        let notes = [
            "・前回お送りいただいた申請書は返却しません。不備のなかった欄も、もう一度すべて記入してください。",
            "・この通知と行き違いに書類をお送りいただいた場合は、ご容赦ください。",
            "・期限までにお送りいただけず、ご連絡もとれないときは、申請が取り下げられたものとみなすことがあります。",
            "・市や国が、ＡＴＭ（現金自動預払機）の操作をお願いすることや、暗証番号をお聞きすることは絶対にありません。",
        ];
        let height = 4.6 * notes.len() as f64 + 3.0;
        self.make_room(height);
        let [x, y] = [LEFT, self.y];
        self.leaf.frame([x, y, WIDTH, height], None);
        let text = notes.join("\n");
        let area = [x + 2.0, y, WIDTH - 4.0, height];
        self.leaf.text(area, 8.5, Face::Mincho, TextAlign::Left, &text);
        self.y += height + 3.0;
        let number = format!(
            "お問い合わせの際は、申請番号「{}」をお知らせください。",
            letter.household.application_id
        );
        self.make_room(LINE);
        self.leaf.text([LEFT, self.y, WIDTH, LINE], 9.0, Face::Mincho, TextAlign::Right, &number);
        self.y += LINE;
    }

    fn contact(&mut self, settings: &settings::Letters) {
        let lines = settings.office.lines().count() as f64;
        let height = 5.0 * lines;
        self.make_room(height);
        let area = [LEFT, self.y, WIDTH, height];
        self.leaf.text(area, 9.5, Face::Gothic, TextAlign::Right, &settings.office);
        self.y += height;
    }
}

/// Lines that a text of wide characters takes, and one more where a line breaks early.
fn lines(words: &str, width_mm: f64, points: f64) -> usize {
    let wide = (width_mm / (points / 72.0 * 25.4)).floor().max(1.0) as usize;
    words
        .lines()
        .map(|line| line.chars().count().div_ceil(wide.saturating_sub(1).max(1)))
        .sum::<usize>()
        .max(1)
}
