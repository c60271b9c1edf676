//! The random octets of which nonces, challenges and decoys are made.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use postgate_proto::auth::Decoy;
use postgate_users::Cost;
use sha2::Sha256;

/// What one process draws once, and derives for its sessions.
pub(crate) struct Secrets {
    key: [u8; 64],
    decoy: [u8; 32],
    sessions: AtomicU64,
    iterations: AtomicU32,
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
            iterations: AtomicU32::new(Cost::DEFAULT.iterations),
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
        Decoy {
            secret: self.decoy,
            iterations: self.iterations.load(Ordering::Relaxed),
        }
    }

    /// A user has keys with so many iterations; so will those who are unknown.
    pub(crate) fn note_iterations(&self, iterations: u32) {
        self.iterations.store(iterations, Ordering::Relaxed);
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
    fn seeds_differ_and_decoys_stay() {
        let secrets = Secrets::draw().unwrap();
        assert_ne!(secrets.seed(), secrets.seed());
        assert_eq!(secrets.decoy().secret, secrets.decoy().secret);
        secrets.note_iterations(10_000);
        assert_eq!(secrets.decoy().iterations, 10_000);
        assert_ne!(secrets.seed(), Secrets::draw().unwrap().seed());
    }
}
