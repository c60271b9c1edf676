//! Circuit breaker: stops asking a plugin that keeps failing, so that it costs neither time nor log
//! lines.
//!
//! While the breaker is open the plugin is not asked; every session gets the answer that the operator
//! chose for a failure of the plugin. After the back-off one session probes the plugin: if it works,
//! the breaker closes; if it fails again, the breaker opens for twice as long.
//!
//! A client must not be able to take a plugin out for all others by sending mail that it fails on.
//! Therefore a client counts once, however often it makes the plugin fail, as long as the plugin works
//! for other clients at the same event. If it has recently worked for no other client, the failures
//! cannot be attributed: then each session counts once, and once more for every
//! [`BreakerRules::failures`](postgate_contract::BreakerRules::failures) failures of its own. So a
//! burst in one session does not open the breaker, but a plugin that fails for everybody is taken out
//! even if one client sends all mail over one connection. A failure to make an instance is never the
//! client's fault: each one counts.

mod call;
mod plugin_breaker;
mod recent_clients;
mod state_machine;

pub use self::call::{Admission, CallInfo, Probe, Transition};
pub use self::plugin_breaker::Breaker;
