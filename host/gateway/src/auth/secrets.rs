//! The secrets from which nonces, challenges and decoys are derived.
//!
//! A decoy is the SCRAM salt and iteration count of an unknown user. It must look like those of known
//! users, so that clients cannot find out which users exist.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use postgate_proto::auth::{Decoy, ScramKeys};
use postgate_users::Cost;
use sha2::Sha256;

use super::secret_file::{self, AuthSecretError};

/// The secrets of one process.
pub(crate) struct Secrets {
    /// The key from which the seeds of sessions are derived.
    key: [u8; 64],
    decoy: [u8; 32],
    sessions: AtomicU64,
    /// The iteration count and salt length of known users, packed by [`pack`].
    decoy_parameters: AtomicU64,
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
            // The parameters of `postgate user`, until the keys of a known user have others.
            decoy_parameters: AtomicU64::new(pack(
                Cost::DEFAULT.iterations,
                Decoy::default().salt_length,
            )),
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

    /// Returns the decoy for unknown users, with the parameters of the last known user.
    pub(crate) fn decoy(&self) -> Decoy {
        let packed = self.decoy_parameters.load(Ordering::Relaxed);
        let [salt_length, _, _, _, iterations @ ..] = packed.to_be_bytes();
        Decoy {
            secret: self.decoy,
            iterations: u32::from_be_bytes(iterations),
            salt_length,
        }
    }

    /// Gives decoys the parameters of these keys of a known user.
    pub(crate) fn adopt_parameters(&self, keys: &ScramKeys) {
        let packed = pack(keys.iterations(), keys.salt_length());
        self.decoy_parameters.store(packed, Ordering::Relaxed);
    }
}

/// Packs both parameters into one number, so that an atomic can hold them.
fn pack(iterations: u32, salt_length: u8) -> u64 {
    u64::from(salt_length) << 56 | u64::from(iterations)
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
        assert_eq!(secrets.decoy().secret, secrets.decoy().secret);
        let keys = ScramKeys::new(vec![1; 24], 10_000, &[2; 32], &[3; 32]).unwrap();
        secrets.adopt_parameters(&keys);
        let decoy = secrets.decoy();
        assert_eq!((decoy.iterations, decoy.salt_length), (10_000, 24));
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
        assert_eq!(first.decoy(), second.decoy());
        assert_ne!(first.seed(), second.seed());
    }
}
