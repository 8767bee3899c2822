//! A page has the same pixels in whichever format, compression and arrangement it was scanned.

#[path = "support/scans.rs"]
mod scans;

use image::{GrayImage, imageops};
use scans::{Drop, PdfImage, PdfPage, TiffPage, Value, assert_near, assert_same, sample_page, tag};

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
