//! The secrets from which nonces, challenges and decoys are derived.
//!
//! A decoy is the SCRAM salt and iteration count of an unknown user. It must look like those of known
//! users, so that clients cannot find out which users exist.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use postgate_proto::auth::{Decoy, KeyShape};
use postgate_users::{Cost, canonical_name};
use sha2::Sha256;

use super::secret_file::{self, AuthSecretError};

/// The secrets of one process.
pub(crate) struct Secrets {
    /// The key from which the seeds of sessions are derived.
    key: [u8; 64],
    decoy: [u8; 32],
    sessions: AtomicU64,
}

impl Secrets {
    /// Generates random secrets.
    ///
    /// # Errors
    ///
    /// Fails if the system has no random octets.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let (mut key, mut decoy) = ([0; 64], [0; 32]);
        getrandom::fill(&mut key)?;
        getrandom::fill(&mut decoy)?;
        Ok(Self {
            key,
            decoy,
            sessions: AtomicU64::new(0),
        })
    }

    /// Takes the secret for decoys from a file, so that unknown users have the same salts after a
    /// restart and on other machines. Creates the file if it does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be used.
    pub(crate) fn with_decoy_secret_from(self, file: &Path) -> Result<Self, AuthSecretError> {
        Ok(Self {
            decoy: secret_file::secret(file)?,
            ..self
        })
    }

    /// Returns a seed that no other session has.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let mut hmac = Hmac::<Sha256>::new(&self.key.into());
        hmac.update(&session.to_be_bytes());
        hmac.finalize().into_bytes().into()
    }

    /// Returns the decoy for an unknown user. It depends on the name, whatever its spelling, and on the
    /// shape of keys that plugins have named; by default, that is the shape of `postgate user`. Nothing
    /// else changes it: a decoy that followed the logins of others would be known by that.
    pub(crate) fn decoy(&self, identity: &str, shape: Option<KeyShape>) -> Decoy {
        // A key is padded with zeros to the block size (RFC 2104 section 2).
        let mut key = [0; 64];
        key[..self.decoy.len()].copy_from_slice(&self.decoy);
        let mut hmac = Hmac::<Sha256>::new(&key.into());
        hmac.update(canonical_name(identity).as_bytes());
        let shape_of_new_users = || {
            let salt_length = usize::from(KeyShape::default().salt_length());
            KeyShape::new(salt_length, Cost::DEFAULT.iterations).unwrap_or_default()
        };
        Decoy {
            secret: hmac.finalize().into_bytes().into(),
            shape: shape.unwrap_or_else(shape_of_new_users),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ_and_decoys_do_not() {
        let secrets = Secrets::generate().unwrap();
        assert_ne!(secrets.seed(), secrets.seed());
        let decoy = secrets.decoy("bücher", None);
        for spelling in ["BÜCHER", "bu\u{308}cher", "b\u{ad}ücher"] {
            assert_eq!(secrets.decoy(spelling, None), decoy, "{spelling:?}");
        }
        assert_ne!(secrets.decoy("bucher", None).secret, decoy.secret);
        assert_eq!(decoy.shape.iterations(), Cost::DEFAULT.iterations);
        let shape = KeyShape::new(24, 10_000).unwrap();
        let other = secrets.decoy("bücher", Some(shape));
        assert_eq!((other.secret, other.shape), (decoy.secret, shape));
        assert_ne!(secrets.seed(), Secrets::generate().unwrap().seed());
    }

    #[test]
    fn decoys_with_the_same_file_are_equal() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let generate = || {
            let secrets = Secrets::generate().unwrap();
            secrets.with_decoy_secret_from(&file).unwrap()
        };
        let (first, second) = (generate(), generate());
        assert_eq!(first.decoy("eve", None), second.decoy("eve", None));
        assert_ne!(first.seed(), second.seed());
    }
}
