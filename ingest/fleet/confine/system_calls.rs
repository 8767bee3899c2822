//! What a reader asks of the kernel in vain (seccomp): the network, other programs and processes,
//! and every change to the file system. Holds on any kernel, beside what Landlock sees.

use std::io;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, c_int, c_long, sock_filter,
};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// The network: the one socket that a reader has is connected, and only received from. io_uring
/// could do anything behind the filter's back.
const NETWORK: [c_long; 13] = [
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// Other programs, and other processes' memory, descriptors and lives.
const PROCESSES: [c_long; 16] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
];

/// The machine itself, and parts of the kernel that are attacked more than they are used.
const MACHINE: [c_long; 18] = [
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_quotactl,
];

/// Changes to the file system by name; opening for writing is told by its flags.
const FILES: [c_long; 19] = [
    libc::SYS_truncate,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mknodat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
];

/// What newer architectures have left out.
#[cfg(target_arch = "x86_64")]
const OLD_NAMES: [c_long; 17] = [
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(target_arch = "aarch64")]
const OLD_NAMES: [c_long; 1] = [libc::SYS_renameat];

/// Calls that take their flags in memory, where a filter cannot look. "Not implemented" makes the C
/// library fall back on the older call.
const UNSEEN: [c_long; 2] = [libc::SYS_clone3, libc::SYS_openat2];

/// Flags of open(2) without any of which a file is only read.
const WRITING: c_int = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;

/// Numbers from here on are x32's second names of the same system calls (x86-64 only; no other
/// architecture has numbers as high).
const X32_NUMBERS: u32 = 0x4000_0000;

const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;
const REFUSED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const NOT_IMPLEMENTED: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// Installs the filter for this thread and all that it will start. Needs `no_new_privs`.
pub(super) fn forbid() -> io::Result<()> {
    let mut filter = filter();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel reads `len` statements from `filter`, which lives until after the call,
    // and copies them; nothing of this process is written.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// One rule after the other, each with its own verdict; jumps count the statements they skip.
fn filter() -> Vec<sock_filter> {
    let number_at = std::mem::offset_of!(libc::seccomp_data, nr);
    let architecture_at = std::mem::offset_of!(libc::seccomp_data, arch);
    let mut filter = vec![
        load(architecture_at),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0),
        verdict(REFUSED),
        load(number_at),
        jump(BPF_JGE, X32_NUMBERS, 0, 1),
        verdict(REFUSED),
    ];
    for number in [&NETWORK[..], &PROCESSES, &MACHINE, &FILES, &OLD_NAMES].concat() {
        filter.extend([jump(BPF_JEQ, number as u32, 0, 1), verdict(REFUSED)]);
    }
    for number in UNSEEN {
        filter.extend([jump(BPF_JEQ, number as u32, 0, 1), verdict(NOT_IMPLEMENTED)]);
    }
    // Threads may be started, processes not.
    filter.extend(where_argument(libc::SYS_clone, 0, jump(BPF_JSET, libc::CLONE_THREAD as u32, 1, 0)));
    // What crashes sends itself a signal; nobody else may be sent one.
    for number in [libc::SYS_kill, libc::SYS_tgkill] {
        filter.extend(where_argument(number, 0, jump(BPF_JEQ, std::process::id(), 1, 0)));
    }
    filter.extend(where_argument(libc::SYS_openat, 2, jump(BPF_JSET, WRITING as u32, 0, 1)));
    #[cfg(target_arch = "x86_64")]
    filter.extend(where_argument(libc::SYS_open, 1, jump(BPF_JSET, WRITING as u32, 0, 1)));
    filter.push(verdict(ALLOWED));
    filter
}

/// The rule of one call: `allows` looks at the lower half of an argument (from 0), and skips one
/// statement where it is fine.
fn where_argument(number: c_long, argument: usize, allows: sock_filter) -> [sock_filter; 5] {
    let arguments_at = std::mem::offset_of!(libc::seccomp_data, args);
    [
        jump(BPF_JEQ, number as u32, 0, 4),
        // Both architectures have the lower half first.
        load(arguments_at + 8 * argument),
        allows,
        verdict(REFUSED),
        verdict(ALLOWED),
    ]
}

fn load(offset: usize) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: offset as u32 }
}

fn jump(test: u32, operand: u32, on_true: u8, on_false: u8) -> sock_filter {
    sock_filter { code: (BPF_JMP | test | BPF_K) as u16, jt: on_true, jf: on_false, k: operand }
}

fn verdict(verdict: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: verdict }
}
