//! The AUTH mechanisms and their names.

use std::fmt;

/// A SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// HMAC-MD5 of a challenge (RFC 2195).
    CramMd5,
    /// The client certificate of the channel (RFC 4422 appendix A).
    External,
    /// User name and password in two responses.
    Login,
    /// A bearer token (RFC 7628).
    OauthBearer,
    /// Identities and password in one response (RFC 4616).
    Plain,
    /// Mutual proof of the password (RFC 7677).
    ScramSha256,
    /// The same with channel binding (RFC 9266).
    ScramSha256Plus,
    /// A bearer token in the format before RFC 7628.
    Xoauth2,
}

impl Mechanism {
    /// All mechanisms, the most secure first.
    pub const ALL: [Self; 8] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::External,
        Self::Plain,
        Self::Login,
        Self::OauthBearer,
        Self::Xoauth2,
        Self::CramMd5,
    ];

    /// The mechanisms of the default settings. Tokens need a policy that can verify them, and CRAM-MD5
    /// one that stores passwords.
    pub const USUAL: [Self; 5] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::External,
        Self::Plain,
        Self::Login,
    ];

    /// Finds a mechanism by its name in any letter case. Returns `None` if there is none.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CramMd5 => "CRAM-MD5",
            Self::External => "EXTERNAL",
            Self::Login => "LOGIN",
            Self::OauthBearer => "OAUTHBEARER",
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// The challenge before the reply to invalid credentials (RFC 7628 §3.2.2). Returns `None` if the
    /// mechanism has none.
    pub(crate) const fn last_challenge(self) -> Option<&'static str> {
        match self {
            Self::OauthBearer => Some(r#"{"status":"invalid_token"}"#),
            Self::Xoauth2 => Some(r#"{"status":"401","schemes":"bearer"}"#),
            Self::CramMd5
            | Self::External
            | Self::Login
            | Self::Plain
            | Self::ScramSha256
            | Self::ScramSha256Plus => None,
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
