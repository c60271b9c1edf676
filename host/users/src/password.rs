//! Passwords, prepared for storing and comparing.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

/// A password that can be stored: prepared with SASLprep (RFC 4013), and not empty after that. `Debug`
/// hides it.
pub struct Password(Zeroizing<String>);

/// A password of which the preparation leaves nothing, such as one of soft hyphens only. As a secret, it
/// would be the empty password, with which anybody could log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a password has at least one character that SASLprep (RFC 4013) keeps")]
pub struct EmptyPassword;

impl Password {
    /// Prepares a password.
    ///
    /// # Errors
    ///
    /// Fails if nothing is left of it.
    pub fn new(text: &str) -> Result<Self, EmptyPassword> {
        let prepared = prepared(text);
        match prepared.is_empty() {
            true => Err(EmptyPassword),
            false => Ok(Self(prepared)),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Password").finish_non_exhaustive()
    }
}

/// Prepares a password with SASLprep, so that different encodings of an accent are equal. A password
/// that SASLprep forbids is not changed, because existing hashes may be of one.
pub(crate) fn prepared(password: &str) -> Zeroizing<String> {
    let prepared = stringprep::saslprep(password);
    Zeroizing::new(prepared.map_or_else(|_| password.to_owned(), Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_preparation_removes_is_no_password() {
        for text in ["", "\u{ad}", "\u{feff}", "\u{34f}\u{180b}\u{2060}"] {
            assert_eq!(Password::new(text).err(), Some(EmptyPassword), "{text:?}");
        }
        for text in [" ", "x", "\u{ad}x", "\u{7}"] {
            assert!(Password::new(text).is_ok(), "{text:?}");
        }
        assert_eq!(
            format!("{:?}", Password::new("pencil").unwrap()),
            "Password(..)"
        );
    }
}
