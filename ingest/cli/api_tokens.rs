//! `uketsuke accounts token`: what machines use the API with.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use super::{Common, OPERATOR, with_database};
use crate::review::{AccountName, ApiToken, Scope};
use crate::store::api_tokens::{self, Listed};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it, once: it is not kept, only its digest
    Add {
        /// a-z, 0-9, '.', '_' and '-'; it stands in events
        #[arg(value_name = "NAME")]
        name: AccountName,
        /// What the machine may have; may be given several times
        #[arg(long = "scope", value_enum, required = true)]
        scopes: Vec<Scope>,
        /// It holds for so many days
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3650))]
        days: u64,
    },
    /// End a token at once; its name is not given again
    Revoke {
        #[arg(value_name = "NAME")]
        name: AccountName,
    },
    /// Show all tokens: name, scopes, until when each holds, when it was used last
    List,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add { name, mut scopes, days } => {
            scopes.sort_unstable();
            scopes.dedup();
            let valid = DAY.checked_mul(u32::try_from(days)?).context("--days")?;
            add(common, &name, &scopes, valid)
        }
        Command::Revoke { name } => with_database(common, async |database| {
            if !api_tokens::revoke(database, OPERATOR, &name).await? {
                bail!("there is no token {name} that holds; `uketsuke accounts token list` shows all");
            }
            Ok(())
        }),
        Command::List => list(common),
    }
}

fn add(common: &Common, name: &AccountName, scopes: &[Scope], valid: Duration) -> anyhow::Result<()> {
    let token = ApiToken::new()?;
    with_database(common, async |database| {
        if !api_tokens::add(database, OPERATOR, name, token.digest(), scopes, valid).await? {
            bail!("there is or was a token {name} already; give this one another name");
        }
        Ok(())
    })?;
    if common.json {
        println!("{}", serde_json::json!({ "name": name.to_string(), "token": token.reveal() }));
    } else {
        println!("{}", token.reveal());
    }
    Ok(())
}

#[derive(Serialize)]
struct Line {
    name: String,
    scopes: Vec<&'static str>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    used_at: Option<DateTime<Utc>>,
}

fn list(common: &Common) -> anyhow::Result<()> {
    with_database(common, async |database| {
        for Listed { name, scopes, expires_at, revoked_at, used_at, .. } in api_tokens::list(database).await?
        {
            let scopes = scopes.into_iter().map(Scope::name).collect();
            let line = Line { name: name.to_string(), scopes, expires_at, revoked_at, used_at };
            if common.json {
                println!("{}", serde_json::to_string(&line)?);
                continue;
            }
            let day = |time: DateTime<Utc>| time.format("%Y-%m-%d").to_string();
            let state = match line.revoked_at {
                Some(at) => format!("revoked {}", day(at)),
                None => format!("until {}", day(line.expires_at)),
            };
            let used = line.used_at.map_or("never used".to_owned(), |at| format!("used {}", day(at)));
            println!("{}\t{}\t{state}\t{used}", line.name, line.scopes.join(","));
        }
        Ok(())
    })
}
