//! The AUTH mechanisms of the client.

use std::fmt;

use crate::client::capabilities::Capabilities;
use crate::client::credentials::ClientCredentials;

/// An AUTH mechanism of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientMechanism {
    /// User name and password in two responses.
    Login,
    /// User name and password in one response (RFC 4616).
    Plain,
    /// Mutual proof of the password (RFC 7677).
    ScramSha256,
}

impl ClientMechanism {
    /// The most secure mechanism that the server offers and that is possible with these credentials.
    /// Returns `None` if there is none.
    ///
    /// SCRAM requires printable ASCII: other characters must be prepared with SASLprep (RFC 4013), which
    /// servers implement differently.
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
