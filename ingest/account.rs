//! Accounts of the machine: as whom a program that was started by root does what root must not do.

use std::{fs, io};

/// Where accounts are listed.
pub(crate) const PASSWD: &str = "/etc/passwd";

/// User and group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub user: u32,
    pub group: u32,
}

impl Account {
    /// The account of that name, if the machine has one.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        Ok(Self::listed(name, &fs::read_to_string(PASSWD)?))
    }

    /// The name of the user that this program runs as, if the machine has one.
    pub fn own_name() -> io::Result<Option<String>> {
        let user = rustix::process::getuid().as_raw();
        Ok(Self::name_of(user, &fs::read_to_string(PASSWD)?))
    }

    fn name_of(user: u32, passwd: &str) -> Option<String> {
        passwd.lines().find_map(|line| {
            let parts: Vec<&str> = line.split(':').collect();
            let &[name, _, found, _, ..] = parts.as_slice() else { return None };
            (found.parse() == Ok(user)).then(|| name.to_owned())
        })
    }

    /// The account of a user by a file in the format of /etc/passwd.
    fn listed(name: &str, passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let parts: Vec<&str> = line.split(':').collect();
            let &[found, _, user, group, ..] = parts.as_slice() else { return None };
            (found == name).then(|| Some(Self { user: user.parse().ok()?, group: group.parse().ok()? }))?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:7::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(Account::listed("postgres", passwd), Some(Account { user: 101, group: 104 }));
        assert_eq!(Account::listed("postgre", passwd), None);
        assert_eq!(Account::name_of(101, passwd).as_deref(), Some("postgres"));
        assert_eq!(Account::name_of(10, passwd), None);
    }
}
