//! The configuration of the plugin.

use postgate_users::Budget;
use serde::Deserialize;

/// The `[config]` table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The name of the file of users below `[files]`.
    pub(crate) file: String,
    /// Whether users may send only from their own addresses.
    pub(crate) sender_must_match: bool,
    /// The domain of users whose names have none.
    pub(crate) domain: Option<String>,
    /// The most memory that a hash may need, in MiB.
    pub(crate) max_memory: u32,
    /// The most time that a secret may take, in units of what one of `postgate user` takes.
    pub(crate) max_work: u32,
}

impl Config {
    /// Finds values that no login could work with.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &self.domain {
            Some(domain) if !is_domain(domain) => Err(format!(
                "domain: {domain:?} is no domain; write one such as \"example.org\""
            )),
            _ => Ok(()),
        }
    }

    /// What verifying a password may take.
    pub(crate) const fn budget(&self) -> Budget {
        Budget {
            memory: self.max_memory.saturating_mul(1_024),
            work: self.max_work,
        }
    }
}

/// True for names of letters, digits and hyphens, also in Unicode, and for address literals (RFC 5321
/// §4.1.2).
fn is_domain(name: &str) -> bool {
    let literal = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_label = |label: &str| {
        let fits =
            |c: char| c.is_alphanumeric() || c == '-' || (!c.is_ascii() && !c.is_whitespace());
        !label.is_empty() && label.chars().all(fits)
    };
    match literal {
        Some(address) => {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':');
            !address.is_empty() && address.chars().all(fits)
        }
        None => name.len() <= 255 && name.split('.').all(is_label),
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: "users".into(),
            sender_must_match: true,
            domain: None,
            max_memory: 24,
            max_work: 16,
        }
    }
}
