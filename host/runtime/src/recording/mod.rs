//! Recordings: the calls of a plugin in one session, with all that the plugin was asked and could see, to be
//! replayed with another build of the plugin.
//!
//! A recording is a file of JSON lines: a heading, then a [`Frame`] for each call. It contains no credentials.

mod answer;
mod frame;
mod octets;
mod recorder;
mod replay;
mod snapshot;

pub use self::answer::answer_json;
pub use self::frame::{Frame, Recording, RecordingError, VERSION};
pub use self::recorder::Recorder;
pub use self::replay::{Difference, ReplayReport, replay};
