//! The errors of host functions.

use std::io;

use tokio::task::JoinError;

/// Why a host function failed. All but [`Self::NoSession`] are faults of the host.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    /// No DNS query could be sent for lack of a resource of the machine.
    #[error("no DNS query could be sent")]
    Dns,
    /// A listed file cannot be read for lack of a resource of the machine.
    #[error("a listed file cannot be read")]
    File,
    /// The message cannot be read from the spool.
    #[error("the message cannot be read: {0}")]
    Message(#[from] io::Error),
    /// The guest asked for facts of the session while it was being instantiated.
    #[error("there is no session outside of a call")]
    NoSession,
    /// The system has no random octets.
    #[error("the system has no random octets")]
    Random,
    /// A blocking task of the call panicked.
    #[error("a blocking task of the host failed: {0}")]
    Task(#[from] JoinError),
}
