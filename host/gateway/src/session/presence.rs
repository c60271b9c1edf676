//! Whether the client of a session is still there.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// Shared by the driver of a session, which sees that the client leaves, and the handler, which makes it
/// wait.
#[derive(Clone, Debug)]
pub(crate) struct Presence(watch::Sender<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As far as anybody has seen.
    Here,
    /// The client sends nothing more, and what it has sent may still be answered.
    Left,
    /// A wait was cut short for that: the session is over.
    GivenUp,
}

impl Presence {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::Here))
    }

    /// Notes that the client has closed its direction of the connection.
    pub(crate) fn leave(&self) {
        self.0.send_if_modified(|state| {
            let is_news = *state == State::Here;
            if is_news {
                *state = State::Left;
            }
            is_news
        });
    }

    /// Runs a wait. Returns `None` if the client leaves before it ends, after which the session is
    /// over.
    pub(crate) async fn during<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        let mut state = self.0.subscribe();
        let left = async {
            // The sender cannot be dropped before `self` is. The result would lock the state.
            _ = state.wait_for(|state| *state != State::Here).await;
        };
        tokio::select! {
            biased;
            () = left => {
                self.0.send_replace(State::GivenUp);
                None
            }
            result = wait => Some(result),
        }
    }

    /// Runs work for the client. Returns `None` if the client leaves before it ends and the work takes longer
    /// than [`GRACE`], after which the session is over. Most work is done before anybody gains by that, and its
    /// result may be for a client that sends nothing more.
    pub(crate) async fn during_work<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let left = async {
            sleep(GRACE).await;
            self.during(pending::<()>()).await
        };
        tokio::select! {
            biased;
            result = work => Some(result),
            _ = left => None,
        }
    }

    /// True if a wait was cut short.
    pub(crate) fn is_given_up(&self) -> bool {
        *self.0.borrow() == State::GivenUp
    }
}

/// How long work goes on for a client that has left.
const GRACE: Duration = Duration::from_secs(1);
