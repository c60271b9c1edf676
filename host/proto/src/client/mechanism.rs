//! The mechanisms of AUTH that the client supports.

use std::fmt;

use crate::client::capabilities::Capabilities;
use crate::client::credentials::ClientCredentials;

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
