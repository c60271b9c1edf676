//! What shows that somebody knows a password, without holding it.

mod argon2id;
mod bcrypt;
mod cost;
mod scram;
#[cfg(test)]
mod work;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

pub use self::cost::{CannotVerify, Cost};
pub use self::scram::ScramKeys;

/// What is kept of a password. `Debug` hides everything but the kind.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A hash of Argon2id (RFC 9106).
    Argon2id(argon2id::Hash),
    /// A hash of bcrypt.
    Bcrypt(bcrypt::Hash),
    /// The keys of SCRAM-SHA-256 (RFC 5802, RFC 7677).
    Scram(ScramKeys),
}

/// Why a text is no secret. Does not hold the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The scheme is none of ours.
    #[error("the scheme of a secret is none of {{ARGON2ID}}, {{BLF-CRYPT}} and {{SCRAM-SHA-256}}")]
    Scheme,
    /// What follows the scheme is not in its notation.
    #[error("what follows {0} is garbled")]
    Garbled(
        /// The scheme.
        &'static str,
    ),
}

impl Secret {
    /// A secret for passwords that come in clear, from 16 octets of randomness.
    ///
    /// # Errors
    ///
    /// Where there is not enough memory.
    pub fn argon2id(password: &str, salt: [u8; 16], cost: Cost) -> Result<Self, CannotVerify> {
        argon2id::Hash::new(prepared(password).as_bytes(), salt, cost).map(Self::Argon2id)
    }

    /// A secret for SCRAM, from 16 octets of randomness.
    pub fn scram(password: &str, salt: [u8; 16], cost: Cost) -> Self {
        let password = prepared(password);
        let keys = ScramKeys::new(password.as_bytes(), salt.to_vec(), cost.iterations);
        Self::Scram(keys)
    }

    /// A secret that no password fits and that costs as much as new ones do.
    pub fn decoy() -> Self {
        let cost = Cost::DEFAULT;
        Self::Argon2id(argon2id::Hash::decoy(cost))
    }

    /// Whether this is the password, found out in a time that depends on the cost and the password
    /// alone. A hash of Argon2id or bcrypt may be that of the octets as they came: other programs do
    /// not prepare them.
    ///
    /// # Errors
    ///
    /// Where there is not enough memory.
    pub fn verify(&self, password: &str) -> Result<bool, CannotVerify> {
        let prepared = prepared(password);
        let verify = |octets: &[u8]| match self {
            Self::Argon2id(hash) => hash.verify(octets),
            Self::Bcrypt(hash) => Ok(hash.verify(octets)),
            Self::Scram(keys) => Ok(keys.verify(octets)),
        };
        let fits = verify(prepared.as_bytes())?;
        match self {
            // Also where it fits already: what it takes says nothing about the secret.
            Self::Argon2id(_) | Self::Bcrypt(_) if *prepared != password => {
                Ok(verify(password.as_bytes())? | fits)
            }
            _ => Ok(fits),
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

    /// A hash without a scheme, as `htpasswd` writes it, is known by its beginning.
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

/// The notation of the file.
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

/// A password as SASL compares it (SASLprep, RFC 4013), so that it does not matter how a keyboard
/// makes an accent. One that SASLprep forbids stays as it is: older hashes may be of such.
fn prepared(password: &str) -> Zeroizing<String> {
    let prepared = stringprep::saslprep(password);
    Zeroizing::new(prepared.map_or_else(|_| password.to_owned(), Cow::into_owned))
}

#[cfg(test)]
mod tests;
