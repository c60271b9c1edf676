//! The rules, as written by the operator.

use std::collections::HashSet;

use postgate_plugin::Pattern;
use serde::Deserialize;

use crate::extensions::DANGEROUS;
use crate::name;

/// The `[config]` table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    pub(crate) action: Action,
    /// What happens to what mail programs may read in several ways.
    pub(crate) undecided: Undecided,
    /// What happens to what nobody can look into.
    pub(crate) closed: Undecided,
    pub(crate) extensions: Extensions,
    pub(crate) content_types: Vec<Pattern>,
    /// Whether to detect programs by their content, whatever their name.
    pub(crate) programs: bool,
    /// Whether to check the names and files inside archives.
    pub(crate) look_into_archives: bool,
    pub(crate) max_attachments: Option<u32>,
    /// The largest attachment, in octets.
    pub(crate) max_size: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            action: Action::Refuse,
            undecided: Undecided::Block,
            closed: Undecided::Block,
            extensions: Extensions::default(),
            content_types: Vec::new(),
            programs: true,
            look_into_archives: true,
            max_attachments: None,
            max_size: None,
        }
    }
}

impl Config {
    /// True if the file name has an extension that is blocked.
    pub(crate) fn is_blocked(&self, filename: &str) -> bool {
        name::extensions(filename)
            .iter()
            .any(|found| self.extensions.contains(found))
    }
}

/// What happens to a message with a blocked attachment.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// The message goes to the operator's quarantine.
    Quarantine,
    /// The message is refused.
    Refuse,
    /// The message passes, with a tag for later plugins and the log.
    Tag,
}

/// What happens to an attachment that cannot be judged.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Undecided {
    /// It passes.
    Accept,
    /// It is blocked as others are.
    Block,
}

/// File name extensions, in lower case and without the dot.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<String>")]
pub(crate) struct Extensions(HashSet<String>);

impl Extensions {
    /// True if the list contains the extension, which is in lower case.
    pub(crate) fn contains(&self, extension: &str) -> bool {
        self.0.contains(extension)
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self(
            DANGEROUS
                .iter()
                .map(|&extension| extension.into())
                .collect(),
        )
    }
}

impl From<Vec<String>> for Extensions {
    fn from(extensions: Vec<String>) -> Self {
        let plain = |text: String| text.trim_start_matches('.').to_lowercase();
        Self(extensions.into_iter().map(plain).collect())
    }
}
