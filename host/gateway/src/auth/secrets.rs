//! The random octets of which nonces, challenges and decoys are made.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use postgate_proto::auth::{Decoy, ScramKeys};
use postgate_users::Cost;
use sha2::Sha256;

use super::secret_file::{self, AuthSecretError};

/// What one process draws once, and derives for its sessions.
pub(crate) struct Secrets {
    key: [u8; 64],
    decoy: [u8; 32],
    sessions: AtomicU64,
    /// The iterations and the length of the salt of known users, in one number.
    shape: AtomicU64,
}

impl Secrets {
    /// Draws them.
    ///
    /// # Errors
    ///
    /// Where the system has no random octets.
    pub(crate) fn draw() -> Result<Self, getrandom::Error> {
        let (mut key, mut decoy) = ([0; 64], [0; 32]);
        getrandom::fill(&mut key)?;
        getrandom::fill(&mut decoy)?;
        Ok(Self {
            key,
            decoy,
            sessions: AtomicU64::new(0),
            // What `postgate user` gives to users, until there is one that says otherwise.
            shape: AtomicU64::new(shape(
                Cost::DEFAULT.iterations,
                Decoy::default().salt_length,
            )),
        })
    }

    /// Takes the secret of the file for decoys, so that unknown users have the same salts after a
    /// start and on other machines. The file is made where it is not there.
    ///
    /// # Errors
    ///
    /// Where the file cannot be used.
    pub(crate) fn with_decoys_of(self, file: &Path) -> Result<Self, AuthSecretError> {
        Ok(Self {
            decoy: secret_file::secret(file)?,
            ..self
        })
    }

    /// The seed of the next session.
    pub(crate) fn seed(&self) -> [u8; 32] {
        let session = self.sessions.fetch_add(1, Ordering::Relaxed);
        let mut hmac = Hmac::<Sha256>::new(&self.key.into());
        hmac.update(&session.to_be_bytes());
        hmac.finalize().into_bytes().into()
    }

    /// What keys for unknown users are made of.
    pub(crate) fn decoy(&self) -> Decoy {
        let [salt_length, iterations @ ..] = self.shape.load(Ordering::Relaxed).to_be_bytes();
        let [_, _, _, iterations @ ..] = iterations;
        Decoy {
            secret: self.decoy,
            iterations: u32::from_be_bytes(iterations),
            salt_length,
        }
    }

    /// A user has such keys; those of the unknown will look the same.
    pub(crate) fn note(&self, keys: &ScramKeys) {
        let shape = shape(keys.iterations(), keys.salt_length());
        self.shape.store(shape, Ordering::Relaxed);
    }
}

fn shape(iterations: u32, salt_length: u8) -> u64 {
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
    fn seeds_differ_and_decoys_stay() {
        let secrets = Secrets::draw().unwrap();
        assert_ne!(secrets.seed(), secrets.seed());
        assert_eq!(secrets.decoy().secret, secrets.decoy().secret);
        let keys = ScramKeys::new(vec![1; 24], 10_000, &[2; 32], &[3; 32]).unwrap();
        secrets.note(&keys);
        let decoy = secrets.decoy();
        assert_eq!((decoy.iterations, decoy.salt_length), (10_000, 24));
        assert_ne!(secrets.seed(), Secrets::draw().unwrap().seed());
    }

    #[test]
    fn decoys_of_a_file_are_those_of_before() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let drawn = || Secrets::draw().unwrap().with_decoys_of(&file).unwrap();
        let (first, second) = (drawn(), drawn());
        assert_eq!(first.decoy(), second.decoy());
        assert_ne!(first.seed(), second.seed());
    }
}
