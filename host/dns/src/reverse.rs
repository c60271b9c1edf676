//! The host name of an IP address.

/// The result of a reverse lookup that is confirmed by a forward lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReverseName {
    /// The name of the address, which resolves to the address.
    Confirmed(String),
    /// The name servers did not answer.
    Unanswered,
    /// The address has no name, or none that resolves to the address.
    Unconfirmed,
}
