//! Whether a file that arrives is there to its end, as far as its structure tells. Only the
//! structure is read: directories, chunk headers, the tail; a JPEG, which has no lengths, to its
//! end.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::folder::open_seen;
use crate::decode::Fault;
use crate::decode::format::{self, Format, HEAD_BYTES};
use crate::decode::tiff_directory::{Directory, TiffFile, tag};
use crate::decode::{jpeg_segments, pdf_tail, webp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing is missing that the format announces.
    Complete,
    /// What is missing: more bytes may be on their way, or the file is damaged.
    Incomplete(String),
    /// More bytes would not make a scan of it.
    NotAFormatWeKnow,
}

/// Looks at the file as it is now. An error is one of reading, never of content.
pub fn is_complete(path: &Path) -> io::Result<Completeness> {
    let mut file = open_seen(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a regular file"));
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    (&file).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    file.rewind()?;
    let Some(format) = format::recognise(&head) else {
        return Ok(match format::may_become_a_scan(&head) {
            true => Completeness::Incomplete("its first bytes are missing".to_owned()),
            false => Completeness::NotAFormatWeKnow,
        });
    };
    let missing = match format {
        Format::Tiff => missing_in_tiff(file)?,
        Format::Jpeg => {
            let is_whole = jpeg_segments::survey(BufReader::new(file))?.is_whole();
            (!is_whole).then(|| "the end of the JPEG picture is missing".to_owned())
        }
        Format::Png => missing_in_png(BufReader::new(file))?,
        Format::WebP => webp::is_cut_short(BufReader::new(file))?
            .then(|| "the end of the WebP picture is missing".to_owned()),
        Format::Pdf => pdf_tail::missing(file)?.map(str::to_owned),
    };
    Ok(missing.map_or(Completeness::Complete, Completeness::Incomplete))
}

/// The directories, the values of their tags, and the strips and tiles.
fn missing_in_tiff(file: File) -> io::Result<Option<String>> {
    let checked = TiffFile::open(BufReader::new(file))
        .and_then(|mut tiff| tiff.chain(|tiff, _, directory| check_extents(tiff, directory)));
    match checked {
        Ok(()) => Ok(None),
        Err(Fault::Unreadable(error)) => Err(error),
        Err(fault) => Ok(Some(fault.to_string())),
    }
}

fn check_extents<R: Read + Seek>(tiff: &mut TiffFile<R>, directory: &Directory) -> Result<(), Fault> {
    let length = tiff.length();
    let is_inside = |(offset, count): (u64, u64)| offset.checked_add(count).is_some_and(|end| end <= length);
    if !directory.value_extents().all(is_inside) {
        return Err(Fault::truncated("tags of a page lie behind the end of the file"));
    }
    for (offsets, counts) in
        [(tag::STRIP_OFFSETS, tag::STRIP_BYTE_COUNTS), (tag::TILE_OFFSETS, tag::TILE_BYTE_COUNTS)]
    {
        let offsets = tiff.unsigned(directory, offsets)?.unwrap_or_default();
        let counts = tiff.unsigned(directory, counts)?.unwrap_or_default();
        // Without counts (old writers), the offsets must do.
        let counts = counts.into_iter().chain(std::iter::repeat(1));
        if !std::iter::zip(offsets, counts).all(is_inside) {
            return Err(Fault::truncated("a page's data reach behind the end of the file"));
        }
    }
    Ok(())
}

/// From chunk to chunk to the IEND chunk (PNG specification, clause 5).
fn missing_in_png(mut source: impl Read + Seek) -> io::Result<Option<String>> {
    const SIGNATURE_BYTES: u64 = 8;
    const CHECKSUM_BYTES: u64 = 4;
    let length = source.seek(SeekFrom::End(0))?;
    let mut position = SIGNATURE_BYTES;
    loop {
        source.seek(SeekFrom::Start(position))?;
        let mut header = [0; 8];
        if let Err(error) = source.read_exact(&mut header) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(Some("the end of the PNG picture is missing".to_owned())),
                _ => Err(error),
            };
        }
        let [l0, l1, l2, l3, kind @ ..] = header;
        position += 8 + u64::from(u32::from_be_bytes([l0, l1, l2, l3])) + CHECKSUM_BYTES;
        if position > length {
            return Ok(Some("a part of the PNG picture is missing".to_owned()));
        }
        if &kind == b"IEND" {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Cursor, Write};
    use tempfile::NamedTempFile;

    const SIDE: u32 = 40;

    fn pixels() -> Vec<u8> {
        (0..SIDE * SIDE).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
    }

    fn tiff() -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut bytes).expect("memory");
        for _ in 0..3 {
            encoder.write_image::<tiff::encoder::colortype::Gray8>(SIDE, SIDE, &pixels()).expect("memory");
        }
        bytes.into_inner()
    }

    fn jpeg() -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
        encoder.encode(&pixels(), SIDE as u16, SIDE as u16, jpeg_encoder::ColorType::Luma).expect("memory");
        bytes
    }

    fn png() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
        encoder.set_color(png::ColorType::Grayscale);
        let mut writer = encoder.write_header().expect("memory");
        writer.write_image_data(&pixels()).expect("memory");
        writer.finish().expect("memory");
        bytes
    }

    fn pdf() -> Vec<u8> {
        let mut document = lopdf::Document::with_version("1.5");
        let pages =
            document.add_object(lopdf::dictionary! { "Type" => "Pages", "Kids" => vec![], "Count" => 0 });
        let catalog = document.add_object(lopdf::dictionary! { "Type" => "Catalog", "Pages" => pages });
        document.trailer.set("Root", catalog);
        let mut bytes = Vec::new();
        document.save_to(&mut bytes).expect("memory");
        bytes
    }

    fn completeness(bytes: &[u8]) -> Completeness {
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("space");
        is_complete(file.path()).expect("readable")
    }

    #[test]
    fn a_whole_file_is_complete_and_no_beginning_of_it_is() {
        for (name, whole) in [("TIFF", tiff()), ("JPEG", jpeg()), ("PNG", png()), ("PDF", pdf())] {
            assert_eq!(completeness(&whole), Completeness::Complete, "{name}");
            // White space at the end is no loss.
            let meaning = whole.trim_ascii_end().len();
            for length in 0..meaning {
                let found = completeness(&whole[..length]);
                assert!(
                    matches!(found, Completeness::Incomplete(_)),
                    "{name}, {length} of {meaning} bytes: {found:?}"
                );
            }
        }
    }

    #[test]
    fn bytes_behind_the_end_do_no_harm() {
        for whole in [tiff(), jpeg(), png(), pdf()] {
            assert_eq!(completeness(&[&whole[..], b"\n\0\0\0"].concat()), Completeness::Complete);
        }
    }

    #[test]
    fn other_files_are_not_waited_for() {
        assert_eq!(completeness(b"PK\x03\x04 and so on"), Completeness::NotAFormatWeKnow);
        assert!(matches!(completeness(b""), Completeness::Incomplete(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_have_an_answer(
            start in prop_oneof![Just(tiff()), Just(jpeg()), Just(png()), Just(pdf())],
            flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..20),
        ) {
            let mut bytes = start;
            for (index, value) in flips {
                let index = index.index(bytes.len());
                bytes[index] = value;
            }
            completeness(&bytes);
        }
    }
}
