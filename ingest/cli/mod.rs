//! The command line: one file a subcommand; each parses, calls the library and prints. Results go
//! to stdout, progress and errors to stderr; the exit code is 0, 1 (it failed) or 2 (wrong usage).

mod forms;
mod register;
mod simulate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Takes in mailed benefit applications: reads scanned forms, scores its own confidence and
/// publishes records and images for review.
#[derive(Debug, Parser)]
#[command(name = "uketsuke", version, arg_required_else_help = true)]
struct CommandLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Folder of the private database, the object store and the drop folders
    #[arg(long, global = true, value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,
    /// Configuration; names only what differs from the shipped config/uketsuke.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print forms, or show their layout
    Forms(forms::Arguments),
    /// The register of households
    Register(register::Arguments),
    /// Fill in and "scan" forms, with the truth about every page
    Simulate(simulate::Arguments),
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let CommandLine { common, command } = CommandLine::parse();
    let result = match command {
        Command::Forms(arguments) => forms::run(&common, arguments),
        Command::Register(arguments) => register::run(&common, arguments),
        Command::Simulate(arguments) => simulate::run(&common, arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("uketsuke: {error:#}");
            ExitCode::FAILURE
        }
    }
}
