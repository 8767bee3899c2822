//! Names that scanners and people give to files: any bytes but NUL and the slash.

use std::ffi::{OsStr, OsString};

/// Endings of names under which files are written before they are renamed.
const PASSING_ENDINGS: [&str; 3] = [".tmp", ".part", ".filepart"];

/// Ending of the empty file that says that the one beside it is whole.
const SIDECAR_ENDING: &str = ".ready";

/// Endings of scans. A folder called like this is a mistake, not a batch.
const SCAN_ENDINGS: [&str; 7] = [".tif", ".tiff", ".jpg", ".jpeg", ".png", ".pdf", ".zip"];

/// A name on one line, readable and unambiguous: control characters, invisible and text-turning
/// ones, backslashes and bytes that are not UTF-8 are escaped as in Rust.
pub fn escaped(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' || character.is_control() || is_invisible(character) {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Characters that hide or turn the text around them (Unicode's bidirectional controls, joiners and
/// zero-width spaces).
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What `simulate` writes beside the stations' folders.
const TRUTH: &str = "truth.jsonl";

/// A name that will be changed before the file is whole, or that is nobody's scan. One that begins
/// with two dots is neither, but looks like a way out of the folder: it is a file like any other.
pub(super) fn is_passing(name: &OsStr) -> bool {
    match name.as_encoded_bytes() {
        [b'.', b'.', ..] => ends_with_any(name, &PASSING_ENDINGS),
        [b'.' | b'~', ..] => true,
        _ => name == TRUTH || ends_with_any(name, &PASSING_ENDINGS),
    }
}

pub(super) fn is_sidecar(name: &OsStr) -> bool {
    ends_with_any(name, &[SIDECAR_ENDING])
}

pub(super) fn sidecar_of(name: &OsStr) -> OsString {
    let mut sidecar = name.to_owned();
    sidecar.push(SIDECAR_ENDING);
    sidecar
}

pub(super) fn is_called_like_a_scan(name: &OsStr) -> bool {
    ends_with_any(name, &SCAN_ENDINGS)
}

fn ends_with_any(name: &OsStr, endings: &[&str]) -> bool {
    let name = name.as_encoded_bytes();
    endings.iter().any(|ending| {
        name.len()
            .checked_sub(ending.len())
            .is_some_and(|start| name[start..].eq_ignore_ascii_case(ending.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_shown_as_they_are_unless_they_play_tricks() {
        for (name, shown) in [
            (&b"Scan 0001.tif"[..], "Scan 0001.tif"),
            ("申請書（表）.pdf".as_bytes(), "申請書（表）.pdf"),
            (b"..\\..\\etc", "..\\\\..\\\\etc"),
            (b"a\nb", "a\\nb"),
            (b"\x83X\x83L.tif", "\\x83X\\x83L.tif"),
            ("fit\u{202e}fdp.exe".as_bytes(), "fit\\u{202e}fdp.exe"),
        ] {
            assert_eq!(escaped(OsStr::from_bytes(name)), shown);
        }
    }

    #[test]
    fn passing_names_are_known_whatever_their_case() {
        for name in [".scan.tif", "~$scan.pdf", "scan.tif.TMP", "scan.part", "scan.tif.filepart"] {
            assert!(is_passing(OsStr::new(name)), "{name}");
        }
        for name in ["scan.tif", "tmp", "part", "scan.tmp.tif", "..\\..\\scan.tif"] {
            assert!(!is_passing(OsStr::new(name)), "{name}");
        }
    }

    proptest! {
        #[test]
        fn different_names_are_shown_differently(a: Vec<u8>, b: Vec<u8>) {
            prop_assume!(a != b);
            prop_assert_ne!(escaped(OsStr::from_bytes(&a)), escaped(OsStr::from_bytes(&b)));
        }

        #[test]
        fn what_is_shown_stays_on_its_line(name: Vec<u8>) {
            prop_assert!(!escaped(OsStr::from_bytes(&name)).chars().any(char::is_control));
        }
    }
}
