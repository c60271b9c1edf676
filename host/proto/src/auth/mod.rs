//! The exchange of AUTH (RFC 4954): what a client presents, by which mechanism. The decision is
//! policy's.

mod cram_md5;
mod digest;
mod external;
mod keys;
mod login;
mod mechanism;
mod oauth;
mod plain;
mod scram;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::engine::general_purpose::STANDARD;
use base64::{Engine as _, decoded_len_estimate};
use zeroize::{Zeroize, Zeroizing};

use crate::fault::Fault;

pub(crate) use digest::nonce;
pub use keys::{Decoy, InvalidKeys, ScramKeys};
pub use mechanism::Mechanism;
pub(crate) use scram::AwaitsKeys;

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

/// What an exchange needs to know about the session in which it takes place.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The name of the server.
    pub(crate) hostname: &'a str,
    /// Octets that nobody can foresee, for this exchange alone.
    pub(crate) nonce: [u8; 32],
    /// The channel binding, where there is one.
    pub(crate) exporter: Option<[u8; 32]>,
    /// Whether EHLO lists a mechanism with channel binding.
    pub(crate) offers_binding: bool,
}

/// An exchange that waits for a response of the client.
#[derive(Debug)]
pub(crate) struct Exchange(Awaited);

/// Where an exchange stands after a response.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Ask the client for more with this challenge, which is not in base64 yet.
    Challenge(Vec<u8>, Exchange),
    /// The client has presented its credentials.
    Complete(Credentials),
    /// The exchange goes on with the keys of this user.
    Keys(Mechanism, Box<str>, AwaitsKeys),
    /// The client has presented nothing that policy could look at.
    Rejected(Mechanism),
}

/// What the next response is.
#[derive(Debug)]
enum Awaited {
    CramMd5(Vec<u8>),
    External,
    LoginPassword(String),
    LoginUser,
    Oauth(Mechanism),
    Plain,
    Scram(scram::Start),
    ScramProof(Box<scram::Challenged>),
    /// Nothing: it stands for the outcome, which SMTP cannot put into the reply itself.
    ScramEnd(Credentials),
}

impl Exchange {
    /// Begins an exchange, perhaps with an initial response (RFC 4954 §4).
    pub(crate) fn begin(
        mechanism: Mechanism,
        initial: Option<&str>,
        terms: &Terms<'_>,
    ) -> Result<Progress, Fault> {
        let (challenge, awaited) = match mechanism {
            Mechanism::CramMd5 => {
                let challenge = cram_md5::challenge(terms);
                (challenge.clone(), Awaited::CramMd5(challenge))
            }
            Mechanism::External => (Vec::new(), Awaited::External),
            Mechanism::Login => (login::USER.to_vec(), Awaited::LoginUser),
            Mechanism::OauthBearer | Mechanism::Xoauth2 => (Vec::new(), Awaited::Oauth(mechanism)),
            Mechanism::Plain => (Vec::new(), Awaited::Plain),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => (
                Vec::new(),
                Awaited::Scram(scram::Start::new(mechanism, terms)),
            ),
        };
        match (initial, mechanism) {
            (None, _) => Ok(Progress::Challenge(challenge, Self(awaited))),
            // RFC 4954 §4: the server speaks first in this mechanism.
            (Some(_), Mechanism::CramMd5) => Err(Fault::AuthInitialResponse),
            // "=" stands for an initial response of no octets.
            (Some("="), _) => Self(awaited).respond(b""),
            (Some(initial), _) => Self(awaited).respond(initial.as_bytes()),
        }
    }

    /// Takes a response line without its line ending.
    pub(crate) fn respond(self, line: &[u8]) -> Result<Progress, Fault> {
        if line == b"*" {
            return Err(Fault::AuthCancelled);
        }
        // Also what was decoded before an error is wiped.
        let mut decoded = Zeroizing::new(vec![0; decoded_len_estimate(line.len())]);
        let length = STANDARD
            .decode_slice(line, &mut decoded)
            .map_err(|_| Fault::AuthEncoding)?;
        let text = str::from_utf8(&decoded[..length]).map_err(|_| Fault::AuthEncoding)?;
        match self.0 {
            Awaited::CramMd5(challenge) => cram_md5::response(challenge, text),
            Awaited::External => external::response(text),
            Awaited::LoginUser => login::user(text).map(|user| {
                let next = Self(Awaited::LoginPassword(user));
                Progress::Challenge(login::PASSWORD.to_vec(), next)
            }),
            Awaited::LoginPassword(user) => login::password(user, text),
            Awaited::Oauth(mechanism) => oauth::response(mechanism, text),
            Awaited::Plain => plain::response(text),
            Awaited::Scram(start) => start.respond(text),
            Awaited::ScramProof(challenged) => {
                let (signature, credentials) = challenged.respond(text)?;
                let next = Self(Awaited::ScramEnd(credentials));
                Ok(Progress::Challenge(signature, next))
            }
            Awaited::ScramEnd(credentials) if text.is_empty() => {
                Ok(Progress::Complete(credentials))
            }
            Awaited::ScramEnd(_) => Err(Fault::AuthEncoding),
        }
    }

    /// Goes on with the keys of a user. Where there are none, with those of the decoy, for which no
    /// password is right.
    pub(crate) fn with_keys(
        waiting: AwaitsKeys,
        keys: Option<ScramKeys>,
        decoy: &Decoy,
    ) -> Progress {
        let (challenge, challenged) = waiting.with(keys, decoy);
        Progress::Challenge(challenge, Self(Awaited::ScramProof(Box::new(challenged))))
    }
}

/// Appends a challenge as it goes over the wire.
pub(crate) fn write_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"334 ");
    let mut encoded = STANDARD.encode(challenge);
    out.extend_from_slice(encoded.as_bytes());
    encoded.zeroize();
    out.extend_from_slice(b"\r\n");
}

/// An identity, which holds no control characters (RFC 4013 §2.3): it is told to logs and plugins.
fn identity(text: &str) -> Result<String, Fault> {
    match text.contains(char::is_control) {
        true => Err(Fault::AuthEncoding),
        false => Ok(text.to_owned()),
    }
}
