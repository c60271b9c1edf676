//! The AUTH exchange (RFC 4954 §4).

use base64::engine::general_purpose::STANDARD;
use base64::{Engine as _, decoded_len_estimate};
use zeroize::{Zeroize, Zeroizing};

use crate::auth::credentials::{Credentials, Presented};
use crate::auth::keys::ScramLookup;
use crate::auth::mechanism::Mechanism;
use crate::auth::oauth::OauthResponse;
use crate::auth::scram::{AwaitsKeys, Challenged, Start};
use crate::auth::terms::ExchangeTerms;
use crate::auth::{cram_md5, external, login, oauth, plain};
use crate::fault::Fault;

/// An exchange that waits for a response of the client.
#[derive(Debug)]
pub(crate) struct Exchange(Awaited);

/// The result of a response.
#[derive(Debug)]
pub(crate) enum AuthProgress {
    /// The next challenge, not encoded in base64.
    Challenge(Vec<u8>, Exchange),
    /// The client has presented its credentials.
    Complete(Credentials),
    /// The exchange continues with the keys of a user.
    Keys(Box<AwaitsKeys>),
    /// The client has presented no credentials (RFC 7628 §4.3).
    Rejected(Mechanism),
    /// The client has presented the empty password for this identity.
    Unproven {
        mechanism: Mechanism,
        identity: String,
    },
}

impl From<Presented> for AuthProgress {
    fn from(presented: Presented) -> Self {
        match presented {
            Presented::Credentials(credentials) => Self::Complete(credentials),
            Presented::Unproven {
                mechanism,
                identity,
            } => Self::Unproven {
                mechanism,
                identity,
            },
        }
    }
}

/// The next response.
#[derive(Debug)]
enum Awaited {
    CramMd5(Vec<u8>),
    External,
    LoginPassword(String),
    LoginUser,
    Oauth(Mechanism),
    Plain,
    Scram(Start),
    ScramProof(Box<Challenged>),
    /// An empty response to the server's final message, which an SMTP reply cannot carry.
    ScramEnd(Credentials),
}

impl Exchange {
    /// Begins an exchange with an optional initial response (RFC 4954 §4).
    ///
    /// # Errors
    ///
    /// Fails if the initial response is malformed or not allowed.
    pub(crate) fn begin(
        mechanism: Mechanism,
        initial: Option<&str>,
        terms: &ExchangeTerms<'_>,
    ) -> Result<AuthProgress, Fault> {
        let (challenge, awaited) = match mechanism {
            Mechanism::CramMd5 => {
                let challenge = cram_md5::challenge(terms);
                (challenge.clone(), Awaited::CramMd5(challenge))
            }
            Mechanism::External => (Vec::new(), Awaited::External),
            Mechanism::Login => (login::USER.to_vec(), Awaited::LoginUser),
            Mechanism::OauthBearer | Mechanism::Xoauth2 => (Vec::new(), Awaited::Oauth(mechanism)),
            Mechanism::Plain => (Vec::new(), Awaited::Plain),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                (Vec::new(), Awaited::Scram(Start::new(mechanism, terms)))
            }
        };
        match (initial, mechanism) {
            (None, _) => Ok(AuthProgress::Challenge(challenge, Self(awaited))),
            // The server sends the first message (RFC 4954 §4).
            (Some(_), Mechanism::CramMd5) => Err(Fault::AuthInitialResponse),
            // "=" is an empty initial response.
            (Some("="), _) => Self(awaited).respond(b""),
            (Some(initial), _) => Self(awaited).respond(initial.as_bytes()),
        }
    }

    /// Continues with a response line without its line ending.
    ///
    /// # Errors
    ///
    /// Fails if the response is malformed or proves nothing, or if the client cancels.
    pub(crate) fn respond(self, line: &[u8]) -> Result<AuthProgress, Fault> {
        if line == b"*" {
            return Err(Fault::AuthCancelled);
        }
        // Zeroized on errors, too.
        let mut decoded = Zeroizing::new(vec![0; decoded_len_estimate(line.len())]);
        let length = STANDARD
            .decode_slice(line, &mut decoded)
            .map_err(|_| Fault::AuthEncoding)?;
        let text = str::from_utf8(&decoded[..length]).map_err(|_| Fault::AuthEncoding)?;
        match self.0 {
            Awaited::CramMd5(challenge) => {
                cram_md5::response(challenge, text).map(AuthProgress::from)
            }
            Awaited::External => external::response(text).map(AuthProgress::Complete),
            Awaited::LoginUser => login::user(text).map(|user| {
                let next = Self(Awaited::LoginPassword(user));
                AuthProgress::Challenge(login::PASSWORD.to_vec(), next)
            }),
            Awaited::LoginPassword(user) => login::password(user, text).map(AuthProgress::from),
            Awaited::Oauth(mechanism) => Ok(match oauth::response(mechanism, text)? {
                OauthResponse::Discovery => AuthProgress::Rejected(mechanism),
                OauthResponse::Token(credentials) => AuthProgress::Complete(credentials),
            }),
            Awaited::Plain => plain::response(text).map(AuthProgress::from),
            Awaited::Scram(start) => start
                .respond(text)
                .map(|waiting| AuthProgress::Keys(Box::new(waiting))),
            Awaited::ScramProof(challenged) => {
                let (signature, credentials) = challenged.respond(text)?;
                let next = Self(Awaited::ScramEnd(credentials));
                Ok(AuthProgress::Challenge(signature, next))
            }
            Awaited::ScramEnd(credentials) if text.is_empty() => {
                Ok(AuthProgress::Complete(credentials))
            }
            Awaited::ScramEnd(_) => Err(Fault::AuthEncoding),
        }
    }

    /// Continues with the keys of a user. If the user is unknown, no password is accepted.
    pub(crate) fn with_keys(waiting: AwaitsKeys, lookup: ScramLookup) -> AuthProgress {
        let (challenge, challenged) = waiting.with_keys(lookup);
        AuthProgress::Challenge(challenge, Self(Awaited::ScramProof(Box::new(challenged))))
    }
}

/// Appends the reply line of a challenge.
pub(crate) fn write_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"334 ");
    let mut encoded = STANDARD.encode(challenge);
    out.extend_from_slice(encoded.as_bytes());
    encoded.zeroize();
    out.extend_from_slice(b"\r\n");
}
