//! What is written in the fields of a registered page is read: combs, marks and a signature, in
//! handwriting fonts that no model was trained on, on a page that lies askew.

use std::path::PathBuf;
use std::process::Command;

use image::{GrayImage, Luma};
use tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Transform};
use uketsuke::decode::PageImage;
use uketsuke::form::{Align, Field, FieldKind, FormPage, MarkOption};
use uketsuke::geometry::{Affine, RectMm};
use uketsuke::page::Registration;
use uketsuke::pipeline::KnownApplication;
use uketsuke::read::{EvidenceSource, FieldReading, InkState, Readers, read_page};
use uketsuke::settings::Settings;

const SETO: &str = "/usr/share/fonts/truetype/seto/setofont.ttf";
const IPA: &str = "/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf";

/// 300 dpi, askew by 0.6°.
const MAP: Affine = Affine { a: 11.810, b: -0.124, c: 60.0, d: 0.124, e: 11.810, f: 20.0 };

const CELL: f64 = 6.5;

/// A page in the making: everything is drawn in millimetres.
struct Page(Pixmap);

impl Page {
    fn new() -> Self {
        let mut pixmap = Pixmap::new(2300, 1100).expect("a size");
        pixmap.fill(tiny_skia::Color::from_rgba8(240, 240, 240, 255));
        Self(pixmap)
    }

    fn transform() -> Transform {
        let [a, b, c, d, e, f] = [MAP.a, MAP.b, MAP.c, MAP.d, MAP.e, MAP.f].map(|value| value as f32);
        Transform::from_row(a, d, b, e, c, f)
    }

    fn ink(level: u8) -> Paint<'static> {
        let mut paint = Paint::default();
        paint.set_color_rgba8(level, level, level, 255);
        paint
    }

    fn frame(&mut self, rect: &RectMm) {
        let side = tiny_skia::Rect::from_xywh(rect.x as f32, rect.y as f32, rect.w as f32, rect.h as f32);
        let path = PathBuilder::from_rect(side.expect("a rectangle"));
        let stroke = tiny_skia::Stroke { width: 0.25, ..Default::default() };
        self.0.stroke_path(&path, &Self::ink(110), &stroke, Self::transform(), None);
    }

    fn stroke(&mut self, points: &[(f32, f32)]) {
        let mut path = PathBuilder::new();
        path.move_to(points[0].0, points[0].1);
        points[1..].iter().for_each(|point| path.line_to(point.0, point.1));
        let stroke = tiny_skia::Stroke { width: 0.5, ..Default::default() };
        let path = path.finish().expect("a line");
        self.0.stroke_path(&path, &Self::ink(40), &stroke, Self::transform(), None);
    }

    /// A character of `size` millimetres with its baseline's start at (x, y).
    fn character(&mut self, font: &str, character: char, size: f64, x: f64, y: f64) {
        let bytes = std::fs::read(font).expect("scripts/setup installs the fonts");
        let face = ttf_parser::Face::parse(&bytes, 0).expect("a font");
        let glyph = face.glyph_index(character).expect("a glyph");
        let mut outline = Outline(PathBuilder::new());
        face.outline_glyph(glyph, &mut outline);
        let scale = (size / f64::from(face.units_per_em())) as f32;
        let place = Transform::from_row(scale, 0.0, 0.0, -scale, x as f32, y as f32);
        let path = outline.0.finish().expect("an outline");
        self.0.fill_path(
            &path,
            &Self::ink(40),
            FillRule::Winding,
            place.post_concat(Self::transform()),
            None,
        );
    }

    /// A comb at (10 mm, y): its field, drawn and filled in (`_` stays blank).
    fn comb(&mut self, name: &str, kind: FieldKind, y: f64, font: &str, text: &str) -> Field {
        let cell = |index: usize| RectMm { x: 10.0 + CELL * index as f64, y, w: CELL, h: 8.0 };
        let cells: Vec<RectMm> = (0..text.chars().count()).map(cell).collect();
        for (rect, character) in cells.iter().zip(text.chars()) {
            self.frame(rect);
            if character != '_' {
                let shift = if kind == FieldKind::Digits { 1.7 } else { 0.6 };
                self.character(font, character, 5.4, rect.x + shift, rect.y + 6.1);
            }
        }
        field(name, kind, cells)
    }

    /// A box for a line at (10 mm, y): its field, drawn and written in.
    fn line(&mut self, name: &str, y: f64, font: &str, text: &str) -> Field {
        let cell = RectMm { x: 10.0, y, w: 60.0, h: 10.0 };
        self.frame(&cell);
        for (index, character) in text.chars().enumerate() {
            self.character(font, character, 5.0, 14.0 + 5.2 * index as f64, y + 6.8);
        }
        field(name, FieldKind::Text, vec![cell])
    }

    fn scan(self) -> PageImage {
        let gray = GrayImage::from_fn(self.0.width(), self.0.height(), |x, y| {
            Luma([self.0.pixel(x, y).expect("inside").red()])
        });
        PageImage { gray, colour: None, bilevel: false, declared_dpi: Some(300.0) }
    }
}

struct Outline(PathBuilder);

impl ttf_parser::OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }
    fn close(&mut self) {
        self.0.close();
    }
}

fn field(name: &str, kind: FieldKind, cells: Vec<RectMm>) -> Field {
    Field { name: name.to_owned(), kind, printed: false, align: None, cells, options: Vec::new() }
}

fn settings(line_models: bool) -> Settings {
    let mut settings = Settings::load(None).expect("the shipped settings");
    settings.read.line_models = line_models;
    settings
}

fn read(page: Page, fields: Vec<Field>, line_models: bool) -> Vec<FieldReading> {
    let settings = settings(line_models);
    let mut readers = Readers::load(&settings).expect("the shipped models");
    let form_page = FormPage {
        number: 1,
        width_mm: 190.0,
        height_mm: 90.0,
        mark_size_mm: 5.0,
        marks: Vec::new(),
        symbols: Vec::new(),
        printed: Vec::new(),
        fields,
    };
    let registration = Registration { map: MAP, residual_px: 0.1 };
    let known = KnownApplication {
        head_name: "山田 太郎".to_owned(), head_kana: "ヤマダ タロウ".to_owned()
    };
    let readings =
        read_page(&page.scan(), &registration, &form_page, Some(&known), &mut readers, &settings.read)
            .expect("readable");
    for reading in &readings {
        assert!(reading.crop_png.starts_with(b"\x89PNG"), "{}", reading.reading.field);
    }
    readings.into_iter().map(|reading| reading.reading).collect()
}

#[test]
fn digits_are_read_and_an_account_number_is_padded() {
    let mut page = Page::new();
    let mut account = page.comb("account_number", FieldKind::Digits, 10.0, SETO, "__40257");
    account.align = Some(Align::Right);
    let code = page.comb("bank_code", FieldKind::Digits, 25.0, SETO, "0138");
    let empty = page.comb("branch_code", FieldKind::Digits, 40.0, SETO, "___");
    let readings = read(page, vec![account, code, empty], false);
    assert_eq!(readings[0].value.as_deref(), Some("0040257"));
    assert_eq!(readings[0].characters.len(), 7);
    assert_eq!(readings[0].characters[0].value, "");
    assert_eq!(readings[1].value.as_deref(), Some("0138"));
    assert!((0.0..=1.0).contains(&readings[1].score));
    assert_eq!((readings[2].value.as_deref(), readings[2].state), (None, InkState::Blank));
}

#[test]
fn katakana_are_read_with_a_space_where_a_cell_is_left_out() {
    let mut page = Page::new();
    let holder = page.comb("account_holder_kana", FieldKind::Kana, 10.0, SETO, "ヤマダ_ハナコ____");
    let readings = read(page, vec![holder], false);
    assert_eq!(readings[0].value.as_deref(), Some("ﾔﾏﾀﾞ ﾊﾅｺ"));
    assert_eq!(readings[0].characters.len(), 7);
}

#[test]
fn one_mark_is_a_value_and_two_are_none() {
    let mut page = Page::new();
    let mark = |page: &mut Page, name: &str, y: f64, marked: [bool; 2]| {
        let area = |index: usize| RectMm { x: 10.0 + 30.0 * index as f64, y, w: 4.0, h: 4.0 };
        let option = |index: usize, value: &str| MarkOption { value: value.to_owned(), area: area(index) };
        for (index, marked) in marked.into_iter().enumerate() {
            let area = area(index);
            page.frame(&area);
            let (x, y) = (area.x as f32, area.y as f32);
            if marked {
                page.stroke(&[(x + 0.6, y + 2.0), (x + 1.6, y + 3.2), (x + 4.6, y - 0.5)]);
            }
        }
        let options = vec![option(0, "ordinary"), option(1, "current")];
        Field { options, ..field(name, FieldKind::Mark, Vec::new()) }
    };
    let none = mark(&mut page, "none", 10.0, [false, false]);
    let one = mark(&mut page, "one", 25.0, [false, true]);
    let two = mark(&mut page, "two", 40.0, [true, true]);
    let readings = read(page, vec![none, one, two], false);
    let seen: Vec<_> = readings.iter().map(|reading| (reading.value.as_deref(), reading.state)).collect();
    let expected =
        [(None, InkState::Blank), (Some("current"), InkState::Written), (None, InkState::Ambiguous)];
    assert_eq!(seen, expected);
}

#[test]
fn a_signature_is_present_or_not() {
    let mut page = Page::new();
    let signed = RectMm { x: 10.0, y: 10.0, w: 60.0, h: 12.0 };
    let unsigned = RectMm { y: 40.0, ..signed };
    let reached = RectMm { y: 70.0, ..signed };
    [signed, unsigned, reached].iter().for_each(|cell| page.frame(cell));
    page.stroke(&[(20.0, 18.0), (25.0, 12.0), (28.0, 20.0), (40.0, 14.0), (48.0, 17.0)]);
    // A digit that was put right in the field below.
    page.stroke(&[(50.0, 78.5), (54.0, 78.5), (51.5, 85.0)]);
    let fields = [signed, unsigned, reached].map(|cell| field("signature", FieldKind::Signature, vec![cell]));
    let readings = read(page, fields.to_vec(), false);
    assert_eq!(readings[0].value.as_deref(), Some("present"));
    assert_eq!((readings[1].value.as_deref(), readings[1].state), (None, InkState::Blank));
    assert_eq!(readings[2].state, InkState::Ambiguous);
}

#[test]
fn a_printed_name_is_read_twice_and_held_against_the_register() {
    let mut page = Page::new();
    let cell = RectMm { x: 10.0, y: 10.0, w: 60.0, h: 10.0 };
    page.frame(&cell);
    for (index, character) in "山田太郎".chars().enumerate() {
        page.character(IPA, character, 4.5, 14.0 + 4.8 * index as f64, 16.8);
    }
    let empty = RectMm { y: 40.0, ..cell };
    page.frame(&empty);
    let fields = vec![
        Field { printed: true, ..field("head_name", FieldKind::Text, vec![cell]) },
        field("bank_name", FieldKind::Text, vec![empty]),
    ];
    let readings = read(page, fields, true);
    assert_eq!(readings[0].value.as_deref(), Some("山田太郎"));
    let score = |source| readings[0].evidence.iter().find(|one| one.source == source).map(|one| one.score);
    assert!(score(EvidenceSource::RegisterSupport) > Some(0.9));
    assert!(score(EvidenceSource::LineModel).is_some() && score(EvidenceSource::Tesseract).is_some());
    assert_eq!((readings[1].value.as_deref(), readings[1].state), (None, InkState::Blank));
}

#[test]
fn another_name_than_the_registers_has_no_support() {
    for (name, least, most) in [("山田太朗", 0.0, 0.1), ("鈴木花子", 0.0, 0.01), ("山田太郎", 0.9, 1.0)]
    {
        let mut page = Page::new();
        let field = page.line("head_name", 10.0, IPA, name);
        let readings = read(page, vec![field], true);
        let support = evidence(&readings[0], EvidenceSource::RegisterSupport);
        let (expected, score) = support.expect("the register was asked");
        assert_eq!(expected.as_deref(), Some("山田 太郎"));
        assert!((least..=most).contains(&score), "{name}: {score}");
    }
}

/// What one source says of a reading.
fn evidence(reading: &FieldReading, source: EvidenceSource) -> Option<(Option<String>, f64)> {
    let found = reading.evidence.iter().find(|one| one.source == source)?;
    Some((found.value.clone(), found.score))
}

#[test]
fn names_of_banks_and_branches_are_those_of_the_table_however_they_are_written() {
    for (bank, branch, code, bank_is, branch_is) in [
        ("横浜銀行", "関内支店", "0138", "0138 横浜銀行", "310 関内"),
        ("はまぎん", "保土ヶ谷", "0138", "0138 横浜銀行", "331 保土ケ谷"),
        ("三菱東京UFJ", "横浜駅前", "0005", "0005 三菱UFJ銀行", "251 横浜駅前"),
        ("横浜信金", "戸塚", "1280", "1280 横浜信用金庫", "016 戸塚"),
        ("JA横浜", "港北", "5114", "5114 横浜農業協同組合", "029 港北"),
        ("郵便局", "〇五八", "9900", "9900 ゆうちょ銀行", "058 〇五八"),
    ] {
        let mut page = Page::new();
        let fields = vec![
            page.line("bank_name", 10.0, SETO, bank),
            page.line("branch_name", 30.0, SETO, branch),
            page.comb("bank_code", FieldKind::Digits, 50.0, SETO, code),
        ];
        let readings = read(page, fields, true);
        for (reading, label) in readings.iter().zip([bank_is, branch_is]) {
            let (named, posterior) =
                evidence(reading, EvidenceSource::ReferenceData).expect("the table was asked");
            assert_eq!(named.as_deref(), Some(label), "{bank} {branch}");
            assert!(posterior >= 0.9, "{label}: {posterior}");
            assert_eq!(reading.value.as_deref(), label.split_once(' ').map(|(_, name)| name));
        }
        let (named, agrees) = evidence(&readings[2], EvidenceSource::ReferenceData).expect("a code");
        assert_eq!(named.as_deref(), Some(bank_is));
        assert!(agrees > 0.9, "{agrees}");
    }
}

#[test]
fn what_is_no_bank_does_not_become_one() {
    let mut page = Page::new();
    let fields = vec![
        page.line("bank_name", 10.0, SETO, "山田商店"),
        page.line("branch_name", 30.0, SETO, "自宅のとなり"),
    ];
    let readings = read(page, fields, true);
    for (reading, written) in readings.iter().zip(["山田商店", "自宅のとなり"]) {
        assert_eq!(reading.value.as_deref(), Some(written));
        let posterior = evidence(reading, EvidenceSource::ReferenceData).map_or(0.0, |(_, score)| score);
        assert!(posterior < 0.5, "{written}: {posterior}");
    }
}

#[test]
fn without_line_models_ink_is_told_and_no_text_made_up() {
    let mut page = Page::new();
    let cell = RectMm { x: 10.0, y: 10.0, w: 60.0, h: 10.0 };
    page.character(IPA, '山', 4.5, 14.0, 16.8);
    let readings = read(page, vec![field("head_name", FieldKind::Text, vec![cell])], false);
    assert_eq!((readings[0].value.as_deref(), readings[0].state), (None, InkState::Written));
}

#[test]
fn most_digits_of_a_font_never_trained_on_are_recognised_from_the_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut page = Page::new();
    let comb = page.comb("row", FieldKind::Digits, 10.0, SETO, "0123456789");
    let scan = page.scan();
    let first = MAP.apply(comb.cells[0].corners()[0]);
    let size = (CELL * 10.0 * 11.81) as u32;
    // Cut straight out of a page that lies askew: the boxes are drawn and not quite where they should be.
    let row = image::imageops::crop_imm(&scan.gray, first.x as u32, first.y as u32 + 4, size, 94).to_image();
    let good: PathBuf = folder.path().join("row.png");
    row.save(&good).expect("written");
    let broken = folder.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n").expect("written");

    let output = Command::new(env!("CARGO_BIN_EXE_uketsuke"))
        .args(["recognize", "--kind", "digits", "--cells", "10"])
        .args([&broken, &good])
        .output()
        .expect("started");
    assert_eq!(output.status.code(), Some(1), "one image is broken");
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken.png"));
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON line");
    assert_eq!(line["file"], good.to_string_lossy().as_ref());
    let characters = line["characters"].as_array().expect("a list");
    assert_eq!(characters.len(), 10);
    assert!(characters[0]["alternatives"].is_array() && characters[0]["confidence"].is_f64());
    let text = line["text"].as_str().expect("a text");
    let right = text.chars().zip("0123456789".chars()).filter(|(read, written)| read == written).count();
    assert!(right >= 9, "{text}");
}
