//! What clients may use up.

use std::time::Duration;

/// What one client, or all clients of a listener together, may use up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest message, in octets; `u32::MAX` where there is no limit.
    pub message_size: u32,
    /// The largest header block of a message, in octets; above 0.
    pub header_size: u32,
    /// The longest line of a message, in octets; `u32::MAX` where there is no limit.
    pub text_line: u32,
    /// How many octets without a line ending may come before the session is closed; above 0.
    pub endless_line: u32,
    /// The most recipients of one message.
    pub recipients: u32,
    /// How many commands of a session may be refused as errors before it is closed; 0 for no limit.
    pub errors: u32,
    /// The most sessions at a time.
    pub connections: u32,
    /// The most sessions at a time of one client address; 0 for no limit.
    pub connections_per_address: u32,
    /// The most new sessions of one client address in a minute; 0 for no limit.
    pub connection_rate: u32,
    /// The most sessions that are processed at a time, while others wait for the banner; never more
    /// than `connections`, and 0 for as many.
    pub slots: u32,
    /// After how many errors of a session each reply to a further one is delayed; 0 for never.
    pub tarpit_after: u32,
    /// How long such a reply is delayed.
    pub tarpit: Duration,
    /// How long to wait for a complete command.
    pub command_timeout: Duration,
    /// How long a message may take from DATA to its end.
    pub message_timeout: Duration,
    /// How long a client may take to read a reply.
    pub write_timeout: Duration,
    /// How long sessions may go on once the program is told to stop. The same for all listeners.
    pub shutdown_grace: Duration,
    /// How many octets of a message stay in memory; what is beyond goes to a temporary file. The
    /// same for all listeners.
    pub spool_memory: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_size: 25 << 20,
            header_size: 1 << 20,
            text_line: 1 << 20,
            endless_line: 1 << 20,
            recipients: 200,
            errors: 10,
            connections: 1000,
            connections_per_address: 0,
            connection_rate: 0,
            slots: 0,
            tarpit_after: 0,
            tarpit: Duration::from_secs(5),
            command_timeout: Duration::from_mins(5),
            message_timeout: Duration::from_mins(10),
            write_timeout: Duration::from_mins(2),
            shutdown_grace: Duration::from_secs(10),
            spool_memory: 1 << 20,
        }
    }
}
