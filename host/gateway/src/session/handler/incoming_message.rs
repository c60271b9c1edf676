//! A message that is being received.

use postgate_spool::Spool;

/// A message that is being received.
pub(super) struct IncomingMessage {
    /// The header block; `None` once it is parsed.
    pub(super) head: Option<Vec<u8>>,
    /// The body.
    pub(super) spool: Spool,
    /// The length of the part of the body that plugins have seen, in octets.
    pub(super) seen: u32,
    /// The octets behind that part, until there are enough for a chunk.
    pub(super) unseen: Vec<u8>,
    /// When the first octets arrived, in seconds since 1970-01-01 UTC; 0 before.
    pub(super) started_at: u32,
    /// The number of octets that are stored; `None` while no message is being received.
    pub(super) received: Option<u64>,
}

impl IncomingMessage {
    pub(super) const fn new(spool: Spool) -> Self {
        Self {
            head: Some(Vec::new()),
            spool,
            seen: 0,
            unseen: Vec::new(),
            started_at: 0,
            received: None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.head.get_or_insert_default().clear();
        self.spool.clear();
        self.seen = 0;
        self.unseen.clear();
        self.started_at = 0;
        self.received = None;
    }
}
