//! Salaries and bonuses (給与振込, 賞与振込), which this program reads and never writes.

use super::Holds::{self, Blanks, DigitsOrBlanks, OneOf, Text};
use super::{ACCOUNT, AMOUNT, NEW_CODE, NUMBER, Part, part};
use crate::export::text::CharacterSet;

/// The service codes of the header: of private and of public employers.
pub(in super::super) const SERVICES: [[u8; 2]; 4] = [*b"11", *b"12", *b"71", *b"72"];

const NAME: Holds = Text { set: CharacterSet::SalaryName, required: true };

pub(in super::super) const PAYMENT: &[Part] = &[
    ACCOUNT[0],
    ACCOUNT[1],
    ACCOUNT[2],
    ACCOUNT[3],
    ACCOUNT[4],
    part("預金種目 (account type)", 43, 1, OneOf(b"12")),
    NUMBER,
    part("預金者名 (payee name)", 51, 30, NAME),
    AMOUNT,
    NEW_CODE,
    part("社員番号 (employee)", 92, 10, DigitsOrBlanks),
    part("所属コード (department)", 102, 10, DigitsOrBlanks),
    part("ダミー (filler)", 112, 9, Blanks),
];
