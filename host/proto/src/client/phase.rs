//! What the server accepts next.

use crate::client::encoder::Encoder;
use crate::client::sasl::Exchange;

/// What the server takes next.
#[derive(Debug)]
pub(super) enum Phase {
    Auth(Exchange),
    Commands,
    /// The server waits for the handshake.
    Handshake,
    Message(Encoder),
}
