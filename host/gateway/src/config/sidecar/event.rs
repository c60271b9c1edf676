//! The events that a plugin can be asked about.

use toml::de::DeValue;

use crate::config::value::Setting;

/// An event that a plugin can be asked about, in the order of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names are those of the plugin contract, which explains them"
)]
pub enum Event {
    Proxy,
    Connect,
    Helo,
    StartTls,
    AuthKeys,
    Auth,
    Mail,
    Rcpt,
    Data,
    Headers,
    BodyChunk,
    Message,
    Outcome,
    Reset,
    Vrfy,
    Expn,
    Help,
    Command,
    Disconnect,
}

impl Event {
    /// Every event, in the order of a session.
    pub const ALL: [Self; 19] = [
        Self::Proxy,
        Self::Connect,
        Self::Helo,
        Self::StartTls,
        Self::AuthKeys,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Headers,
        Self::BodyChunk,
        Self::Message,
        Self::Outcome,
        Self::Reset,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Command,
        Self::Disconnect,
    ];

    /// The name in a sidecar: that of the interface in the contract, without `on-`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::StartTls => "starttls",
            Self::AuthKeys => "auth-keys",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Headers => "headers",
            Self::BodyChunk => "body-chunk",
            Self::Message => "message",
            Self::Outcome => "outcome",
            Self::Reset => "reset",
            Self::Vrfy => "vrfy",
            Self::Expn => "expn",
            Self::Help => "help",
            Self::Command => "command",
            Self::Disconnect => "disconnect",
        }
    }

    /// Whether plugins are told of something that has happened, and nobody waits for an opinion.
    pub const fn is_notice(self) -> bool {
        matches!(self, Self::Outcome | Self::Reset | Self::Disconnect)
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Setting for Event {
    const ALLOWED: &'static str = r#""proxy", "connect", "helo", "starttls", "auth-keys", "auth", "mail", "rcpt", "data", "headers", "body-chunk", "message", "outcome", "reset", "vrfy", "expn", "help", "command" or "disconnect""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}
