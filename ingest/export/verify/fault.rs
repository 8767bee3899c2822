//! What can be wrong with a transfer file. Names no name, account or amount of a payment: the position
//! says where to look.

use std::fmt;

use serde::Serialize;

use crate::export::Newline;

/// One fault, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// From 1.
    pub record: usize,
    /// First and last byte in the record, from 1.
    pub bytes: (usize, usize),
    /// Of the first byte in the file, from 0.
    pub offset: usize,
    pub field: &'static str,
    #[serde(serialize_with = "as_text")]
    pub reason: Reason,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, bytes: (first, last), offset, field, reason } = self;
        let bytes = if first == last { format!("byte {first}") } else { format!("bytes {first}-{last}") };
        write!(formatter, "record {record}, {bytes} (file offset {offset}), {field}: {reason}")
    }
}

fn as_text<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("the file is empty")]
    Empty,
    #[error("a byte order mark stands before the first record; write the file without one")]
    ByteOrderMark,
    #[error("the record has {0} bytes, it must have 120")]
    Length(usize),
    #[error("the line ends in another way than those before ({0:?})")]
    MixedNewlines(Newline),
    #[error("no record begins with this byte (0x{0:02X}); it is 1, 2, 8 or 9")]
    UnknownKind(u8),
    #[error("a {found} record stands where {expected} must")]
    Order { found: &'static str, expected: &'static str },
    #[error("the file ends without its {0} record")]
    Unfinished(&'static str),
    #[error("種別コード {0} is none of 21 (総合振込), 11, 12, 71 and 72 (給与, 賞与)")]
    UnknownService(String),
    #[error("the file says that it is in EBCDIC; only JIS (0) is read")]
    Ebcdic,
    #[error("byte 0x{0:02X} is not a digit; numbers are right-aligned and filled with zeros")]
    NotADigit(u8),
    #[error("byte 0x{found:02X} is none of '{allowed}'")]
    NotOneOf { found: u8, allowed: String },
    #[error("byte 0x{0:02X} may not stand here")]
    IllegalCharacter(u8),
    #[error("the sound mark 0x{0:02X} follows no kana that takes it; was the name cut here?")]
    LooseSoundMark(u8),
    #[error("the text is not left-aligned")]
    NotLeftAligned,
    #[error("it must be filled in")]
    Missing,
    #[error("byte 0x{0:02X} stands where blanks must")]
    NotBlank(u8),
    #[error("month and day are no date")]
    NoDate,
    #[error("banks carry out nothing from 31 December to 3 January")]
    TurnOfTheYear,
    #[error("the amount is 0")]
    NoAmount,
    #[error("the account number is 0")]
    NoAccountNumber,
    #[error("the trailer says {said}, its set has {found}")]
    Count { said: u64, found: u64 },
    #[error("the trailer says {said} yen, its set has {found}")]
    Total { said: u64, found: u64 },
    #[error("the payment is the same as record {0}, to the last byte")]
    Repeated(usize),
    #[error("the customer codes are those of record {0}")]
    SameReference(usize),
    #[error("the table of banks has no such bank")]
    UnknownBank,
    #[error("the table of banks has no such branch of the bank")]
    UnknownBranch,
    #[error("the set has no payments")]
    NoPayments,
}
