//! What a plugin may use beyond what every plugin may.

use toml::de::DeValue;

use crate::config::value::Setting;

/// Something that a plugin may use only where the operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The time of day.
    Clock,
    /// Questions to the Domain Name System.
    Dns,
    /// Files that the sidecar lists.
    Files,
    /// Random octets.
    Random,
    /// Keys and values that live as long as the session.
    Store,
}

impl Grant {
    /// Everything that can be granted.
    pub const ALL: [Self; 5] = [
        Self::Clock,
        Self::Dns,
        Self::Files,
        Self::Random,
        Self::Store,
    ];

    /// The name in a sidecar, which is that of the interface in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Dns => "dns",
            Self::Files => "files",
            Self::Random => "random",
            Self::Store => "store",
        }
    }
}

impl Setting for Grant {
    const ALLOWED: &'static str = r#""clock", "dns", "files", "random" or "store""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let name = value.as_str()?;
        Self::ALL.into_iter().find(|grant| grant.name() == name)
    }
}
