//! A message on its way in.

use postgate_spool::Spool;

/// A message on its way in.
pub(super) struct Incoming {
    /// The header block, until it is parsed; `None` from then on.
    pub(super) head: Option<Vec<u8>>,
    pub(super) spool: Spool,
    /// How much of the body the plugins have seen, in octets.
    pub(super) seen: u32,
    /// What comes next, as long as it is too short to be shown.
    pub(super) unseen: Vec<u8>,
    /// When its first octets came, in seconds since 1970-01-01 UTC; 0 before.
    pub(super) started_at: u32,
}

impl Incoming {
    pub(super) const fn new(spool: Spool) -> Self {
        Self {
            head: Some(Vec::new()),
            spool,
            seen: 0,
            unseen: Vec::new(),
            started_at: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.head.get_or_insert_default().clear();
        self.spool.clear();
        self.seen = 0;
        self.unseen.clear();
        self.started_at = 0;
    }
}
