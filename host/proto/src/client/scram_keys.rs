//! Keys derived from a password (RFC 5802 §3).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The keys derived from a password and a salt (RFC 5802 §3).
pub(super) struct ClientKeys {
    salt: Vec<u8>,
    iterations: u32,
    pub(super) client_key: Zeroizing<[u8; 32]>,
    pub(super) server_key: Zeroizing<[u8; 32]>,
}

impl ClientKeys {
    pub(super) fn new(password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = salted(password, salt, iterations);
        Self {
            salt: salt.to_vec(),
            iterations,
            client_key: Zeroizing::new(hash(&*salted, b"Client Key")),
            server_key: Zeroizing::new(hash(&*salted, b"Server Key")),
        }
    }

    pub(super) fn are_for(&self, salt: &[u8], iterations: u32) -> bool {
        (self.salt.as_slice(), self.iterations) == (salt, iterations)
    }
}

/// `Hi` (RFC 5802 §2.2).
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<[u8; 32]> {
    let keyed = keyed(password);
    let mut round = Zeroizing::new([0; 32]);
    let first = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]);
    round.copy_from_slice(&first.finalize().into_bytes());
    let mut all = round.clone();
    for _ in 1..iterations {
        let next = keyed.clone().chain_update(*round);
        round.copy_from_slice(&next.finalize().into_bytes());
        for (octet, other) in all.iter_mut().zip(round.iter()) {
            *octet ^= other;
        }
    }
    all
}

pub(super) fn hash(key: &[u8], message: &[u8]) -> [u8; 32] {
    keyed(key)
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // Never fails: HMAC accepts keys of any length.
    Hmac::new_from_slice(key).expect("a key of any length")
}
