//! The names of the plugin contract as values of a sidecar.

use postgate_contract::{Event, Grant, Isolation, OnFailure};
use toml::de::DeValue;

use crate::value::{Setting, one_of};

impl Setting for Event {
    const ALLOWED: &'static str = r#""proxy", "connect", "helo", "starttls", "auth-keys", "auth", "mail", "rcpt", "data", "headers", "body-chunk", "message", "outcome", "reset", "vrfy", "expn", "help", "command" or "disconnect""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::named(value.as_str()?)
    }
}

impl Setting for Grant {
    const ALLOWED: &'static str = r#""clock", "dns", "files", "random" or "store""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        Self::named(value.as_str()?)
    }
}

impl Setting for Isolation {
    const ALLOWED: &'static str = r#""connection", "message", "event" or "shared""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("connection", Self::Connection),
                ("message", Self::Message),
                ("event", Self::Event),
                ("shared", Self::Shared),
            ],
        )
    }
}

impl Setting for OnFailure {
    const ALLOWED: &'static str = r#""tempfail", "accept" or "reject""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        one_of(
            value,
            &[
                ("accept", Self::Accept),
                ("reject", Self::Reject),
                ("tempfail", Self::Tempfail),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats a list as `"a", "b" or "c"`.
    fn listed(names: &[&str]) -> String {
        let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
        let (last, first) = quoted.split_last().unwrap();
        format!("{} or {last}", first.join(", "))
    }

    #[test]
    fn allowed_values_are_complete() {
        assert_eq!(<Event as Setting>::ALLOWED, listed(&Event::NAMES));
        assert_eq!(
            <Grant as Setting>::ALLOWED,
            listed(&Grant::ALL.map(Grant::name))
        );
    }
}
