//! The keys of users for SCRAM, and decoys for unknown users.

use std::fmt;

use zeroize::Zeroize;

use crate::auth::digest::hmac;

/// The keys of a user for SCRAM-SHA-256 (RFC 5802 §3). They do not reveal the password, but allow to
/// impersonate the server. They are zeroized on drop, and `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    pub(super) stored_key: [u8; 32],
    pub(super) server_key: [u8; 32],
}

impl ScramKeys {
    /// Keys with a salt of 8 to 64 octets, 4,096 to 1,000,000 iterations (RFC 7677 §4), and StoredKey
    /// and ServerKey of 32 octets each.
    ///
    /// # Errors
    ///
    /// Fails if a value is out of its range.
    pub fn new(
        salt: Vec<u8>,
        iterations: u32,
        stored_key: &[u8],
        server_key: &[u8],
    ) -> Result<Self, InvalidKeys> {
        KeyShape::new(salt.len(), iterations)?;
        Ok(Self {
            salt,
            iterations,
            stored_key: stored_key.try_into().map_err(|_| InvalidKeys::Key)?,
            server_key: server_key.try_into().map_err(|_| InvalidKeys::Key)?,
        })
    }
}

/// What keys of different users have in common, and a client sees before it has proved anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShape {
    salt_length: u8,
    iterations: u32,
}

impl KeyShape {
    /// The shape of keys with a salt of 8 to 64 octets, and 4,096 to 1,000,000 iterations (RFC 7677 §4).
    ///
    /// # Errors
    ///
    /// Fails if a value is out of its range.
    pub fn new(salt_length: usize, iterations: u32) -> Result<Self, InvalidKeys> {
        let salt_length = u8::try_from(salt_length).map_err(|_| InvalidKeys::Salt)?;
        if !(8..=64).contains(&salt_length) {
            return Err(InvalidKeys::Salt);
        }
        if !(MIN_ITERATIONS..=1_000_000).contains(&iterations) {
            return Err(InvalidKeys::Iterations);
        }
        Ok(Self {
            salt_length,
            iterations,
        })
    }

    /// The length of the salt in octets, 8 to 64.
    pub const fn salt_length(self) -> u8 {
        self.salt_length
    }

    /// The number of iterations, 4,096 to 1,000,000.
    pub const fn iterations(self) -> u32 {
        self.iterations
    }
}

/// 16 octets of salt, and the least iterations.
impl Default for KeyShape {
    fn default() -> Self {
        Self {
            salt_length: 16,
            iterations: MIN_ITERATIONS,
        }
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(..)")
    }
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.stored_key.zeroize();
        self.server_key.zeroize();
    }
}

/// Why keys are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidKeys {
    /// The number of iterations is out of range.
    Iterations,
    /// StoredKey or ServerKey does not have 32 octets.
    Key,
    /// The length of the salt is out of range.
    Salt,
}

impl fmt::Display for InvalidKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iterations => "the iterations must be 4,096 to 1,000,000",
            Self::Key => "stored key and server key must have 32 octets",
            Self::Salt => "the salt must have 8 to 64 octets",
        })
    }
}

impl std::error::Error for InvalidKeys {}

/// The source of keys for one unknown user, whom a client cannot distinguish from a known one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Decoy {
    /// Octets that nobody can guess. They are different for each name, and the same in every session.
    pub secret: [u8; 32],
    /// The shape of the keys, that of known users.
    pub shape: KeyShape,
}

impl Decoy {
    pub(super) fn keys(&self) -> ScramKeys {
        let made = |what: &[u8]| hmac(&self.secret, &[what]);
        let salt_length = usize::from(self.shape.salt_length);
        ScramKeys {
            salt: [made(b"salt"), made(b"more salt")].concat()[..salt_length].to_vec(),
            iterations: self.shape.iterations,
            stored_key: made(b"stored key"),
            server_key: made(b"server key"),
        }
    }
}

impl fmt::Debug for Decoy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoy(..)")
    }
}

/// The result of a lookup of a user's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScramLookup {
    /// The user exists.
    Known(ScramKeys),
    /// The user does not exist. The exchange continues with keys made from the decoy, and fails.
    Unknown(Decoy),
}

/// RFC 7677 §4.
const MIN_ITERATIONS: u32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_bounds() {
        let table = [
            (8, 4_096, 32, Ok(())),
            (64, 1_000_000, 32, Ok(())),
            (7, 4_096, 32, Err(InvalidKeys::Salt)),
            (65, 4_096, 32, Err(InvalidKeys::Salt)),
            (8, 4_095, 32, Err(InvalidKeys::Iterations)),
            (8, 1_000_001, 32, Err(InvalidKeys::Iterations)),
            (8, 4_096, 31, Err(InvalidKeys::Key)),
            (8, 4_096, 33, Err(InvalidKeys::Key)),
        ];
        for (salt, iterations, key, expected) in table {
            let keys = ScramKeys::new(vec![1; salt], iterations, &vec![2; key], &[3; 32]);
            assert_eq!(keys.map(|_| ()), expected, "{salt} {iterations} {key}");
        }
    }

    #[test]
    fn decoys_look_like_keys_and_differ() {
        let decoy = |octet, salt_length| Decoy {
            secret: [octet; 32],
            shape: KeyShape::new(salt_length, 5_000).unwrap(),
        };
        for salt_length in [8, 33, 64] {
            let keys = decoy(1, salt_length).keys();
            assert_eq!((keys.salt.len(), keys.iterations), (salt_length, 5_000));
            assert_eq!(keys, decoy(1, salt_length).keys());
            assert_ne!(keys.salt, decoy(2, salt_length).keys().salt);
        }
    }
}
