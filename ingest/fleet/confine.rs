//! What a reader gives up before it touches a scan: memory, core dumps, privileges, the network,
//! and the streams that native code could write into.

use std::fs::File;
use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};

/// The two ends of the talk, on descriptors that no library knows.
pub(super) struct Streams {
    pub requests: File,
    pub responses: File,
}

#[derive(Debug, thiserror::Error)]
#[error("the reader cannot {what}: {source}")]
pub struct ConfineError {
    what: &'static str,
    source: io::Error,
}

/// The system's victim of choice when memory is short: below 1,000, which is "always first", and
/// far above the worker and PostgreSQL, which stand at 0 or lower.
const OOM_SCORE_ADJUSTMENT: &[u8] = b"800";

/// Limits this process for good. Must come before any other thread is started and before any
/// library is loaded that could print.
pub(super) fn confine(memory_mib: u64) -> Result<Streams, ConfineError> {
    let failed = |what| move |source: io::Error| ConfineError { what, source };
    let limited = |what| move |error: rustix::io::Errno| ConfineError { what, source: error.into() };

    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(limited("tie its life to its worker"))?;
    let streams = private_streams().map_err(failed("move its streams out of the libraries' reach"))?;
    // Raising one's own score needs no privilege; where /proc is hidden the score stays as it is.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJUSTMENT);
    limit(Resource::As, memory_mib << 20).map_err(limited("limit its memory"))?;
    limit(Resource::Core, 0).map_err(limited("forbid its core dumps"))?;
    // A core dump that is piped to a program ignores its limit, this it does not.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(limited("forbid its core dumps"))?;
    rustix::thread::set_no_new_privs(true).map_err(limited("give up gaining privileges"))?;
    forbid_system_calls().map_err(failed("give up the network (seccomp)"))?;
    Ok(streams)
}

fn limit(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let ceiling = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = Some(value.min(ceiling));
    rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })
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

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// What a reader has no business with: the network, other programs, other processes' memory.
/// io_uring could do the first behind the filter's back.
const FORBIDDEN: [libc::c_long; 7] = [
    libc::SYS_socket,
    libc::SYS_io_uring_setup,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
];

/// Numbers from here on are x32's second names of the same system calls (x86-64 only; no other
/// architecture has numbers as high).
const X32_NUMBERS: u32 = 0x4000_0000;

/// Installs a seccomp filter that answers [`FORBIDDEN`] and foreign calling conventions with EPERM.
/// Threads started later inherit it.
fn forbid_system_calls() -> io::Result<()> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};

    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let jump = |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let number_at = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    let architecture_at = std::mem::offset_of!(libc::seccomp_data, arch) as u32;
    let count = FORBIDDEN.len() as u8;

    // The last two statements are "allow" and "refuse"; jumps count the statements they skip.
    let mut filter = vec![
        statement(BPF_LD | BPF_W | BPF_ABS, architecture_at),
        jump(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, count + 3),
        statement(BPF_LD | BPF_W | BPF_ABS, number_at),
        jump(BPF_JMP | BPF_JGE | BPF_K, X32_NUMBERS, count + 1, 0),
    ];
    filter.extend(
        FORBIDDEN
            .iter()
            .zip((1..=count).rev())
            .map(|(&number, to_refuse)| jump(BPF_JMP | BPF_JEQ | BPF_K, number as u32, to_refuse, 0)),
    );
    filter.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW));
    filter.push(statement(BPF_RET | BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));

    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel reads `len` statements from `filter`, which lives until after the call,
    // and copies them; nothing of this process is written.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
