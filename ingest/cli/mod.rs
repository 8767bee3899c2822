//! The command line: one file a subcommand; each parses, calls the library and prints. Results go
//! to stdout, progress and errors to stderr; the exit code is 0, 1 (it failed) or 2 (wrong usage).

mod forms;
mod quarantine;
mod records;
mod register;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::store::Database;

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
    /// Show scans that could not be read, and put them back
    Quarantine(quarantine::Arguments),
    Records(records::Arguments),
    /// Load the list of households
    Register(register::Arguments),
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let CommandLine { common, command } = CommandLine::parse();
    let result = match command {
        Command::Forms(arguments) => forms::run(&common, arguments),
        Command::Quarantine(arguments) => quarantine::run(&common, arguments),
        Command::Records(arguments) => records::run(&common, arguments),
        Command::Register(arguments) => register::run(&common, arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("uketsuke: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Who is named in events as the one that acted, for commands typed by a person.
const OPERATOR: &str = "command line";

/// Names another PostgreSQL than the private one in the data folder.
const DATABASE_VARIABLE: &str = "DATABASE_URL";

/// Runs asynchronous work to its end.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// Runs work with the database of `DATABASE_URL` or of the data folder, and closes it behind.
fn with_database<T>(
    common: &Common,
    work: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let url = std::env::var(DATABASE_VARIABLE).ok().filter(|url| !url.is_empty());
    block_on(async {
        let database = Database::connect(&common.data, url.as_deref()).await?;
        let result = work(&database).await;
        database.close().await;
        result
    })
}
