//! The credentials of the client.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::client::scram_keys::ClientKeys;

/// Who the client is to the server. Their `Debug` hides the password, and they are overwritten where
/// they are dropped.
#[derive(Clone)]
pub struct ClientCredentials {
    username: Box<str>,
    password: Zeroizing<Box<str>>,
    /// The keys of the last exchange of SCRAM, which take long to compute: a server has the same salt
    /// for each. Copies share them.
    keys: Arc<Mutex<Option<Arc<ClientKeys>>>>,
}

impl ClientCredentials {
    /// Takes texts of 1 to 255 octets without NUL.
    ///
    /// # Errors
    ///
    /// Where one of them is no such text.
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

    /// The authentication identity.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// The keys for this salt. Nobody waits for who computes them.
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
        // The value is whole whatever happened to who held it.
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

/// A text cannot be a user name or a password.
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

/// The longest user name and password, in octets: each then fits into a line of AUTH many times over.
const MAX_LENGTH: usize = 255;
