//! Where every field of a record is and what it may hold, as the verifier looks at it (domain rules
//! 2.2 to 2.4). The writer does not use these tables: each is a check of the other.
//!
//! Two kinds of file share header, trailer and end, and what a payment says of an account: general
//! transfers and salaries.

pub(super) mod general;
pub(super) mod salary;

use super::text::CharacterSet;

/// A field of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// As the format's table calls it, and in English.
    pub name: &'static str,
    /// From 0.
    pub at: usize,
    pub length: usize,
    pub holds: Holds,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    Digits,
    DigitsOrBlanks,
    OneOf(&'static [u8]),
    Text {
        set: CharacterSet,
        required: bool,
    },
    /// Month and day, without a year.
    MonthAndDay,
    /// 1 to 9,999,999,999 in ten digits.
    Amount,
    /// Seven digits, not all 0.
    AccountNumber,
    /// Two numbers of ten digits, or text for the payee where the record says so.
    CustomerCodes,
    Blanks,
}

const fn part(name: &'static str, from: usize, length: usize, holds: Holds) -> Part {
    Part { name, at: from - 1, length, holds }
}

use Holds::{AccountNumber, Amount, Blanks, Digits, DigitsOrBlanks, MonthAndDay, OneOf, Text};

const BANK_NAME: Holds = Text { set: CharacterSet::BankName, required: false };
const PARTY_NAME: Holds = Text { set: CharacterSet::PartyName, required: true };

pub(super) const HEADER: &[Part] = &[
    part("コード区分 (code division)", 4, 1, OneOf(b"0")),
    part("委託者コード (consignor code)", 5, 10, Digits),
    part("委託者名 (consignor name)", 15, 40, PARTY_NAME),
    part("振込指定日 (transfer date)", 55, 4, MonthAndDay),
    part("仕向銀行番号 (sending bank)", 59, 4, Digits),
    part("仕向銀行名 (sending bank's name)", 63, 15, BANK_NAME),
    part("仕向支店番号 (sending branch)", 78, 3, Digits),
    part("仕向支店名 (sending branch's name)", 81, 15, BANK_NAME),
    part("預金種目 (account type)", 96, 1, OneOf(b"129")),
    part("口座番号 (account number)", 97, 7, AccountNumber),
    part("ダミー (filler)", 104, 17, Blanks),
];

/// Of a payment of either kind.
const ACCOUNT: [Part; 5] = [
    part("被仕向銀行番号 (bank)", 2, 4, Digits),
    part("被仕向銀行名 (bank's name)", 6, 15, BANK_NAME),
    part("被仕向支店番号 (branch)", 21, 3, Digits),
    part("被仕向支店名 (branch's name)", 24, 15, BANK_NAME),
    part("手形交換所番号 (clearing house)", 39, 4, DigitsOrBlanks),
];
const NUMBER: Part = part("口座番号 (account number)", 44, 7, AccountNumber);
const AMOUNT: Part = part("振込金額 (amount)", 81, 10, Amount);
const NEW_CODE: Part = part("新規コード (new code)", 91, 1, OneOf(b"012"));

pub(super) const TRAILER: &[Part] = &[
    part("合計件数 (count)", 2, 6, Digits),
    part("合計金額 (total)", 8, 12, Digits),
    part("ダミー (filler)", 20, 101, Blanks),
];

pub(super) const END: &[Part] = &[part("ダミー (filler)", 2, 119, Blanks)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::RECORD_BYTES;

    #[test]
    fn the_parts_of_every_record_leave_no_byte_out() {
        for (parts, first) in
            [(HEADER, 3), (general::PAYMENT, 1), (salary::PAYMENT, 1), (TRAILER, 1), (END, 1)]
        {
            let end = parts.iter().fold(first, |at, part| {
                assert_eq!(part.at, at, "{}", part.name);
                at + part.length
            });
            assert_eq!(end, RECORD_BYTES);
        }
    }
}
