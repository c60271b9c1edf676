//! Records the calls of plugins, as the sidecar or the operator asks.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tracing::{info, warn};

use super::answer::answer_json;
use super::frame::{Frame, Heading, VERSION};
use super::snapshot::{RecordedQuestion, Snapshot};
use crate::observer::{ObservedCall, Observer};

/// Records one session: a file for each plugin that is recorded.
#[derive(Debug)]
pub struct Recorder {
    session: String,
    /// The recording of each plugin, by the name of the plugin.
    files: Mutex<BTreeMap<String, RecordingFile>>,
}

/// The recording of one plugin.
#[derive(Debug)]
enum RecordingFile {
    /// The plugin was not called yet. The file will be created in this directory.
    Unopened(PathBuf),
    /// The file is open, and `room` octets may still be written to it.
    Open { file: File, room: usize },
    /// The file is full, or could not be written.
    Closed,
}

impl Recorder {
    /// Creates a recorder for plugins, each with the directory of its recordings. Returns `None` if there are
    /// no plugins to record.
    pub fn new<'a>(
        session: &str,
        plugins: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Option<Self> {
        let files: BTreeMap<_, _> = plugins
            .into_iter()
            .map(|(plugin, directory)| {
                let file = RecordingFile::Unopened(directory.to_owned());
                (plugin.to_owned(), file)
            })
            .collect();
        (!files.is_empty()).then(|| Self {
            session: session.to_owned(),
            files: Mutex::new(files),
        })
    }
}

impl Observer for Recorder {
    // Writing does not block for long, since the octets go to the page cache.
    fn observe(&self, call: &ObservedCall<'_>) {
        // All plugins share the log, so the calls of a plugin that is not recorded are taken, too.
        let outside = call.context.host_calls.take();
        // A poisoned lock is usable: a panic cannot leave a recording in an invalid state.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = files.get_mut(call.plugin) else {
            return;
        };
        let frame = Frame {
            event: call.question.event().name().to_owned(),
            subject: call.question.subject(call.context),
            question: RecordedQuestion::of(&call.question),
            seen: Snapshot::of(call.context, call.question.event()),
            outside,
            answer: answer_json(&call.answer),
        };
        if let Err(error) = file.write(call.plugin, &self.session, &frame) {
            warn!(session = self.session, plugin = call.plugin, %error, "a recording ends early");
            *file = RecordingFile::Closed;
        }
    }
}

impl RecordingFile {
    /// Writes a frame. The first one creates the file and is preceded by the heading.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or would be too large.
    fn write(&mut self, plugin: &str, session: &str, frame: &Frame) -> io::Result<()> {
        if let Self::Unopened(directory) = self {
            let path = directory.join(format!("{plugin}-{session}.jsonl"));
            // Recordings contain mail, so only the user of the gateway may read them.
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            info!(session, plugin, file = %path.display(), "recording");
            *self = Self::Open {
                file,
                room: MAX_SIZE,
            };
            self.write_line(&Heading {
                postgate_recording: VERSION,
                plugin: plugin.to_owned(),
                session: session.to_owned(),
            })?;
        }
        self.write_line(frame)
    }

    /// Writes a line to an open file, and nothing to any other.
    fn write_line<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        let Self::Open { file, room } = self else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        *room = room.checked_sub(line.len()).ok_or_else(|| {
            let text = format!("it would be larger than {MAX_SIZE} octets");
            io::Error::new(io::ErrorKind::FileTooLarge, text)
        })?;
        file.write_all(&line)
    }
}

/// The greatest size of a recording in octets.
const MAX_SIZE: usize = 64 << 20;
