//! One reader process as its worker sees it: started, spoken with under a time limit, ended and
//! always reaped.
//!
//! A process is owned by its keeper, a task that waits for its end whoever causes it, so that no
//! zombie stays behind a request that was given up. The worker holds the pipes and a line to the
//! keeper; dropping them ends the process.

use std::fmt;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdout};
use tokio::sync::{oneshot, watch};

use super::chatter::Chatter;
use super::handover;
use super::nursery::Newborn;
use super::protocol::{self, Loaded, ProtocolError, Refusal, Request, Response};

/// How long a process that has hung up may take to be gone before it is killed, and a killed one
/// before it is given up as unkillable (it waits in the kernel, for a dead network file system say).
const REAPING_LIMIT: Duration = Duration::from_secs(5);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
    /// It was killed, but the system has not let go of it yet.
    Unreaped,
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "exit code {code}"),
            Self::Signal(libc::SIGABRT) => {
                formatter.write_str("signal 6 (it gave up: out of memory, or a failed assertion)")
            }
            Self::Signal(libc::SIGKILL) => {
                formatter.write_str("signal 9 (killed: by the system when memory was short, or by hand)")
            }
            Self::Signal(libc::SIGSEGV) => formatter.write_str("signal 11 (invalid memory access)"),
            Self::Signal(signal) => write!(formatter, "signal {signal}"),
            Self::Unreaped => formatter.write_str("a kill that the system has not carried out yet"),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unreaped,
        }
    }
}

/// What became of a request. All but [`Self::Refused`] end the reader.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// An answer: the scan or the page is bad, and will be the next time.
    #[error(transparent)]
    Refused(Refusal),
    #[error("the reader took longer than {} s and was ended", limit.as_secs_f64())]
    TimedOut { limit: Duration },
    #[error("the reader ended with {exit}{}", quoted(last_lines))]
    Died { exit: Exit, last_lines: Vec<String> },
    #[error("the reader answered what nobody can understand and was ended: {message}{}", quoted(last_lines))]
    Protocol { message: String, last_lines: Vec<String> },
    /// This reader ended with an earlier request; the pool has another.
    #[error("the reader has ended; take another from the pool")]
    Gone,
    /// Says nothing about the scan.
    #[error("the readers are being shut down")]
    ShuttingDown,
}

/// Why no reader could be had. Never the fault of a scan.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the reader {} cannot be started: {source}", program.display())]
    Spawn { program: PathBuf, source: std::io::Error },
    #[error(
        "the reader ended with {exit} before it was ready{}; `uketsuke doctor` says what is missing",
        quoted(last_lines)
    )]
    Died { exit: Exit, last_lines: Vec<String> },
    #[error("the reader was not ready after {} s and was ended{}", limit.as_secs_f64(), quoted(last_lines))]
    TimedOut { limit: Duration, last_lines: Vec<String> },
    #[error("the reader cannot be understood: {0}")]
    Protocol(ProtocolError),
    #[error(
        "the reader works with {what} of another version than the readers before it; restart the service to change them all"
    )]
    Mismatch { what: String },
    #[error("the readers are being shut down")]
    ShuttingDown,
}

fn quoted(lines: &[String]) -> String {
    match lines {
        [] => String::new(),
        lines => format!("; it said last: {}", lines.join(" | ")),
    }
}

/// How a process ended and what it said on stderr before.
#[derive(Debug, Clone)]
pub(super) struct Death {
    pub exit: Exit,
    pub last_lines: Vec<String>,
}

/// A live, greeted process.
pub(super) struct Process {
    pid: u32,
    requests: UnixStream,
    responses: ChildStdout,
    keeper: KeeperLine,
    /// Pages looked at so far.
    pub pages: u64,
}

/// The line to a keeper: to be told of the end, and to bring it about.
struct KeeperLine {
    kill: Option<oneshot::Sender<()>>,
    death: watch::Receiver<Option<Death>>,
}

impl Process {
    /// Takes over a child, and the task that keeps it, which the caller must run. `closing` ends the
    /// child from afar.
    pub fn adopt(
        Newborn { mut child, requests }: Newborn,
        closing: watch::Receiver<bool>,
    ) -> Result<(Self, impl Future<Output = ()> + Send + 'static), std::io::Error> {
        let unpiped = || std::io::Error::other("its streams are not pipes");
        let responses = child.stdout.take().ok_or_else(unpiped)?;
        let stderr = child.stderr.take().ok_or_else(unpiped)?;
        let pid = child.id().ok_or_else(unpiped)?;
        let (kill, killed) = oneshot::channel();
        let (died, death) = watch::channel(None);
        let process =
            Self { pid, requests, responses, keeper: KeeperLine { kill: Some(kill), death }, pages: 0 };
        Ok((process, keep(child, Chatter::drain(stderr, pid), killed, closing, died)))
    }

    /// Waits for the greeting.
    pub async fn greet(&mut self, limit: Duration) -> Result<Loaded, StartError> {
        let greeting = tokio::time::timeout(limit, receive(&mut self.responses)).await;
        match greeting {
            Err(_) => {
                let Death { last_lines, .. } = self.end().await;
                Err(StartError::TimedOut { limit, last_lines })
            }
            Ok(Err(ProtocolError::Pipe(_) | ProtocolError::Truncated { .. })) => {
                let Death { exit, last_lines } = self.hung_up().await;
                Err(StartError::Died { exit, last_lines })
            }
            Ok(Ok(body)) => self.understood(protocol::decode_hello(&body)).await,
            Ok(Err(error)) => self.understood(Err(error)).await,
        }
    }

    async fn understood(&mut self, loaded: Result<Loaded, ProtocolError>) -> Result<Loaded, StartError> {
        if loaded.is_err() {
            self.end().await;
        }
        loaded.map_err(StartError::Protocol)
    }

    /// One request, with a scan where it is one to open it, and one answer. After any error but a
    /// refusal the process is ended and reaped. The future must not be dropped half-way unless the
    /// process is dropped with it.
    pub async fn ask(
        &mut self,
        request: &Request,
        scan: Option<&File>,
        limit: Duration,
    ) -> Result<Response, ReaderError> {
        match tokio::time::timeout(limit, self.talk(request, scan)).await {
            Ok(Ok(Response::Failed(refusal))) => Err(ReaderError::Refused(refusal)),
            Ok(Ok(response)) => Ok(response),
            Err(_) => {
                tracing::warn!(reader = self.pid, "ended: it took longer than {limit:?}");
                self.end().await;
                Err(ReaderError::TimedOut { limit })
            }
            Ok(Err(ProtocolError::Pipe(_) | ProtocolError::Truncated { .. })) => {
                let Death { exit, last_lines } = self.hung_up().await;
                tracing::warn!(reader = self.pid, "ended with {exit}");
                Err(ReaderError::Died { exit, last_lines })
            }
            Ok(Err(error)) => Err(self.misunderstood(error.to_string()).await),
        }
    }

    /// Ends a process whose answer makes no sense.
    pub async fn misunderstood(&mut self, message: String) -> ReaderError {
        tracing::warn!(reader = self.pid, "ended: {message}");
        let Death { last_lines, .. } = self.end().await;
        ReaderError::Protocol { message, last_lines }
    }

    async fn talk(&mut self, request: &Request, scan: Option<&File>) -> Result<Response, ProtocolError> {
        handover::send(&mut self.requests, &protocol::encode(request)?, scan).await?;
        let body = receive(&mut self.responses).await?;
        protocol::decode(&body)
    }

    /// False once the keeper has seen the process end.
    pub fn is_alive(&self) -> bool {
        self.keeper.death.borrow().is_none()
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills the process and waits until it is reaped.
    pub async fn end(&mut self) -> Death {
        self.keeper.kill.take();
        self.keeper.wait().await
    }

    /// A process that has closed its pipe is ending by itself, and how it ends is worth knowing.
    async fn hung_up(&mut self) -> Death {
        match self.keeper.wait().await {
            Death { exit: Exit::Unreaped, .. } => self.end().await,
            death => death,
        }
    }
}

impl KeeperLine {
    async fn wait(&mut self) -> Death {
        let unreaped = || Death { exit: Exit::Unreaped, last_lines: Vec::new() };
        match tokio::time::timeout(REAPING_LIMIT, self.death.wait_for(Option::is_some)).await {
            Ok(Ok(death)) => death.clone().unwrap_or_else(unreaped),
            _ => unreaped(),
        }
    }
}

/// Waits for the end of `child`, or for the order to end it, which is also given by hanging up.
async fn keep(
    mut child: Child,
    chatter: Chatter,
    killed: oneshot::Receiver<()>,
    mut closing: watch::Receiver<bool>,
    died: watch::Sender<Option<Death>>,
) {
    let pid = child.id();
    tokio::select! {
        _ = child.wait() => (),
        _ = killed => (),
        _ = closing.wait_for(|&closing| closing) => (),
    }
    // It may have ended by itself meanwhile; waiting finds out either way, as often as it is done.
    let _ = child.start_kill();
    let exit = child.wait().await.map_or(Exit::Unreaped, Exit::from);
    tracing::debug!(reader = pid, "reaped: {exit}");
    let last_lines = chatter.last_lines().await;
    died.send_replace(Some(Death { exit, last_lines }));
}

/// The body of the next message. Memory grows with the bytes that come, not with the length that
/// was announced.
async fn receive(from: &mut ChildStdout) -> Result<Vec<u8>, ProtocolError> {
    let mut header = [0; protocol::HEADER_BYTES];
    from.read_exact(&mut header).await?;
    let announced = protocol::announced_bytes(header)?;
    let mut body = Vec::new();
    from.take(announced as u64).read_to_end(&mut body).await?;
    match body.len() {
        found if found < announced => Err(ProtocolError::Truncated { found, announced }),
        _ => Ok(body),
    }
}
