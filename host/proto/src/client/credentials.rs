//! The credentials of the client.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::client::scram_keys::ClientKeys;

/// User name and password of the client. `Debug` hides the password, and it is zeroized on drop.
#[derive(Clone)]
pub struct ClientCredentials {
    username: Box<str>,
    password: Zeroizing<Box<str>>,
    /// A cache of the last SCRAM keys, shared by clones. They are expensive to compute, and the salt of a
    /// server does not change.
    keys: Arc<Mutex<Option<Arc<ClientKeys>>>>,
}

impl ClientCredentials {
    /// Credentials of 1 to 255 octets each, without NUL.
    ///
    /// # Errors
    ///
    /// Fails if one of them has another length or a NUL.
    pub fn new(username: &str, password: &str) -> Result<Self, InvalidCredentials> {
        let is_good = |text: &str| (1..=MAX_LENGTH).contains(&text.len()) && !text.contains('\0');
        match is_good(username) && is_good(password) {
            true => Ok(Self {
                username: username.into(),
                password: Zeroizing::new(password.into()),
                keys: Arc::default(),
            }),
            false => Err(InvalidCredentials),
        }
    }

    /// The user name, which is the authentication identity.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// The keys for this salt. The lock is not held while they are computed.
    pub(super) fn keys(&self, salt: &[u8], iterations: u32) -> Arc<ClientKeys> {
        let known = self.last_keys().clone();
        if let Some(keys) = known.filter(|keys| keys.are_for(salt, iterations)) {
            return keys;
        }
        let password = self.password.as_bytes();
        let keys = Arc::new(ClientKeys::new(password, salt, iterations));
        *self.last_keys() = Some(Arc::clone(&keys));
        keys
    }

    fn last_keys(&self) -> MutexGuard<'_, Option<Arc<ClientKeys>>> {
        // A poisoned lock is harmless: the value is replaced as a whole.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for ClientCredentials {
    fn eq(&self, other: &Self) -> bool {
        (&self.username, &self.password) == (&other.username, &other.password)
    }
}

impl Eq for ClientCredentials {}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A user name or a password is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCredentials;

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a user name and a password must have 1 to {MAX_LENGTH} octets, none of them NUL"
        )
    }
}

impl std::error::Error for InvalidCredentials {}

/// The maximum length of user name and password in octets. They fit into a line of AUTH.
const MAX_LENGTH: usize = 255;
