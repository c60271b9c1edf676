//! What a process gives up before it touches a file of somebody else.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    Scope,
};
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// Limits the memory in octets and the processor time of this process. It may write no file and no memory
/// dump, and makes way for others.
///
/// # Errors
///
/// Fails if the system refuses a limit.
pub(super) fn limit_resources(memory: u64, cpu: Duration) -> io::Result<()> {
    let seconds = cpu.as_secs().max(1);
    // The first limit of the processor time sends a signal that names the cause; the second one ends
    // what does not end by that.
    let limits = [
        // Writable memory. Address space that is only reserved does not count.
        (Resource::Data, memory, memory),
        (Resource::Cpu, seconds, seconds + 1),
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Memlock, 0, 0),
    ];
    for (resource, current, maximum) in limits {
        let limit = Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        };
        setrlimit(resource, limit)?;
    }
    // Mail is more urgent. Being nice cannot fail for want of a privilege.
    nice(NICENESS)?;
    Ok(())
}

/// Gives up files, the network and other processes, as far as the kernel knows how.
///
/// # Errors
///
/// Fails if the kernel refuses something that it offers.
pub(super) fn confine() -> io::Result<()> {
    // No new file can be opened, changed or executed; no port be bound or connected to; no process
    // outside be signalled. A kernel that does not know some of it does the rest.
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.create())
        .and_then(|ruleset| ruleset.restrict_self());
    ruleset.map_err(io::Error::other)?;
    let Ok(architecture) = std::env::consts::ARCH.try_into() else {
        return Ok(());
    };
    let denied: BTreeMap<_, _> = DENIED.iter().map(|number| (*number, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(denied, SeccompAction::Allow, refuse, architecture);
    let program: BpfProgram = filter
        .and_then(TryInto::try_into)
        .map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// How much the child makes way, from 0 to 19.
const NICENESS: i32 = 10;

/// System calls that a compiler has no use for, and somebody who has taken it over would.
const DENIED: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_kill,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];
