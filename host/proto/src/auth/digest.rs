//! HMAC-SHA-256 and SHA-256.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// HMAC-SHA-256 of the concatenated parts.
pub(super) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key is padded with zeros to the block size (RFC 2104 §2).
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut hmac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        hmac.update(part);
    }
    hmac.finalize().into_bytes().into()
}

pub(super) fn sha256(octets: &[u8]) -> [u8; 32] {
    Sha256::digest(octets).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 §4.3, with its key padded.
    #[test]
    fn the_known_answer() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let digest = hmac(&key, &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(digest[..6], [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60]);
    }
}
