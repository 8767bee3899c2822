//! The server process: making a database, starting it, finding it alive, ending it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::place::Place;
use super::{PrivatePostgresError, binaries};

/// The server's superuser; the socket's folder is closed to everybody else.
pub(super) const ROLE: &str = "uketsuke";

/// Only names the socket: the server listens on no port.
pub(super) const PORT: u16 = 5432;

/// After a kill -9 the old server's processes take up to some seconds to leave (measured 2 s), and
/// a new one refuses to start before that.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// Recovery after a crash reads the log of all that was not yet written (`max_wal_size`).
const RECOVERY: Duration = Duration::from_secs(600);

const STOP_WITHIN: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(20);

/// The log is begun anew at a start when it has grown beyond this; the last one is kept.
const LONGEST_LOG: u64 = 16 << 20;

/// A small appliance: one machine, a handful of connections. Durability is never traded
/// (fsync, full_page_writes and synchronous_commit stay on, as is their default). What would put
/// the values of rows into the log is off.
const CONFIGURATION: &str = "\
# Written by uketsuke at every start. Your own settings: alter system set ...
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
max_wal_size = 1GB
checkpoint_timeout = 10min
wal_compression = on
autovacuum_naptime = 10s
idle_in_transaction_session_timeout = 60s
jit = off
timezone = 'UTC'
lc_messages = 'C'
log_timezone = 'UTC'
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length_on_error = 0
";

#[derive(Debug, Clone)]
pub(super) struct Server {
    place: Place,
    programs: PathBuf,
}

impl Server {
    pub(super) fn new(place: Place) -> Result<Self, PrivatePostgresError> {
        let programs = binaries::find(&place.pgdata())?;
        Ok(Self { place, programs })
    }

    /// Becomes a user of the server, starting it where it does not run. The lock lasts as long as
    /// the file stays open.
    pub(super) fn join(&self) -> Result<(File, Option<Child>), PrivatePostgresError> {
        let starting = self.lock_file("starting")?;
        starting.lock().map_err(self.failed("starting", "lock it"))?;
        let using = self.lock_file("users")?;
        // Waits while the guard of a server without users stops it.
        using.lock_shared().map_err(self.failed("users", "lock it"))?;
        let started = self.ensure_running()?;
        Ok((using, started))
    }

    /// Starts the server again if it has died; true if it had. `child` is the process that this
    /// program started, which must be waited for or it stays a zombie.
    pub(super) fn revive(&self, child: &mut Option<Child>) -> Result<bool, PrivatePostgresError> {
        if let Some(running) = child
            && matches!(running.try_wait(), Ok(Some(_)))
        {
            *child = None;
        }
        if self.process_id().is_some() {
            return Ok(false);
        }
        let starting = self.lock_file("starting")?;
        starting.lock().map_err(self.failed("starting", "lock it"))?;
        let started = self.ensure_running()?;
        let revived = started.is_some();
        *child = started.or(child.take());
        Ok(revived)
    }

    /// Lets go of the server, and stops it if nobody else uses it.
    pub(super) fn leave(&self, using: File) -> Result<(), PrivatePostgresError> {
        drop(using);
        let users = self.lock_file("users")?;
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            match users.try_lock() {
                // We are the last, and keep the lock until it has stopped.
                Ok(()) => return self.stop(deadline),
                Err(TryLockError::Error(source)) => return Err(self.failed("users", "lock it")(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            match users.try_lock_shared() {
                // Others use it.
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(source)) => return Err(self.failed("users", "lock it")(source)),
                // The guard was faster and is stopping it.
                Err(TryLockError::WouldBlock) => sleep(POLL),
            }
        }
        Err(PrivatePostgresError::NotStopped { after: STOP_WITHIN, log: self.place.log() })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Process ID of the server of this very folder, if it runs. A process that merely got the
    /// number of a dead server is told by its working folder.
    pub(super) fn process_id(&self) -> Option<u32> {
        self.status().map(|(id, _)| id)
    }

    /// Process ID, and whether it takes connections (the eighth line of its file, as pg_ctl does).
    fn status(&self) -> Option<(u32, bool)> {
        let text = fs::read_to_string(self.place.pgdata().join("postmaster.pid")).ok()?;
        let id: u32 = text.lines().next()?.trim().parse().ok()?;
        let ready = text.lines().nth(7).is_some_and(|status| status.trim() == "ready");
        self.is_server(id).then_some((id, ready))
    }

    fn is_server(&self, id: u32) -> bool {
        let place = |path: PathBuf| fs::metadata(path).map(|folder| (folder.dev(), folder.ino()));
        match (place(format!("/proc/{id}/cwd").into()), place(self.place.pgdata())) {
            (Ok(works_in), Ok(pgdata)) => works_in == pgdata,
            _ => false,
        }
    }

    /// With `starting` locked. Returns the server's process if it was started here.
    fn ensure_running(&self) -> Result<Option<Child>, PrivatePostgresError> {
        if self.process_id().is_some() {
            return self.wait_until_ready(None).map(|_| None);
        }
        self.make_database()?;
        self.configure()?;
        // Before the server: this program may be killed as soon as it has started it.
        self.set_guard()?;
        let deadline = Instant::now() + RETRY_FOR;
        loop {
            let child = self.spawn()?;
            match self.wait_until_ready(Some(child)) {
                Ok(child) => return Ok(child),
                Err(PrivatePostgresError::NotStarted { message, .. })
                    if is_passing(&message) && Instant::now() < deadline =>
                {
                    sleep(POLL * 5);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn make_database(&self) -> Result<(), PrivatePostgresError> {
        let pgdata = self.place.pgdata();
        if pgdata.exists() {
            return Ok(());
        }
        let unfinished = self.place.root().join("data.tmp");
        if unfinished.exists() {
            // A crash left it; nothing was ever stored in it.
            fs::remove_dir_all(&unfinished).map_err(self.failed("data.tmp", "remove it"))?;
        }
        let program = self.programs.join("initdb");
        let output = self
            .place
            .command(&program)
            .args(["--username", ROLE, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"])
            .args(["--data-checksums", "--pgdata"])
            .arg(self.place.seen_by_server(&unfinished))
            .stdin(Stdio::null())
            .output()
            .map_err(|source| PrivatePostgresError::File {
                path: program.clone(),
                doing: "run it",
                source,
            })?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(PrivatePostgresError::Program { program: program.display().to_string(), message });
        }
        fs::rename(&unfinished, &pgdata).map_err(self.failed("data.tmp", "rename it to data"))?;
        File::open(self.place.root())
            .and_then(|folder| folder.sync_all())
            .map_err(self.failed("", "sync the folder"))
    }

    fn configure(&self) -> Result<(), PrivatePostgresError> {
        let socket = self.place.seen_by_server(&self.place.socket());
        let socket = socket.display().to_string().replace('\'', "''");
        let text = format!("{CONFIGURATION}unix_socket_directories = '{socket}'\nport = {PORT}\n");
        let failed = self.failed("data/postgresql.conf", "write it");
        let path = self.place.pgdata().join("postgresql.conf");
        fs::write(&path, text).and_then(|()| self.place.give(&path)).map_err(failed)
    }

    fn spawn(&self) -> Result<Child, PrivatePostgresError> {
        let failed = self.failed("log", "open it");
        let path = self.place.log();
        if fs::metadata(&path).is_ok_and(|log| log.len() > LONGEST_LOG) {
            fs::rename(&path, self.place.root().join("log.old")).map_err(&failed)?;
        }
        let log = OpenOptions::new().create(true).append(true).open(&path).map_err(&failed)?;
        let program = self.programs.join("postgres");
        self.place
            .command(&program)
            .arg("-D")
            .arg(self.place.seen_by_server(&self.place.pgdata()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(&failed)?)
            .stderr(log)
            .spawn()
            .map_err(|source| PrivatePostgresError::File { path: program, doing: "run it", source })
    }

    /// Waits for the server to take connections, as long as its process lives.
    fn wait_until_ready(&self, mut child: Option<Child>) -> Result<Option<Child>, PrivatePostgresError> {
        let log = self.place.log();
        let deadline = Instant::now() + RECOVERY;
        while Instant::now() < deadline {
            if self.status().is_some_and(|(_, ready)| ready) {
                return Ok(child);
            }
            let ended = match &mut child {
                Some(child) => {
                    child.try_wait().map_err(self.failed("data", "wait for its server"))?.is_some()
                }
                None => self.process_id().is_none(),
            };
            if ended {
                return Err(PrivatePostgresError::NotStarted { message: last_words(&log), log });
            }
            sleep(POLL);
        }
        let message = format!("it was not ready after {} s", RECOVERY.as_secs());
        Err(PrivatePostgresError::NotStarted { message, log })
    }

    /// Leaves a process behind that stops the server when its last user is gone, however that user
    /// ended. It holds no pipe of this program, and Ctrl-C does not reach it.
    fn set_guard(&self) -> Result<(), PrivatePostgresError> {
        // Started in the background, so that it is nobody's child and leaves no zombie. There the
        // shell would make its standard input /dev/null, hence the 3.
        const GUARD: &str = r#"exec 3<&0; {
            flock --exclusive 3 || exit
            server=$(head -n 1 "$1/postmaster.pid") || exit
            [ "/proc/$server/cwd" -ef "$1" ] || exit
            kill -INT "$server"
            while [ "/proc/$server/cwd" -ef "$1" ]; do sleep 0.05; done
        } &"#;
        Command::new("/bin/sh")
            .args(["-c", GUARD, "uketsuke-postgres-guard"])
            .arg(self.place.pgdata())
            .stdin(self.lock_file("users")?)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .status()
            .map_err(self.failed("users", "set a guard over it"))
            .map(drop)
    }

    /// With `users` locked for us alone.
    fn stop(&self, deadline: Instant) -> Result<(), PrivatePostgresError> {
        let Some(id) = self.process_id() else { return Ok(()) };
        // "Fast": open connections are closed, everything is written.
        if let Some(process) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            match kill_process(process, Signal::INT) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(self.failed("data", "stop its server")(error.into())),
            }
        }
        // Its file goes a little before the process does.
        while Instant::now() < deadline {
            if !self.is_server(id) {
                return Ok(());
            }
            sleep(POLL);
        }
        Err(PrivatePostgresError::NotStopped { after: STOP_WITHIN, log: self.place.log() })
    }

    fn lock_file(&self, name: &'static str) -> Result<File, PrivatePostgresError> {
        let path = self.place.root().join(name);
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .and_then(|file| self.place.give(&path).map(|()| file))
            .map_err(self.failed(name, "open it"))
    }

    fn failed(&self, name: &str, doing: &'static str) -> impl Fn(io::Error) -> PrivatePostgresError + use<> {
        let path = self.place.root().join(name);
        move |source| PrivatePostgresError::File { path: path.clone(), doing, source }
    }
}

/// The server's old processes are still leaving; see [`RETRY_FOR`].
fn is_passing(message: &str) -> bool {
    ["is still in use", "already exists", "Is another postmaster"].iter().any(|words| message.contains(words))
}

/// The last thing that went wrong, out of the end of the server's log.
fn last_words(log: &Path) -> String {
    let mut text = Vec::new();
    let read = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(8192)))?;
        file.read_to_end(&mut text)
    });
    let text = String::from_utf8_lossy(&text);
    let lines = || text.lines().rev();
    match read {
        Err(error) => error.to_string(),
        Ok(_) => lines()
            .find(|line| line.contains("FATAL:") || line.contains("PANIC:"))
            .or_else(|| lines().next())
            .unwrap_or("it ended without a word")
            .to_owned(),
    }
}
