//! Whatever is dropped, decoding gives pages or an error that says what is wrong; it never dies and
//! never makes up pixels.

#[path = "support/scans.rs"]
mod scans;

use image::GrayImage;
use rand::{Rng, SeedableRng};
use scans::{Drop, PdfImage, PdfPage, TiffPage, Value, assert_same, sample_page, tag};
use uketsuke::decode::Fault;

#[test]
fn a_cut_file_is_an_error_and_never_half_a_page() {
    let drop = Drop::new();
    let sample = sample_page();
    let files = [
        ("TIFF", scans::tiff(&[TiffPage::bilevel(), TiffPage::bilevel()], 0)),
        ("JPEG", scans::jpeg(&sample, 80)),
        ("PNG", scans::png(&sample)),
        ("PDF", scans::saved(scans::pdf(&[PdfPage::of(PdfImage::Jpeg), PdfPage::of(PdfImage::Group4)]))),
    ];
    for (name, whole) in files {
        let pages = drop.decode(&whole).expect("whole");
        for cut in 0..60 {
            let length = whole.len() * cut / 60;
            match drop.decode(&whole[..length]) {
                Err(_) => {}
                // Only bytes that are no part of the page may be missing.
                Ok(left) => assert!(left == pages, "{name} cut to {length} of {} bytes", whole.len()),
            }
        }
    }
}

#[test]
fn only_the_cut_page_is_lost() {
    let drop = Drop::new();
    let short = TiffPage::bilevel().with(tag::BYTE_COUNTS, Value::Long(vec![9_000_000]));
    let path = drop.path("scan.tif");
    std::fs::write(&path, scans::tiff(&[TiffPage::bilevel(), short, TiffPage::bilevel()], 0)).expect("space");
    let scan = drop.open(&path).expect("three pages");
    assert!(scan.page(0).is_ok() && scan.page(2).is_ok());
    let error = scan.page(1).expect_err("its strip is too long");
    assert_eq!((error.page, error.code()), (Some(2), "truncated"));
    assert!(error.to_string().starts_with("page 2: is cut off"), "{error}");
    assert_eq!(scan.page(3).expect_err("three pages").code(), "no_such_page");
}

#[test]
fn what_is_no_scan_is_named() {
    let drop = Drop::new();
    std::fs::write(drop.path("claims.pdf"), b"PK\x03\x04 and so on").expect("space");
    let error = drop.open(&drop.path("claims.pdf")).err().expect("a ZIP archive");
    assert_eq!(error.code(), "unknown_format");
    let message = error.to_string();
    assert!(
        message.contains("ZIP archive") && message.contains("TIFF, JPEG, PNG, WebP and PDF"),
        "{message}"
    );

    assert_eq!(drop.error(b"").code(), "empty");
    assert!(drop.error("名簿\n".as_bytes()).to_string().contains("text file"));
    assert!(drop.error(&[0, 1, 2, 3, 200, 201]).to_string().contains("unknown format"));
    assert_eq!(drop.open(drop.folder.path()).err().expect("a folder").code(), "not_a_file");
    assert_eq!(drop.open(&drop.path("missing")).err().expect("nothing").code(), "unreadable");

    let pipe = drop.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    assert_eq!(drop.open(&pipe).err().expect("a pipe").code(), "not_a_file");

    // A TIFF is one, whatever it is called.
    std::fs::write(drop.path("scan.pdf"), scans::tiff(&[TiffPage::bilevel()], 0)).expect("space");
    let scan = drop.open(&drop.path("scan.pdf")).expect("a TIFF");
    assert_same(&scan.page(0).expect("whole").gray, &sample_page(), "a TIFF called PDF");
}

#[test]
fn a_protected_pdf_says_so() {
    let drop = Drop::new();
    let mut document = scans::pdf(&[PdfPage::of(PdfImage::Flate)]);
    let id = lopdf::Object::string_literal("0123456789abcdef");
    document.trailer.set("ID", lopdf::Object::Array(vec![id.clone(), id]));
    let version = lopdf::EncryptionVersion::V2 {
        document: &document,
        owner_password: "owner",
        user_password: "user",
        key_length: 128,
        permissions: lopdf::Permissions::all(),
    };
    let state = lopdf::EncryptionState::try_from(version).expect("known");
    document.encrypt(&state).expect("not yet encrypted");
    let error = drop.error(&scans::saved(document));
    assert_eq!((error.page, error.code()), (None, "encrypted"));
    assert!(error.to_string().contains("password"), "{error}");
}

#[test]
fn limits_are_named_and_nothing_is_allocated_for_what_exceeds_them() {
    let drop = Drop::new();
    let huge = |bits| TiffPage::new((60_000, 60_000), bits, 1, 1, vec![0; 10]);
    let error = drop.error(&scans::tiff(&[huge(8)], 0));
    assert_eq!(error.code(), "too_many_pixels");
    let message = error.to_string();
    for part in ["page 1", "60000 × 60000", "150 megapixels", "decode.max_page_megapixels"] {
        assert!(message.contains(part), "{message}");
    }
    let mut png = scans::png(&sample_page());
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let header_checksum = flate2_crc(&png[12..29]);
    png[29..33].copy_from_slice(&header_checksum.to_be_bytes());
    assert_eq!(drop.error(&png).code(), "too_many_pixels");
    let mut jpeg = scans::jpeg(&sample_page(), 80);
    let frame = jpeg.windows(2).position(|bytes| bytes == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
    assert_eq!(drop.error(&jpeg).code(), "too_many_pixels");
    let mut wall = scans::pdf(&[PdfPage { content: "0 0 10 10 re f", ..PdfPage::of(PdfImage::Flate) }]);
    for object in wall.objects.values_mut() {
        if let Ok(dictionary) = object.as_dict_mut()
            && dictionary.has(b"MediaBox")
        {
            dictionary.set("MediaBox", vec![0.into(), 0.into(), 14_400.into(), 14_400.into()]);
        }
    }
    assert_eq!(drop.error(&scans::saved(wall)).code(), "too_many_pixels");

    for side in [1, 15] {
        let error = drop.error(&scans::png(&GrayImage::new(side, side)));
        assert!(matches!(error.fault, Fault::TooSmall { .. }), "{error}");
    }
    assert!(drop.decode(&scans::png(&GrayImage::new(16, 16))).is_ok());

    let drop = Drop::with_limits(|limits| limits.max_page_mib = 0);
    assert_eq!(drop.error(&jpeg).code(), "too_many_bytes");
    let drop = Drop::with_limits(|limits| limits.max_pages = 1);
    let error = drop.error(&scans::tiff(&[TiffPage::bilevel(), TiffPage::bilevel()], 0));
    assert_eq!(
        error.to_string(),
        "the scan has 2 pages, the limit is 1; split it, or raise decode.max_pages"
    );
}

fn flate2_crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[test]
fn a_pdf_of_five_thousand_pages_is_refused_or_read_page_by_page() {
    let pages: Vec<PdfPage> =
        (0..5000).map(|_| PdfPage { content: "0 0 9 9 re f", ..PdfPage::of(PdfImage::Group4) }).collect();
    let bytes = scans::saved(scans::pdf(&pages));
    let drop = Drop::new();
    let error = drop.error(&bytes);
    assert_eq!(error.code(), "too_many_pages");
    assert!(
        error.to_string().contains("5000 pages") && error.to_string().contains("decode.max_pages"),
        "{error}"
    );

    let drop = Drop::with_limits(|limits| limits.max_pages = 5000);
    std::fs::write(drop.path("scan"), &bytes).expect("space");
    let scan = drop.open(&drop.path("scan")).expect("within the limit");
    assert_eq!(scan.page_count(), 5000);
    for index in [4999, 0, 2500] {
        assert_eq!(scan.page(index).expect("whole").gray.get_pixel(3, 417).0, [0]);
    }
}

#[test]
fn a_chain_of_pages_without_end_is_an_error() {
    let drop = Drop::new();
    let whole = scans::tiff(&[TiffPage::bilevel(), TiffPage::bilevel()], 0);
    let first = u32::from_le_bytes(whole[4..8].try_into().expect("four bytes"));
    let error = drop.error(&scans::tiff(&[TiffPage::bilevel(), TiffPage::bilevel()], first));
    assert_eq!(error.code(), "damaged");
    assert!(error.to_string().contains("circle"), "{error}");
}

#[test]
fn flipped_bits_never_end_the_program() {
    let drop = Drop::new();
    let sample = sample_page();
    let source = drop.path("source.tif");
    let target = drop.path("target.tif");
    std::fs::write(&source, scans::tiff(&[TiffPage::bilevel()], 0)).expect("space");
    let tiff = |options: &[&str]| {
        scans::tiffcp(&source, options, &target);
        std::fs::read(&target).expect("written")
    };
    let colours: Vec<u8> = (0..90 * 70 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let rgb = scans::tiff(&[TiffPage::new((90, 70), 8, 3, 2, colours)], 0);
    let jpeg_in_tiff = {
        std::fs::write(&source, &rgb).expect("space");
        let bytes = tiff(&["-c", "jpeg", "-r", "16"]);
        std::fs::write(&source, scans::tiff(&[TiffPage::bilevel()], 0)).expect("space");
        bytes
    };
    let files = [
        tiff(&["-c", "g3:2d"]),
        tiff(&["-c", "g4", "-8"]),
        tiff(&["-c", "lzw", "-t", "-w", "64", "-l", "64"]),
        tiff(&["-c", "zip"]),
        tiff(&["-c", "packbits"]),
        jpeg_in_tiff,
        rgb,
        scans::jpeg(&sample, 80),
        scans::png(&sample),
        scans::saved(scans::pdf(&[PdfPage::of(PdfImage::Jpeg)])),
        scans::saved(scans::pdf(&[PdfPage::of(PdfImage::Group4)])),
    ];
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(20_201_120);
    let mut refused = 0;
    for round in 0..2000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..random.random_range(1..8) {
            // Structure is at the beginning and the end; so are half of the flips.
            let position = match random.random_range(0..4) {
                0 => random.random_range(0..bytes.len().min(300)),
                1 => bytes.len() - 1 - random.random_range(0..bytes.len().min(300)),
                _ => random.random_range(0..bytes.len()),
            };
            bytes[position] ^= 1 << random.random_range(0..8);
        }
        refused += usize::from(drop.decode(&bytes).is_err());
    }
    assert!(refused > 200, "only {refused} of 2000 damaged files were noticed");
}
