//! The credentials that a client presents in an AUTH exchange.

use std::fmt;

use zeroize::Zeroizing;

use crate::auth::mechanism::Mechanism;
use crate::fault::Fault;

/// Decoded credentials of a client. `Debug` hides the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism of the exchange.
    pub mechanism: Mechanism,
    /// The authentication identity, without control characters. Empty if the mechanism has none.
    pub identity: String,
    /// The authorization identity, without control characters. Empty if it is the same.
    pub act_as: String,
    /// The proof of the identity.
    pub proof: Proof,
}

/// What the response of a client presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presented {
    /// Credentials that policy can check.
    Credentials(Credentials),
    /// A name with the empty password, which proves nothing: no directory that takes it for an anonymous
    /// login is asked (RFC 4513 §5.1.2).
    Unproven {
        /// The mechanism of the exchange.
        mechanism: Mechanism,
        /// The authentication identity.
        identity: String,
    },
}

/// The proof of an identity. `Debug` hides secrets, and they are zeroized on drop.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The verified client certificate of the channel (EXTERNAL).
    Certificate,
    /// A password (PLAIN, LOGIN).
    Password(Zeroizing<String>),
    /// A digest of a challenge, keyed with the password (CRAM-MD5).
    Response {
        /// The challenge, which is never repeated.
        challenge: Vec<u8>,
        /// The HMAC-MD5 of the challenge: 32 lower-case hexadecimal digits.
        digest: Zeroizing<String>,
    },
    /// A bearer token of visible ASCII characters (XOAUTH2, OAUTHBEARER).
    Token(Zeroizing<String>),
    /// The exchange has proved that the client knows the password (SCRAM).
    Verified,
}

impl Presented {
    /// The credentials of a client with this proof, if there is one.
    pub(super) fn of(
        mechanism: Mechanism,
        identity: String,
        act_as: String,
        proof: Option<Proof>,
    ) -> Self {
        match proof {
            Some(proof) => Self::Credentials(Credentials {
                mechanism,
                identity,
                act_as,
                proof,
            }),
            None => Self::Unproven {
                mechanism,
                identity,
            },
        }
    }
}

impl Proof {
    /// The password of a response. Returns `None` for an empty one.
    pub(super) fn of_password(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::Password(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "Certificate",
            Self::Password(_) => "Password(..)",
            Self::Response { .. } => "Response(..)",
            Self::Token(_) => "Token(..)",
            Self::Verified => "Verified",
        })
    }
}

/// Checks an identity. Control characters are not allowed (RFC 4013 §2.3), because identities are
/// logged.
pub(super) fn identity(text: &str) -> Result<String, Fault> {
    match text.contains(char::is_control) {
        true => Err(Fault::AuthEncoding),
        false => Ok(text.to_owned()),
    }
}
