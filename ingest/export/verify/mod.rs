//! Any transfer file against the format: every fault with its position and reason. Files of other
//! programs are read as they come: without line breaks, with CRLF or LF, the last one missing or not.
//!
//! Faults make a file illegal. Notices are what a legal file may have and a person should know: a bank
//! that the table does not have, two payments with the same reference.

mod fault;
mod fields;
mod records;

use std::collections::HashMap;

use serde::Serialize;

pub use fault::{Fault, Reason};

use super::layout::{self, Part};
use super::{Newline, RECORD_BYTES};
use crate::reference::{BankCode, BankTable, BranchCode};
use records::{RawRecord, records};

/// What was found in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The file is illegal where there are any.
    pub faults: Vec<Fault>,
    pub notices: Vec<Fault>,
    pub newline: Newline,
    /// Headers with what follows them.
    pub sets: usize,
    pub payments: u64,
    /// Yen.
    pub total: u64,
}

/// Looks at every byte. Banks and branches are compared with `banks` where it is given: as the table
/// is of another day than the file may be, a difference is a notice.
pub fn verify(bytes: &[u8], banks: Option<&BankTable>) -> Report {
    let mut faults = Vec::new();
    let (records, newline) = records(bytes, &mut faults);
    let mut check = Check {
        faults,
        notices: Vec::new(),
        banks,
        expected: Expected::Header,
        set: Set::default(),
        sets: 0,
        payments: 0,
        total: 0,
        seen: HashMap::new(),
        references: HashMap::new(),
    };
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        let start = RawRecord { number: 1, offset: 0, bytes };
        check.faults.push(start.fault(0, 3, "file", Reason::ByteOrderMark));
    }
    records.iter().for_each(|record| check.record(record));
    let end = RawRecord { number: records.len() + 1, offset: bytes.len(), bytes: &[] };
    match check.expected {
        Expected::Header if records.is_empty() => check.faults.push(end.of_record(Reason::Empty)),
        Expected::Header => check.faults.push(end.of_record(Reason::Unfinished("header"))),
        Expected::Payment => check.faults.push(end.of_record(Reason::Unfinished("trailer"))),
        Expected::HeaderOrEnd => check.faults.push(end.of_record(Reason::Unfinished("end"))),
        Expected::Nothing => {}
    }
    let Check { mut faults, notices, sets, payments, total, .. } = check;
    faults.sort_by_key(|fault| (fault.record, fault.bytes));
    Report { faults, notices, newline, sets, payments, total }
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Header,
    /// Or the trailer.
    Payment,
    HeaderOrEnd,
    Nothing,
}

impl Expected {
    fn name(self) -> &'static str {
        match self {
            Self::Header => "the header",
            Self::Payment => "a payment or the trailer",
            Self::HeaderOrEnd => "another header or the end",
            Self::Nothing => "nothing",
        }
    }
}

/// Since the last header.
#[derive(Debug, Default)]
struct Set {
    is_salary: bool,
    payments: u64,
    total: u64,
}

struct Check<'a> {
    faults: Vec<Fault>,
    notices: Vec<Fault>,
    banks: Option<&'a BankTable>,
    expected: Expected,
    set: Set,
    sets: usize,
    payments: u64,
    total: u64,
    /// Payments, and customer codes that say something, by the record that had them first.
    seen: HashMap<&'a [u8], usize>,
    references: HashMap<&'a [u8], usize>,
}

impl<'a> Check<'a> {
    fn record(&mut self, record: &RawRecord<'a>) {
        if record.bytes.len() != RECORD_BYTES {
            self.faults.push(record.of_record(Reason::Length(record.bytes.len())));
        }
        match record.bytes.first() {
            Some(b'1') => self.header(record),
            Some(b'2') => self.payment(record),
            Some(b'8') => self.trailer(record),
            Some(b'9') => self.end(record),
            Some(&other) => {
                self.faults.push(record.fault(
                    0,
                    1,
                    "データ区分 (kind of record)",
                    Reason::UnknownKind(other),
                ));
            }
            None => {}
        }
    }

    /// Notes a record that stands in the wrong place, and goes on behind it as if it were right.
    fn come(&mut self, record: &RawRecord<'_>, found: &'static str, at: &[Expected], next: Expected) {
        if !at.contains(&self.expected) {
            let expected = self.expected.name();
            self.faults.push(record.of_record(Reason::Order { found, expected }));
        }
        self.expected = next;
    }

    fn fields(&mut self, record: &RawRecord<'_>, parts: &[Part]) {
        fields::check(record, parts, &mut self.faults);
    }

    fn header(&mut self, record: &RawRecord<'_>) {
        self.come(record, "header", &[Expected::Header, Expected::HeaderOrEnd], Expected::Payment);
        self.sets += 1;
        self.set = Set::default();
        if let Some(service) = record.bytes.get(1..3) {
            self.set.is_salary = layout::salary::SERVICES.iter().any(|salary| service == salary);
            if !self.set.is_salary && service != layout::general::SERVICE {
                let service = service.escape_ascii().to_string();
                self.faults.push(record.fault(1, 2, "種別コード (service)", Reason::UnknownService(service)));
            }
        }
        self.fields(record, layout::HEADER);
        self.bank(record, (58, 4), (77, 3));
    }

    fn payment(&mut self, record: &RawRecord<'a>) {
        self.come(record, "payment", &[Expected::Payment], Expected::Payment);
        let parts = if self.set.is_salary { layout::salary::PAYMENT } else { layout::general::PAYMENT };
        self.fields(record, parts);
        self.set.payments += 1;
        self.payments += 1;
        let yen = fields::number(record, 80, 10).unwrap_or(0);
        self.set.total += yen;
        self.total += yen;
        self.bank(record, (1, 4), (20, 3));
        self.repeated(record);
    }

    fn trailer(&mut self, record: &RawRecord<'_>) {
        self.come(record, "trailer", &[Expected::Payment], Expected::HeaderOrEnd);
        self.fields(record, layout::TRAILER);
        let Set { payments, total, .. } = self.set;
        if let Some(said) = fields::number(record, 1, 6).filter(|&said| said != payments) {
            let reason = Reason::Count { said, found: payments };
            self.faults.push(record.fault(1, 6, "合計件数 (count)", reason));
        }
        if let Some(said) = fields::number(record, 7, 12).filter(|&said| said != total) {
            self.faults.push(record.fault(7, 12, "合計金額 (total)", Reason::Total { said, found: total }));
        }
        if payments == 0 {
            self.notices.push(record.of_record(Reason::NoPayments));
        }
    }

    fn end(&mut self, record: &RawRecord<'_>) {
        self.come(record, "end", &[Expected::HeaderOrEnd], Expected::Nothing);
        self.fields(record, layout::END);
    }

    /// Whether bank and branch, given by place and length, exist.
    fn bank(&mut self, record: &RawRecord<'_>, bank: (usize, usize), branch: (usize, usize)) {
        let code =
            |(at, length): (usize, usize)| std::str::from_utf8(record.bytes.get(at..at + length)?).ok();
        let Some(banks) = self.banks else { return };
        let (Some(bank_code), Some(branch_code)) =
            (code(bank).and_then(BankCode::parse), code(branch).and_then(BranchCode::parse))
        else {
            return;
        };
        match banks.bank(bank_code) {
            None => self.notices.push(record.fault(bank.0, bank.1, "銀行番号 (bank)", Reason::UnknownBank)),
            Some(found) if found.branch(branch_code).is_none() => {
                self.notices.push(record.fault(
                    branch.0,
                    branch.1,
                    "支店番号 (branch)",
                    Reason::UnknownBranch,
                ));
            }
            Some(_) => {}
        }
    }

    /// A payment that was there before pays somebody twice, unless the customer codes say nothing:
    /// then two people may share an account.
    fn repeated(&mut self, record: &RawRecord<'a>) {
        let Some(reference) = record.bytes.get(91..111) else { return };
        let tells = reference.iter().any(|byte| !matches!(byte, b'0' | b' '));
        let first = *self.seen.entry(record.bytes).or_insert(record.number);
        if first != record.number {
            let fault = record.of_record(Reason::Repeated(first));
            if tells { &mut self.faults } else { &mut self.notices }.push(fault);
        } else if tells {
            let first = *self.references.entry(reference).or_insert(record.number);
            if first != record.number {
                let reason = Reason::SameReference(first);
                self.notices.push(record.fault(91, 20, "顧客コード (customer codes)", reason));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A legal file of two payments, in half-width letters of one byte.
    fn file() -> Vec<Vec<u8>> {
        let line = |text: &str| {
            let mut bytes: Vec<u8> = text
                .chars()
                .map(|character| super::super::text::byte(character).expect("one byte"))
                .collect();
            bytes.resize(RECORD_BYTES, b' ');
            bytes
        };
        let payment = |name: &str, reference: u32| {
            line(&format!("20138{:15}310{:15}000010004321{name:30}00001000000{reference:020}7 ", "", ""))
        };
        vec![
            line(&format!("12101234567890{:40}06300138{:15}317{:15}21234567", "ﾖｺﾊﾏｼ", "", "")),
            payment("ｲﾄｳ ｼﾞﾕﾝ", 1),
            payment("ﾓﾘ", 2),
            line("8000002000000200000"),
            line("9"),
        ]
    }

    fn reasons(records: &[Vec<u8>]) -> Vec<Reason> {
        verify(&records.concat(), None).faults.into_iter().map(|fault| fault.reason).collect()
    }

    fn with(record: usize, at: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut file = file();
        file[record][at..at + bytes.len()].copy_from_slice(bytes);
        file
    }

    #[test]
    fn a_legal_file_is_legal_however_its_lines_end() {
        let bare = file().concat();
        for (newline, name) in [(&b""[..], Newline::None), (b"\r\n", Newline::Crlf), (b"\n", Newline::Lf)] {
            let mut bytes: Vec<u8> =
                file().into_iter().flat_map(|line| [line, newline.to_vec()].concat()).collect();
            let report = verify(&bytes, None);
            assert_eq!(
                (report.faults.as_slice(), report.newline, report.payments, report.total),
                (&[][..], name, 2, 200_000)
            );
            bytes.truncate(bytes.len() - newline.len());
            assert_eq!(verify(&bytes, None).faults, [], "without the last line break");
        }
        assert_eq!(
            verify(&[bare.as_slice(), b"\n"].concat(), None).faults.first().map(|fault| &fault.reason),
            Some(&Reason::Length(600))
        );
        // Several sets before one end.
        let two: Vec<u8> = file()[..4].concat().into_iter().chain(file().concat()).collect();
        let report = verify(&two, None);
        assert_eq!((report.sets, report.payments), (2, 4));
        assert_eq!(report.faults.len(), 2, "the payments of the first set come again");
    }

    #[test]
    fn every_fault_of_a_field_is_told_with_its_place() {
        let faults = verify(&with(1, 57, &[0xDE]).concat(), None).faults;
        assert_eq!(
            faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "record 2, byte 58 (file offset 177), 受取人名 (payee name): the sound mark 0xDE follows no kana that takes it; was the name cut here?"
            ]
        );
        for (file, reason) in [
            (with(0, 1, b"91"), Reason::UnknownService("91".to_owned())),
            (with(0, 3, b"1"), Reason::Ebcdic),
            (with(0, 4, b" "), Reason::NotADigit(b' ')),
            (with(0, 54, b"0631"), Reason::NoDate),
            (with(0, 54, b"0103"), Reason::TurnOfTheYear),
            (with(0, 103, b"x"), Reason::NotBlank(b'x')),
            (with(1, 0, b"3"), Reason::UnknownKind(b'3')),
            (with(1, 6, b"a"), Reason::IllegalCharacter(b'a')),
            (with(1, 42, b"3"), Reason::NotOneOf { found: b'3', allowed: "1249".to_owned() }),
            (with(1, 43, b"0000000"), Reason::NoAccountNumber),
            (with(1, 50, b" "), Reason::NotLeftAligned),
            (with(1, 50, &[b' '; 30]), Reason::Missing),
            // ｰ is no long vowel, ｦ and small kana are in no name
            (with(1, 52, &[0xB0]), Reason::IllegalCharacter(0xB0)),
            (with(1, 52, &[0xA6]), Reason::IllegalCharacter(0xA6)),
            (with(1, 52, &[0xAC]), Reason::IllegalCharacter(0xAC)),
            (with(1, 52, b","), Reason::IllegalCharacter(b',')),
            (with(1, 80, b"0000000000"), Reason::NoAmount),
            (with(1, 91, b"A"), Reason::NotADigit(b'A')),
            (with(3, 1, b"000003"), Reason::Count { said: 3, found: 2 }),
            (with(3, 7, b"000000200001"), Reason::Total { said: 200_001, found: 200_000 }),
            (with(4, 5, b"9"), Reason::NotBlank(b'9')),
        ] {
            assert!(reasons(&file).contains(&reason), "{reason:?} of {:?}", reasons(&file));
        }
    }

    #[test]
    fn records_come_in_their_order() {
        let file = file();
        let without = |record: usize| {
            let mut file = file.clone();
            file.remove(record);
            file
        };
        let wrong = |found, expected| Reason::Order { found, expected };
        assert_eq!(reasons(&without(0)).first(), Some(&wrong("payment", "the header")));
        assert_eq!(reasons(&without(3)).first(), Some(&wrong("end", "a payment or the trailer")));
        assert_eq!(reasons(&without(4)), [Reason::Unfinished("end")]);
        assert_eq!(reasons(&file[..3]), [Reason::Unfinished("trailer")]);
        assert_eq!(reasons(&[]), [Reason::Empty]);
        let twice_ended: Vec<Vec<u8>> = file.iter().chain(&file[4..]).cloned().collect();
        assert_eq!(reasons(&twice_ended), [wrong("end", "nothing")]);
        let empty = [
            file[0].clone(),
            b"8000000000000000000".iter().chain(&[b' '; 101]).copied().collect(),
            file[4].clone(),
        ];
        let report = verify(&empty.concat(), None);
        assert_eq!((report.faults.len(), report.notices.len()), (0, 1));
    }

    #[test]
    fn a_payment_that_comes_again_is_a_fault_where_its_reference_tells_it_apart() {
        let mut twice = file();
        twice[2] = twice[1].clone();
        assert_eq!(reasons(&twice), [Reason::Repeated(2)]);
        for line in &mut twice[1..3] {
            line[91..111].fill(b'0');
        }
        let report = verify(&twice.concat(), None);
        assert_eq!((report.faults.len(), report.notices.len()), (0, 1));
    }
}
