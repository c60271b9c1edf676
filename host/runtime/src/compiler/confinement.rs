//! What a process gives up before it touches a file of somebody else.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::time::Duration;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_name, set_no_new_privs,
};

use super::system_calls::filter_system_calls;

/// What the kernel does not offer to confine a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    /// There is no Landlock, which takes files, the network and signals away.
    pub(super) landlock: bool,
    /// There is no seccomp, which takes system calls away, or no filter for this architecture.
    pub(super) seccomp: bool,
}

/// Limits the memory in octets and the processor time of this process. It may write no file and no memory
/// dump, and makes way for others: at the processor, and if the machine has no more memory.
///
/// # Errors
///
/// Fails if the system refuses a limit.
pub(super) fn limit_resources(memory: u64, cpu: Duration) -> io::Result<()> {
    // What operators see of it in a list of processes. A name of this length is always taken.
    _ = set_name(NAME);
    // It fails where the files of processes are read-only.
    _ = fs::write("/proc/self/oom_score_adj", "1000");
    let seconds = cpu.as_secs().max(1);
    // Writable memory. Address space that is only reserved does not count.
    limit(Resource::Data, memory, memory)?;
    limit(Resource::Stack, MAX_STACK, MAX_STACK)?;
    // The first limit of the processor time sends a signal that names the cause; the second one ends
    // what does not end by that.
    limit(Resource::Cpu, seconds, seconds.saturating_add(1))?;
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Fsize, 0, 0)?;
    limit(Resource::Memlock, 0, 0)?;
    // Mail is more urgent. It fails only where a service may not change priorities.
    _ = nice(NICENESS);
    Ok(())
}

/// Sets a limit, or leaves the one that holds if that is lower.
fn limit(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let held = getrlimit(resource);
    let lower = |wanted: u64, held: Option<u64>| held.map_or(wanted, |held| held.min(wanted));
    let limit = Rlimit {
        current: Some(lower(current, held.current)),
        maximum: Some(lower(maximum, held.maximum)),
    };
    Ok(setrlimit(resource, limit)?)
}

/// Gives up privileges, files, the network and other processes, as far as the kernel knows how. Returns
/// what it does not know.
///
/// # Errors
///
/// Fails if the kernel refuses something that it offers.
pub(super) fn confine() -> io::Result<Missing> {
    close_inherited();
    set_no_new_privs(true)?;
    give_up_capabilities()?;
    // No file can be opened, changed or executed; no port be bound or connected to; no process outside be
    // signalled. A kernel that does not know some of it does the rest.
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V6))
        .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(ABI::V6)))
        .and_then(|ruleset| ruleset.create())
        .and_then(|ruleset| ruleset.restrict_self());
    let status = ruleset.map_err(io::Error::other)?.ruleset;
    // Nothing can be opened, whatever the kernel knows: what is open already is enough.
    limit(Resource::Nofile, 0, 0)?;
    Ok(Missing {
        landlock: status == RulesetStatus::NotEnforced,
        seccomp: !filter_system_calls()?,
    })
}

fn give_up_capabilities() -> io::Result<()> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    match set_capabilities(None, none) {
        // A service may be forbidden to change what it does not have.
        Err(_) if capabilities(None)?.permitted.is_empty() => Ok(()),
        result => Ok(result?),
    }
}

/// Closes what the gateway itself has inherited and left open.
fn close_inherited() {
    let first: libc::c_uint = 3;
    // SAFETY: Nobody uses a descriptor above those of standard input, output and error: this process has
    // just begun, and opens no file.
    #[expect(unsafe_code, reason = "there is no safe function for it")]
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return;
    }
    // A kernel before 5.9.
    let most = getrlimit(Resource::Nofile).current.unwrap_or(MAX_OPEN);
    for descriptor in 3..i32::try_from(most.min(MAX_OPEN)).unwrap_or(i32::MAX) {
        // SAFETY: As above.
        #[expect(unsafe_code, reason = "there is no safe function for it")]
        // It fails for those that are not open.
        let _ = unsafe { libc::close(descriptor) };
    }
}

/// The name of the process, of at most 15 octets.
const NAME: &CStr = c"compile-plugin";

/// How much the child makes way, from 0 to 19.
const NICENESS: i32 = 5;

/// The most for the stack of the first thread, in octets.
const MAX_STACK: u64 = 8 << 20;

/// The highest descriptor that is looked for.
const MAX_OPEN: u64 = 1 << 16;
