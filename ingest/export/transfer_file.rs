//! Payments to the bytes of transfer files: header, payments, trailer, end, each of exactly 120 bytes;
//! split where the bank takes no more in one file.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};

use super::payment::PartyName;
use super::profile::CONSIGNOR_BYTES;
use super::text::{self, CharacterSet};
use super::{BankProfile, ClearingHouse, NameError, Payment, RECORD_BYTES, Reference, is_business_day};
use crate::digest::Sha256;
use crate::kana::ZenginName;
use crate::reference::{BankCode, BankTable, BranchCode};

/// One file as the bank gets it.
#[derive(Clone, PartialEq, Eq)]
pub struct TransferFile {
    pub bytes: Vec<u8>,
    pub payments: usize,
    /// Yen.
    pub total: u64,
    pub sha256: Sha256,
}

/// The bytes are names and accounts.
impl std::fmt::Debug for TransferFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "TransferFile({} payments, {})", self.payments, self.sha256)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("there is nothing to be paid")]
    NoPayments,
    #[error("{0} is no day on which banks carry out transfers; name another date")]
    NoBusinessDay(NaiveDate),
    #[error("the consignor's name of the profile: {0}")]
    Consignor(#[from] NameError),
    #[error("a file's sum of {0} yen is beyond the 12 digits of its trailer; lower max_records_per_file")]
    Total(u64),
}

const MOST_TOTAL: u64 = 999_999_999_999;

/// The files of all payments, in the order given. Names of banks and branches come from `banks`; what
/// it does not know is left blank, which the format allows.
pub fn write_files(
    profile: &BankProfile,
    date: NaiveDate,
    payments: &[Payment],
    banks: Option<&BankTable>,
) -> Result<Vec<TransferFile>, TransferError> {
    if payments.is_empty() {
        return Err(TransferError::NoPayments);
    }
    if !is_business_day(date) {
        return Err(TransferError::NoBusinessDay(date));
    }
    let mut names = Names { banks, known: HashMap::new() };
    let header = header(profile, date, &mut names)?;
    payments
        .chunks(profile.max_records_per_file)
        .map(|part| file(profile, &header, part, &mut names))
        .collect()
}

fn file(
    profile: &BankProfile,
    header: &Line,
    payments: &[Payment],
    names: &mut Names<'_>,
) -> Result<TransferFile, TransferError> {
    let newline = profile.newline.bytes();
    let mut bytes = Vec::with_capacity((payments.len() + 3) * (RECORD_BYTES + newline.len()));
    let mut add = |line: &Line| {
        bytes.extend_from_slice(&line.0);
        bytes.extend_from_slice(newline);
    };
    add(header);
    let mut total = 0;
    for payment in payments {
        total += payment.amount.get();
        add(&payment_line(profile, payment, names));
    }
    if total > MOST_TOTAL {
        return Err(TransferError::Total(total));
    }
    let mut trailer = Line::of(b'8');
    trailer.number(payments.len() as u64, 6);
    trailer.number(total, 12);
    trailer.blanks(101);
    add(&trailer);
    let mut end = Line::of(b'9');
    end.blanks(119);
    add(&end);
    let sha256 = Sha256::of(&bytes);
    Ok(TransferFile { bytes, payments: payments.len(), total, sha256 })
}

fn header(profile: &BankProfile, date: NaiveDate, names: &mut Names<'_>) -> Result<Line, NameError> {
    let consignor = PartyName::of(&profile.consignor_name, profile, CONSIGNOR_BYTES)?;
    let (bank_name, branch_name) = names.of(profile.bank, profile.branch);
    let mut line = Line::of(b'1');
    // 総合振込, JIS
    line.ascii("210");
    line.ascii(&profile.consignor_code);
    line.text(consignor.bytes(), CONSIGNOR_BYTES);
    line.number(u64::from(date.month()), 2);
    line.number(u64::from(date.day()), 2);
    line.ascii(&profile.bank.to_string());
    line.text(bank_name, NAME_BYTES);
    line.ascii(&profile.branch.to_string());
    line.text(branch_name, NAME_BYTES);
    line.push(profile.account_type.code() as u8);
    line.ascii(&profile.account_number.to_string());
    line.blanks(17);
    Ok(line)
}

fn payment_line(profile: &BankProfile, payment: &Payment, names: &mut Names<'_>) -> Line {
    let account = payment.account;
    let (bank_name, branch_name) = names.of(account.bank, account.branch);
    let mut line = Line::of(b'2');
    line.ascii(&account.bank.to_string());
    line.text(bank_name, NAME_BYTES);
    line.ascii(&account.branch.to_string());
    line.text(branch_name, NAME_BYTES);
    match profile.clearing_house {
        ClearingHouse::Zeros => line.number(0, 4),
        ClearingHouse::Blanks => line.blanks(4),
    }
    line.push(account.kind.code() as u8);
    line.ascii(&account.number.to_string());
    line.text(payment.payee.bytes(), PartyName::PAYEE_BYTES);
    line.number(payment.amount.get(), 10);
    // 新規コード: neither the first payment to this payee nor a changed one
    line.push(b'0');
    match profile.reference {
        Reference::ApplicationId => {
            line.number(0, 7);
            line.ascii(&payment.application_id.to_string());
        }
        Reference::Zeros => line.number(0, 20),
    }
    line.push(profile.designation.byte());
    // no EDI text
    line.push(b' ');
    line.blanks(7);
    line
}

/// Of banks and branches.
const NAME_BYTES: usize = 15;

/// Names of banks and branches as files write them, each worked out once.
struct Names<'a> {
    banks: Option<&'a BankTable>,
    known: HashMap<(BankCode, BranchCode), (Vec<u8>, Vec<u8>)>,
}

impl Names<'_> {
    fn of(&mut self, bank: BankCode, branch: BranchCode) -> (&[u8], &[u8]) {
        let banks = self.banks;
        let (bank_name, branch_name) = self.known.entry((bank, branch)).or_insert_with(|| {
            let found = banks.and_then(|banks| banks.bank(bank));
            let of_branch = found.and_then(|found| found.branch(branch));
            let name = |kana: Option<&str>| kana.and_then(bank_name).unwrap_or_default();
            (name(found.map(|bank| bank.kana.as_str())), name(of_branch.map(|branch| branch.kana.as_str())))
        });
        (bank_name, branch_name)
    }
}

/// None where the name has a character that the field cannot hold; the number says it all anyway.
fn bank_name(kana: &str) -> Option<Vec<u8>> {
    let name = ZenginName::of(kana).ok()?;
    // Foreign banks have points in the table.
    let written = name.as_str().chars().filter(|character| !matches!(character, ' ' | '.'));
    let mut bytes: Vec<u8> = written
        .map(|character| text::byte(character).filter(|&byte| CharacterSet::BankName.allows(byte)))
        .collect::<Option<_>>()?;
    if bytes.get(NAME_BYTES).is_some_and(|&next| matches!(next, text::VOICED | text::HALF_VOICED)) {
        bytes.truncate(NAME_BYTES - 1);
    }
    bytes.truncate(NAME_BYTES);
    Some(bytes)
}

/// A record that grows field by field.
struct Line(Vec<u8>);

impl Line {
    fn of(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(RECORD_BYTES);
        bytes.push(kind);
        Self(bytes)
    }

    fn push(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn ascii(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Right-aligned, filled with zeros.
    fn number(&mut self, number: u64, width: usize) {
        self.ascii(&format!("{number:0width$}"));
    }

    /// Left-aligned, filled with blanks.
    fn text(&mut self, bytes: &[u8], width: usize) {
        self.0.extend_from_slice(bytes);
        self.blanks(width.saturating_sub(bytes.len()));
    }

    fn blanks(&mut self, width: usize) {
        self.0.resize(self.0.len() + width, b' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application_id::ApplicationId;
    use crate::bank_account::{AccountNumber, AccountType, BankAccount};
    use crate::export::profile::tests::profile;
    use crate::export::{Newline, TransferDesignation, Yen};
    use crate::settings::Settings;

    fn banks() -> BankTable {
        let settings = Settings::load(None).expect("shipped settings");
        BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup has run")
    }

    fn payment(serial: u64, account: BankAccount, name: &str, yen: u64) -> Payment {
        let name = ZenginName::of(name).expect("kana");
        Payment {
            application_id: ApplicationId::from_serial(serial).expect("in range"),
            account,
            payee: PartyName::payee(&name, &profile()).expect("a payee"),
            amount: Yen::new(yen).expect("an amount"),
        }
    }

    fn at_yokohama(number: &str) -> BankAccount {
        BankAccount {
            bank: BankCode::parse("0138").expect("a code"),
            branch: BranchCode::parse("310").expect("a code"),
            kind: AccountType::Ordinary,
            number: AccountNumber::parse(number).expect("a number"),
        }
    }

    fn date() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 6, 30).expect("a date")
    }

    /// Shift_JIS of the half-width kana that stand in the text.
    fn shift_jis(text: &str) -> Vec<u8> {
        text.chars().map(|character| text::byte(character).expect("half-width")).collect()
    }

    #[test]
    fn a_file_is_what_the_format_says_byte_for_byte() {
        let profile =
            BankProfile { newline: Newline::Crlf, designation: TransferDesignation::Blank, ..profile() };
        let yucho = BankAccount::of_yucho("14080", "76543211").expect("a giro account");
        let payments = [
            payment(7, at_yokohama("0004321"), "いとう　ジュン", 200_000),
            payment(8, yucho, "バン・ルー", 1),
        ];
        let [file] = write_files(&profile, date(), &payments, Some(&banks()))
            .expect("a file")
            .try_into()
            .expect("one");
        let expected = [
            "1210 1234567890 ﾖｺﾊﾏｼ+ﾄｸﾍﾞﾂﾃｲｶﾞｸ++++++++++++++++++++++++ 0630 0138 ﾖｺﾊﾏ+++++++++++ 317 ﾖｺﾊﾏｼﾁﾖｳ+++++++ 2 1234567 +++++++++++++++++",
            "2 0138 ﾖｺﾊﾏ+++++++++++ 310 ｶﾝﾅｲ+++++++++++ 0000 1 0004321 ｲﾄｳ+ｼﾞﾕﾝ++++++++++++++++++++++ 0000200000 0 00000000000000000079 + + +++++++",
            "2 9900 ﾕｳﾁﾖ+++++++++++ 408 ﾖﾝｾﾞﾛﾊﾁ++++++++ 0000 1 7654321 ﾊﾞﾝ.ﾙ-++++++++++++++++++++++++ 0000000001 0 00000000000000000086 + + +++++++",
            "8 000002 000000200001 +++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++",
            "9 +++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++",
        ];
        let expected: Vec<u8> = expected
            .iter()
            .flat_map(|line| [shift_jis(&line.replace(' ', "").replace('+', " ")), b"\r\n".to_vec()].concat())
            .collect();
        assert_eq!(hex::encode(&file.bytes), hex::encode(&expected));
        assert_eq!((file.payments, file.total, file.sha256), (2, 200_001, Sha256::of(&expected)));
    }

    #[test]
    fn a_file_holds_no_more_than_the_bank_takes() {
        let profile = BankProfile { max_records_per_file: 2, ..profile() };
        let payments: Vec<Payment> =
            (1..=5).map(|serial| payment(serial, at_yokohama("0004321"), "イトウ", serial)).collect();
        let files = write_files(&profile, date(), &payments, None).expect("files");
        let counted: Vec<(usize, u64, usize)> =
            files.iter().map(|file| (file.payments, file.total, file.bytes.len())).collect();
        assert_eq!(counted, [(2, 3, 600), (2, 7, 600), (1, 5, 480)]);
    }

    #[test]
    fn what_no_bank_would_carry_out_is_not_written() {
        let one = [payment(1, at_yokohama("0004321"), "イトウ", 1)];
        let sunday = NaiveDate::from_ymd_opt(2026, 6, 28).expect("a date");
        assert!(matches!(write_files(&profile(), sunday, &one, None), Err(TransferError::NoBusinessDay(_))));
        assert!(matches!(write_files(&profile(), date(), &[], None), Err(TransferError::NoPayments)));
        let most: Vec<Payment> =
            (0..101).map(|serial| payment(serial, at_yokohama("0004321"), "イトウ", Yen::MOST)).collect();
        assert!(matches!(write_files(&profile(), date(), &most, None), Err(TransferError::Total(_))));
    }

    #[test]
    fn every_bank_and_branch_has_a_name_that_fits() {
        let banks = banks();
        let all = banks.banks().iter().flat_map(|bank| {
            std::iter::once(&bank.kana).chain(bank.branches().iter().map(|branch| &branch.kana))
        });
        let without = all.filter(|kana| bank_name(kana).is_none_or(|name| name.is_empty())).count();
        assert_eq!(without, 0);
    }
}
