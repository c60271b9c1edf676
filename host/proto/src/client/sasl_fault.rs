//! Faults of the server in an AUTH exchange.

use std::fmt;

/// What a server did wrong in the exchange of AUTH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslFault {
    /// It asked for something that the mechanism does not have.
    Challenge,
    /// It demands more rounds of the password's hash than are made, or fewer than are safe.
    Iterations(u32),
    /// It accepted the credentials before it had them, or before it showed that it knows them.
    Premature,
    /// It does not know the password itself.
    Signature,
}

impl fmt::Display for SaslFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Challenge => f.write_str("the server sent a challenge that has no place in AUTH"),
            Self::Iterations(count) => write!(
                f,
                "the server demands {count} rounds of the password's hash"
            ),
            Self::Premature => f.write_str("the server accepted AUTH before the exchange was over"),
            Self::Signature => {
                f.write_str("the server did not show that it knows the password of the gateway")
            }
        }
    }
}

impl std::error::Error for SaslFault {}
