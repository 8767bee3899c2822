//! `uketsuke accounts`: who may log in at the review desk, and which machines may ask it. The first
//! administrator is made here.

use std::io::{IsTerminal, Read};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Common, OPERATOR, api_tokens, with_database};
use crate::review::{AccountName, Password, PasswordHash, Role};
use crate::store::accounts::{self, Change};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an account; its password is asked for, or read from stdin
    Add {
        /// a-z, 0-9, '.', '_' and '-'; it stands in events, so better not a person's full name
        #[arg(value_name = "NAME")]
        name: AccountName,
        /// What the person may do
        #[arg(long, value_enum)]
        role: Role,
    },
    /// Give an account another password; its sessions end
    Password {
        #[arg(value_name = "NAME")]
        name: AccountName,
    },
    /// Give an account another role; its sessions end
    Role {
        #[arg(value_name = "NAME")]
        name: AccountName,
        #[arg(value_enum)]
        role: Role,
    },
    /// Let nobody log in with an account any more; what it did stays
    Disable {
        #[arg(value_name = "NAME")]
        name: AccountName,
    },
    /// Let somebody log in with an account again
    Enable {
        #[arg(value_name = "NAME")]
        name: AccountName,
    },
    /// Show all accounts: name, role, and whether it may log in
    List,
    /// Tokens of machines that use the API
    #[command(subcommand)]
    Token(api_tokens::Command),
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Add { name, role } => add(common, &name, role),
        Command::Password { name } => {
            let password = Some(PasswordHash::of(&ask()?)?);
            change(common, &name, Change { password, ..Change::default() })
        }
        Command::Role { name, role } => {
            change(common, &name, Change { role: Some(role), ..Change::default() })
        }
        Command::Disable { name } => {
            change(common, &name, Change { active: Some(false), ..Change::default() })
        }
        Command::Enable { name } => change(common, &name, Change { active: Some(true), ..Change::default() }),
        Command::List => list(common),
        Command::Token(command) => api_tokens::run(common, command),
    }
}

fn add(common: &Common, name: &AccountName, role: Role) -> anyhow::Result<()> {
    let password = PasswordHash::of(&ask()?)?;
    with_database(common, async |database| {
        if !accounts::add(database, OPERATOR, name, role, &password).await? {
            bail!(
                "there is an account {name} already; give it another password with `uketsuke accounts password {name}`"
            );
        }
        Ok(())
    })
}

fn change(common: &Common, name: &AccountName, change: Change) -> anyhow::Result<()> {
    with_database(common, async |database| {
        if !accounts::change(database, OPERATOR, name, &change).await? {
            bail!("there is no account {name}; `uketsuke accounts list` shows all");
        }
        Ok(())
    })
}

#[derive(Serialize)]
struct Line {
    name: String,
    role: &'static str,
    active: bool,
}

fn list(common: &Common) -> anyhow::Result<()> {
    with_database(common, async |database| {
        for accounts::Account { name, role, active } in accounts::list(database).await? {
            let line = Line { name: name.to_string(), role: role.name(), active };
            if common.json {
                println!("{}", serde_json::to_string(&line)?);
            } else {
                let state = if active { "active" } else { "disabled" };
                println!("{}\t{}\t{state}", line.name, line.role);
            }
        }
        Ok(())
    })
}

/// A new password: twice from a terminal; else the first line of stdin.
fn ask() -> anyhow::Result<Password> {
    let text = typed("Password: ")?;
    if std::io::stdin().is_terminal() && typed("Once more: ")? != text {
        bail!("the two passwords differ; nothing was changed");
    }
    Ok(Password::chosen(text)?)
}

/// A password from a terminal, unseen; else the first line of stdin.
pub(super) fn typed(prompt: &str) -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).context("the password cannot be asked for");
    }
    let mut text = String::new();
    // No password is longer; whoever pipes in a file made a mistake.
    std::io::stdin()
        .take(1 << 16)
        .read_to_string(&mut text)
        .context("the password cannot be read from stdin")?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
