//! Writes what plugins are asked and say, where the operator wants it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use super::VERSION;
use super::frame::{Frame, Heading};
use super::snapshot::{RecordedQuestion, Snapshot};
use crate::observer::{ObservedCall, Observer};
use crate::recording::answer;

/// Records one session: a file for each plugin that is to be recorded.
#[derive(Debug)]
pub struct Recorder {
    session: String,
    reels: Mutex<BTreeMap<String, Reel>>,
}

/// The file of one plugin.
#[derive(Debug)]
enum Reel {
    /// Nothing was written yet; it goes into this directory.
    Blank(PathBuf),
    /// It is written.
    Open { file: File, left: usize },
    /// It could not be written, or is full.
    Over,
}

impl Recorder {
    /// Records these plugins, each into a directory. Nothing: there are none.
    pub fn new<'a>(
        session: &str,
        plugins: impl IntoIterator<Item = (&'a str, &'a Path)>,
    ) -> Option<Self> {
        let reels: BTreeMap<_, _> = plugins
            .into_iter()
            .map(|(plugin, directory)| (plugin.to_owned(), Reel::Blank(directory.to_owned())))
            .collect();
        (!reels.is_empty()).then(|| Self {
            session: session.to_owned(),
            reels: Mutex::new(reels),
        })
    }
}

impl Observer for Recorder {
    // The octets go to the page cache, as those of a spooled message do.
    fn observe(&self, call: &ObservedCall<'_>) {
        // What came from outside belongs to this call, whether it is kept or not.
        let outside = call.context.host_calls.take();
        // A reel is whole whatever happened to who held it.
        let mut reels = self.reels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reel) = reels.get_mut(call.plugin) else {
            return;
        };
        let frame = Frame {
            event: call.question.event().name().to_owned(),
            subject: call.question.subject(call.context),
            question: RecordedQuestion::of(&call.question),
            seen: Snapshot::of(call.context, call.question.event()),
            outside,
            answer: answer::answer(&call.answer),
        };
        if let Err(error) = reel.write(call.plugin, &self.session, &frame) {
            warn!(session = self.session, plugin = call.plugin, %error, "a recording ends early");
            *reel = Reel::Over;
        }
    }
}

impl Reel {
    fn write(&mut self, plugin: &str, session: &str, frame: &Frame) -> io::Result<()> {
        if let Self::Blank(directory) = self {
            let path = directory.join(format!("{plugin}-{session}.jsonl"));
            // What clients send is nobody else's business.
            let mut options = OpenOptions::new();
            let file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)?;
            info!(session, plugin, file = %path.display(), "recording");
            *self = Self::Open {
                file,
                left: MAX_SIZE,
            };
            self.line(&Heading {
                postgate_recording: VERSION,
                plugin: plugin.to_owned(),
                session: session.to_owned(),
            })?;
        }
        self.line(frame)
    }

    fn line<T: serde::Serialize>(&mut self, value: &T) -> io::Result<()> {
        let Self::Open { file, left } = self else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        *left = left.checked_sub(line.len()).ok_or_else(|| {
            let text = format!("it would be larger than {MAX_SIZE} octets");
            io::Error::new(io::ErrorKind::FileTooLarge, text)
        })?;
        file.write_all(&line)
    }
}

/// The most octets of one recording.
const MAX_SIZE: usize = 64 << 20;
