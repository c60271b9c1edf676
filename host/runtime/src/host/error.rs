//! The errors of host functions.

use std::io;

use tokio::task::JoinError;

/// A host function failed for a reason of the host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// The message cannot be read from the spool.
    #[error("the message cannot be read: {0}")]
    Message(#[from] io::Error),
    /// The guest asked for facts of the session while it was being instantiated.
    #[error("there is no session outside of a call")]
    NoSession,
    /// A blocking task of the call panicked.
    #[error("a blocking task of the host failed: {0}")]
    Task(#[from] JoinError),
}
