//! The state that all connections of a backend share.

use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustls::HandshakeKind;

use super::script::{Act, Event, Mail};
use super::transport::Tls;

pub(super) struct Shared {
    pub(super) script: Box<dyn Fn(&Event<'_>) -> Act + Send + Sync>,
    pub(super) tls: Option<Tls>,
    pub(super) seen: Mutex<Seen>,
    pub(super) closing: AtomicBool,
}

/// What the gateway has done so far.
#[derive(Default)]
pub(super) struct Seen {
    /// The command lines of each connection.
    pub(super) transcripts: Vec<Vec<String>>,
    pub(super) streams: Vec<TcpStream>,
    pub(super) taken: Vec<Mail>,
    pub(super) handshakes: Vec<HandshakeKind>,
}

impl Shared {
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, connection: usize, line: &str) {
        self.seen().transcripts[connection].push(line.to_owned());
    }
}
