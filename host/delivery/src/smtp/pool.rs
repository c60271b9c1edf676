//! Idle connections, kept open between transactions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;

/// Idle connections to one server. The one that was used last is taken first.
///
/// A transaction that is still open on a connection stays open until the connection is used again:
/// RSET is then sent together with the next MAIL.
#[derive(Debug)]
pub(super) struct Pool {
    max_idle: usize,
    idle_timeout: Duration,
    idle: Mutex<IdleList>,
}

impl Pool {
    pub(super) fn new(max_idle: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            max_idle,
            idle_timeout,
            idle: Mutex::default(),
        })
    }

    /// Takes a connection that can be used. Returns `None` if there is none.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle();
        while let Some(mut last) = idle.connections.pop() {
            match last.since.elapsed() < self.idle_timeout {
                true if last.connection.is_quiet() => return Some(last.connection),
                true => {}
                false => last.connection.quit(),
            }
        }
        None
    }

    /// Keeps a connection for the next transaction, and closes the oldest one if there are too
    /// many.
    pub(super) fn put(self: &Arc<Self>, connection: Connection) {
        // Not even QUIT would be understood.
        if connection.is_doubtful() {
            return;
        }
        // There is no runtime only if the program is about to end.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut idle = self.idle();
        if idle.is_closed {
            return connection.quit();
        }
        idle.connections.push(IdleConnection {
            connection,
            since: Instant::now(),
        });
        if idle.connections.len() > self.max_idle {
            idle.connections.remove(0).connection.quit();
        }
        if let Reaper::Stopped = idle.reaper {
            idle.reaper = Reaper::Running;
            runtime.spawn(reap(Arc::downgrade(self)));
        }
    }

    /// Closes all idle connections, for example because one of them was found to be dead: what has
    /// happened to it may have happened to all.
    pub(super) fn clear(&self) {
        for idle in self.idle().connections.drain(..) {
            idle.connection.quit();
        }
    }

    /// Closes all idle connections, and from now on each one that is returned.
    pub(super) fn close(&self) {
        self.idle().is_closed = true;
        self.clear();
    }

    /// Closes expired connections. Returns when the next one expires, or `None` if none is left.
    fn close_expired(&self) -> Option<Instant> {
        let mut idle = self.idle();
        let is_expired = |idle: &&IdleConnection| idle.since.elapsed() >= self.idle_timeout;
        let expired = idle.connections.iter().take_while(is_expired).count();
        for idle in idle.connections.drain(..expired) {
            idle.connection.quit();
        }
        let next = idle.connections.first();
        let next = next.map(|idle| idle.since + self.idle_timeout);
        if next.is_none() {
            idle.reaper = Reaper::Stopped;
        }
        next
    }

    /// The list is consistent even if a holder of the lock has panicked.
    fn idle(&self) -> MutexGuard<'_, IdleList> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct IdleList {
    /// Oldest first.
    connections: Vec<IdleConnection>,
    /// True once the gateway stops.
    is_closed: bool,
    reaper: Reaper,
}

#[derive(Debug)]
struct IdleConnection {
    connection: Connection,
    since: Instant,
}

/// The task that closes expired connections. It runs only while there are connections.
#[derive(Debug, Default)]
enum Reaper {
    Running,
    #[default]
    Stopped,
}

/// Closes connections as they expire, until none is left or the pool is dropped.
async fn reap(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_expired()) {
        sleep_until(next).await;
    }
}
