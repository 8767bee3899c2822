//! Starts reader processes from one thread that lives as long as they do.
//!
//! A reader asks the kernel to be killed when its parent dies, and for the kernel the parent is the
//! *thread* that started it. Threads of the tokio runtime come and go with its load, and would take
//! healthy readers with them.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;

use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::reader::SINGLE_THREADED;

/// Variables of the worker that a reader gets to see. Everything else stays behind: database
/// passwords and the object store's keys above all.
const PASSED_ON: [&str; 11] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "TESSDATA_PREFIX",
    "RUST_BACKTRACE",
    crate::settings::CONFIG_VARIABLE,
];

/// How a reader is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

/// A child just started, its stdout and stderr piped, and the worker's end of the socket that is its
/// stdin.
pub(super) struct Newborn {
    pub child: Child,
    pub requests: UnixStream,
}

/// The starting thread; it ends when this is dropped.
pub(super) struct Nursery(mpsc::Sender<oneshot::Sender<io::Result<Newborn>>>);

impl Nursery {
    /// Must be called inside a tokio runtime, which will watch over the children.
    pub fn open(launch: Launch) -> io::Result<Self> {
        let (orders, incoming) = mpsc::channel::<oneshot::Sender<_>>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("reader-nursery".to_owned()).spawn(move || {
            let _inside = runtime.enter();
            for reply in incoming {
                // Where nobody waits any more, the child comes back and is killed by being dropped.
                let _ = reply.send(bear(&launch));
            }
        })?;
        Ok(Self(orders))
    }

    pub async fn start(&self) -> io::Result<Newborn> {
        let gone = || io::Error::other("the thread that starts readers has ended");
        let (reply, child) = oneshot::channel();
        self.0.send(reply).map_err(|_| gone())?;
        child.await.map_err(|_| gone())?
    }
}

/// Requests go over a socket: with the request to open a scan goes the open file.
fn bear(launch: &Launch) -> io::Result<Newborn> {
    let (requests, child_end) = std::os::unix::net::UnixStream::pair()?;
    requests.set_nonblocking(true)?;
    // The command, and with it our copy of the child's end, is gone when the child has started.
    let child = command(launch).stdin(OwnedFd::from(child_end)).spawn()?;
    Ok(Newborn { child, requests: UnixStream::from_std(requests)? })
}

fn command(launch: &Launch) -> Command {
    let mut command = Command::new(&launch.program);
    command.args(&launch.arguments).env_clear();
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(SINGLE_THREADED);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // In a group of its own, so that Ctrl-C at the terminal reaches the worker only, which lets its
    // readers finish.
    command.process_group(0).kill_on_drop(true);
    command
}
