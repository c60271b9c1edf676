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
    /// What verifying a password may take.
    pub(crate) const fn budget(&self) -> Budget {
        Budget {
            memory: self.max_memory.saturating_mul(1_024),
            work: self.max_work,
        }
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
