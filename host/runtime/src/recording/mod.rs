//! Recordings: what crossed the boundary between the gateway and a plugin in one session, to be shown to
//! another build of the plugin.
//!
//! A recording is a file of JSON lines: one that says what it is, then a [`Frame`] for each call. What
//! proves who a client is, is not in it.

pub mod answer;
mod frame;
mod octets;
mod recorder;
mod replay;
mod snapshot;

pub use frame::{Frame, Recording, RecordingError};
pub use recorder::Recorder;
pub use replay::{Difference, Replayed, replay};

/// The version of the format.
pub const VERSION: u32 = 2;
