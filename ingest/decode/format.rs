//! Which format some bytes are, from the bytes alone: names lie.

/// A format that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Tiff,
    Jpeg,
    Png,
    WebP,
    Pdf,
}

/// As many bytes of the beginning of a file as [`recognise`] wants to see: PDF readers accept the
/// header anywhere in the first 1024 bytes (ISO 32000-1, annex H.3.4.1).
pub(crate) const HEAD_BYTES: usize = 1024;

const SIGNATURES: [(&[u8], Format); 6] = [
    (b"II*\0", Format::Tiff),
    (b"MM\0*", Format::Tiff),
    (b"II+\0", Format::Tiff),
    (b"MM\0+", Format::Tiff),
    (b"\xff\xd8\xff", Format::Jpeg),
    (b"\x89PNG\r\n\x1a\n", Format::Png),
];

const PDF_SIGNATURE: &[u8] = b"%PDF-";

/// A RIFF file says at its ninth byte what it holds.
const RIFF_SIGNATURE: &[u8] = b"RIFF";
const WEBP_SIGNATURE: &[u8] = b"WEBP";

/// What `head`, the first [`HEAD_BYTES`] of a file or all of a shorter one, is the beginning of.
pub(crate) fn recognise(head: &[u8]) -> Option<Format> {
    let signature = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature));
    match signature {
        Some((_, format)) => Some(*format),
        None if head.starts_with(RIFF_SIGNATURE) && head.get(8..12) == Some(WEBP_SIGNATURE) => {
            Some(Format::WebP)
        }
        None => head.windows(PDF_SIGNATURE.len()).any(|bytes| bytes == PDF_SIGNATURE).then_some(Format::Pdf),
    }
}

/// Whether more bytes could still make a scan of `start`: it is shorter than a signature and agrees
/// with one as far as it goes.
pub(crate) fn may_become_a_scan(start: &[u8]) -> bool {
    let signatures = SIGNATURES.iter().map(|(signature, _)| *signature);
    signatures.chain([PDF_SIGNATURE, RIFF_SIGNATURE]).any(|signature| signature.starts_with(start))
}

/// Names a well-known format that is not a scan, so that the person who dropped the file knows it
/// again.
pub(super) fn looks_like(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(usize, &[u8], &str); 19] = [
        (0, b"PK\x03\x04", "a ZIP archive (or a Word or Excel file)"),
        (0, b"PK\x05\x06", "an empty ZIP archive"),
        (0, b"\x1f\x8b", "a gzip archive"),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (0, b"Rar!", "a RAR archive"),
        (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Word, Excel or Outlook file"),
        (4, b"ftypheic", "a HEIC photograph"),
        (4, b"ftypheix", "a HEIC photograph"),
        (4, b"ftypmif1", "a HEIC photograph"),
        (4, b"ftypavif", "an AVIF picture"),
        (0, b"GIF8", "a GIF picture"),
        (0, b"BM", "a BMP picture"),
        (4, b"jP  \r\n\x87\n", "a JPEG 2000 picture"),
        (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (0, b"AT&TFORM", "a DjVu document"),
        (0, b"%!PS", "a PostScript file"),
        (0, b"{\\rtf", "an RTF document"),
        (0, b"\x7fELF", "a program"),
        (0, b"MZ", "a program"),
    ];
    let known = KNOWN
        .iter()
        .find(|(offset, bytes, _)| head.get(*offset..).is_some_and(|rest| rest.starts_with(bytes)));
    known.map(|(_, _, name)| *name).or_else(|| is_text(head).then_some("a text file"))
}

fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The cut at the end of `head` may go through a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty()
        && valid.chars().all(|character| !character.is_control() || character.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide() {
        assert_eq!(recognise(b"MM\0*\0\0\0\x08"), Some(Format::Tiff));
        assert_eq!(recognise(b"\xff\xd8\xff\xe0"), Some(Format::Jpeg));
        assert_eq!(recognise(b"\0\0junk\n%PDF-1.4\n"), Some(Format::Pdf));
        assert_eq!(recognise(b"RIFF\x24\0\0\0WEBPVP8L"), Some(Format::WebP));
        assert_eq!(recognise(b"RIFF\x24\0\0\0WAVEfmt "), None);
        assert_eq!(recognise(b"PK\x03\x04"), None);
        assert_eq!(looks_like(b"PK\x03\x04\x14\0"), Some("a ZIP archive (or a Word or Excel file)"));
        assert_eq!(looks_like("申請書一覧\n".as_bytes()), Some("a text file"));
        assert_eq!(looks_like(&"申".as_bytes()[..2]), None);
        assert_eq!(looks_like(&[0, 1, 2]), None);
    }

    #[test]
    fn a_beginning_may_become_a_scan() {
        assert!(may_become_a_scan(b""));
        assert!(may_become_a_scan(b"II"));
        assert!(may_become_a_scan(b"%PD"));
        assert!(!may_become_a_scan(b"PK"));
    }
}
