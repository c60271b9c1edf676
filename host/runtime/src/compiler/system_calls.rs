//! The system calls that a compiler needs, and no others.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;
use std::process;

use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length,
    SeccompCmpOp as Compare, SeccompCondition as Condition, SeccompFilter, SeccompRule, TargetArch,
};

/// Allows this process and its threads the system calls of a compiler. Any other fails as if the kernel
/// did not know it. Returns false if the kernel has no such filters, or if there is none for this
/// architecture.
///
/// # Errors
///
/// Fails if the filter cannot be made.
pub(super) fn filter_system_calls() -> io::Result<bool> {
    let Ok(architecture) = TargetArch::try_from(ARCH) else {
        return Ok(false);
    };
    let program = program(architecture).map_err(io::Error::other)?;
    match seccompiler::apply_filter(&program) {
        Ok(()) => Ok(true),
        // A kernel without it, or a container that forbids it.
        Err(Error::Prctl(_) | Error::Seccomp(_)) => Ok(false),
        Err(error) => Err(io::Error::other(error)),
    }
}

fn program(architecture: TargetArch) -> Result<BpfProgram, BackendError> {
    let free = FREE.iter().map(|number| (*number, Vec::new()));
    let mut rules: BTreeMap<_, _> = free.collect();
    for (number, conditions) in bounded()? {
        rules.insert(number, vec![SeccompRule::new(conditions)?]);
    }
    // The C library tries clone3 first, whose flags a filter cannot see, and then clone.
    let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    SeccompFilter::new(rules, refuse, SeccompAction::Allow, architecture)?.try_into()
}

/// The system calls that are allowed with some arguments only.
fn bounded() -> Result<Vec<(libc::c_long, Vec<Condition>)>, BackendError> {
    let masked = |argument, mask: libc::c_int, value: libc::c_int| {
        let mask = Compare::MaskedEq(u64::from(mask.unsigned_abs()));
        Condition::new(
            argument,
            Length::Dword,
            mask,
            u64::from(value.unsigned_abs()),
        )
    };
    let equal = |argument, value: u32| {
        Condition::new(argument, Length::Dword, Compare::Eq, u64::from(value))
    };
    // Memory that counts as that of this process, and that never becomes code.
    let no_code = || masked(2, libc::PROT_EXEC, 0);
    let private = masked(3, libc::MAP_TYPE, libc::MAP_PRIVATE)?;
    Ok(vec![
        (libc::SYS_mmap, vec![no_code()?, private]),
        (libc::SYS_mprotect, vec![no_code()?]),
        // Threads, and no processes.
        (
            libc::SYS_clone,
            vec![masked(0, libc::CLONE_THREAD, libc::CLONE_THREAD)?],
        ),
        // A panic and a lack of memory end this process by a signal to itself.
        (libc::SYS_tgkill, vec![equal(0, process::id())?]),
        // The limits of this process can be read.
        (
            libc::SYS_prlimit64,
            vec![
                equal(0, 0)?,
                Condition::new(2, Length::Qword, Compare::Eq, 0)?,
            ],
        ),
        // Threads have names.
        (
            libc::SYS_prctl,
            vec![equal(0, libc::PR_SET_NAME.unsigned_abs())?],
        ),
    ])
}

/// The system calls that are allowed whatever their arguments are.
const FREE: &[libc::c_long] = &[
    // What was handed over.
    libc::SYS_close,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads, and the signals of this process.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    // Clocks and random octets.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getcpu,
    libc::SYS_getrandom,
    libc::SYS_nanosleep,
];

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{Read as _, Write as _, pipe};
    use std::os::unix::net::UnixStream;
    use std::process::Command;
    use std::thread;

    use rustix::process::{getppid, test_kill_process};

    use super::*;

    /// The filter holds for one thread, and for those that it starts.
    #[test]
    fn a_compiler_computes_and_does_nothing_else() {
        let (mut reader, mut writer) = pipe().unwrap();
        let filtered = thread::spawn(move || {
            if !filter_system_calls().unwrap() {
                return;
            }
            let unknown = |result: io::Result<()>| {
                assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ENOSYS));
            };
            unknown(File::open("/dev/null").map(drop));
            unknown(fs::metadata("/").map(drop));
            unknown(fs::remove_file("/nowhere"));
            unknown(UnixStream::pair().map(drop));
            unknown(pipe().map(drop));
            let parent = getppid().unwrap();
            unknown(test_kill_process(parent).map_err(Into::into));
            assert!(Command::new("/bin/true").spawn().is_err());
            // Another thread, memory, and what is open already.
            let sum = thread::spawn(|| vec![1_u8; 10 << 20].iter().map(|n| u64::from(*n)).sum());
            let sum: u64 = sum.join().unwrap();
            writer.write_all(&sum.to_be_bytes()).unwrap();
            assert!(thread::spawn(|| panic!("a panic ends")).join().is_err());
        });
        filtered.join().unwrap();
        let mut sum = [0; 8];
        // Nothing comes where the kernel has no filters.
        if reader.read(&mut sum).unwrap() > 0 {
            assert_eq!(u64::from_be_bytes(sum), 10 << 20);
        }
    }
}
