//! The configuration of the plugin.

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
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: "users".into(),
            sender_must_match: true,
            domain: None,
        }
    }
}
