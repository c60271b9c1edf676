//! The format of recordings.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use postgate_contract::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::snapshot::{RecordedQuestion, Snapshot};
use crate::host_calls::HostCall;

/// The version of the format.
pub const VERSION: u32 = 2;

/// One call of the plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Frame {
    /// The name of the event.
    pub event: String,
    /// Whom or what the question was about; see [`Question::subject`](crate::question::Question::subject).
    pub subject: String,
    /// The facts of the question.
    pub(super) question: RecordedQuestion,
    /// The session as the plugin could see it.
    pub(super) seen: Snapshot,
    /// The host calls whose answers came from outside the session.
    #[serde(default)]
    pub(super) outside: Vec<HostCall>,
    /// The answer; see [`answer_json`](super::answer_json).
    pub answer: Value,
}

impl Frame {
    /// The event, or `None` if this gateway does not know it.
    pub fn event(&self) -> Option<Event> {
        Event::named(&self.event)
    }
}

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Heading {
    /// The version of the format.
    pub(super) postgate_recording: u32,
    /// The name of the plugin.
    pub(super) plugin: String,
    /// The id of the session.
    pub(super) session: String,
}

/// The calls of one plugin in one session.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The name of the plugin.
    pub plugin: String,
    /// The id of the session.
    pub session: String,
    /// The calls, in order.
    pub frames: Vec<Frame>,
}

/// The reason why a file cannot be read as a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{file}: {error}", file = file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The cause.
        #[source]
        error: io::Error,
    },
    /// A line is not valid.
    #[error("{file}:{line}: not a line of a recording: {error}", file = file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// The cause.
        #[source]
        error: serde_json::Error,
    },
    /// The recording has another version of the format.
    #[error("{file}: version {found} of the format; this program reads version {VERSION}", file = file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// The version of the recording.
        found: u32,
    },
}

impl Recording {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or is not a recording of this version of the format.
    pub fn load(file: &Path) -> Result<Self, RecordingError> {
        let io = |error| RecordingError::Io {
            file: file.to_owned(),
            error,
        };
        let invalid = |line: usize, error: serde_json::Error| RecordingError::Line {
            file: file.to_owned(),
            line,
            error,
        };
        let mut lines = BufReader::new(File::open(file).map_err(io)?).lines();
        let first = lines.next().transpose().map_err(io)?.unwrap_or_default();
        let heading: Heading = serde_json::from_str(&first).map_err(|error| invalid(1, error))?;
        if heading.postgate_recording != VERSION {
            return Err(RecordingError::Version {
                file: file.to_owned(),
                found: heading.postgate_recording,
            });
        }
        let mut frames = Vec::new();
        for (index, line) in lines.enumerate() {
            let frame: Frame = serde_json::from_str(&line.map_err(io)?)
                .map_err(|error| invalid(index + 2, error))?;
            frames.push(frame);
        }
        Ok(Self {
            plugin: heading.plugin,
            session: heading.session,
            frames,
        })
    }
}
