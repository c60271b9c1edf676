//! Answers the questions of a session: asks the plugins first, then the backend.
//!
//! `core.rs` has the handler and how it asks; the other files answer one kind of question each.

mod answer;
mod authentication;
mod client;
mod core;
mod delivering;
mod disposition;
mod envelope;
mod incoming;
mod message_log;
mod receiving;

pub use self::core::{Handler, HandlerParts};
