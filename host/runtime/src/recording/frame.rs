//! What a recording holds.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::VERSION;
use super::snapshot::{RecordedQuestion, Snapshot};
use crate::host_calls::HostCall;
use postgate_contract::Event;

/// One call of the plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Frame {
    /// The name of the event.
    pub event: String,
    /// Whom or what it was about.
    pub subject: String,
    /// The facts of the question.
    pub(super) question: RecordedQuestion,
    /// What else the plugin could see.
    pub(super) seen: Snapshot,
    /// What it learned from outside.
    #[serde(default)]
    pub(super) outside: Vec<HostCall>,
    /// What it answered.
    pub answer: Value,
}

impl Frame {
    /// The event; `None` if this gateway does not know it.
    pub fn event(&self) -> Option<Event> {
        Event::named(&self.event)
    }
}

/// What the first line says.
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

/// A session as one plugin met it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The name of the plugin.
    pub plugin: String,
    /// The id of the session.
    pub session: String,
    /// Its calls, in order.
    pub frames: Vec<Frame>,
}

/// Why a file cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("{file}: {error}", file = file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A line is not what it should be.
    #[error("{file}:{line}: not a line of a recording: {reason}", file = file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// It was made by another version of the gateway.
    #[error("{file}: version {found} of the format; this program reads version {VERSION}", file = file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// The version that it says.
        found: u32,
    },
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Where it is no whole recording of this version.
    pub fn load(file: &Path) -> Result<Self, RecordingError> {
        let io = |error| RecordingError::Io {
            file: file.to_owned(),
            error,
        };
        let wrong = |line: usize, reason: String| RecordingError::Line {
            file: file.to_owned(),
            line,
            reason,
        };
        let mut lines = BufReader::new(File::open(file).map_err(io)?).lines();
        let first = lines.next().transpose().map_err(io)?.unwrap_or_default();
        let heading: Heading =
            serde_json::from_str(&first).map_err(|error| wrong(1, error.to_string()))?;
        if heading.postgate_recording != VERSION {
            return Err(RecordingError::Version {
                file: file.to_owned(),
                found: heading.postgate_recording,
            });
        }
        let mut frames = Vec::new();
        for (index, line) in lines.enumerate() {
            let frame: Frame = serde_json::from_str(&line.map_err(io)?)
                .map_err(|error| wrong(index + 2, error.to_string()))?;
            frames.push(frame);
        }
        Ok(Self {
            plugin: heading.plugin,
            session: heading.session,
            frames,
        })
    }
}
