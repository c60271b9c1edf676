//! The handler of a session: answers its questions by asking the plugins, and then the backend.
//!
//! `core.rs` has the handler itself. The other files answer one kind of question each.

mod answer;
mod authentication;
mod client;
mod core;
mod delivering;
mod disposition;
mod envelope;
mod incoming_message;
mod message_log;
mod receiving;

pub use self::core::{Handler, HandlerParts};
