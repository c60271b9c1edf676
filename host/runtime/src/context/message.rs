//! The message of a transaction, as far as it has arrived.

use std::sync::{Arc, OnceLock};

use postgate_mime::Mime;
use postgate_proto::header::{HeaderBlock, Revised};
use postgate_spool::Content;

/// The message of a transaction, as far as it has arrived, with the edits of plugins so far.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The time at which the client began to send the message, in seconds since 1970-01-01 UTC, or 0
    /// before.
    pub started_at: u32,
    /// The time at which the message was complete, in seconds since 1970-01-01 UTC, or 0 before.
    pub completed_at: u32,
    /// True once the header block has arrived.
    pub headers_complete: bool,
    /// The header block.
    pub headers: HeaderBlock,
    /// The id that a plugin has set instead of that of the transaction.
    pub id: Option<String>,
    /// The body: everything after the header block.
    pub body: Content,
    /// The MIME parts, once a plugin has asked for them.
    mime: OnceLock<Arc<Mime>>,
}

impl Message {
    /// Creates a message whose body has not arrived.
    pub fn of_headers(headers: HeaderBlock, started_at: u32) -> Self {
        Self {
            started_at,
            headers_complete: true,
            headers,
            ..Self::default()
        }
    }

    /// Sets the body.
    pub fn set_body(&mut self, body: Content) {
        self.body = body;
        self.mime = OnceLock::new();
    }

    /// Takes over edits of the header block. The MIME parts depend on it, and are parsed again.
    pub(crate) fn take_over_headers(&mut self, revised: Revised) {
        self.headers.take_over(revised);
        self.mime = OnceLock::new();
    }

    /// The MIME parts, or `None` if no plugin has asked for them yet.
    pub fn mime(&self) -> Option<&Arc<Mime>> {
        self.mime.get()
    }

    /// Keeps the MIME parts for the next plugin that asks for them.
    pub fn set_mime(&self, mime: Arc<Mime>) {
        // If they are set already, both have the same value.
        _ = self.mime.set(mime);
    }

    /// The size of header block and body in octets.
    pub fn size(&self) -> u64 {
        self.headers.size() as u64 + self.body.len()
    }
}
