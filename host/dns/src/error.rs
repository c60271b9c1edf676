//! Errors of DNS queries.

/// A query that was not answered with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// No server gave a usable answer in time. The cause is in the log at level `debug`.
    Failed,
    /// The name is not a domain name.
    Invalid,
    /// No query could be sent, because the machine lacks descriptors or memory.
    NoResources,
    /// The name does not exist, or has no records of this type.
    NotFound,
}
