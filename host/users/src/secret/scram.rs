//! Keys for SCRAM-SHA-256 (RFC 5802 §3) in the format of Dovecot.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::secret::cost::{Budget, TooCostly, Work};

/// Keys for SCRAM-SHA-256. They do not reveal the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The salt, 8 to 64 octets.
    pub salt: Vec<u8>,
    /// The number of iterations, 4,096 to 1,000,000.
    pub iterations: u32,
    /// StoredKey, which verifies clients.
    pub stored_key: [u8; 32],
    /// ServerKey, with which the server proves its identity.
    pub server_key: [u8; 32],
}

impl ScramKeys {
    /// Derives keys from a prepared password (RFC 4013).
    pub(super) fn new(password: &[u8], salt: Vec<u8>, iterations: u32) -> Self {
        #[cfg(test)]
        crate::secret::work::record(format!("scram {iterations}"));
        let mut salted = Zeroizing::new([0; 32]);
        // Never fails: HMAC accepts keys of any length.
        _ = pbkdf2::pbkdf2::<Hmac<Sha256>>(password, &salt, iterations, &mut *salted);
        let client_key = Zeroizing::new(keyed(&salted, b"Client Key"));
        Self {
            salt,
            iterations,
            stored_key: Sha256::digest(*client_key).into(),
            server_key: keyed(&salted, b"Server Key"),
        }
    }

    /// Parses `100000,SALT,STOREDKEY,SERVERKEY`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let iterations = parts.next()?.parse().ok()?;
        let mut octets = || STANDARD.decode(parts.next()?).ok();
        let keys = Self {
            iterations,
            salt: octets()?,
            stored_key: octets()?.try_into().ok()?,
            server_key: octets()?.try_into().ok()?,
        };
        let is_good = parts.next().is_none()
            && (4_096..=1_000_000).contains(&iterations)
            && (8..=64).contains(&keys.salt.len());
        is_good.then_some(keys)
    }

    /// True if these are the keys of the empty password, with which anybody could log in. Costs as much
    /// as verifying a password.
    pub fn are_of_empty_password(&self) -> bool {
        self.verify(b"")
    }

    /// Checks that verifying a password stays within a budget.
    pub(super) fn check_cost(&self, budget: Budget) -> Result<(), TooCostly> {
        self.work().check(budget)
    }

    pub(super) const fn work(&self) -> Work {
        Work::scram(self.iterations)
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let found = Self::new(password, self.salt.clone(), self.iterations);
        found.stored_key.ct_eq(&self.stored_key).into()
    }
}

fn keyed(key: &[u8; 32], text: &[u8]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // Never fails: HMAC accepts keys of any length.
        return [0; 32];
    };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

impl fmt::Display for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|key| STANDARD.encode(key));
        write!(f, "{},{salt},{stored},{server}", self.iterations)
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
