//! What is printed can be read again by machines, is the same every time, and goes out as it is
//! made.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;

use chrono::NaiveDate;
use pdfium_render::prelude::*;
use uketsuke::application_id::ApplicationId;
use uketsuke::approve::{Deficiency, ReturnReason};
use uketsuke::check::{Defect, FindingCode};
use uketsuke::form::print::{Part, Progress, pdf_of, write_parts, write_pdf, write_specimen};
use uketsuke::form::{Form, Forms, SymbolRole, Symbology};
use uketsuke::identify::{Issue, PageCode};
use uketsuke::letter::Letter;
use uketsuke::register::Household;
use uketsuke::settings::Settings;

fn forms() -> Forms {
    Forms::load_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config/forms")).expect("the shipped forms")
}

fn household(serial: u64) -> Household {
    Household {
        application_id: ApplicationId::from_serial(serial).expect("in range"),
        head_name: "佐々木　花子".to_owned(),
        head_kana: "ササキ　ハナコ".to_owned(),
        postal_code: "231-0005".to_owned(),
        address: "神奈川県横浜市中区本町六丁目50番地の10".to_owned(),
        birth_date: "1970-01-31".to_owned(),
        members: 2,
        amount: 200_000,
        further: BTreeMap::new(),
    }
}

/// Bound once a process.
fn pdfium() -> &'static Pdfium {
    static PDFIUM: LazyLock<Pdfium> = LazyLock::new(|| {
        let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("vendor/libpdfium.so");
        Pdfium::new(Pdfium::bind_to_library(library).expect("run scripts/setup"))
    });
    &PDFIUM
}

/// The pages of a PDF at 200 dpi, the coarsest that scanners deliver.
fn render(pdfium: &Pdfium, pdf: &[u8]) -> Vec<image::GrayImage> {
    let document = pdfium.load_pdf_from_byte_slice(pdf, None).expect("a PDF");
    // Not in the Gray format: pdfium traps there on a path that is one rectangle.
    let config = PdfRenderConfig::new().scale_page_by_factor(200.0 / 72.0).set_format(PdfBitmapFormat::BGRx);
    let mut images = Vec::new();
    for page in document.pages().iter() {
        let bitmap = page.render_with_config(&config).expect("a page");
        let gray: Vec<u8> = bitmap.as_raw_bytes().chunks(4).map(|pixel| pixel[1]).collect();
        let (width, height) = (bitmap.width() as u32, bitmap.height() as u32);
        images.push(image::GrayImage::from_raw(width, height, gray).expect("as many pixels"));
    }
    images
}

fn zxing(image: &image::GrayImage) -> Vec<String> {
    use zxingcpp::BarcodeFormat::{Codabar, Code39, Code128, ITF, QRCode};
    let reader = zxingcpp::read().formats([Codabar, Code39, Code128, ITF, QRCode]);
    let (width, height) = image.dimensions();
    let view = zxingcpp::ImageView::from_slice(image.as_raw(), width, height, zxingcpp::ImageFormat::Lum);
    reader.from(&view.expect("an image")).expect("an image").iter().map(zxingcpp::Barcode::text).collect()
}

/// zbar reads crops better than pages: one symbol, with white around it.
fn zbar(image: &image::GrayImage, form: &Form, page: usize) -> Vec<String> {
    let page = &form.pages[page];
    let pixels = |mm: f64| (mm / 25.4 * 200.0).max(0.0) as u32;
    let mut found = Vec::new();
    for symbol in &page.symbols {
        let area = symbol.area.grown(3.0);
        let crop =
            image::imageops::crop_imm(image, pixels(area.x), pixels(area.y), pixels(area.w), pixels(area.h));
        let crop = crop.to_image();
        let mut padded =
            image::GrayImage::from_pixel(crop.width() + 80, crop.height() + 80, image::Luma([255]));
        image::imageops::replace(&mut padded, &crop, 40, 40);
        let mut scanner = zbar_rust::ZBarImageScanner::new();
        let (width, height) = padded.dimensions();
        let read = scanner.scan_y800(padded.into_raw(), width, height).expect("an image");
        found.extend(read.into_iter().map(|symbol| String::from_utf8_lossy(&symbol.data).into_owned()));
    }
    found
}

#[test]
fn both_decoders_read_every_symbol_of_every_page_at_200_dpi() {
    let pdfium = pdfium();
    for form in forms().iter() {
        let households = [household(1), household(987_654_321_098)];
        let pages = render(pdfium, &pdf_of(form, &households).expect("printed"));
        assert_eq!(pages.len(), 2 * form.pages.len());
        for (index, image) in pages.iter().enumerate() {
            let (applicant, number) = (index / form.pages.len(), index % form.pages.len());
            let id = households[applicant].application_id;
            let code = PageCode {
                form: form.id.clone(),
                version: form.version.clone(),
                page: number as u32 + 1,
                application_id: id,
                issue: Issue::FIRST,
            };
            let symbols = &form.pages[number].symbols;
            let one_dimensional =
                symbols.iter().find(|symbol| symbol.role == SymbolRole::ApplicationId).expect("checked");
            let digits = match one_dimensional.symbology {
                Symbology::Nw7 => format!("A{id}A"),
                _ => id.to_string(),
            };
            for mut read in [zxing(image), zbar(image, form, number)] {
                let mut expected = [code.to_string(), digits.clone()];
                read.sort();
                expected.sort();
                assert_eq!(read, expected, "{} page {}", form.id, number + 1);
            }
        }
    }
}

#[test]
fn a_specimen_is_printed_without_a_register() {
    for form in forms().iter() {
        let mut pdf = Vec::new();
        let report = write_specimen(form, &mut pdf).expect("printed");
        assert_eq!((report.applications, report.pages as usize), (1, form.pages.len()));
        let document = lopdf::Document::load_mem(&pdf).expect("a PDF");
        assert_eq!(document.get_pages().len(), form.pages.len());
    }
}

#[test]
fn the_same_register_gives_the_same_bytes() {
    for form in forms().iter() {
        let households = [household(5), household(6)];
        assert_eq!(pdf_of(form, &households).expect("printed"), pdf_of(form, &households).expect("printed"));
    }
}

/// Counts what passes, and keeps nothing.
struct Sink<'a> {
    bytes: &'a Cell<u64>,
    largest: &'a Cell<usize>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.set(self.bytes.get() + bytes.len() as u64);
        self.largest.set(self.largest.get().max(bytes.len()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn every_application_is_written_before_the_next_one_is_asked_for() {
    const APPLICATIONS: u64 = 2000;
    let forms = forms();
    let form = forms.find("benefit-b5", "1").expect("shipped");
    let (bytes, largest) = (Cell::new(0), Cell::new(0));
    let seen = Cell::new(Vec::new());
    let households = || {
        let (bytes, seen) = (&bytes, &seen);
        Ok((0..APPLICATIONS).map(move |serial| {
            let mut so_far: Vec<u64> = seen.take();
            so_far.push(bytes.get());
            seen.set(so_far);
            Ok(household(serial))
        }))
    };
    let mut last = None;
    let sink = Sink { bytes: &bytes, largest: &largest };
    let report = write_pdf(form, households, sink, &mut |progress| last = Some(progress)).expect("printed");
    assert_eq!(report.applications, APPLICATIONS);
    assert_eq!(last, Some(Progress::Printed { done: APPLICATIONS, total: APPLICATIONS }));
    let seen = seen.take();
    let (counting, printing) = seen.split_at(APPLICATIONS as usize);
    assert!(counting.iter().all(|&written| written == 0), "nothing is written before the register was read");
    assert!(printing.windows(2).all(|pair| pair[1] > pair[0]), "an application was held back");
    // The largest piece is a font or the cross-reference table's buffer, not the document.
    assert!(largest.get() < 200_000 && bytes.get() > 2_000_000, "{} of {}", largest.get(), bytes.get());
}

#[test]
fn a_register_that_changes_while_it_is_printed_is_noticed() {
    let forms = forms();
    let form = forms.iter().next().expect("shipped");
    for second in [1, 3] {
        let asked = Cell::new(0);
        let households = || {
            asked.set(asked.get() + 1);
            let count = if asked.get() == 1 { 2 } else { second };
            Ok((0..count).map(|serial| Ok(household(serial))))
        };
        let error = write_pdf(form, households, std::io::sink(), &mut |_| {}).expect_err("it changed");
        assert_eq!(error.to_string(), "the register changed while it was printed; print it again");
    }
}

#[test]
fn long_and_rare_names_are_printed_and_reported() {
    let forms = forms();
    for form in forms.iter() {
        let long = Household {
            head_name: "アレクサンドラ・マリア・デ・ラ・クルス・フェルナンデス・イ・ゴンサレス".repeat(3),
            address: "神奈川県横浜市中区本町六丁目50番地の10　みなとみらいグランドタワーレジデンス横浜ベイサイド東館2503号室".repeat(2),
            ..household(1)
        };
        let rare = Household {
            head_name: "\u{2A6D6}野 太郎".to_owned(),
            postal_code: "?".to_owned(),
            ..household(2)
        };
        let all = [long, rare];
        let report = write_pdf(form, || Ok(all.iter().cloned().map(Ok)), std::io::sink(), &mut |_| {})
            .expect("printed");
        assert_eq!(report.lacking_first, [all[1].application_id], "{}", form.id);
        assert_eq!(report.lacking_characters, 1);
    }
}

#[test]
fn the_layout_is_that_of_the_contract() {
    let forms = forms();
    insta::assert_json_snapshot!(forms.find("benefit-b5", "1").expect("shipped").layout());
    let first = forms.find("benefit-2020", "1").expect("shipped").layout();
    let first = serde_json::to_value(first).expect("JSON");
    let names: Vec<&str> = first["pages"][0]["fields"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|field| field["name"].as_str())
        .collect();
    // The names of the record's contract.
    let mut expected = [
        "application_date",
        "phone",
        "account_route",
        "bank_name",
        "branch_name",
        "bank_code",
        "branch_code",
        "account_type",
        "account_number",
        "account_holder_kana",
        "yucho_symbol",
        "yucho_number",
        "head_name",
        "signature",
        "declined",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected);
}

/// Everything that an applicant can be asked for.
fn all_deficiencies() -> Vec<Deficiency> {
    use FindingCode::{
        AccountNumber, AccountRoute, AccountTypeMissing, BankUnknown, BranchUnknown, DateImplausible,
        Declined, HolderBlank, HolderNotLegal, MissingPage, SignatureMissing, YuchoNumber,
    };
    let finding = |(page, code, defect)| Deficiency::Finding { page, code, defect: Some(defect) };
    let mut all: Vec<Deficiency> = [
        (1, SignatureMissing, Defect::D01),
        (1, DateImplausible, Defect::D02),
        (1, Declined, Defect::D14),
        (1, AccountRoute, Defect::D03),
        (1, AccountRoute, Defect::D12),
        (1, BankUnknown, Defect::D04),
        (1, BranchUnknown, Defect::D04),
        (1, AccountTypeMissing, Defect::D03),
        (1, AccountNumber, Defect::D05),
        (1, YuchoNumber, Defect::D05),
        (1, HolderBlank, Defect::D06),
        (1, HolderNotLegal, Defect::D06),
        (1, MissingPage, Defect::D19),
        (2, MissingPage, Defect::D10),
    ]
    .map(finding)
    .into();
    let at = chrono::DateTime::UNIX_EPOCH;
    all.extend(ReturnReason::ALL.map(|reason| Deficiency::Returned { page: 1, reason, at }));
    all.extend(
        ["account_holder_kana", "bank_name"]
            .map(|field| Deficiency::Field { page: 1, field: field.to_owned() }),
    );
    all
}

/// The letter with its return form, and how many pages of it are the letter's.
fn letter(form: &Form, household: &Household, deficiencies: &[Deficiency]) -> (Vec<u8>, usize) {
    let letter = Letter { household, form, deficiencies, number: 1 };
    let settings = Settings::load(None).expect("shipped settings");
    let date = NaiveDate::from_ymd_opt(2020, 7, 1).expect("a date");
    let parts = || letter.parts(date, &settings.letters).into_iter();
    let leaves = parts().filter(|part| matches!(part, Part::Leaf(_))).count();
    let mut pdf = Vec::new();
    let report = write_parts("letter", parts, &mut pdf).expect("printed");
    assert_eq!((report.pages as usize, report.lacking_characters), (leaves + form.pages.len(), 0));
    (pdf, leaves)
}

/// The text of every page, without what breaks its lines.
fn texts(pdfium: &Pdfium, pdf: &[u8]) -> Vec<String> {
    let document = pdfium.load_pdf_from_byte_slice(pdf, None).expect("a PDF");
    let text = |page: PdfPage<'_>| page.text().expect("a text").all();
    document.pages().iter().map(|page| text(page).split_whitespace().collect()).collect()
}

#[test]
fn a_letter_says_what_is_missing_and_its_return_form_carries_the_same_id() {
    let pdfium = pdfium();
    let household = household(4711);
    let id = household.application_id.to_string();
    for form in forms().iter() {
        let one =
            [Deficiency::Finding { page: 1, code: FindingCode::SignatureMissing, defect: Some(Defect::D01) }];
        let (pdf, leaves) = letter(form, &household, &one);
        assert_eq!(leaves, 1);
        let told = texts(pdfium, &pdf);
        for words in [
            "佐々木花子様",
            "〒231-0005",
            "署名（又は記名押印）がありません",
            "令和2年7月1日",
            "令和2年7月22日",
            &id,
        ] {
            assert!(told[0].contains(words), "{words}\n{}", told[0]);
        }
        for page in &told[leaves..] {
            assert!(page.contains(&format!("再提出用（第2版）通知番号{id}-1")), "{page}");
        }
        let images = render(pdfium, &pdf);
        assert_eq!(zxing(&images[0]), [] as [&str; 0], "nobody takes the letter for a form");
        for (page, image) in (1u32..).zip(&images[leaves..]) {
            let code = PageCode {
                form: form.id.clone(),
                version: form.version.clone(),
                page,
                application_id: household.application_id,
                issue: Issue::of_letter(1),
            };
            let read = zxing(image);
            assert!(read.contains(&code.to_string()), "{read:?}");
            assert!(read.iter().any(|text| text.trim_matches('A') == id), "{read:?}");
        }
        // However much is wrong: every row is there, on as many pages as it takes.
        let (pdf, leaves) = letter(form, &household, &all_deficiencies());
        assert!(leaves > 1, "{leaves}");
        let all = texts(pdfium, &pdf)[..leaves].concat();
        for words in
            ["金融機関コード（４桁）", "解約などにより", "ＡＴＭ", "お問い合わせの際は", "0120-000-000"]
        {
            assert!(all.contains(words), "{words}\n{all}");
        }
    }
}
