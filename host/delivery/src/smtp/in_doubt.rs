//! Messages that the server has, and to which it has not replied.

use std::mem;

use tracing::warn;

use crate::message::Message;

/// A message that the server has, and to which it has not replied. If it is dropped before the reply,
/// because the gateway stops, a line of the log says so: the message may be delivered, and the client,
/// which gets no reply either, sends it again (RFC 1047).
pub(super) struct InDoubt<'a> {
    pub(super) backend: &'a str,
    pub(super) message: &'a Message<'a>,
    pub(super) recipients: usize,
}

impl InDoubt<'_> {
    /// The server has replied, or the caller knows why it has not.
    pub(super) fn settle(self) {
        mem::forget(self);
    }
}

impl Drop for InDoubt<'_> {
    fn drop(&mut self) {
        warn!(
            backend = self.backend,
            id = self.message.id,
            recipients = self.recipients,
            "stopped before the backend has replied to a message that it has; it may be delivered twice"
        );
    }
}
