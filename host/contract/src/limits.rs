//! What one plugin may use up, and what happens when it fails.

use std::time::Duration;

/// What the client is told when a plugin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The step goes on as if the plugin had no objection.
    Accept,
    /// A permanent refusal.
    Reject,
    /// To try again later.
    #[default]
    Tempfail,
}

/// How long an instance of a plugin lives, and with it whatever the plugin keeps in its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// As long as the session.
    #[default]
    Connection,
    /// Until MAIL begins the next transaction.
    Message,
    /// For one event.
    Event,
    /// As long as it works; it serves one event of one session after another. This does not isolate
    /// sessions from each other.
    Shared,
}

/// What one instance of a plugin may use up.
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
    /// The size in octets of a file that it may read.
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

/// When the breaker takes a plugin that keeps failing out of service, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRules {
    /// The number of failures that open the breaker; 0 if it never opens.
    pub failures: u32,
    /// The time within which they must happen.
    pub window: Duration,
    /// How long the breaker stays open at first. Each failed trial doubles it.
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
