//! `uketsuke forms`: prints forms, or shows their layout.

use clap::{Args, Subcommand};

use super::Common;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

pub(super) fn run(_common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {}
}
