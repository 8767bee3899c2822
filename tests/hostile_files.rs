//! Whatever is dropped, decoding gives pages or an error that says what is wrong; it never dies,
//! never makes up pixels, and shows the same page the same in every format.

#[path = "support/scans.rs"]
mod scans;

use std::path::{Path, PathBuf};

use image::{GrayImage, imageops};
use rand::{Rng, SeedableRng};
use scans::{PdfImage, PdfPage, TiffPage, Value, sample_page, tag};
use tempfile::TempDir;
use uketsuke::decode::{DecodeError, Fault, PageImage, Scan};
use uketsuke::settings::{Decode, Settings};

/// A folder with files to decode.
struct Drop {
    folder: TempDir,
    settings: Settings,
}

impl Drop {
    fn new() -> Self {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/uketsuke.toml");
        Self {
            folder: TempDir::new().expect("a temporary folder"),
            settings: Settings::load(Some(&shipped)).expect("the shipped settings"),
        }
    }

    fn with_limits(change: impl FnOnce(&mut Decode)) -> Self {
        let mut drop = Self::new();
        change(&mut drop.settings.decode);
        drop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, path: &Path) -> Result<Scan, DecodeError> {
        Scan::open(path, &self.settings.decode, &self.settings.paths.vendor.join("libpdfium.so"))
    }

    /// All pages of a file with these bytes; the first error.
    fn decode(&self, bytes: &[u8]) -> Result<Vec<PageImage>, DecodeError> {
        let path = self.path("scan");
        std::fs::write(&path, bytes).expect("space");
        let scan = self.open(&path)?;
        (0..scan.page_count()).map(|index| scan.page(index)).collect()
    }

    fn page(&self, bytes: &[u8]) -> PageImage {
        self.decode(bytes).expect("a whole file").remove(0)
    }

    fn error(&self, bytes: &[u8]) -> DecodeError {
        self.decode(bytes).expect_err("a bad file")
    }
}

/// Like `assert_eq`, but does not print a million pixels.
fn assert_same(found: &GrayImage, expected: &GrayImage, what: &str) {
    assert_eq!(found.dimensions(), expected.dimensions(), "{what}");
    let differing = std::iter::zip(found.as_raw(), expected.as_raw()).filter(|(a, b)| a != b).count();
    assert_eq!(differing, 0, "{what}: pixels that differ");
}

fn assert_near(found: &GrayImage, expected: &GrayImage, what: &str) {
    assert_eq!(found.dimensions(), expected.dimensions(), "{what}");
    let sum: u64 =
        std::iter::zip(found.as_raw(), expected.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let mean = sum as f64 / expected.as_raw().len() as f64;
    assert!(mean < 4.0, "{what}: {mean} gray levels of mean difference");
}

#[test]
fn every_tiff_that_libtiff_writes_shows_the_same_page() {
    let drop = Drop::new();
    let source = drop.path("source.tif");
    std::fs::write(&source, scans::tiff(&[TiffPage::bilevel(), TiffPage::bilevel()], 0)).expect("space");
    let ways: [&[&str]; 19] = [
        &["-c", "none"],
        &["-c", "g3:1d"],
        &["-c", "g3:1d:fill"],
        &["-c", "g3:2d"],
        &["-c", "g3:2d:fill", "-f", "lsb2msb"],
        &["-c", "g4"],
        &["-c", "g4", "-f", "lsb2msb"],
        &["-c", "g4", "-r", "7"],
        &["-c", "g4", "-8", "-B"],
        &["-c", "g4", "-t", "-w", "64", "-l", "64"],
        &["-c", "none", "-f", "lsb2msb"],
        &["-c", "lzw"],
        &["-c", "lzw", "-B", "-r", "16"],
        &["-c", "lzw", "-t", "-w", "112", "-l", "48"],
        &["-c", "zip"],
        &["-c", "zip", "-8"],
        &["-c", "zip", "-f", "lsb2msb"],
        &["-c", "packbits"],
        &["-c", "packbits", "-t", "-w", "64", "-l", "64", "-8"],
    ];
    for options in ways {
        let target = drop.path("target.tif");
        scans::tiffcp(&source, options, &target);
        let scan = drop.open(&target).expect("a TIFF");
        assert_eq!(scan.page_count(), 2);
        let page = scan.page(1).unwrap_or_else(|error| panic!("{options:?}: {error}"));
        assert_same(&page.gray, &sample_page(), &format!("{options:?}"));
        assert!(page.bilevel && page.colour.is_none(), "{options:?}");
        assert_eq!(page.declared_dpi, Some(300.0), "{options:?}");
    }
}

#[test]
fn gray_and_coloured_tiffs_keep_their_pixels() {
    let drop = Drop::new();
    let size = (90, 70);
    let gray: Vec<u8> = (0..size.0 * size.1).map(|i| (i % size.0 * 2 + i / size.0) as u8).collect();
    let rgb: Vec<u8> = gray.iter().flat_map(|value| [*value, 255 - value, value / 2]).collect();
    let words: Vec<u8> = gray.iter().flat_map(|value| [0x5a, *value]).collect();
    let source = drop.path("source.tif");
    let target = drop.path("target.tif");
    let ways: [&[&str]; 9] = [
        &["-c", "lzw:2"],
        &["-c", "lzw:2", "-B"],
        &["-c", "zip:2", "-p", "separate"],
        &["-c", "none", "-p", "separate", "-t", "-w", "32", "-l", "32"],
        &["-c", "zip:2", "-t", "-w", "48", "-l", "32"],
        &["-c", "packbits", "-r", "9"],
        &["-c", "jpeg:95", "-r", "32"],
        &["-c", "jpeg:r:95", "-r", "16"],
        &["-c", "jpeg:95", "-t", "-w", "64", "-l", "64"],
    ];
    for options in ways {
        for (bits, samples, photometric, strip) in [(8, 1, 1, &gray), (16, 1, 1, &words), (8, 3, 2, &rgb)] {
            let is_jpeg = options[1].starts_with("jpeg");
            // libtiff itself cannot do these.
            if bits == 16 && (is_jpeg || options.contains(&"separate")) {
                continue;
            }
            let what = format!("{options:?} of {samples} × {bits} bits");
            let page = TiffPage::new(size, bits, samples, photometric, strip.clone());
            std::fs::write(&source, scans::tiff(&[page], 0)).expect("space");
            scans::tiffcp(&source, options, &target);
            let page = drop
                .open(&target)
                .and_then(|scan| scan.page(0))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(!page.bilevel && page.declared_dpi.is_none(), "{what}");
            match &page.colour {
                None => {
                    let expected = GrayImage::from_raw(size.0, size.1, gray.clone()).expect("the size");
                    assert_near(&page.gray, &expected, &what);
                    if !is_jpeg {
                        assert_same(&page.gray, &expected, &what);
                    }
                    assert_eq!(samples, 1, "{what}");
                }
                Some(colour) => {
                    let luma =
                        |raw: &[u8]| GrayImage::from_raw(size.0 * 3, size.1, raw.to_vec()).expect("the size");
                    assert!(is_jpeg || *colour.as_raw() == rgb, "{what}");
                    // Half-resolution colours of JPEG differ more on this rainbow than on a page.
                    let is_subsampled = is_jpeg && !options[1].contains(":r");
                    if !is_subsampled {
                        assert_near(&luma(colour.as_raw()), &luma(&rgb), &what);
                    }
                }
            }
        }
    }
}

#[test]
fn tiffs_of_unusual_writers_are_read() {
    let drop = Drop::new();
    let sample = sample_page();
    let size = sample.dimensions();
    let page = |page: TiffPage| drop.page(&scans::tiff(&[page], 0));

    let inverted = scans::packed(&sample).iter().map(|byte| !byte).collect();
    assert_same(&page(TiffPage::new(size, 1, 1, 0, inverted)).gray, &sample, "white is 0");

    let palette = TiffPage::new(size, 8, 1, 3, sample.as_raw().iter().map(|value| value / 255 + 4).collect());
    let mut colours = vec![0; 768];
    for channel in 0..3 {
        colours[channel * 256 + 5] = 0xffff;
    }
    let palette = page(palette.with(tag::COLOUR_MAP, Value::Short(colours)));
    assert_same(&palette.gray, &sample, "a palette");
    assert!(palette.colour.is_none(), "a palette of grays");

    let inks = sample.as_raw().iter().flat_map(|value| [0, 0, 0, 255 - value]).collect();
    assert_same(&page(TiffPage::new(size, 8, 4, 5, inks)).gray, &sample, "CMYK");

    let without_counts = TiffPage::bilevel().without(tag::BYTE_COUNTS).without(tag::ROWS_PER_STRIP);
    assert_same(&page(without_counts).gray, &sample, "no byte counts");

    let turned = page(TiffPage::bilevel().with(tag::ORIENTATION, Value::Short(vec![6])));
    assert_same(&turned.gray, &imageops::rotate90(&sample), "an orientation tag");

    for (dpi, expected) in [((300, 1), Some(300.0)), ((1, 1), None), ((0, 0), None), ((u32::MAX, 1), None)] {
        let resolution = Value::Rational(dpi.0, dpi.1);
        let declared = TiffPage::bilevel()
            .with(tag::X_RESOLUTION, resolution.clone())
            .with(tag::Y_RESOLUTION, resolution);
        assert_eq!(page(declared).declared_dpi, expected, "{dpi:?}");
    }
}

#[test]
fn a_page_is_the_same_in_every_format() {
    let drop = Drop::new();
    let sample = sample_page();
    assert_same(&drop.page(&scans::png(&sample)).gray, &sample, "PNG");
    assert_near(&drop.page(&scans::jpeg(&sample, 95)).gray, &sample, "JPEG");
    for (image, bilevel) in [(PdfImage::Group4, true), (PdfImage::Flate, false)] {
        let page = drop.page(&scans::saved(scans::pdf(&[PdfPage::of(image)])));
        assert_same(&page.gray, &sample, "PDF");
        assert_eq!(page.bilevel, bilevel);
        assert!(page.declared_dpi.is_some_and(|dpi| (dpi - 300.0).abs() < 0.1), "{:?}", page.declared_dpi);
    }
    let page = drop.page(&scans::saved(scans::pdf(&[PdfPage::of(PdfImage::Jpeg)])));
    // Two decoders round differently, but neither resamples.
    let largest = std::iter::zip(page.gray.as_raw(), drop.page(&scans::jpeg(&sample, 95)).gray.as_raw())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(largest <= Some(3), "{largest:?} gray levels of difference in the embedded JPEG");
}

#[test]
fn a_page_of_a_pdf_looks_as_it_is_shown() {
    let drop = Drop::new();
    let sample = sample_page();
    let shown = |rotate, content| {
        let page = PdfPage { image: PdfImage::Group4, rotate, content };
        drop.page(&scans::saved(scans::pdf(&[page])))
    };
    let full = scans::FULL_PAGE;
    // Taken as they are.
    assert_same(&shown(90, full).gray, &imageops::rotate90(&sample), "/Rotate 90");
    assert_same(&shown(270, full).gray, &imageops::rotate270(&sample), "/Rotate 270");
    let upside_down = shown(0, "q -72.24 0 0 -100.8 72.24 100.8 cm /Im0 Do Q");
    assert_same(&upside_down.gray, &imageops::rotate180(&sample), "upside down");
    let invisible_text = "BT /F0 12 Tf 3 Tr 10 10 Td (earlier OCR) Tj ET q 72.24 0 0 100.8 0 0 cm /Im0 Do Q";
    assert_same(&shown(0, invisible_text).gray, &sample, "invisible text");
    // Rendered.
    let mirrored = shown(0, "q -72.24 0 0 100.8 72.24 0 cm /Im0 Do Q");
    assert_near(&mirrored.gray, &imageops::flip_horizontal(&sample), "mirrored");
    let half = shown(0, "q 36.12 0 0 50.4 0 50.4 cm /Im0 Do Q");
    assert_eq!(half.gray.dimensions(), sample.dimensions());
    assert!(half.gray.rows().skip(220).flatten().all(|pixel| pixel.0[0] == 255), "the lower half is empty");
    let red_line = shown(0, "q 72.24 0 0 100.8 0 0 cm /Im0 Do Q 1 0 0 RG 5 w 0 50 m 72 50 l S");
    let colour = red_line.colour.expect("a red line");
    assert_eq!(colour.get_pixel(150, 211).0, [255, 0, 0]);
}

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
    let mut short = TiffPage::bilevel();
    short = short.with(tag::BYTE_COUNTS, Value::Long(vec![9_000_000]));
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
    assert!(message.contains("ZIP archive") && message.contains("TIFF, JPEG, PNG and PDF"), "{message}");

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
