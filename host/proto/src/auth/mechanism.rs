//! The mechanisms of AUTH and their names.

use std::fmt;

/// A SASL mechanism that this server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The keyed digest of a challenge (RFC 2195). Its protection is that of MD5.
    CramMd5,
    /// Whatever the channel shows: the client's certificate (RFC 4422 appendix A).
    External,
    /// User name and password, one line each.
    Login,
    /// A bearer token (RFC 7628).
    OauthBearer,
    /// Identities and password in one line (RFC 4616).
    Plain,
    /// A proof that the client knows the password, and that the server has its keys (RFC 7677).
    ScramSha256,
    /// The same, bound to the encrypted channel (RFC 9266).
    ScramSha256Plus,
    /// A bearer token as it was sent before RFC 7628.
    Xoauth2,
}

impl Mechanism {
    /// Every mechanism, those first that give the least away.
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

    /// Those that are offered where the operator says nothing: tokens need a plugin that knows them, and
    /// CRAM-MD5 one that knows the passwords themselves.
    pub const USUAL: [Self; 5] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::External,
        Self::Plain,
        Self::Login,
    ];

    /// Finds a mechanism by its name; letter case does not matter.
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

    /// What the client is told before it hears that its credentials are refused, where the mechanism
    /// has something for that (RFC 7628 §3.2.2).
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
