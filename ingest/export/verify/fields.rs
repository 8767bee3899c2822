//! One record's fields against what each may hold.

use super::fault::{Fault, Reason};
use super::records::RawRecord;
use crate::export::RECORD_BYTES;
use crate::export::layout::{Holds, Part};
use crate::export::text::{self, CharacterSet};

/// Adds every fault of the record's fields; a record of another length has none that could be found.
pub(super) fn check(record: &RawRecord<'_>, parts: &[Part], faults: &mut Vec<Fault>) {
    if record.bytes.len() != RECORD_BYTES {
        return;
    }
    for part in parts {
        let bytes = &record.bytes[part.at..part.at + part.length];
        let mut add = |at: usize, length: usize, reason: Reason| {
            faults.push(record.fault(part.at + at, length, part.name, reason));
        };
        match part.holds {
            Holds::Digits => digits(bytes, &mut add),
            Holds::DigitsOrBlanks => digits_or_blanks(bytes, &mut add),
            Holds::OneOf(allowed) => one_of(bytes[0], allowed, &mut add),
            Holds::Text { set, required } => text_of(bytes, set, required, &mut add),
            Holds::MonthAndDay => month_and_day(bytes, &mut add),
            Holds::Amount => not_zero(bytes, Reason::NoAmount, &mut add),
            Holds::AccountNumber => not_zero(bytes, Reason::NoAccountNumber, &mut add),
            Holds::CustomerCodes => customer_codes(record.bytes, bytes, &mut add),
            Holds::Blanks => blanks(bytes, &mut add),
        }
    }
}

/// The number in the field; none where it is not digits alone.
pub(super) fn number(record: &RawRecord<'_>, at: usize, length: usize) -> Option<u64> {
    let bytes = record.bytes.get(at..at + length)?;
    std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

type Add<'a> = dyn FnMut(usize, usize, Reason) + 'a;

/// One fault a field: the first byte says enough.
fn digits(bytes: &[u8], add: &mut Add<'_>) {
    if let Some(at) = bytes.iter().position(|byte| !byte.is_ascii_digit()) {
        add(at, 1, Reason::NotADigit(bytes[at]));
    }
}

fn digits_or_blanks(bytes: &[u8], add: &mut Add<'_>) {
    if bytes.iter().any(|&byte| byte != b' ') {
        digits(bytes, add);
    }
}

fn one_of(found: u8, allowed: &[u8], add: &mut Add<'_>) {
    if allowed == b"0" && found == b'1' {
        add(0, 1, Reason::Ebcdic);
    } else if !allowed.contains(&found) {
        let allowed = allowed.iter().map(|&byte| char::from(byte)).collect();
        add(0, 1, Reason::NotOneOf { found, allowed });
    }
}

fn text_of(bytes: &[u8], set: CharacterSet, required: bool, add: &mut Add<'_>) {
    let Some(last) = bytes.iter().rposition(|&byte| byte != b' ') else {
        if required {
            add(0, bytes.len(), Reason::Missing);
        }
        return;
    };
    if bytes[0] == b' ' {
        add(0, 1, Reason::NotLeftAligned);
    }
    let mut before = None;
    for (at, &byte) in bytes[..=last].iter().enumerate() {
        let fills = byte == b' ' && before.is_none();
        if !set.allows(byte) && !fills {
            add(at, 1, Reason::IllegalCharacter(byte));
        } else if !text::may_follow(before, byte) {
            add(at, 1, Reason::LooseSoundMark(byte));
        }
        if !fills {
            before = Some(byte);
        }
    }
}

fn month_and_day(bytes: &[u8], add: &mut Add<'_>) {
    if !bytes.iter().all(u8::is_ascii_digit) {
        digits(bytes, add);
        return;
    }
    let two = |at: usize| u32::from(bytes[at] - b'0') * 10 + u32::from(bytes[at + 1] - b'0');
    let (month, day) = (two(0), two(2));
    // The year is not told: the 29th of February may be meant.
    match chrono::NaiveDate::from_ymd_opt(2024, month, day) {
        None => add(0, 4, Reason::NoDate),
        Some(_) if matches!((month, day), (12, 31) | (1, 1..=3)) => add(0, 4, Reason::TurnOfTheYear),
        Some(_) => {}
    }
}

fn not_zero(bytes: &[u8], reason: Reason, add: &mut Add<'_>) {
    digits(bytes, add);
    if bytes.iter().all(|&byte| byte == b'0') {
        add(0, bytes.len(), reason);
    }
}

fn customer_codes(record: &[u8], bytes: &[u8], add: &mut Add<'_>) {
    // 識別表示 says that the two codes are one text.
    if record[112] == b'Y' {
        text_of(bytes, CharacterSet::Edi, false, add);
        return;
    }
    let (first, second) = bytes.split_at(10);
    digits_or_blanks(first, add);
    digits_or_blanks(second, &mut |at, length, reason| add(10 + at, length, reason));
}

fn blanks(bytes: &[u8], add: &mut Add<'_>) {
    if let Some(at) = bytes.iter().position(|&byte| byte != b' ') {
        add(at, 1, Reason::NotBlank(bytes[at]));
    }
}
