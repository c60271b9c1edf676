//! The client side of AUTH (RFC 4954): SCRAM-SHA-256, PLAIN (RFC 4616) and LOGIN.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::client::credentials::ClientCredentials;
use crate::client::mechanism::ClientMechanism;
use crate::client::nonce::Nonce;
use crate::client::sasl_fault::SaslFault;
use crate::client::scram::{ClientFinal, ClientFirst};

/// The parameters of an AUTH exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The mechanism.
    pub mechanism: ClientMechanism,
    /// The credentials.
    pub credentials: Arc<ClientCredentials>,
    /// A new nonce for this exchange.
    pub nonce: Nonce,
}

impl Authentication {
    /// Returns the command line without CRLF, and the exchange that follows it.
    pub(super) fn begin(&self) -> (Zeroizing<String>, Exchange) {
        let name = self.mechanism.name();
        let credentials = Arc::clone(&self.credentials);
        let (initial, exchange) = match self.mechanism {
            ClientMechanism::Login => {
                let line = Zeroizing::new(format!("AUTH {name}"));
                return (line, Exchange(Awaited::LoginUser(credentials)));
            }
            ClientMechanism::Plain => (plain(&credentials), Awaited::Nothing),
            ClientMechanism::ScramSha256 => {
                let first = ClientFirst::new(credentials, self.nonce);
                let initial = Zeroizing::new(first.message().into_bytes());
                (initial, Awaited::ScramFirst(first))
            }
        };
        let initial_line = encoded(&initial);
        // Allocate the final length: a string that grows would leave the old octets in memory.
        let length = "AUTH  ".len() + name.len() + initial_line.len();
        let mut line = Zeroizing::new(String::with_capacity(length));
        line.extend(["AUTH ", name, " ", &initial_line]);
        if line.len() <= MAX_COMMAND_LINE {
            return (line, Exchange(exchange));
        }
        // RFC 4954 §4: too long for a command line, so that it is sent after an empty challenge.
        let exchange = Awaited::Initial(initial, Box::new(exchange));
        (Zeroizing::new(format!("AUTH {name}")), Exchange(exchange))
    }
}

/// An exchange that waits for the server.
#[derive(Debug)]
pub(super) struct Exchange(Awaited);

impl Exchange {
    /// Responds to a challenge. Both are encoded in base64.
    ///
    /// # Errors
    ///
    /// Fails if the challenge is not valid in this mechanism.
    pub(super) fn respond(&mut self, challenge: &str) -> Result<Zeroizing<String>, SaslFault> {
        let decoded = STANDARD
            .decode(challenge)
            .map_err(|_| SaslFault::Challenge)?;
        let (response, next) = match std::mem::replace(&mut self.0, Awaited::Nothing) {
            Awaited::Initial(initial, next) => (initial, *next),
            Awaited::LoginUser(credentials) => {
                let username = Zeroizing::new(credentials.username().into());
                (username, Awaited::LoginPassword(credentials))
            }
            Awaited::LoginPassword(credentials) => {
                let password = Zeroizing::new(credentials.password().into());
                (password, Awaited::Nothing)
            }
            Awaited::ScramFirst(first) => {
                let last = first.respond(&decoded)?;
                let message = Zeroizing::new(last.message().into());
                (message, Awaited::ScramFinal(last))
            }
            Awaited::ScramFinal(last) => {
                last.verify(&decoded)?;
                (Zeroizing::default(), Awaited::Nothing)
            }
            Awaited::Nothing => return Err(SaslFault::Challenge),
        };
        self.0 = next;
        Ok(encoded(&response))
    }

    /// Checks that the exchange is complete when the server accepts it.
    ///
    /// # Errors
    ///
    /// Fails if the server accepts it too early.
    pub(super) fn accepted(self) -> Result<(), SaslFault> {
        match self.0 {
            Awaited::Nothing => Ok(()),
            Awaited::Initial(..)
            | Awaited::LoginPassword(_)
            | Awaited::LoginUser(_)
            | Awaited::ScramFinal(_)
            | Awaited::ScramFirst(_) => Err(SaslFault::Premature),
        }
    }
}

/// The next message of the server.
enum Awaited {
    /// An empty challenge, followed by this response.
    Initial(Zeroizing<Vec<u8>>, Box<Self>),
    LoginPassword(Arc<ClientCredentials>),
    LoginUser(Arc<ClientCredentials>),
    /// The reply to the credentials.
    Nothing,
    ScramFinal(ClientFinal),
    ScramFirst(ClientFirst),
}

/// Hides secrets.
impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initial(..) => "Initial",
            Self::LoginPassword(_) => "LoginPassword",
            Self::LoginUser(_) => "LoginUser",
            Self::Nothing => "Nothing",
            Self::ScramFinal(_) => "ScramFinal",
            Self::ScramFirst(_) => "ScramFirst",
        })
    }
}

/// `NUL authcid NUL passwd` (RFC 4616 §2).
fn plain(credentials: &ClientCredentials) -> Zeroizing<Vec<u8>> {
    let (username, password) = (credentials.username(), credentials.password());
    let mut message = Vec::with_capacity(username.len() + password.len() + 2);
    for part in [username, password] {
        message.push(0);
        message.extend_from_slice(part.as_bytes());
    }
    Zeroizing::new(message)
}

fn encoded(response: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(response))
}

/// The maximum length of a command line in octets, without CRLF (RFC 5321 §4.5.3.1.4).
const MAX_COMMAND_LINE: usize = 510;
