//! Properties that hold for any input: one function for each parser and state machine. The fuzzers in
//! `host/proto/fuzz` call them, and so does `tests/fuzz.rs` for a limited time.

use std::time::{Duration, Instant};

mod conversation;
mod message;
mod parsers;
mod reply_lines;
mod sasl;

pub use self::conversation::{client, session};
pub use self::message::{body, data};
pub use self::parsers::{address, command, header, proxy, reply, xclient};
pub use self::sasl::sasl;

/// When a run ends, at the earliest: `FUZZ_SECONDS` from now, or at once if there is no such variable.
///
/// # Panics
///
/// Panics if it is not a number.
pub fn end_of_run() -> Instant {
    let seconds = match std::env::var("FUZZ_SECONDS") {
        Ok(text) => text.parse().expect("FUZZ_SECONDS is a number"),
        Err(_) => 0,
    };
    Instant::now() + Duration::from_secs(seconds)
}

/// A function that panics if the input violates the property.
pub type Target = fn(&[u8]);

/// All targets.
pub const TARGETS: [Target; 11] = [
    address, body, client, command, data, header, proxy, reply, sasl, session, xclient,
];
