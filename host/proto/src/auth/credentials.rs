//! What a client presents in an AUTH exchange.

use std::fmt;

use zeroize::Zeroizing;

use crate::auth::mechanism::Mechanism;
use crate::fault::Fault;

/// Credentials as a client presented them, decoded. Their `Debug` hides what is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism by which they came.
    pub mechanism: Mechanism,
    /// Who the client says it is: the authentication identity, without control characters. Empty
    /// where the mechanism does not tell.
    pub identity: String,
    /// Whom it wants to act as: the authorization identity, without control characters. Empty for
    /// the same.
    pub act_as: String,
    /// What is to show it.
    pub proof: Proof,
}

/// What is to show that a client is who it says. Its `Debug` hides what is secret, and what is secret
/// is wiped from memory with it.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The certificate of the channel, which was verified (EXTERNAL).
    Certificate,
    /// A password, to be checked (PLAIN, LOGIN).
    Password(Zeroizing<String>),
    /// An answer to a challenge, computed from the password, to be checked (CRAM-MD5).
    Response {
        /// The challenge, which is never the same twice.
        challenge: Vec<u8>,
        /// The keyed MD5 digest of it: 32 lower-case hexadecimal digits.
        digest: Zeroizing<String>,
    },
    /// A bearer token, to be checked (XOAUTH2, OAUTHBEARER): printable ASCII.
    Token(Zeroizing<String>),
    /// The exchange itself has shown that the client knows the password (SCRAM).
    Verified,
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

/// An identity, which holds no control characters (RFC 4013 §2.3): it is told to logs and plugins.
pub(super) fn identity(text: &str) -> Result<String, Fault> {
    match text.contains(char::is_control) {
        true => Err(Fault::AuthEncoding),
        false => Ok(text.to_owned()),
    }
}
