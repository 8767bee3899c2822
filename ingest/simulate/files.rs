//! Scanned pages to the files that a scanner drops.

use std::io;

use clap::ValueEnum;
use jpeg_encoder::PixelDensity;
use lopdf::{Dictionary, Document, Object, Stream, dictionary};
use rand::Rng;

use super::scanner::{Mode, Raster};
use super::tiff::{self, Photometric, TiffCompression, TiffPage};
use crate::geometry::Millimetres;

/// Kinds of files that scanners write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Format {
    Tiff,
    Jpeg,
    Png,
    Pdf,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Tiff, Self::Jpeg, Self::Png, Self::Pdf];

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Tiff => "tif",
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }

    /// Whether one file holds many pages; else every page is a file.
    pub(super) fn holds_many(self) -> bool {
        matches!(self, Self::Tiff | Self::Pdf)
    }

    /// The modes that it can hold, and how often stations use them.
    pub(super) fn modes(self) -> &'static [(Mode, f64)] {
        match self {
            Self::Tiff => &[(Mode::Gray, 0.3), (Mode::Bilevel, 0.5), (Mode::Colour, 0.2)],
            Self::Jpeg => &[(Mode::Gray, 0.6), (Mode::Colour, 0.4)],
            Self::Png => &[(Mode::Gray, 0.3), (Mode::Bilevel, 0.6), (Mode::Colour, 0.1)],
            Self::Pdf => &[(Mode::Gray, 0.4), (Mode::Bilevel, 0.3), (Mode::Colour, 0.3)],
        }
    }
}

/// How the pixels of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Fax for bilevel pages, JPEG for others.
    Compact,
    /// Nothing is lost: LZW in TIFF, Flate in PDF.
    Lossless,
}

impl Packing {
    /// Few stations keep every pixel of gray and colour scans: that takes megabytes a page.
    pub(super) fn of_chance(mode: Mode, source: &mut impl Rng) -> Self {
        let lossless = match mode {
            Mode::Bilevel => 0.3,
            Mode::Gray => 0.15,
            Mode::Colour => 0.05,
        };
        if source.random_bool(lossless) { Self::Lossless } else { Self::Compact }
    }
}

/// One page, its pixels packed; what a file is put together from.
pub(super) enum PackedPage {
    /// The whole file of a format that holds one page.
    File(Vec<u8>),
    Tiff(TiffPage),
    Pdf(PdfPage),
}

/// Packs the pixels of one page.
pub(super) fn pack(format: Format, packing: Packing, quality: u8, page: &Raster) -> io::Result<PackedPage> {
    Ok(match format {
        Format::Jpeg => PackedPage::File(jpeg(page, quality)?),
        Format::Png => PackedPage::File(png(page)?),
        Format::Tiff => PackedPage::Tiff(tiff_page(page, packing, quality)?),
        Format::Pdf => PackedPage::Pdf(pdf_page(page, packing, quality)?),
    })
}

/// Puts packed pages together to files: one of all pages, or one a page where the format holds no
/// more.
pub(super) fn assemble(pages: Vec<PackedPage>) -> io::Result<Vec<Vec<u8>>> {
    let (mut files, mut tiff_pages, mut pdf_pages) = (Vec::new(), Vec::new(), Vec::new());
    for page in pages {
        match page {
            PackedPage::File(bytes) => files.push(bytes),
            PackedPage::Tiff(page) => tiff_pages.push(page),
            PackedPage::Pdf(page) => pdf_pages.push(page),
        }
    }
    if !tiff_pages.is_empty() {
        files.push(tiff::write(&tiff_pages));
    }
    if !pdf_pages.is_empty() {
        files.push(pdf(pdf_pages)?);
    }
    Ok(files)
}

fn jpeg(page: &Raster, quality: u8) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_density(PixelDensity::dpi(page.dpi as u16));
    // Always, whatever the quality: a TIFF has to say which.
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    let colour = match page.mode {
        Mode::Colour => jpeg_encoder::ColorType::Rgb,
        Mode::Gray | Mode::Bilevel => jpeg_encoder::ColorType::Luma,
    };
    let (width, height) = (page.width as u16, page.height as u16);
    encoder.encode(&page.data, width, height, colour).map_err(io::Error::other)?;
    Ok(bytes)
}

fn png(page: &Raster) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, page.width, page.height);
    let per_metre = (f64::from(page.dpi) / Millimetres::PER_INCH * 1000.0).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions {
        xppu: per_metre,
        yppu: per_metre,
        unit: png::Unit::Meter,
    }));
    encoder.set_compression(png::Compression::Fast);
    encoder.set_color(if page.mode == Mode::Colour {
        png::ColorType::Rgb
    } else {
        png::ColorType::Grayscale
    });
    if page.mode == Mode::Bilevel {
        encoder.set_depth(png::BitDepth::One);
    }
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    if page.mode == Mode::Bilevel {
        writer.write_image_data(&bits(page)).map_err(io::Error::other)?;
    } else {
        writer.write_image_data(&page.data).map_err(io::Error::other)?;
    }
    writer.finish().map_err(io::Error::other)?;
    Ok(bytes)
}

fn tiff_page(page: &Raster, packing: Packing, quality: u8) -> io::Result<TiffPage> {
    let (photometric, compression, strip) = match (page.mode, packing) {
        (Mode::Bilevel, Packing::Compact) => {
            (Photometric::WhiteIsZero, TiffCompression::Group4, group4(page))
        }
        (Mode::Bilevel, Packing::Lossless) => {
            (Photometric::BilevelBlackIsZero, TiffCompression::Lzw, lzw(&bits(page))?)
        }
        (Mode::Gray, Packing::Compact) => (Photometric::Gray, TiffCompression::Jpeg, jpeg(page, quality)?),
        (Mode::Gray, Packing::Lossless) => (Photometric::Gray, TiffCompression::Lzw, lzw(&page.data)?),
        (Mode::Colour, Packing::Compact) => (Photometric::YCbCr, TiffCompression::Jpeg, jpeg(page, quality)?),
        (Mode::Colour, Packing::Lossless) => (Photometric::Rgb, TiffCompression::Lzw, lzw(&page.data)?),
    };
    let Raster { width, height, dpi, .. } = *page;
    Ok(TiffPage { width, height, dpi, photometric, compression, strip })
}

fn lzw(bytes: &[u8]) -> io::Result<Vec<u8>> {
    weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
        .encode(bytes)
        .map_err(io::Error::other)
}

/// ITU-T T.6, as in fax machines and most bilevel scans.
fn group4(page: &Raster) -> Vec<u8> {
    let mut encoder = fax::encoder::Encoder::new(fax::VecWriter::new());
    for line in page.data.chunks_exact(page.width as usize) {
        let pixels = line.iter().map(|&value| if value == 0 { fax::Color::Black } else { fax::Color::White });
        match encoder.encode_line(pixels, page.width) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }
    match encoder.finish() {
        Ok(writer) => writer.finish(),
        Err(never) => match never {},
    }
}

/// Eight pixels a byte, the leftmost in the highest bit, white is 1; every row begins a byte.
fn bits(page: &Raster) -> Vec<u8> {
    let rows = page.data.chunks_exact(page.width as usize);
    rows.flat_map(|row| {
        row.chunks(8).map(|eight| {
            eight
                .iter()
                .enumerate()
                .fold(0, |byte, (place, &value)| byte | u8::from(value != 0) << (7 - place))
        })
    })
    .collect()
}

/// An image that fills a PDF page.
pub(super) struct PdfPage {
    width_points: f32,
    height_points: f32,
    image: Stream,
}

fn pdf(pages: Vec<PdfPage>) -> io::Result<Vec<u8>> {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let mut kids = Vec::new();
    for page in pages {
        let PdfPage { width_points: width, height_points: height, image } = page;
        let image = document.add_object(image);
        let content =
            Stream::new(Dictionary::new(), format!("q {width} 0 0 {height} 0 0 cm /Scan Do Q").into_bytes());
        let content = document.add_object(content);
        kids.push(Object::Reference(document.add_object(dictionary! {
            "Type" => "Page",
            "Parent" => tree,
            "MediaBox" => vec![0.into(), 0.into(), Object::Real(width), Object::Real(height)],
            "Resources" => dictionary! { "XObject" => dictionary! { "Scan" => image } },
            "Contents" => content,
        })));
    }
    let count = kids.len() as i64;
    document.objects.insert(
        tree,
        Object::Dictionary(dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count }),
    );
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalog);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes)?;
    Ok(bytes)
}

fn pdf_page(page: &Raster, packing: Packing, quality: u8) -> io::Result<PdfPage> {
    let bilevel = page.mode == Mode::Bilevel;
    let mut entries = dictionary! {
        "Type" => "XObject",
        "Subtype" => "Image",
        "Width" => i64::from(page.width),
        "Height" => i64::from(page.height),
        "ColorSpace" => if page.mode == Mode::Colour { "DeviceRGB" } else { "DeviceGray" },
        "BitsPerComponent" => if bilevel { 1 } else { 8 },
    };
    let image = match (page.mode, packing) {
        (Mode::Bilevel, Packing::Compact) => {
            entries.set("Filter", "CCITTFaxDecode");
            let parameters = dictionary! { "K" => -1, "Columns" => i64::from(page.width), "Rows" => i64::from(page.height) };
            entries.set("DecodeParms", parameters);
            Stream::new(entries, group4(page)).with_compression(false)
        }
        (_, Packing::Compact) => {
            entries.set("Filter", "DCTDecode");
            Stream::new(entries, jpeg(page, quality)?).with_compression(false)
        }
        (_, Packing::Lossless) => {
            let pixels = if bilevel { bits(page) } else { page.data.clone() };
            let mut stream = Stream::new(entries, pixels);
            stream.compress().map_err(io::Error::other)?;
            stream
        }
    };
    let points = |pixels: u32| (f64::from(pixels) / f64::from(page.dpi) * 72.0) as f32;
    Ok(PdfPage { width_points: points(page.width), height_points: points(page.height), image })
}
