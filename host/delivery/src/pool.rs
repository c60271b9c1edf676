//! Connections that are kept open between transactions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::connection::Connection;

/// Unused connections to one server, the one that was used last on top.
///
/// A transaction that is still open on a connection stays so until the connection is used again:
/// RSET then goes out together with the next MAIL.
#[derive(Debug)]
pub(crate) struct Pool {
    max_idle: usize,
    idle_timeout: Duration,
    shelf: Mutex<Shelf>,
}

impl Pool {
    pub(crate) fn new(max_idle: usize, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            max_idle,
            idle_timeout,
            shelf: Mutex::default(),
        })
    }

    /// A connection that is fit for use, where there is one.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut shelf = self.shelf();
        while let Some(mut idle) = shelf.idle.pop() {
            match idle.since.elapsed() < self.idle_timeout {
                true if idle.connection.is_quiet() => return Some(idle.connection),
                true => {}
                false => idle.connection.quit(),
            }
        }
        None
    }

    /// Keeps a connection for the next transaction. Where there are enough, the oldest one goes.
    pub(crate) fn put(self: &Arc<Self>, connection: Connection) {
        // Without a runtime the program is about to end.
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut shelf = self.shelf();
        shelf.idle.push(Idle {
            connection,
            since: Instant::now(),
        });
        if shelf.idle.len() > self.max_idle {
            shelf.idle.remove(0).connection.quit();
        }
        if let Reaper::Off = shelf.reaper {
            shelf.reaper = Reaper::On;
            runtime.spawn(reap(Arc::downgrade(self)));
        }
    }

    /// Closes what has been unused for too long. Says when to come again, unless nothing is left.
    fn close_old(&self) -> Option<Instant> {
        let mut shelf = self.shelf();
        let is_old = |idle: &Idle| idle.since.elapsed() >= self.idle_timeout;
        let old = shelf.idle.iter().take_while(|idle| is_old(idle)).count();
        for idle in shelf.idle.drain(..old) {
            idle.connection.quit();
        }
        let next = shelf
            .idle
            .first()
            .map(|idle| idle.since + self.idle_timeout);
        if next.is_none() {
            shelf.reaper = Reaper::Off;
        }
        next
    }

    /// Nothing is left half done where a holder of the lock panics.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Shelf {
    idle: Vec<Idle>,
    reaper: Reaper,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// Whether a task looks after the shelf: only while something is on it.
#[derive(Debug, Default)]
enum Reaper {
    #[default]
    Off,
    On,
}

/// Closes connections when their time is over, until none is left or the pool is gone.
async fn reap(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.close_old()) {
        sleep_until(next).await;
    }
}
