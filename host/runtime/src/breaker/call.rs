//! The vocabulary of a breaker: calls of a plugin, and what the breaker says about them.

use std::net::IpAddr;
use std::time::Duration;

use postgate_contract::Event;

/// The answer to the question if a session may ask the plugin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The breaker is closed.
    Allow,
    /// The breaker is half-open, and this session probes the plugin.
    Probe(Probe),
    /// The breaker is open.
    Reject,
}

/// The permission of one session to ask a plugin while its breaker is half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe(pub(super) u64);

/// A change of state that a call has caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The breaker closed: the plugin is asked again.
    Closed,
    /// The breaker opened for this time.
    Opened(Duration),
}

/// The facts about one call of a plugin that a breaker needs.
#[derive(Clone, Copy, Debug)]
pub struct CallInfo<'a> {
    /// The event of the call, or `None` if no instance could be made.
    pub event: Option<Event>,
    /// The address of the client.
    pub client: IpAddr,
    /// The identifier of the session.
    pub session: &'a str,
    /// The permission of the session, if it probes the plugin.
    pub probe: Option<Probe>,
}
