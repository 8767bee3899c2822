//! A PostgreSQL server of our own, from the system's binaries, in the data folder.
//!
//! Several programs may use one data folder at once (`serve` runs, and somebody calls `records`).
//! The rule: **the server runs as long as anybody uses it.** Every program that uses it holds a
//! shared lock on the file `users`; the kernel lets go of it however the program ends. The first
//! program starts the server, and with it a guard: a small process that waits for the exclusive
//! lock, which it gets when the last user is gone, and then stops the server. Nobody can come in
//! while the guard stops it, because the guard holds the lock until it has. A server that dies
//! under its users is started again by whichever of them notices first; the file `starting` keeps
//! the others waiting.
//!
//! Below the data folder: `postgres/data` (PGDATA), `postgres/socket`, `postgres/log`.

mod binaries;
mod place;
mod server;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use place::Place;
use server::Server;

/// How often a user looks whether the server is alive.
const WATCH: Duration = Duration::from_millis(500);

/// How long it waits when it could not start it again (the disk may be full).
const WATCH_AFTER_FAILURE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    #[error(
        "no PostgreSQL is installed (looked for {}); install it (apt-get install postgresql), or set DATABASE_URL",
        binaries::EVERYWHERE
    )]
    NotInstalled,
    #[error(
        "the database in {} is of PostgreSQL {found}, installed is {installed}; install postgresql-{found}, \
         or carry it over: pg_upgrade, or pg_dump with the old version and restore with the new",
        folder.display()
    )]
    OtherVersion { folder: PathBuf, found: String, installed: String },
    #[error(
        "PostgreSQL does not run as root and there is no user 'postgres'; install the Debian package postgresql, \
         run as another user, or set DATABASE_URL"
    )]
    NoUser,
    #[error("{}: cannot {doing}: {source}", path.display())]
    File { path: PathBuf, doing: &'static str, source: io::Error },
    #[error(
        "{} belongs to somebody else; remove it, or choose another --data folder", path.display()
    )]
    ForeignSocket { path: PathBuf },
    #[error("{program} failed: {message}")]
    Program { program: String, message: String },
    #[error("PostgreSQL did not start: {message}; its log is {}", log.display())]
    NotStarted { message: String, log: PathBuf },
    #[error("PostgreSQL did not stop within {} s; its log is {}", after.as_secs(), log.display())]
    NotStopped { after: Duration, log: PathBuf },
}

impl PrivatePostgresError {
    /// Another start may well succeed: the disk was full, or what was there before has yet to end.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotStarted { .. } | Self::NotStopped { .. } => true,
            Self::File { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Program { message, .. } => message.contains("No space left on device"),
            Self::NotInstalled | Self::OtherVersion { .. } | Self::NoUser | Self::ForeignSocket { .. } => {
                false
            }
        }
    }
}

/// A running private server, for as long as this value lives.
#[derive(Debug)]
pub struct PrivatePostgres {
    options: PgConnectOptions,
    /// Ends the watch when it is dropped.
    watch: Option<(Sender<()>, JoinHandle<Option<Child>>)>,
    server: Server,
    /// Shared lock on `users`; none once it is let go of.
    using: Option<File>,
}

impl PrivatePostgres {
    /// Starts the server of a data folder, making its database where there is none, or joins the
    /// one that runs. Blocks until it answers: some 30 ms, 1 s for a new folder, longer after a
    /// crash.
    pub fn start(data: &Path) -> Result<Self, PrivatePostgresError> {
        let place = Place::prepare(data)?;
        let socket = place.socket();
        let server = Server::new(place)?;
        let (using, started) = server.join()?;
        let options = PgConnectOptions::new_without_pgpass()
            .socket(&socket)
            .port(server::PORT)
            .username(server::ROLE)
            .database("postgres")
            .ssl_mode(PgSslMode::Disable);
        let (sender, receiver) = mpsc::channel();
        let watched = server.clone();
        let watch = std::thread::Builder::new()
            .name("postgres watch".to_owned())
            .spawn(move || {
                let mut child = started;
                let mut pause = WATCH;
                while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(pause) {
                    pause = WATCH;
                    match watched.revive(&mut child) {
                        Ok(false) => {}
                        Ok(true) => tracing::warn!("PostgreSQL had died and was started again"),
                        Err(error) => {
                            tracing::error!(%error, "PostgreSQL has died and does not start");
                            pause = WATCH_AFTER_FAILURE;
                        }
                    }
                }
                child
            })
            .map_err(|source| PrivatePostgresError::File {
                path: socket,
                doing: "watch the server",
                source,
            })?;
        Ok(Self { options, watch: Some((sender, watch)), server, using: Some(using) })
    }

    /// How to connect, as the server's superuser, to its database `postgres`.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// The path of a program of the server's own version: `pg_dump`, `pg_restore`, `psql`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.server.program(name)
    }

    /// Process ID of the server, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.server.process_id()
    }

    /// Stops the server if nobody else uses it, and waits until it has stopped.
    pub fn stop(mut self) -> Result<(), PrivatePostgresError> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), PrivatePostgresError> {
        let child = self.watch.take().and_then(|(sender, watch)| {
            drop(sender);
            // A panic of the watch was reported by the panic hook.
            watch.join().unwrap_or_default()
        });
        let Some(using) = self.using.take() else { return Ok(()) };
        self.server.leave(using)?;
        // If it is a child of ours and has stopped: its last trace goes.
        if let Some(mut child) = child {
            let _ = child.try_wait();
        }
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::error!(%error, "PostgreSQL is left running");
        }
    }
}
