//! Errors of a spool, and the reply to each.

use std::io;

use postgate_proto::reply::{Enhanced, Refusal};

/// An error that prevents a message from being stored.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// No space is left in the directory for files.
    #[error("no space left for the message")]
    Full(#[source] io::Error),
    /// The file cannot be created, written or read.
    #[error("cannot store the message")]
    Io(#[source] io::Error),
    /// The message exceeds the limit, which is the client's fault.
    #[error("the message is too large")]
    TooLarge,
}

impl SpoolError {
    /// The reply to the client.
    pub const fn refusal(&self) -> Refusal {
        match self {
            Self::Full(_) => NO_ROOM,
            Self::Io(_) => Refusal::TRY_LATER,
            Self::TooLarge => TOO_LARGE,
        }
    }
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        match is_full(&error) {
            true => Self::Full(error),
            false => Self::Io(error),
        }
    }
}

/// True if an error says that no space is left.
pub fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull)
}

/// No space is left for a message (RFC 3463 §3.4).
pub const NO_ROOM: Refusal =
    Refusal::fixed(452, Enhanced::new(4, 3, 1), "Insufficient system storage");

/// The message exceeds the size limit of this server (RFC 1870 §6.3).
const TOO_LARGE: Refusal = Refusal::fixed(
    552,
    Enhanced::new(5, 3, 4),
    "Message size exceeds fixed limit",
);
