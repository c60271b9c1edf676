//! The domains that the gateway accepts mail for.

use std::fmt;

use postgate_proto::address::Charset;
use postgate_proto::relay::SenderRouting;
use toml::de::DeValue;

use super::document::Section;
use super::value::{Setting, is_domain};

/// The mail that unauthenticated clients may send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// The domains that they may send to.
    pub domains: Vec<RelayDomain>,
    /// Whether a local part may name another destination.
    pub sender_routing: SenderRouting,
}

/// A domain that the gateway accepts mail for, in lower case: `example.org`, or `.example.org` for
/// all its subdomains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayDomain(String);

impl RelayDomain {
    /// The domain in the syntax of [`RelayDomains`](postgate_proto::relay::RelayDomains).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelayDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for SenderRouting {
    const ALLOWED: &'static str = r#""refuse" or "accept""#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        match value.as_str()? {
            "refuse" => Some(Self::Refuse),
            "accept" => Some(Self::Accept),
            _ => None,
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Relay {
    let domains = section.list("domains");
    let sender_routing = section.value("sender-routing");
    Relay {
        domains: domains.unwrap_or_default(),
        sender_routing: sender_routing.unwrap_or_default(),
    }
}

impl Setting for RelayDomain {
    const ALLOWED: &'static str =
        r#"a domain such as "example.org", or ".example.org" for all its subdomains"#;

    fn read(value: &DeValue<'_>) -> Option<Self> {
        let rule = value.as_str()?.to_lowercase();
        let rule = rule.strip_suffix('.').unwrap_or(&rule);
        let domain = rule.strip_prefix('.').unwrap_or(rule);
        is_domain(domain, Charset::Utf8).then(|| Self(rule.to_owned()))
    }
}
