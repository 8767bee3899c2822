//! Reads the table of banks and the aliases from their files.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use unicode_normalization::UnicodeNormalization;

use super::{Bank, BankCode, BankTable, Branch, BranchCode, spelling};
use crate::digest::Sha256;

#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error("{}: the table of banks is missing; run scripts/setup, or set paths.banks and paths.bank_aliases", .0.display())]
    Missing(PathBuf),
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {message}; fetch the table anew with scripts/setup, or mend the file", path.display())]
    Invalid { path: PathBuf, message: String },
}

/// A bank or branch in the files of zengin-code/source-data; readings in other scripts are left out.
#[derive(Deserialize)]
struct Entry {
    name: String,
    kana: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasFile {
    aliases: BTreeMap<String, Vec<String>>,
}

/// Every file that is read goes into the table's digest, in the order of reading.
#[derive(Default)]
struct Files {
    digests: Vec<u8>,
}

impl BankTable {
    /// Reads `banks.json`, `branches/CODE.json` and `updated_at` of `folder`, and the file of
    /// aliases; some 50 ms. Files of branches whose bank is not in `banks.json` are of banks that
    /// are no more, and are passed over.
    pub fn load(folder: &Path, aliases: &Path) -> Result<Self, ReferenceError> {
        let mut files = Files::default();
        let banks: BTreeMap<String, Entry> = files.json(&folder.join("banks.json"))?;
        let updated = files.text(&folder.join("updated_at"))?.trim().to_owned();
        let aliases = files.aliases(aliases)?;
        let banks = banks
            .into_iter()
            .map(|(code, entry)| {
                let path = folder.join("branches").join(format!("{code}.json"));
                let code = BankCode::parse(&code).ok_or_else(|| {
                    invalid(&folder.join("banks.json"), format!("'{code}' is no bank code"))
                })?;
                let branches = files.branches(&path)?;
                let short = normal(&entry.name);
                let also = aliases.get(&code).map_or(&[][..], Vec::as_slice);
                Ok(Bank {
                    code,
                    name: spelling::official(code, &short),
                    kana: entry.kana,
                    spellings: spelling::of_bank(code, &short, also),
                    branches,
                })
            })
            .collect::<Result<Vec<_>, ReferenceError>>()?;
        Ok(Self { banks, updated, digest: Sha256::of(&files.digests) })
    }
}

impl Files {
    fn text(&mut self, path: &Path) -> Result<String, ReferenceError> {
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => ReferenceError::Missing(path.to_owned()),
            _ => ReferenceError::Unreadable { path: path.to_owned(), source },
        })?;
        self.digests.extend(Sha256::of(text.as_bytes()).as_bytes());
        Ok(text)
    }

    fn json<T: DeserializeOwned>(&mut self, path: &Path) -> Result<T, ReferenceError> {
        serde_json::from_str(&self.text(path)?).map_err(|error| invalid(path, error.to_string()))
    }

    fn branches(&mut self, path: &Path) -> Result<Vec<Branch>, ReferenceError> {
        let entries: BTreeMap<String, Entry> = self.json(path)?;
        let branch = |(code, entry): (String, Entry)| {
            let code = BranchCode::parse(&code)
                .ok_or_else(|| invalid(path, format!("'{code}' is no branch code")))?;
            Ok(Branch { code, name: normal(&entry.name), kana: entry.kana })
        };
        entries.into_iter().map(branch).collect()
    }

    fn aliases(&mut self, path: &Path) -> Result<BTreeMap<BankCode, Vec<String>>, ReferenceError> {
        let file: AliasFile =
            toml::from_str(&self.text(path)?).map_err(|error| invalid(path, error.to_string()))?;
        let alias = |(code, names): (String, Vec<String>)| {
            let code = BankCode::parse(&code)
                .ok_or_else(|| invalid(path, format!("'{code}' is no bank code of four digits")))?;
            Ok((code, names.iter().map(|name| normal(name)).collect()))
        };
        file.aliases.into_iter().map(alias).collect()
    }
}

/// Width variants as they are mostly written, no blanks.
fn normal(name: &str) -> String {
    name.nfkc().filter(|character| !character.is_whitespace()).collect()
}

fn invalid(path: &Path, message: String) -> ReferenceError {
    ReferenceError::Invalid { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn table() -> BankTable {
        let settings = Settings::load(None).expect("shipped settings");
        BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases).expect("scripts/setup has run")
    }

    fn banks_written(table: &BankTable, name: &str) -> Vec<String> {
        let is_written = |bank: &&Bank| bank.spellings.iter().any(|spelling| spelling.text == name);
        table.banks().iter().filter(is_written).map(|bank| bank.code.to_string()).collect()
    }

    #[test]
    fn banks_that_are_no_more_are_left_out_and_the_others_have_their_branches() {
        let table = table();
        assert!(table.banks().len() > 1000 && table.updated.as_str() >= "20260824");
        // みちのく銀行, of which a file of branches is still there.
        assert_eq!(table.bank(BankCode::parse("0118").expect("a code")), None);
        let yokohama = table.bank(BankCode::parse("0138").expect("a code")).expect("there is one");
        assert_eq!(yokohama.label(), "0138 横浜銀行");
        let kannai = yokohama.branch(BranchCode::parse("310").expect("a code")).expect("there is one");
        assert_eq!(kannai.label(), "310 関内");
        assert!(table.banks().iter().map(|bank| bank.branches().len()).sum::<usize>() > 25_000);
    }

    #[test]
    fn a_bank_is_found_under_every_name_that_people_give_it() {
        let table = table();
        for (name, code) in [
            ("横浜銀行", "0138"),
            ("はまぎん", "0138"),
            ("三菱UFJ", "0005"),
            ("みつびし", "0005"),
            ("ジャパンネット銀行", "0033"),
            ("PayPay銀行", "0033"),
            ("郵便局", "9900"),
            ("ゆうちょ", "9900"),
            ("横浜信用金庫", "1280"),
            ("横浜信金", "1280"),
            ("JA横浜", "5114"),
            ("横浜農業協同組合", "5114"),
            ("中央労働金庫", "2963"),
        ] {
            assert_eq!(banks_written(&table, name), [code], "{name}");
        }
        assert!(banks_written(&table, "山田太郎").is_empty());
    }

    #[test]
    fn what_is_missing_or_broken_is_told_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let aliases = folder.path().join("aliases.toml");
        std::fs::write(&aliases, "[aliases]\n\"138\" = [\"はまぎん\"]").expect("written");
        let error = || BankTable::load(folder.path(), &aliases).expect_err("not complete").to_string();
        assert!(error().contains("banks.json") && error().contains("scripts/setup"), "{}", error());
        std::fs::write(folder.path().join("banks.json"), "{}").expect("written");
        std::fs::write(folder.path().join("updated_at"), "20260824\n").expect("written");
        assert!(error().contains("aliases.toml: '138' is no bank code"), "{}", error());
    }
}
