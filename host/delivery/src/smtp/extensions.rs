//! The extensions of a server that are used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use postgate_proto::client::{Capabilities, Extension};
use postgate_proto::reply::Refusal;
use tracing::warn;

/// The extensions of a server that are used: those that it offers, without those that the operator has
/// switched off, and without those that it does not honour.
#[derive(Debug)]
pub(super) struct ServerExtensions {
    switched_off: Vec<Extension>,
    /// True once the server has refused BDAT, up to the end of the program.
    lacks_chunking: AtomicBool,
    /// What the server has offered on the newest connection.
    seen: ArcSwapOption<Capabilities>,
}

impl ServerExtensions {
    pub(super) fn new(switched_off: Vec<Extension>) -> Self {
        Self {
            switched_off,
            lacks_chunking: AtomicBool::new(false),
            seen: ArcSwapOption::empty(),
        }
    }

    /// The extensions that a new connection does not use, whatever the server offers.
    pub(super) fn unused(&self) -> Vec<Extension> {
        let mut unused = self.switched_off.clone();
        if self.lacks_chunking() {
            unused.extend(OF_CHUNKING);
        }
        unused
    }

    /// True once the server has refused BDAT.
    pub(super) fn lacks_chunking(&self) -> bool {
        self.lacks_chunking.load(Ordering::Relaxed)
    }

    /// Notes that the server has refused BDAT although it offers CHUNKING.
    pub(super) fn lose_chunking(&self, backend: &str, refusal: &Refusal) {
        if self.lacks_chunking.swap(true, Ordering::Relaxed) {
            return;
        }
        warn!(
            backend,
            reply = %refusal.reply(),
            "the backend offers CHUNKING and does not honour BDAT; it gets DATA from now on, as with \
             extensions.chunking = false"
        );
        if let Some(seen) = self.seen() {
            let left = Capabilities::clone(&seen).without(&OF_CHUNKING);
            self.seen.store(Some(Arc::new(left)));
        }
    }

    /// Notes what the server offers on a new connection, without what is not used.
    pub(super) fn note(&self, capabilities: &Capabilities) {
        let is_same = self.seen().is_some_and(|seen| *seen == *capabilities);
        if !is_same {
            self.seen.store(Some(Arc::new(capabilities.clone())));
        }
    }

    /// What can be used with the server, as far as the newest connection has shown. Returns `None`
    /// before the first connection.
    pub(super) fn seen(&self) -> Option<Arc<Capabilities>> {
        self.seen.load_full()
    }
}

/// BINARYMIME needs CHUNKING (RFC 3030 §3).
const OF_CHUNKING: [Extension; 2] = [Extension::BinaryMime, Extension::Chunking];
