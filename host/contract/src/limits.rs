//! Resource limits of a plugin, and the handling of its failures.

use std::time::Duration;

/// The handling of an event after its plugin failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// Processing continues as if the plugin had answered `next`.
    Accept,
    /// The client gets a permanent error.
    Reject,
    /// The client gets a temporary error.
    #[default]
    Tempfail,
}

/// The lifetime of a plugin instance, and of everything in its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The session.
    #[default]
    Connection,
    /// The transaction: a new MAIL gets a new instance.
    Message,
    /// One event.
    Event,
    /// Until it fails. It serves one event of any session at a time, so that sessions are not
    /// isolated from each other.
    Shared,
}

/// Resource limits of one plugin instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginLimits {
    /// Memory in octets, at most [`Self::MAX_MEMORY`].
    pub memory: u32,
    /// CPU time for an event other than `message`.
    pub cpu: Duration,
    /// CPU time for a `message` event.
    pub message_cpu: Duration,
    /// Elapsed time for an event other than `message`.
    pub wall: Duration,
    /// Elapsed time for a `message` event.
    pub message_wall: Duration,
    /// Log lines in one event.
    pub log_lines: u32,
    /// Edits in one answer.
    pub edits: u32,
    /// The longest delay that an answer may ask for.
    pub delay: Duration,
    /// Octets that the guest may pass in one host call, or in an answer.
    pub hostcall_bytes: u32,
    /// DNS queries in one event.
    pub dns_queries: u32,
    /// The largest file that it may read, in octets.
    pub file_size: u32,
}

impl PluginLimits {
    /// The largest memory that a plugin may be given, in octets.
    pub const MAX_MEMORY: u32 = 1 << 30;
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            memory: 32 << 20,
            cpu: Duration::from_millis(50),
            message_cpu: Duration::from_millis(500),
            wall: Duration::from_secs(5),
            message_wall: Duration::from_secs(30),
            log_lines: 64,
            edits: 256,
            delay: Duration::from_secs(15),
            hostcall_bytes: 4 << 20,
            dns_queries: 100,
            file_size: 16 << 20,
        }
    }
}

/// The rules of the circuit breaker, which suspends a plugin that fails repeatedly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// The number of failures that open the breaker; 0 if it never opens.
    pub failures: u32,
    /// The time within which these failures must occur.
    pub window: Duration,
    /// The time for which the breaker opens first. Each failed trial doubles it.
    pub back_off: Duration,
    /// The longest time for which it stays open.
    pub max_back_off: Duration,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 10,
            window: Duration::from_secs(60),
            back_off: Duration::from_secs(10),
            max_back_off: Duration::from_secs(600),
        }
    }
}
