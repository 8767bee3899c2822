//! Whether a PDF is there to its end. PDF readers mend a file that was cut off as well as they can
//! and show what is left; a scan with missing pages must not pass for a whole one.

use std::io::{self, Read, Seek, SeekFrom};

/// Readers look for the end marker in so many last bytes (ISO 32000-1, annex H.3.4.2).
const TAIL_BYTES: u64 = 1024;

const END_OF_FILE: &[u8] = b"%%EOF";
const START_OF_REFERENCES: &[u8] = b"startxref";

/// What is missing at the end of the PDF in `source`; nothing of a whole one.
pub(crate) fn missing(mut source: impl Read + Seek) -> io::Result<Option<&'static str>> {
    let length = source.seek(SeekFrom::End(0))?;
    let head = read_at(&mut source, 0, TAIL_BYTES.min(length))?;
    // A linearized file has an end marker after its first page too, but says how long it is.
    if declared_length(&head).is_some_and(|declared| declared > length) {
        return Ok(Some("the PDF is shorter than it says"));
    }
    let start = length.saturating_sub(TAIL_BYTES);
    let tail = read_at(&mut source, start, length - start)?;
    let Some(end) = last_position(&tail, END_OF_FILE) else {
        return Ok(Some("the end marker of the PDF (%%EOF) is missing"));
    };
    // The beginning of an update behind the marker, and no marker of its own.
    if position(&tail[end..], b" obj").is_some() {
        return Ok(Some("the PDF ends in the middle of an update"));
    }
    let references = last_position(&tail[..end], START_OF_REFERENCES)
        .and_then(|at| number(&tail[at + START_OF_REFERENCES.len()..]));
    match references {
        Some(offset) if offset < length => Ok(None),
        _ => Ok(Some("the PDF's table of objects (startxref) is missing")),
    }
}

/// The length in the linearization dictionary.
fn declared_length(head: &[u8]) -> Option<u64> {
    let dictionary = &head[position(head, b"/Linearized")?..];
    let dictionary = &dictionary[..position(dictionary, b">>").unwrap_or(dictionary.len())];
    number(&dictionary[position(dictionary, b"/L ")? + 3..])
}

/// The number at the beginning of `text`, after white space.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn last_position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}

fn read_at(source: &mut (impl Read + Seek), offset: u64, count: u64) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(count as usize);
    source.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    const WHOLE: &str = "%PDF-1.4\n1 0 obj\n<<>>\nendobj\nxref\n0 1\ntrailer <<>>\nstartxref\n29\n%%EOF";

    fn missing_in(text: &str) -> Option<&'static str> {
        missing(Cursor::new(text)).expect("memory")
    }

    #[test]
    fn only_the_whole_file_is_whole() {
        assert_eq!(missing_in(WHOLE), None);
        assert_eq!(missing_in(&format!("{WHOLE}\r\n\0\0")), None);
        for length in 0..WHOLE.len() {
            assert!(missing_in(&WHOLE[..length]).is_some(), "{length}");
        }
    }

    #[test]
    fn an_update_and_a_linearized_file_need_their_own_end() {
        assert!(missing_in(&format!("{WHOLE}\n7 0 obj\n<</Type")).is_some());
        let linearized = WHOLE.replace("<<>>\nendobj", "<</Linearized 1 /L 90000 /N 2>>\nendobj");
        assert_eq!(missing_in(&linearized), Some("the PDF is shorter than it says"));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let _ = missing(Cursor::new(bytes)).expect("memory");
        }
    }
}
