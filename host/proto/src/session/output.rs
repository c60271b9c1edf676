//! What is to be sent to the client.

use std::mem;

/// Replies that were not sent yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) octets: Vec<u8>,
    written: bool,
}

impl Output {
    /// All of them, which count as sent from now on.
    pub(super) fn write(&mut self) -> &[u8] {
        self.written = true;
        &self.octets
    }

    pub(super) fn forget_written(&mut self) {
        if mem::take(&mut self.written) {
            self.octets.clear();
        }
    }
}
