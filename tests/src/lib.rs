//! What the tests are made of, in the order in which one meets it: conversations kept as data and
//! the two ways of playing them, then the gateway as a child process, then the servers and clients
//! around it.
//!
//! All of this serves tests: where something is not as it must be, it panics and says what.

pub mod fuzz;
pub mod player;

pub mod gateway;
pub mod log;

pub mod backend;
pub mod certificate;
pub mod client;
pub mod control;
pub mod crowd;
pub mod dns;
pub mod document;
pub mod edition;
pub mod mail;
pub mod peer;
pub mod process;
pub mod rogue;
pub mod samples;

pub use postgate_dialog as dialog;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long anything may take before a test calls it a hang.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Says that it is over when it is dropped, by a panic too: whoever works until then would go on for
/// ever otherwise, and be waited for.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
