//! A session that the harness plays.

use std::fs;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use postgate_dialog::play::{Heard, Server};
use postgate_dialog::{Certificate, ScriptedAnswer};
use postgate_proto::session::Ending;
use postgate_runtime::observer::{ObservedCall, Observer};
use postgate_runtime::recording::{self, Recorder};
use tempfile::TempDir;
use tokio::runtime::Runtime as Tokio;

use super::call::Call;
use super::memory::{ClientEvent, MemoryClient};
use super::trace_fields::without_trace;

/// A session with one plugin, whose client is the tool itself.
pub struct HarnessSession<'a> {
    pub(super) tokio: &'a Tokio,
    pub(super) client: MemoryClient,
    /// The driver of the session; `None` once the session is over.
    pub(super) driver: Option<Pin<Box<dyn Future<Output = Ending>>>>,
    pub(super) calls: Arc<Calls>,
    /// What the server has said and nobody has heard yet.
    pub(super) said: Vec<u8>,
    /// The directory of the message store.
    pub(super) maildir: PathBuf,
    pub(super) _directory: TempDir,
}

impl HarnessSession<'_> {
    /// The calls of the plugin since the last call of this.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// Ends the session, as a client does that goes away.
    pub fn finish(&mut self) {
        self.client.set_event(ClientEvent::Close);
        self.play();
    }

    /// The message that the backend got last, without the fields that the gateway adds.
    pub fn delivered(&self) -> Option<Vec<u8>> {
        let newest = fs::read_dir(self.maildir.join("new"))
            .ok()?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            // Names begin with the time, and then count.
            .max_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok())?;
        Some(without_trace(&fs::read(newest).ok()?).to_vec())
    }

    /// Drives the session until it waits for the client, or is over.
    fn play(&mut self) {
        let Some(driver) = &mut self.driver else {
            return;
        };
        let client = &self.client;
        let played = poll_fn(|context| match driver.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(Played::Over),
            Poll::Pending if client.is_awaited() => Poll::Ready(Played::Waits),
            // It waits for something that wakes this task: a plugin, a file, the clock.
            Poll::Pending => Poll::Pending,
        });
        if let Played::Over = self.tokio.block_on(played) {
            self.driver = None;
        }
        self.client.receive(&mut self.said);
    }
}

enum Played {
    Over,
    Waits,
}

impl Server for HarnessSession<'_> {
    fn send(&mut self, octets: &[u8]) {
        // What the server says before it reads belongs before what it says to this.
        self.play();
        self.client.send(octets);
        self.play();
    }

    fn hang_up(&mut self) {
        self.play();
        self.finish();
    }

    fn begin_tls(&mut self, shows: Certificate) {
        self.play();
        self.client.set_event(ClientEvent::Handshake(shows));
        self.play();
    }

    fn wait(&mut self) {
        self.play();
        self.client.set_event(ClientEvent::Wait);
        self.play();
    }

    fn hear(&mut self) -> Heard {
        self.play();
        match self.said.iter().position(|octet| *octet == b'\n') {
            Some(end) => {
                let line: Vec<_> = self.said.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                Heard::Line(line.trim_end_matches(['\r', '\n']).to_owned())
            }
            None if self.driver.is_none() => Heard::Close,
            None => Heard::Nothing,
        }
    }

    fn script(&mut self, _: &ScriptedAnswer) {
        // The plugin answers; a dialog that scripts the policy is for the protocol alone.
    }

    fn is_quiet(&mut self) -> Option<bool> {
        self.play();
        Some(self.said.is_empty() && self.driver.is_some())
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        None
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        self.play();
        self.delivered()
    }

    fn leftovers(&mut self) -> Option<String> {
        self.play();
        match self.said.is_empty() {
            true => None,
            false => Some(self.said.escape_ascii().to_string()),
        }
    }
}

/// Keeps what the plugin was asked and said.
pub(super) struct Calls {
    calls: Mutex<Vec<Call>>,
    recorder: Option<Recorder>,
}

impl Calls {
    pub(super) fn new(recorder: Option<Recorder>) -> Self {
        Self {
            calls: Mutex::default(),
            recorder,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        // A list is whole whatever happened to who held it.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Calls {
    fn observe(&self, call: &ObservedCall<'_>) {
        if let Some(recorder) = &self.recorder {
            recorder.observe(call);
        }
        self.lock().push(Call {
            event: call.question.event(),
            subject: call.question.subject(call.context),
            answer: recording::answer_json(&call.answer),
            elapsed: call.elapsed,
        });
    }
}
