//! `uketsuke migrate`: the database brought up to date by the owner of its tables.

use clap::Args;

use super::{Common, with_database};
use crate::store::Database;
use crate::store::privileges::{self, RoleName};

/// Bring the database up to date, and give the service's role its rights
///
/// Every command brings the database up to date by itself, where it connects as the owner of the
/// tables. A service that must not be able to change events connects as another role
/// (docs/operations.md); then this is run before each upgrade, with the DATABASE_URL of the owner.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The role that the service connects as: it gets all rights but those to change or remove events
    /// and seals
    #[arg(long, value_name = "ROLE")]
    application_role: Option<RoleName>,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    with_database(common, async |database: &Database| {
        eprintln!("the database is up to date");
        if let Some(role) = arguments.application_role {
            privileges::grant_application(database, &role).await?;
            eprintln!("{role} has the rights of the service");
        }
        Ok(())
    })
}
