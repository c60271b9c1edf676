//! Properties that hold for any input: one function for each parser and state machine. The fuzzers in
//! `host/proto/fuzz` call them, and so does `tests/fuzz.rs` for a limited time.

mod conversation;
mod message;
mod parsers;
mod reply_lines;
mod sasl;

pub use self::conversation::{client, session};
pub use self::message::{body, data};
pub use self::parsers::{address, command, header, proxy, reply, xclient};
pub use self::sasl::sasl;

/// A function that panics if the input violates the property.
pub type Target = fn(&[u8]);

/// All targets.
pub const TARGETS: [Target; 11] = [
    address, body, client, command, data, header, proxy, reply, sasl, session, xclient,
];
