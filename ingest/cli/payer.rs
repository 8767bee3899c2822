//! Who pays: an account of the review desk that may, proved by its password.

use anyhow::{Context, bail};
use clap::Args;

use super::accounts::typed;
use super::login_name;
use crate::review::{AccountName, Password, PasswordHash};
use crate::settings;
use crate::store::login_failures::{self, FailureKey};
use crate::store::{Database, accounts};

#[derive(Debug, Args)]
pub(super) struct Payer {
    /// Your account, of the role payment; its password is asked for, or read from stdin; [default: the
    /// login name]
    #[arg(long = "by", value_name = "ACCOUNT")]
    account: Option<AccountName>,
}

/// A name, and what proves it.
pub(super) struct Proof {
    account: AccountName,
    password: Password,
}

impl Payer {
    /// Asks for the password.
    pub(super) fn proof(self) -> anyhow::Result<Proof> {
        let account = match self.account {
            Some(account) => account,
            None => login_name()
                .and_then(|name| name.parse().ok())
                .context("your login name is no account's; name yours with --by")?,
        };
        let password = Password::typed(typed(&format!("Password of {account}: "))?);
        Ok(Proof { account, password })
    }
}

impl Proof {
    /// The account, where the password is right. Failures count as those at the desk do.
    pub(super) async fn log_in(
        self,
        database: &Database,
        settings: &settings::Review,
    ) -> anyhow::Result<AccountName> {
        let Self { account, password } = self;
        let by_name = FailureKey::name(account.as_str());
        if login_failures::locked(database, by_name, settings.login_failures, settings.lockout).await? {
            bail!("too many failed logins of {account}; wait a while");
        }
        let known = accounts::credentials(database, &account).await?;
        if !PasswordHash::verify(known.as_ref().map(|(_, hash)| hash), &password) {
            let named = known.as_ref().map(|_| &account);
            login_failures::count(database, named, &[by_name], settings.lockout).await?;
            bail!("the account or the password is wrong");
        }
        login_failures::forget(database, by_name, settings.lockout).await?;
        Ok(account)
    }
}
