//! The bytes of a file to its records: with line breaks or without, the last of which may be missing.

use super::fault::{Fault, Reason};
use crate::export::{Newline, RECORD_BYTES};

/// A record as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawRecord<'a> {
    /// From 1.
    pub number: usize,
    /// In the file, from 0.
    pub offset: usize,
    /// Any length.
    pub bytes: &'a [u8],
}

impl RawRecord<'_> {
    /// A fault of `length` bytes from `at`, from 0.
    pub fn fault(&self, at: usize, length: usize, field: &'static str, reason: Reason) -> Fault {
        Fault {
            record: self.number,
            bytes: (at + 1, at + length.max(1)),
            offset: self.offset + at,
            field,
            reason,
        }
    }

    pub fn of_record(&self, reason: Reason) -> Fault {
        self.fault(0, self.bytes.len(), "record", reason)
    }
}

/// All records, how they are parted (none of those is noted as a fault), and what is wrong with the
/// lines. Blank behind the last line break is no record.
pub(super) fn records<'a>(bytes: &'a [u8], faults: &mut Vec<Fault>) -> (Vec<RawRecord<'a>>, Newline) {
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = bytes.len() - body.len();
    if !body.contains(&b'\n') {
        let parts = body.chunks(RECORD_BYTES).enumerate();
        let records = parts
            .map(|(place, bytes)| RawRecord {
                number: place + 1,
                offset: start + place * RECORD_BYTES,
                bytes,
            })
            .collect();
        return (records, Newline::None);
    }
    let mut records: Vec<RawRecord<'a>> = Vec::new();
    let mut newline = None;
    let mut offset = start;
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let (text, found) = match line {
            [text @ .., b'\r', b'\n'] => (text, Some(Newline::Crlf)),
            [text @ .., b'\n'] => (text, Some(Newline::Lf)),
            text => (text, None),
        };
        let record = RawRecord { number: records.len() + 1, offset, bytes: text };
        offset += line.len();
        if let Some(found) = found
            && *newline.get_or_insert(found) != found
        {
            faults.push(record.fault(
                text.len(),
                line.len() - text.len(),
                "line break",
                Reason::MixedNewlines(found),
            ));
        }
        records.push(record);
    }
    (records, newline.unwrap_or(Newline::None))
}
