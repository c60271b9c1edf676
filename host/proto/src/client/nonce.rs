//! Nonces of the client.

use std::fmt;

/// Unpredictable octets for a single exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 18]);

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}
