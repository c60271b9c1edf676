//! How long an instance of a plugin lives.

use toml::de::DeValue;

use crate::config::value::Setting;

/// How long an instance of a plugin lives, and with it whatever the plugin keeps in its memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// As long as the session.
    #[default]
    Connection,
    /// Until MAIL begins the next transaction.
    Message,
    /// For one event.
    Event,
    /// As long as it works, for one event of one session after another: this does not isolate.
    Shared,
}

impl Setting for Isolation {
    const ALLOWED: &'static str = r#""connection", "message", "event" or "shared""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "connection" => Some(Self::Connection),
            "message" => Some(Self::Message),
            "event" => Some(Self::Event),
            "shared" => Some(Self::Shared),
            _ => None,
        }
    }
}
