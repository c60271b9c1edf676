//! The test harness: players of dialogs, the gateway as a child process, backends, clients and other
//! servers.
//!
//! Everything here panics with a description if it does not find what a test expects.

pub mod attachment;
pub mod fuzz;
pub mod player;

pub mod gateway;
pub mod log;

pub mod backend;
pub mod burden;
pub mod certificate;
pub mod client;
pub mod compiler;
pub mod control;
pub mod crowd;
pub mod dns;
pub mod document;
pub mod edition;
pub mod mail;
pub mod peer;
pub mod process;
pub mod release;
pub mod rogue;
pub mod samples;
pub mod source;

pub use postgate_dialog as dialog;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The time after which a test that waits fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Sets the flag when it is dropped, also by a panic. Threads that run until the flag is set would
/// otherwise never end, and the test would wait for them.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
