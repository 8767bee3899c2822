//! Who works at the desk: names of accounts, and what each role is for.

use std::fmt;
use std::str::FromStr;

/// 1 to 32 lower-case letters, digits, `.`, `_` and `-`, the first a letter or digit. It stands in
/// events, so it is better not a person's full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account's name has 1 to 32 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit")]
pub struct AccountNameError;

impl AccountName {
    /// Names a machine in events: no account can have such a name.
    pub(super) fn of_machine(token: &Self) -> Self {
        Self(format!("token:{token}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = AccountNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let begins_well = text.bytes().next().is_some_and(alphanumeric);
        if begins_well
            && text.len() <= 32
            && text.bytes().all(|byte| alphanumeric(byte) || b"._-".contains(&byte))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(AccountNameError)
        }
    }
}

impl<'de> serde::Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Role {
    /// Keys and verifies fields; sees pictures of fields only
    Keyer,
    /// Also adjudicates, assigns pages and decides duplicates; sees whole pages
    Reviewer,
    /// Sees how the work stands, and settles rescans
    Supervisor,
    /// Samples and judges what was accepted
    Qa,
    /// Looks applications up and says how they stand; sees no pictures
    Inquiry,
    /// Decides what is escalated
    Municipality,
    /// Looks after accounts; sees no application
    Administrator,
    /// Proposes transfers to the bank, and approves those of others
    Payment,
    /// Says what must be black on copies that could not be read; sees these pages and nothing else
    Masker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such role")]
pub struct RoleError;

impl Role {
    pub const ALL: [Self; 9] = [
        Self::Keyer,
        Self::Reviewer,
        Self::Supervisor,
        Self::Qa,
        Self::Inquiry,
        Self::Municipality,
        Self::Administrator,
        Self::Payment,
        Self::Masker,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Keyer => "keyer",
            Self::Reviewer => "reviewer",
            Self::Supervisor => "supervisor",
            Self::Qa => "qa",
            Self::Inquiry => "inquiry",
            Self::Municipality => "municipality",
            Self::Administrator => "administrator",
            Self::Payment => "payment",
            Self::Masker => "masker",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(RoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_escaping_anywhere() {
        for good in ["a", "kita-1", "sato.h", "0"] {
            assert_eq!(good.parse::<AccountName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "Sato", "佐藤", "a b", "a/b", "<b>", &"a".repeat(33)] {
            assert_eq!(bad.parse::<AccountName>(), Err(AccountNameError), "{bad}");
        }
    }
}
