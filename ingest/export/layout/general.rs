//! General transfers (総合振込).

use super::Holds::{Blanks, CustomerCodes, OneOf};
use super::{ACCOUNT, AMOUNT, NEW_CODE, NUMBER, PARTY_NAME, Part, part};

/// The service code of the header.
pub(in super::super) const SERVICE: [u8; 2] = *b"21";

pub(in super::super) const PAYMENT: &[Part] = &[
    ACCOUNT[0],
    ACCOUNT[1],
    ACCOUNT[2],
    ACCOUNT[3],
    ACCOUNT[4],
    part("預金種目 (account type)", 43, 1, OneOf(b"1249")),
    NUMBER,
    part("受取人名 (payee name)", 51, 30, PARTY_NAME),
    AMOUNT,
    NEW_CODE,
    part("顧客コード (customer codes)", 92, 20, CustomerCodes),
    part("振込指定区分 (designation)", 112, 1, OneOf(b"078 ")),
    part("識別表示 (EDI sign)", 113, 1, OneOf(b"Y ")),
    part("ダミー (filler)", 114, 7, Blanks),
];
