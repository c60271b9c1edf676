//! The client's side of AUTH (RFC 4954): SCRAM-SHA-256, PLAIN (RFC 4616) and LOGIN.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::scram::{ClientFinal, ClientFirst, ClientKeys};
use super::{Capabilities, Nonce};

/// Who the client is to the server. Their `Debug` hides the password, and they are overwritten where
/// they are dropped.
#[derive(Clone)]
pub struct ClientCredentials {
    username: Box<str>,
    password: Zeroizing<Box<str>>,
    /// The keys of the last exchange of SCRAM, which take long to compute: a server has the same salt
    /// for each. Copies share them.
    keys: Arc<Mutex<Option<Arc<ClientKeys>>>>,
}

impl ClientCredentials {
    /// Takes texts of 1 to 255 octets without NUL.
    ///
    /// # Errors
    ///
    /// Where one of them is no such text.
    pub fn new(username: &str, password: &str) -> Result<Self, InvalidCredentials> {
        let is_good = |text: &str| (1..=MAX_LENGTH).contains(&text.len()) && !text.contains('\0');
        match is_good(username) && is_good(password) {
            true => Ok(Self {
                username: username.into(),
                password: Zeroizing::new(password.into()),
                keys: Arc::default(),
            }),
            false => Err(InvalidCredentials),
        }
    }

    /// The authentication identity.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// The keys for this salt. Nobody waits for who computes them.
    pub(super) fn keys(&self, salt: &[u8], iterations: u32) -> Arc<ClientKeys> {
        let known = self.last_keys().clone();
        if let Some(keys) = known.filter(|keys| keys.are_for(salt, iterations)) {
            return keys;
        }
        let password = self.password.as_bytes();
        let keys = Arc::new(ClientKeys::new(password, salt, iterations));
        *self.last_keys() = Some(Arc::clone(&keys));
        keys
    }

    fn last_keys(&self) -> MutexGuard<'_, Option<Arc<ClientKeys>>> {
        // The value is whole whatever happened to who held it.
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for ClientCredentials {
    fn eq(&self, other: &Self) -> bool {
        (&self.username, &self.password) == (&other.username, &other.password)
    }
}

impl Eq for ClientCredentials {}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// A text cannot be a user name or a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCredentials;

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a user name and a password must have 1 to {MAX_LENGTH} octets, none of them NUL"
        )
    }
}

impl std::error::Error for InvalidCredentials {}

/// A mechanism of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMechanism {
    /// User name and password in two lines.
    Login,
    /// User name and password in one line.
    Plain,
    /// The password stays here, and the server shows that it knows it, too (RFC 7677).
    ScramSha256,
}

impl ClientMechanism {
    /// The best one that the server offers for these credentials.
    ///
    /// SCRAM needs a password of printable ASCII characters: any other would have to be prepared
    /// (RFC 4013), and servers do not agree on that.
    pub fn choose(capabilities: &Capabilities, credentials: &ClientCredentials) -> Option<Self> {
        let offered = capabilities.parameters("AUTH")?;
        let is_plain_text = |text: &str| text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
        let is_offered = |mechanism: &Self| {
            let mut names = offered.split_ascii_whitespace();
            names.any(|name| name.eq_ignore_ascii_case(mechanism.name()))
        };
        let is_possible = |mechanism: &Self| {
            *mechanism != Self::ScramSha256
                || is_plain_text(credentials.username()) && is_plain_text(credentials.password())
        };
        [Self::ScramSha256, Self::Plain, Self::Login]
            .into_iter()
            .find(|mechanism| is_offered(mechanism) && is_possible(mechanism))
    }

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "LOGIN",
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
        }
    }
}

impl fmt::Display for ClientMechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An exchange that has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// How.
    pub mechanism: ClientMechanism,
    /// Who.
    pub credentials: Arc<ClientCredentials>,
    /// Octets that nobody can guess, new for each exchange.
    pub nonce: Nonce,
}

impl Authentication {
    /// The command line without its end, and what then waits for the server.
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
        // As long as it will be: a text that grows would leave its old octets where they were.
        let length = "AUTH  ".len() + name.len() + initial_line.len();
        let mut line = Zeroizing::new(String::with_capacity(length));
        line.extend(["AUTH ", name, " ", &initial_line]);
        if line.len() <= MAX_COMMAND_LINE {
            return (line, Exchange(exchange));
        }
        // RFC 4954 §4: then it is the response to an empty challenge.
        let exchange = Awaited::Initial(initial, Box::new(exchange));
        (Zeroizing::new(format!("AUTH {name}")), Exchange(exchange))
    }
}

/// An exchange that waits for the server.
#[derive(Debug)]
pub(super) struct Exchange(Awaited);

impl Exchange {
    /// Answers a challenge, which is in base64, with a line of the same kind.
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

    /// Whether the exchange is complete where the server says so.
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

/// What the server says next.
enum Awaited {
    /// Nothing that matters; then comes this response.
    Initial(Zeroizing<Vec<u8>>, Box<Self>),
    LoginPassword(Arc<ClientCredentials>),
    LoginUser(Arc<ClientCredentials>),
    /// Whether it takes the credentials.
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

/// The longest user name and password, in octets: each then fits into a line of AUTH many times over.
const MAX_LENGTH: usize = 255;

/// Of a command, in octets without the line end (RFC 5321 §4.5.3.1.4).
const MAX_COMMAND_LINE: usize = 510;
