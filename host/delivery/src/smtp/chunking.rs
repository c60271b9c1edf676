//! Whether a server honours BDAT (RFC 3030), which it offers with CHUNKING.

use std::time::Duration;

/// What is known of a connection whose server offers CHUNKING. It is asked anew on each connection:
/// those of one backend may lead to different machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunking {
    /// The server has refused a chunk, and may take its octets for the beginning of the next command.
    Doubtful,
    /// The server has accepted a chunk.
    Proven,
    /// The server has not been asked.
    Unproven,
}

impl Chunking {
    /// True if the first octet of a message is to be sent alone, and answered, before the rest: if the
    /// server has not shown that it honours BDAT, or has been quiet for longer than `patience`. A
    /// client may take minutes to send the message, and on a connection that is dead by then, all of
    /// it would be sent to nobody.
    pub(super) fn asks_first(self, quiet: Duration, patience: Duration) -> bool {
        match self {
            Self::Doubtful | Self::Unproven => true,
            Self::Proven => quiet >= patience,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_without_asking() {
        for (chunking, quiet, expected) in [
            (Chunking::Unproven, 0, true),
            (Chunking::Doubtful, 0, true),
            (Chunking::Proven, 0, false),
            (Chunking::Proven, 4, false),
            (Chunking::Proven, 5, true),
        ] {
            let asks = chunking.asks_first(Duration::from_secs(quiet), Duration::from_secs(5));
            assert_eq!(asks, expected, "{chunking:?} {quiet}");
        }
    }
}
