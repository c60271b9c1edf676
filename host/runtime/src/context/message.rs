//! A message as it stands now.

use std::sync::{Arc, OnceLock};

use postgate_mime::Mime;
use postgate_proto::header::{HeaderBlock, HeaderEdit};
use postgate_spool::Content;

/// A message as it stands now.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// When the client began to send it, in seconds since 1970-01-01 UTC; 0 before.
    pub started_at: u32,
    /// When it was complete, in seconds since 1970-01-01 UTC; 0 before.
    pub completed_at: u32,
    /// True once the header block has arrived.
    pub headers_complete: bool,
    /// The header block.
    pub headers: HeaderBlock,
    /// The name that a plugin gave it, in place of the id of the transaction.
    pub id: Option<String>,
    /// Everything behind the header block.
    pub body: Content,
    /// The parts, once somebody has looked for them.
    mime: OnceLock<Arc<Mime>>,
}

impl Message {
    /// A message whose body has not arrived.
    pub fn of_headers(headers: HeaderBlock, started_at: u32) -> Self {
        Self {
            started_at,
            headers_complete: true,
            headers,
            ..Self::default()
        }
    }

    /// Puts the body behind the header block.
    pub fn set_body(&mut self, body: Content) {
        self.body = body;
        self.mime = OnceLock::new();
    }

    /// Changes the header block, on which the parts depend.
    pub fn edit_headers(&mut self, edit: &HeaderEdit) {
        self.headers.apply(edit);
        self.mime = OnceLock::new();
    }

    /// The parts of the message; `None` if nobody has looked for them.
    pub fn mime(&self) -> Option<&Arc<Mime>> {
        self.mime.get()
    }

    /// Remembers the parts of the message for the plugins to come.
    pub fn set_mime(&self, mime: Arc<Mime>) {
        // Whoever was first has found the same.
        _ = self.mime.set(mime);
    }

    /// The size in octets.
    pub fn size(&self) -> u64 {
        self.headers.size() as u64 + self.body.len()
    }
}
