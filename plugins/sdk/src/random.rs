//! Random octets, suitable for cryptographic keys. The operator must grant them:
//! `grants = ["random"]` in the sidecar file.

use crate::host;

/// Returns `length` random octets, at most 4,096 in one call.
pub fn octets(length: u32) -> Vec<u8> {
    host::random::octets(length)
}
