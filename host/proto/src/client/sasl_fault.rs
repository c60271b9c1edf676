//! Faults of the server in an AUTH exchange.

use std::fmt;

/// A violation of an AUTH exchange by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslFault {
    /// A challenge that is not valid in the mechanism.
    Challenge,
    /// A number of iterations that is unsafe or too expensive.
    Iterations(u32),
    /// A positive reply before the exchange was complete.
    Premature,
    /// A wrong server signature: the server does not know the password.
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
