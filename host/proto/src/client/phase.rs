//! What the server accepts next.

use crate::client::encoder::Encoder;
use crate::client::sasl::Exchange;

/// What the server accepts next.
#[derive(Debug)]
pub(super) enum Phase {
    Auth(Exchange),
    Commands,
    /// The TLS handshake.
    Handshake,
    Message(Encoder),
}
