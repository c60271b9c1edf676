//! Nonces for challenges.

use std::fmt;

use crate::auth::digest::hmac;

/// Nonces of one session. They cannot be predicted without the seed, and none repeats.
pub(crate) struct NonceSequence {
    seed: [u8; 32],
    count: u64,
}

impl NonceSequence {
    /// A sequence for a seed of random octets, which must not be used for another session.
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    /// The next nonce.
    pub(crate) fn next_nonce(&mut self) -> [u8; 32] {
        self.count += 1;
        hmac(&self.seed, &[b"nonce", &self.count.to_be_bytes()])
    }
}

/// Hides the seed.
impl fmt::Debug for NonceSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NonceSequence")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_differ() {
        let mut nonces = NonceSequence::new([1; 32]);
        let first = nonces.next_nonce();
        assert_ne!(nonces.next_nonce(), first);
        assert_ne!(NonceSequence::new([2; 32]).next_nonce(), first);
        assert_eq!(NonceSequence::new([1; 32]).next_nonce(), first);
    }
}
