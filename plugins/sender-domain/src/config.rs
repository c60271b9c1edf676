//! The rules, as written by the operator.

use postgate_plugin::DomainPattern;
use serde::Deserialize;

/// The `[config]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    allow: Vec<DomainPattern>,
    /// Whether to check the domains of recipients, too.
    pub(crate) recipients: bool,
}

impl Config {
    /// True if the domain is not looked up.
    pub(crate) fn allows(&self, domain: &str) -> bool {
        self.allow.iter().any(|pattern| pattern.matches(domain))
    }
}
