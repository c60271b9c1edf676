//! Whether a server honours BDAT (RFC 3030), which it offers with CHUNKING.

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
