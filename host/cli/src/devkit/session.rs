//! A session of the harness, whose client is a tool.

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

/// A session with one plugin, whose client is a tool.
pub struct HarnessSession<'a> {
    pub(super) tokio: &'a Tokio,
    pub(super) client: MemoryClient,
    /// The driver of the session; `None` once the session is over.
    pub(super) driver: Option<Pin<Box<dyn Future<Output = Ending>>>>,
    pub(super) calls: Arc<Calls>,
    /// The octets of the server that the client has not read yet.
    pub(super) unread: Vec<u8>,
    /// The Maildir of the backend.
    pub(super) maildir: PathBuf,
    pub(super) _directory: TempDir,
}

impl HarnessSession<'_> {
    /// Returns the calls of the plugin since the last call of this function.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// Closes the connection of the client, which ends the session.
    pub fn finish(&mut self) {
        self.client.set_event(ClientEvent::Close);
        self.drive();
    }

    /// Returns the last message of the backend without the trace fields that the gateway adds. Returns
    /// `None` if there is no message.
    pub fn delivered(&self) -> Option<Vec<u8>> {
        let newest = fs::read_dir(self.maildir.join("new"))
            .ok()?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .max_by_key(|path| fs::metadata(path).and_then(|data| data.modified()).ok())?;
        Some(without_trace(&fs::read(newest).ok()?).to_vec())
    }

    /// Drives the session until it waits for the client or ends.
    fn drive(&mut self) {
        let Some(driver) = &mut self.driver else {
            return;
        };
        let client = &self.client;
        let driven = poll_fn(|context| match driver.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(DriverState::Ended),
            Poll::Pending if client.is_awaited() => Poll::Ready(DriverState::AwaitsClient),
            // The session waits for a plugin, a file or the clock, which wake this task.
            Poll::Pending => Poll::Pending,
        });
        if let DriverState::Ended = self.tokio.block_on(driven) {
            self.driver = None;
        }
        self.client.receive(&mut self.unread);
    }
}

enum DriverState {
    AwaitsClient,
    Ended,
}

impl Server for HarnessSession<'_> {
    fn send(&mut self, octets: &[u8]) {
        // The server must write its replies to earlier octets first.
        self.drive();
        self.client.send(octets);
        self.drive();
    }

    fn hang_up(&mut self) {
        self.drive();
        self.finish();
    }

    fn begin_tls(&mut self, shows: Certificate) {
        self.drive();
        self.client.set_event(ClientEvent::Handshake(shows));
        self.drive();
    }

    fn wait(&mut self) {
        self.drive();
        self.client.set_event(ClientEvent::Wait);
        self.drive();
    }

    fn hear(&mut self) -> Heard {
        self.drive();
        match self.unread.iter().position(|octet| *octet == b'\n') {
            Some(end) => {
                let line: Vec<_> = self.unread.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                Heard::Line(line.trim_end_matches(['\r', '\n']).to_owned())
            }
            None if self.driver.is_none() => Heard::Close,
            None => Heard::Nothing,
        }
    }

    fn script(&mut self, _: &ScriptedAnswer) {
        // Scripted answers are for tests of the protocol. Here the plugin answers.
    }

    fn is_quiet(&mut self) -> Option<bool> {
        self.drive();
        Some(self.unread.is_empty() && self.driver.is_some())
    }

    fn asked(&mut self) -> Option<Vec<String>> {
        None
    }

    fn stored(&mut self) -> Option<Vec<u8>> {
        self.drive();
        self.delivered()
    }

    fn leftovers(&mut self) -> Option<String> {
        self.drive();
        match self.unread.is_empty() {
            true => None,
            false => Some(self.unread.escape_ascii().to_string()),
        }
    }
}

/// Collects the calls of the plugin.
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
        // Adding and taking calls does not panic, so the list is consistent.
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
