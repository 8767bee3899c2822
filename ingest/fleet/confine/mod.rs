//! What a reader gives up before it touches a scan: memory, privileges, the network, other
//! programs, the file system but for its models, and the streams that native code could write into.
//!
//! In two steps, for a library may start threads while it is loaded. What holds for a thread and
//! those that it starts comes first, while there is one: limits, Landlock, seccomp. Root is given up
//! when everything is loaded, so that models may lie where only root comes; the C library does that
//! for all threads at once.

mod files;
mod system_calls;

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

use crate::account::Account;
use crate::settings::Settings;

/// What a reader may have.
#[derive(Debug, Clone)]
pub struct Confinement {
    /// Address space in MiB.
    pub memory_mib: u64,
    /// Files and folders that it may read, beside the system's libraries, trained data and fonts.
    pub readable: Vec<PathBuf>,
    /// As whom it reads where it was started by root.
    pub user: String,
}

impl Confinement {
    /// A reader that reads scans: with its models and what else it is configured to load.
    pub fn of(settings: &Settings) -> Self {
        let paths = &settings.paths;
        let readable = [
            &paths.forms,
            &paths.models,
            &paths.vendor,
            &paths.calibration,
            &paths.banks,
            &paths.bank_aliases,
        ];
        Self {
            memory_mib: settings.readers.memory_mib,
            readable: readable.into_iter().cloned().collect(),
            user: settings.readers.user.clone(),
        }
    }
}

/// The two ends of the talk, on descriptors that no library knows.
pub(super) struct Streams {
    pub requests: UnixStream,
    pub responses: File,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    #[error("the reader cannot {what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("the reader cannot give up the file system (Landlock): {0}")]
    Files(#[from] landlock::RulesetError),
    #[error(
        "readers do not run as root, and there is no user '{user}'; set readers.user to one that there is"
    )]
    NoUser { user: String },
}

/// The system's victim of choice when memory is short: below 1,000, which is "always first", and
/// far above the worker and PostgreSQL, which stand at 0 or lower.
const OOM_SCORE_ADJUSTMENT: &[u8] = b"800";

/// Descriptors at a time: the talk, one scan, a font or two.
const OPEN_FILES: u64 = 64;

/// What the kernel lacks of a reader's confinement, in words for the operator; empty where all of it
/// holds. seccomp and the limits are not among it: without them a reader does not start.
pub fn missing_confinement() -> Option<String> {
    match (files::version(), files::wanted_version()) {
        (0, _) => Some(
            "the kernel has no Landlock, or it is not switched on (boot with lsm=landlock,...): readers can read \
             every file that their user can; they still cannot write one, start programs or use the network"
                .to_owned(),
        ),
        (version, wanted) if version < wanted => Some(format!(
            "the kernel's Landlock is of version {version}, {wanted} would confine readers wholly; Linux 6.12 has it"
        )),
        _ => None,
    }
}

/// Limits this process for good. Must come before any other thread is started and before any
/// library is loaded that could print.
pub(super) fn confine(confinement: &Confinement) -> Result<Streams, ConfineError> {
    // Raising one's own score needs no privilege, as long as the process is not hidden (below); where
    // /proc is, the score stays as it is.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUSTMENT);
    tie_to_worker()?;
    let streams = private_streams().map_err(failed("move its streams out of the libraries' reach"))?;
    limit(Resource::As, confinement.memory_mib << 20, "limit its memory")?;
    limit(Resource::Core, 0, "forbid its core dumps")?;
    limit(Resource::Nofile, OPEN_FILES, "limit its open files")?;
    // Not a byte into any file, however it came to be open.
    limit(Resource::Fsize, 0, "forbid writing files")?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| failed("give up gaining privileges")(error.into()))?;
    files::limit_to(&confinement.readable)?;
    system_calls::forbid().map_err(failed("give up the network and other programs (seccomp)"))?;
    Ok(streams)
}

/// The account to become where this process is root. To be asked before [`confine`], which hides
/// the file that lists the accounts.
pub(super) fn account(confinement: &Confinement) -> Result<Option<Account>, ConfineError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    match Account::named(&confinement.user).map_err(failed("look up the user of readers"))? {
        Some(account) if account.user != 0 => Ok(Some(account)),
        _ => Err(ConfineError::NoUser { user: confinement.user.clone() }),
    }
}

/// Gives up root, for all threads and for good.
pub(super) fn become_account(account: Account) -> Result<(), ConfineError> {
    let Account { user, group } = account;
    let check = |what, result| match result {
        0 => Ok(()),
        _ => Err(failed(what)(io::Error::last_os_error())),
    };
    // rustix would change the calling thread only; these calls of the C library change all.
    // SAFETY: for an empty list, setgroups reads no memory.
    check("leave root's groups", unsafe { libc::setgroups(0, std::ptr::null()) })?;
    // SAFETY: takes numbers only.
    check("leave root's group", unsafe { libc::setresgid(group, group, group) })?;
    // SAFETY: takes numbers only.
    check("give up root", unsafe { libc::setresuid(user, user, user) })?;
    // Forgotten by the kernel when the user changes.
    tie_to_worker()
}

/// Ends this process with its worker, and hides its memory from others of the same user.
fn tie_to_worker() -> Result<(), ConfineError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| failed("tie its life to its worker")(error.into()))?;
    // A core dump that is piped to a program ignores its limit, this it does not.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| failed("forbid its core dumps")(error.into()))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> ConfineError {
    move |source| ConfineError::System { what, source }
}

fn limit(resource: Resource, value: u64, what: &'static str) -> Result<(), ConfineError> {
    let ceiling = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = Some(value.min(ceiling));
    rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })
        .map_err(|error| failed(what)(error.into()))
}

/// Moves the talk off 0 and 1. A library that reads finds the end of file; one that prints does so
/// to stderr.
fn private_streams() -> io::Result<Streams> {
    let requests = fcntl_dupfd_cloexec(io::stdin(), 3)?;
    let responses = fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(Streams { requests: requests.into(), responses: responses.into() })
}
