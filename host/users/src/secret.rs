//! Secrets: password hashes and SCRAM keys.

mod argon2id;
mod bcrypt;
mod cost;
mod scram;
#[cfg(test)]
mod work;

use std::fmt;
use std::str::FromStr;

use crate::password::{Password, prepared};

pub use self::cost::{Budget, CannotVerify, Cost, TooCostly};
pub use self::scram::ScramKeys;

/// A password hash or SCRAM keys. `Debug` shows the scheme only.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// An Argon2id hash (RFC 9106).
    Argon2id(argon2id::Hash),
    /// A bcrypt hash.
    Bcrypt(bcrypt::Hash),
    /// Keys for SCRAM-SHA-256 (RFC 5802, RFC 7677).
    Scram(ScramKeys),
}

/// Why a secret is malformed. Never contains the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The scheme is unknown.
    #[error("the scheme of a secret is none of {{ARGON2ID}}, {{BLF-CRYPT}} and {{SCRAM-SHA-256}}")]
    Scheme,
    /// The text after the scheme is malformed.
    #[error("what follows {0} is garbled")]
    Garbled(
        /// The scheme.
        &'static str,
    ),
}

impl Secret {
    /// Hashes a password with Argon2id and 16 random octets.
    ///
    /// # Errors
    ///
    /// Fails if there is not enough memory.
    pub fn argon2id(password: &Password, salt: [u8; 16], cost: Cost) -> Result<Self, CannotVerify> {
        argon2id::Hash::new(password.as_bytes(), salt, cost).map(Self::Argon2id)
    }

    /// Derives SCRAM keys from a password and 16 random octets.
    pub fn scram(password: &Password, salt: [u8; 16], cost: Cost) -> Self {
        let keys = ScramKeys::new(password.as_bytes(), salt.to_vec(), cost.iterations);
        Self::Scram(keys)
    }

    /// A secret that no password matches, with the cost of new secrets.
    pub fn decoy() -> Self {
        let cost = Cost::DEFAULT;
        Self::Argon2id(argon2id::Hash::decoy(cost))
    }

    /// True if the password matches. The time depends on the cost and the password only. Hashes match
    /// the prepared password (RFC 4013) and the original one, because other programs do not prepare
    /// passwords. A password of which the preparation leaves nothing matches no secret, not even one
    /// of the empty password.
    ///
    /// # Errors
    ///
    /// Fails if there is not enough memory.
    pub fn verify(&self, password: &str) -> Result<bool, CannotVerify> {
        let prepared = prepared(password);
        let verify = |octets: &[u8]| match self {
            Self::Argon2id(hash) => hash.verify(octets),
            Self::Bcrypt(hash) => Ok(hash.verify(octets)),
            Self::Scram(keys) => Ok(keys.verify(octets)),
        };
        let mut fits = verify(prepared.as_bytes())?;
        let is_hash = matches!(self, Self::Argon2id(_) | Self::Bcrypt(_));
        if is_hash && *prepared != password {
            // Even if it matches already, so that the time does not depend on the secret.
            fits |= verify(password.as_bytes())?;
        }
        Ok(fits && !prepared.is_empty())
    }

    /// Checks, by its parameters alone, that verifying a password stays within a budget.
    ///
    /// # Errors
    ///
    /// Fails if it takes more memory or time.
    pub fn check_cost(&self, budget: Budget) -> Result<(), TooCostly> {
        match self {
            Self::Argon2id(hash) => hash.check_cost(budget),
            Self::Bcrypt(hash) => hash.check_cost(budget),
            Self::Scram(keys) => keys.check_cost(budget),
        }
    }

    /// The memory that verifying a password needs, in KiB; 0 for little.
    pub const fn memory(&self) -> u32 {
        match self {
            Self::Argon2id(hash) => hash.memory(),
            Self::Bcrypt(_) | Self::Scram(_) => 0,
        }
    }

    /// The time that verifying a password takes, in hundredths of what a new secret takes.
    pub const fn work(&self) -> u64 {
        match self {
            Self::Argon2id(hash) => hash.work().hundredths(),
            Self::Bcrypt(hash) => hash.work().hundredths(),
            Self::Scram(keys) => keys.work().hundredths(),
        }
    }

    const fn scheme(&self) -> &'static str {
        match self {
            Self::Argon2id(_) => ARGON2ID,
            Self::Bcrypt(_) => BCRYPT,
            Self::Scram(_) => SCRAM,
        }
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    /// Parses a secret. The scheme may be missing before a hash, as in the output of `htpasswd`.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let scheme_of = |known: &'static str| {
            let (scheme, rest) = text.split_at_checked(known.len())?;
            scheme.eq_ignore_ascii_case(known).then_some(rest)
        };
        let bare = |beginning| text.starts_with(beginning).then_some(text);
        if let Some(hash) = scheme_of(ARGON2ID).or_else(|| bare("$argon2id$")) {
            let hash = argon2id::Hash::parse(hash).ok_or(SecretError::Garbled(ARGON2ID))?;
            return Ok(Self::Argon2id(hash));
        }
        if let Some(hash) = scheme_of(BCRYPT).or_else(|| bare("$2")) {
            let hash = bcrypt::Hash::parse(hash).ok_or(SecretError::Garbled(BCRYPT))?;
            return Ok(Self::Bcrypt(hash));
        }
        if let Some(keys) = scheme_of(SCRAM) {
            let keys = ScramKeys::parse(keys).ok_or(SecretError::Garbled(SCRAM))?;
            return Ok(Self::Scram(keys));
        }
        Err(SecretError::Scheme)
    }
}

/// Formats the secret as in the file.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())?;
        match self {
            Self::Argon2id(hash) => hash.fmt(f),
            Self::Bcrypt(hash) => hash.fmt(f),
            Self::Scram(keys) => keys.fmt(f),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.scheme()).finish()
    }
}

const ARGON2ID: &str = "{ARGON2ID}";
const BCRYPT: &str = "{BLF-CRYPT}";
const SCRAM: &str = "{SCRAM-SHA-256}";

#[cfg(test)]
mod tests;
