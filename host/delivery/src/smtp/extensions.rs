//! The extensions of a server that are used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use postgate_proto::client::{Capabilities, Extension};
use postgate_proto::parameters::{Body, Extensions};
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
    /// True if a message with REQUIRETLS could be sent on the newest connection.
    keeps_tls: AtomicBool,
}

impl ServerExtensions {
    pub(super) fn new(switched_off: Vec<Extension>) -> Self {
        Self {
            switched_off,
            lacks_chunking: AtomicBool::new(false),
            seen: ArcSwapOption::empty(),
            keeps_tls: AtomicBool::new(true),
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

    /// Notes what the server offers on a new connection, without what is not used. `keeps_tls` is true if
    /// a message with REQUIRETLS can be sent on it.
    pub(super) fn note(&self, capabilities: &Capabilities, keeps_tls: bool) {
        self.keeps_tls.store(keeps_tls, Ordering::Relaxed);
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

    /// The extensions that the reply to EHLO can announce to clients: those that can be used with the
    /// server, as far as the newest connection has shown, and those that need no server. Sessions read it
    /// at each EHLO, without a lock.
    ///
    /// Before the first connection, all of them: a client that is not offered an extension gives up at
    /// once, while one whose message needs it of a server that lacks it is refused then.
    pub(super) fn announced(&self) -> Extensions {
        let Some(seen) = &*self.seen.load() else {
            return Extensions::ALL;
        };
        Extensions {
            binarymime: seen.take(Body::BinaryMime),
            dsn: seen.offers("DSN"),
            eight_bit_mime: seen.offers("8BITMIME"),
            requiretls: self.keeps_tls.load(Ordering::Relaxed),
            smtputf8: seen.offers("SMTPUTF8"),
            // Chunks are put together here, and passed on as the server likes.
            ..Extensions::ALL
        }
    }
}

/// BINARYMIME needs CHUNKING (RFC 3030 §3).
const OF_CHUNKING: [Extension; 2] = [Extension::BinaryMime, Extension::Chunking];

#[cfg(test)]
mod tests {
    use postgate_proto::reply::Reply;

    use super::*;

    fn capabilities(keywords: &[&str]) -> Capabilities {
        let lines = ["hi"].iter().chain(keywords).map(ToString::to_string);
        Capabilities::parse(&Reply::plain(250, lines.collect()).unwrap())
    }

    #[test]
    fn what_a_server_lacks_is_not_announced() {
        let none = Extensions {
            binarymime: false,
            dsn: false,
            eight_bit_mime: false,
            requiretls: false,
            smtputf8: false,
            ..Extensions::ALL
        };
        let dsn = Extensions { dsn: true, ..none };
        let requiretls = Extensions {
            requiretls: true,
            ..none
        };
        let texts = Extensions {
            eight_bit_mime: true,
            smtputf8: true,
            ..none
        };
        let binarymime = Extensions {
            binarymime: true,
            ..none
        };
        let table = [
            (&[][..], false, none),
            (&["CHUNKING", "PIPELINING"], false, none),
            (&["BINARYMIME"], false, none),
            (&["dsn"], false, dsn),
            (&[], true, requiretls),
            (&["8BITMIME", "SMTPUTF8"], false, texts),
            (&["BINARYMIME", "CHUNKING"], false, binarymime),
        ];
        let newest = ServerExtensions::new(Vec::new());
        assert_eq!(newest.announced(), Extensions::ALL);
        for (keywords, keeps_tls, expected) in table {
            newest.note(&capabilities(keywords), keeps_tls);
            assert_eq!(newest.announced(), expected, "{keywords:?}");
        }
    }
}
