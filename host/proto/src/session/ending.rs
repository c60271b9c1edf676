//! How a session ends, and what happened in it.

use std::fmt;

/// Why a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client closed the connection.
    Closed,
    /// A rejection by policy.
    Disconnected,
    /// A line longer than [`Settings::max_discarded`](crate::session::Settings::max_discarded).
    EndlessLine,
    /// The client sent QUIT.
    Quit,
    /// The server shuts down.
    Shutdown,
    /// The client was silent for longer than the timeout.
    Timeout,
    /// The client made [`Settings::max_errors`](crate::session::Settings::max_errors) errors.
    TooManyErrors,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Disconnected => "disconnected",
            Self::EndlessLine => "endless-line",
            Self::Quit => "quit",
            Self::Shutdown => "shutdown",
            Self::Timeout => "timeout",
            Self::TooManyErrors => "too-many-errors",
        })
    }
}

/// Totals of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Command lines received.
    pub commands: u32,
    /// Errors of the client.
    pub errors: u32,
    /// Messages accepted.
    pub messages: u32,
}
