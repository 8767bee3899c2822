//! The command line: one file a subcommand; each parses, calls the library and prints. Results go
//! to stdout, progress and errors to stderr; the exit code is 0, 1 (it failed) or 2 (wrong usage).

mod accounts;
mod api_tokens;
mod applications;
mod audit;
mod backup;
mod calibrate;
mod doctor;
mod erase;
mod evaluate;
mod export;
mod forms;
mod health;
mod ingest;
mod inspect;
mod judged;
mod listed;
mod migrate;
mod objects;
mod payer;
mod quarantine;
mod reader;
mod recognize;
mod records;
mod register;
mod serve;
mod service;
mod simulate;
mod start;
mod status;
mod transfer;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::account::Account;
use crate::reference::{BankTable, ReferenceError};
use crate::settings::Settings;
use crate::store::objects::Location;
use crate::store::{Database, StoreError};

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
    /// Object store: a folder, or s3://BUCKET[/PREFIX]; [default: DATA/objects]
    #[arg(long, global = true, value_name = "WHERE", env = "UKETSUKE_OBJECTS")]
    pub objects: Option<Location>,
    /// Configuration; names only what differs from the shipped config/uketsuke.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// How logs are written to stderr
    #[arg(long, global = true, value_enum, env = "UKETSUKE_LOG_FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One object a line, for collectors: scan and page are fields of their own
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look after the accounts of the people at the review desk
    Accounts(accounts::Arguments),
    /// What may be paid, and what holds it back
    Applications(applications::Arguments),
    /// Prove that no event was changed, and export the proof
    Audit(audit::Arguments),
    Backup(backup::Arguments),
    Calibrate(calibrate::Arguments),
    /// Print forms, or show their layout
    Forms(forms::Arguments),
    Ingest(ingest::Arguments),
    Evaluate(evaluate::Arguments),
    /// What leaves the house: transfers to the bank, letters to applicants, states to the municipality
    Export(export::Arguments),
    Serve(serve::Arguments),
    Inspect(inspect::Arguments),
    Doctor(doctor::Arguments),
    Erase(erase::Arguments),
    Migrate(migrate::Arguments),
    /// Look after the object store
    Objects(objects::Arguments),
    /// Show scans that could not be read, and put them back
    Quarantine(quarantine::Arguments),
    /// Read pictures of handwritten cells; one JSON line an image
    Recognize(recognize::Arguments),
    /// Reads scans for a worker over stdin and stdout
    #[command(hide = true)]
    Reader,
    Records(records::Arguments),
    /// The register of households
    Register(register::Arguments),
    Restore(backup::RestoreArguments),
    /// Fill in and "scan" forms, with the truth about every page
    Simulate(simulate::Arguments),
    Status(status::Arguments),
    /// Check files that go to the bank, and take back what it could not pay
    Transfer(transfer::Arguments),
}

impl Common {
    /// Where the objects are.
    fn objects(&self) -> Location {
        self.objects.clone().unwrap_or_else(|| Location::below(&self.data))
    }

    /// The database that DATABASE_URL names, else the private one in the data folder.
    async fn database(&self) -> Result<Database, StoreError> {
        let url = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        Database::connect(&self.data, url.as_deref()).await
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")
}

/// Bytes that a program without privileges may still write below `folder`.
fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// The table of banks, where it was fetched.
fn banks(settings: &Settings) -> anyhow::Result<Option<BankTable>> {
    match BankTable::load(&settings.paths.banks, &settings.paths.bank_aliases) {
        Ok(table) => Ok(Some(table)),
        Err(ReferenceError::Missing(path)) => {
            tracing::warn!(
                "{}: there is no table of banks; codes are not looked up (scripts/setup fetches it)",
                path.display()
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Who is named in events as the one that acted, for commands typed by a person.
const OPERATOR: &str = "command line";

/// Who typed the command: whom sudo was used by, else as whom the program runs.
fn login_name() -> Option<String> {
    let by_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    by_sudo.or_else(|| Account::own_name().ok().flatten())
}

/// Runs work with the database, and closes it behind.
fn with_database<T>(
    common: &Common,
    work: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    runtime()?.block_on(async {
        let database = common.database().await?;
        let result = work(&database).await;
        database.close().await;
        result
    })
}

/// Logs go to stderr; UKETSUKE_LOG chooses what (`info`, `uketsuke=debug`). A service tells
/// what it does, a command with a progress bar only what is wrong.
fn log_to_stderr(command: &Command, format: LogFormat) {
    let default = match command {
        Command::Serve(_) => "warn,uketsuke=info",
        _ => "warn",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("UKETSUKE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match (command, format) {
        // A worker quotes it in its own log.
        (Command::Reader, _) | (_, LogFormat::Text) => {
            logs.with_ansi(std::io::stderr().is_terminal()).init();
        }
        (_, LogFormat::Json) => logs.json().init(),
    }
}

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let CommandLine { common, command } = CommandLine::parse();
    log_to_stderr(&command, common.log_format);
    let result = match command {
        Command::Accounts(arguments) => accounts::run(&common, arguments),
        Command::Applications(arguments) => applications::run(&common, arguments),
        Command::Audit(arguments) => audit::run(&common, arguments),
        Command::Backup(arguments) => backup::run(&common, arguments),
        Command::Calibrate(arguments) => calibrate::run(&common, arguments),
        Command::Forms(arguments) => forms::run(&common, arguments),
        Command::Ingest(arguments) => ingest::run(&common, arguments),
        Command::Evaluate(arguments) => evaluate::run(&common, arguments),
        Command::Export(arguments) => export::run(&common, arguments),
        Command::Serve(arguments) => serve::run(&common, arguments),
        Command::Inspect(arguments) => inspect::run(&common, arguments),
        Command::Doctor(arguments) => doctor::run(&common, arguments),
        Command::Erase(arguments) => erase::run(&common, arguments),
        Command::Migrate(arguments) => migrate::run(&common, arguments),
        Command::Objects(arguments) => objects::run(&common, arguments),
        Command::Quarantine(arguments) => quarantine::run(&common, arguments),
        Command::Reader => reader::run(&common),
        Command::Recognize(arguments) => recognize::run(&common, arguments),
        Command::Records(arguments) => records::run(&common, arguments),
        Command::Register(arguments) => register::run(&common, arguments),
        Command::Restore(arguments) => backup::restore(&common, arguments),
        Command::Simulate(arguments) => simulate::run(&common, arguments),
        Command::Status(arguments) => status::run(&common, arguments),
        Command::Transfer(arguments) => transfer::run(&common, arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("uketsuke: {error:#}");
            ExitCode::FAILURE
        }
    }
}
