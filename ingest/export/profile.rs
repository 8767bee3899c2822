//! What a bank has agreed with the municipality: one file a contract in `config/transfer/`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::payment::PartyName;
use crate::bank_account::{AccountNumber, AccountType};
use crate::kana::ZenginName;
use crate::reference::{BankCode, BranchCode};

/// One contract, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct BankProfile {
    /// Of the file, without `.toml`.
    pub name: String,
    /// 委託者コード, ten digits.
    pub consignor_code: String,
    /// 委託者名.
    pub consignor_name: ZenginName,
    pub bank: BankCode,
    pub branch: BranchCode,
    pub account_type: AccountType,
    pub account_number: AccountNumber,
    pub newline: Newline,
    /// Payments a file; further ones go into another.
    pub max_records_per_file: usize,
    /// Those of `()-.` that names may have.
    pub symbols: String,
    /// Those of `()-.` in whose stead a blank is written.
    pub blanks_for: String,
    pub clearing_house: ClearingHouse,
    pub designation: TransferDesignation,
    pub reference: Reference,
}

/// Behind every record, the last one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Newline {
    None,
    Crlf,
    Lf,
}

impl Newline {
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Crlf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// 手形交換所番号, which no bank uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClearingHouse {
    Zeros,
    Blanks,
}

/// 振込指定区分.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TransferDesignation {
    #[serde(rename = "")]
    Blank,
    #[serde(rename = "0")]
    Zero,
    /// テレ振込 (電信).
    #[serde(rename = "7")]
    Wire,
    /// 文書振込.
    #[serde(rename = "8")]
    Document,
}

impl TransferDesignation {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Blank => b' ',
            Self::Zero => b'0',
            Self::Wire => b'7',
            Self::Document => b'8',
        }
    }
}

/// 顧客コード1 and 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The application ID, by which returned payments are found again.
    ApplicationId,
    Zeros,
}

#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("{}: there is no such profile; there are: {}", folder.display(), known.join(", "))]
    Unknown { folder: PathBuf, known: Vec<String> },
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {message}", path.display())]
    Invalid { path: PathBuf, message: String },
}

/// As it was typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileFile {
    consignor_code: String,
    consignor_name: String,
    bank: String,
    branch: String,
    account_type: AccountType,
    account_number: String,
    newline: Newline,
    max_records_per_file: usize,
    symbols: String,
    blanks_for: String,
    clearing_house: ClearingHouse,
    designation: TransferDesignation,
    reference: Reference,
}

/// A set counts its records with six digits.
const MOST_RECORDS: usize = 999_999;

pub(super) const CONSIGNOR_BYTES: usize = 40;

impl BankProfile {
    /// The profile `NAME.toml` of `folder`.
    pub fn load(folder: &Path, name: &str) -> Result<Self, ProfileError> {
        let known = names(folder)?;
        if !known.iter().any(|known| known == name) {
            return Err(ProfileError::Unknown { folder: folder.to_owned(), known });
        }
        let path = folder.join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ProfileError::Unreadable { path: path.clone(), source })?;
        Self::of(name, &text).map_err(|message| ProfileError::Invalid { path, message })
    }

    fn of(name: &str, text: &str) -> Result<Self, String> {
        let file: ProfileFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let wrong = |key: &str, what: &str| format!("{key} is {what}");
        let is_code =
            file.consignor_code.len() == 10 && file.consignor_code.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code {
            return Err(wrong("consignor_code", "ten digits, as the bank gave them"));
        }
        if !(1..=MOST_RECORDS).contains(&file.max_records_per_file) {
            return Err(wrong("max_records_per_file", "1 to 999999"));
        }
        if file.symbols.chars().chain(file.blanks_for.chars()).any(|symbol| !"()-.".contains(symbol)) {
            return Err("symbols and blanks_for hold some of ( ) - .".to_owned());
        }
        let profile = Self {
            name: name.to_owned(),
            consignor_name: ZenginName::of(&file.consignor_name)
                .map_err(|error| format!("consignor_name: {error}"))?,
            bank: BankCode::parse(&file.bank).ok_or_else(|| wrong("bank", "four digits"))?,
            branch: BranchCode::parse(&file.branch).ok_or_else(|| wrong("branch", "three digits"))?,
            account_type: file.account_type,
            account_number: AccountNumber::parse(&file.account_number)
                .ok_or_else(|| wrong("account_number", "seven digits"))?,
            consignor_code: file.consignor_code,
            newline: file.newline,
            max_records_per_file: file.max_records_per_file,
            symbols: file.symbols,
            blanks_for: file.blanks_for,
            clearing_house: file.clearing_house,
            designation: file.designation,
            reference: file.reference,
        };
        if profile.consignor_name.bytes() > CONSIGNOR_BYTES {
            return Err(wrong("consignor_name", "at most 40 bytes: a kana with ﾞ has two"));
        }
        PartyName::of(&profile.consignor_name, &profile, CONSIGNOR_BYTES)
            .map_err(|error| format!("consignor_name: {error}"))?;
        Ok(profile)
    }
}

fn names(folder: &Path) -> Result<Vec<String>, ProfileError> {
    let unreadable = |source| ProfileError::Unreadable { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        names.extend(name.to_str().and_then(|name| name.strip_suffix(".toml")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../config/transfer/example.toml");

    pub(in crate::export) fn profile() -> BankProfile {
        BankProfile::of("example", SHIPPED).expect("the shipped profile")
    }

    #[test]
    fn every_slip_is_told_with_its_key() {
        for (right, wrong, told) in [
            ("\"1234567890\"", "\"123456789\"", "consignor_code is ten digits"),
            (
                "max_records_per_file = 9999",
                "max_records_per_file = 0",
                "max_records_per_file is 1 to 999999",
            ),
            ("symbols = \"()-.\"", "symbols = \"()-/\"", "symbols and blanks_for"),
            ("newline = \"none\"", "newline = \"cr\"", "unknown variant `cr`"),
            ("bank = \"0138\"", "bank = \"138\"", "bank is four digits"),
            ("\"ﾖｺﾊﾏｼ ﾄｸﾍﾞﾂﾃｲｶﾞｸ\"", "\"横浜市\"", "consignor_name: character 1"),
        ] {
            let text = SHIPPED.replacen(right, wrong, 1);
            assert_ne!(text, SHIPPED, "{right}");
            let error = BankProfile::of("a", &text).expect_err(wrong);
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_profile_that_is_not_there_is_told_with_those_that_are() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/transfer"));
        let error = BankProfile::load(folder, "../forms/benefit-2020").expect_err("no profile").to_string();
        assert!(error.ends_with("there are: example"), "{error}");
        assert_eq!(BankProfile::load(folder, "example").expect("shipped"), profile());
    }
}
