//! Credentials: the identity that a client claims, and its proof.

use std::fmt;

use zeroize::Zeroize as _;

use crate::bindings::auth::exports::postgate::plugin::on_auth as raw;
use crate::bindings::auth_keys::exports::postgate::plugin::on_auth_keys::ScramKeys;

/// Credentials of a client. `Debug` hides the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The SASL mechanism, in capitals.
    pub mechanism: String,
    /// The authentication identity: who the client claims to be. Empty if the mechanism does not
    /// transmit it (EXTERNAL).
    pub identity: String,
    /// The authorization identity: who the client wants to act as. Empty if it is the same.
    pub act_as: String,
    /// The proof of the identity.
    pub proof: Proof,
}

/// The proof of a client's identity. `Debug` hides the password, the digest and the token, so that
/// they do not get into a log. They are overwritten when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The certificate that [`session::tls`](crate::session::tls) shows, which the gateway has verified
    /// (EXTERNAL).
    Certificate,
    /// A password, to be checked (PLAIN, LOGIN).
    Password(String),
    /// A digest, to be checked (CRAM-MD5).
    Response(ChallengeResponse),
    /// A bearer token, to be checked (XOAUTH2, OAUTHBEARER).
    Token(String),
    /// The gateway has verified that the client knows the password, by the keys that a plugin gave it
    /// (SCRAM).
    Verified,
}

/// The answer to a challenge (CRAM-MD5, RFC 2195). `Debug` hides the digest, which is overwritten
/// when the value is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeResponse {
    /// The challenge that the gateway sent; each is used only once.
    pub challenge: Vec<u8>,
    /// The keyed MD5 digest of it, 32 lower-case hexadecimal digits.
    pub digest: String,
}

impl Credentials {
    /// The password, if the mechanism transmits it: PLAIN and LOGIN.
    pub fn password(&self) -> Option<&str> {
        match &self.proof {
            Proof::Password(password) => Some(password),
            _ => None,
        }
    }

    /// The bearer token, if the mechanism transmits one: XOAUTH2 and OAUTHBEARER.
    pub fn token(&self) -> Option<&str> {
        match &self.proof {
            Proof::Token(token) => Some(token),
            _ => None,
        }
    }
}

impl ScramKeys {
    /// What an unknown user shall look like: keys with this number of iterations, 4,096 to 1,000,000, and
    /// a salt of this length, 8 to 64 octets. The gateway makes up the salt from the name. Other plugins
    /// are asked, as after `None`.
    pub fn of_nobody(iterations: u32, salt_length: usize) -> Self {
        Self {
            salt: vec![0; salt_length],
            iterations,
            stored_key: Vec::new(),
            server_key: Vec::new(),
        }
    }
}

impl From<raw::Credentials> for Credentials {
    fn from(raw: raw::Credentials) -> Self {
        Self {
            mechanism: raw.mechanism,
            identity: raw.identity,
            act_as: raw.act_as,
            proof: match raw.proof {
                raw::Proof::Certificate => Proof::Certificate,
                raw::Proof::Password(password) => Proof::Password(password),
                raw::Proof::Response(raw) => Proof::Response(ChallengeResponse {
                    challenge: raw.challenge,
                    digest: raw.digest,
                }),
                raw::Proof::Token(token) => Proof::Token(token),
                raw::Proof::Verified => Proof::Verified,
            },
        }
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        match self {
            Self::Password(secret) | Self::Token(secret) => secret.zeroize(),
            // It does so itself.
            Self::Response(_) | Self::Certificate | Self::Verified => {}
        }
    }
}

impl Drop for ChallengeResponse {
    fn drop(&mut self) {
        self.digest.zeroize();
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("Certificate"),
            Self::Password(_) => f.write_str("Password(..)"),
            Self::Response(response) => f.debug_tuple("Response").field(response).finish(),
            Self::Token(_) => f.write_str("Token(..)"),
            Self::Verified => f.write_str("Verified"),
        }
    }
}

impl fmt::Debug for ChallengeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeResponse").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_shows_no_secret() {
        let response = ChallengeResponse {
            challenge: "<1@mx>".into(),
            digest: "hunter2".into(),
        };
        for (proof, shown) in [
            (Proof::Certificate, "Certificate"),
            (Proof::Password("hunter2".into()), "Password(..)"),
            (
                Proof::Response(response),
                "Response(ChallengeResponse { .. })",
            ),
            (Proof::Token("hunter2".into()), "Token(..)"),
            (Proof::Verified, "Verified"),
        ] {
            let credentials = Credentials {
                mechanism: "X".into(),
                identity: "alice".into(),
                act_as: String::new(),
                proof,
            };
            let printed = format!("{credentials:?} {:?} {credentials:#?}", credentials.proof);
            assert!(
                printed.contains(&format!("proof: {shown} }} {shown} ")),
                "{printed}"
            );
            assert!(!printed.contains("hunter2"), "{printed}");
        }
    }
}
