//! The tasks of the sessions of a listener.

use std::future::{Future, poll_fn};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::task::{JoinError, JoinSet};

/// The tasks of the sessions of a listener. They outlive a listener task that panics and is restarted.
#[derive(Debug, Default)]
pub(super) struct SessionTasks(Mutex<JoinSet<()>>);

impl SessionTasks {
    /// Starts a session. The memory of its task is freed by [`Self::next_ended`].
    pub(super) fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(session);
    }

    /// Waits for a session to end, and frees the memory of its task. Waits without end if there is no
    /// session, so the caller asks again after it has started one.
    pub(super) async fn next_ended(&self) -> Result<(), JoinError> {
        poll_fn(|cx| match self.tasks().poll_join_next(cx) {
            Poll::Ready(Some(ended)) => Poll::Ready(ended),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Takes all tasks.
    pub(super) fn take(&self) -> JoinSet<()> {
        mem::take(&mut *self.tasks())
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        // Adding and removing tasks does not panic, so the set is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ended_session_is_freed_without_another_one() {
        let sessions = SessionTasks::default();
        sessions.spawn(async {});
        sessions.spawn(async { panic!("a fault of the gateway") });
        let ended = [sessions.next_ended().await, sessions.next_ended().await];
        assert_eq!(ended.iter().filter(|ended| ended.is_err()).count(), 1);
        assert!(sessions.take().is_empty());
    }
}
