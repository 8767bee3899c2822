//! `uketsuke register`: the municipality's register of households.

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::Common;
use crate::simulate::register::write_register;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a register of households that do not exist, for demonstrations and measurements
    Generate(Generate),
}

#[derive(Debug, Args)]
struct Generate {
    /// How many households
    #[arg(long, value_name = "N")]
    count: u64,
    /// The same seed gives the same households
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file to write
    #[arg(long, value_name = "FILE.csv")]
    out: PathBuf,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Generate(arguments) => generate(common, &arguments),
    }
}

fn generate(common: &Common, arguments: &Generate) -> anyhow::Result<()> {
    let name = arguments.out.display();
    let file = File::create(&arguments.out).with_context(|| format!("{name} cannot be written"))?;
    write_register(arguments.seed, arguments.count, BufWriter::new(file))
        .with_context(|| format!("{name} cannot be written"))?;
    if common.json {
        println!("{}", serde_json::json!({ "households": arguments.count }));
    } else {
        println!("{} households in {name}", arguments.count);
    }
    Ok(())
}
