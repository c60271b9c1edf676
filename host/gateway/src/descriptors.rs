//! The file descriptors of the process, shared out among sessions.

use std::fs;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// The descriptors that sessions may use. A connection that would take those that open sessions may still
/// need is closed, so that open sessions can reach the backend, and the control socket answers.
#[derive(Clone, Debug)]
pub(crate) struct Descriptors(Arc<Semaphore>);

impl Descriptors {
    /// Shares out what the limit of the process allows beyond the files that are open now and
    /// [`RESERVE`]. Warns if `connections` sessions need more.
    pub(crate) fn of_process(connections: u32) -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        let sessions = sessions_within(limit, open_now());
        if u64::from(connections) > sessions {
            warn!(
                limit,
                connections,
                sessions,
                "limits.connections needs more open files than the limit of this process allows"
            );
        }
        Self::for_sessions(usize::try_from(sessions).unwrap_or(usize::MAX))
    }

    fn for_sessions(sessions: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            sessions.min(Semaphore::MAX_PERMITS),
        )))
    }

    /// Takes the descriptors of one session, until the permit is dropped. Returns `None` if too few are
    /// left.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// How many sessions the limit allows, at least one. `None` stands for no limit.
fn sessions_within(limit: Option<u64>, open: u64) -> u64 {
    let left = limit.map_or(u64::MAX, |limit| {
        limit.saturating_sub(open.saturating_add(RESERVE))
    });
    (left / PER_SESSION).max(1)
}

/// The number of open files, which is small when the gateway starts.
fn open_now() -> u64 {
    let files = fs::read_dir("/proc/self/fd");
    files.map_or(RESERVE, |files| files.count() as u64)
}

/// The descriptors of a session: its socket, the connection to the backend or the file in a Maildir, the
/// spooled body, and its decoded parts.
const PER_SESSION: u64 = 4;
/// The descriptors for everything else: control clients, DNS queries, listed files, and connections that
/// are being turned away.
const RESERVE: u64 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_leave_the_reserve() {
        for (limit, open, sessions) in [
            (Some(1_024), 20, 245),
            (Some(64), 20, 5),
            (Some(10), 20, 1),
            (None, 20, u64::MAX / PER_SESSION),
        ] {
            assert_eq!(sessions_within(limit, open), sessions, "{limit:?}");
        }
    }

    #[test]
    fn a_permit_comes_back() {
        let descriptors = Descriptors::for_sessions(1);
        let permit = descriptors.take();
        assert!(permit.is_some() && descriptors.take().is_none());
        drop(permit);
        assert!(descriptors.take().is_some());
    }
}
