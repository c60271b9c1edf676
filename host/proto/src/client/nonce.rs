//! Nonces of the client.

use std::fmt;

/// Octets that nobody can guess, used once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Nonce(pub [u8; 18]);

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}
