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
        if !(8..=64).contains(&salt.len()) {
            return Err(InvalidKeys::Salt);
        }
        if !(MIN_ITERATIONS..=1_000_000).contains(&iterations) {
            return Err(InvalidKeys::Iterations);
        }
        Ok(Self {
            salt,
            iterations,
            stored_key: stored_key.try_into().map_err(|_| InvalidKeys::Key)?,
            server_key: server_key.try_into().map_err(|_| InvalidKeys::Key)?,
        })
    }

    /// The number of iterations.
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The length of the salt in octets.
    pub fn salt_length(&self) -> u8 {
        // At most 64, as `new` has checked.
        u8::try_from(self.salt.len()).unwrap_or(u8::MAX)
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

/// The source of keys for unknown users, which a client cannot distinguish from known ones. A name has
/// the same salt in every session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decoy {
    /// Random octets, the same in every session.
    pub secret: [u8; 32],
    /// The number of iterations of known users.
    pub iterations: u32,
    /// The length of the salt of known users in octets, at most 64.
    pub salt_length: u8,
}

impl Decoy {
    fn salt_length(&self) -> usize {
        usize::from(self.salt_length).min(64)
    }

    pub(super) fn keys(&self, identity: &str) -> ScramKeys {
        let made = |what: &[u8]| hmac(&self.secret, &[what, b"\0", identity.as_bytes()]);
        ScramKeys {
            salt: [made(b"salt"), made(b"more salt")].concat()[..self.salt_length()].to_vec(),
            iterations: self.iterations,
            stored_key: made(b"stored key"),
            server_key: made(b"server key"),
        }
    }
}

impl Default for Decoy {
    fn default() -> Self {
        Self {
            secret: [0; 32],
            iterations: MIN_ITERATIONS,
            salt_length: 16,
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
    fn an_unknown_user_has_the_same_salt_each_time() {
        let decoy = Decoy::default();
        assert_eq!(decoy.keys("eve"), decoy.keys("eve"));
        assert_ne!(decoy.keys("eve").salt, decoy.keys("mallory").salt);
        let longer = Decoy {
            salt_length: 40,
            ..decoy
        };
        let (short, long) = (decoy.keys("eve"), longer.keys("eve"));
        assert_eq!((short.salt.len(), long.salt.len()), (16, 40));
        assert!(long.salt.starts_with(&short.salt));
        let other = Decoy {
            secret: [1; 32],
            ..decoy
        };
        assert_ne!(decoy.keys("eve").salt, other.keys("eve").salt);
    }
}
