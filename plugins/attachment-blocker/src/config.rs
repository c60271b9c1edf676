//! The rules, as written by the operator.

use postgate_plugin::Pattern;
use serde::Deserialize;

/// The `[config]` table.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    pub(crate) action: Action,
    pub(crate) extensions: Extensions,
    pub(crate) content_types: Vec<Pattern>,
    /// Whether to detect programs by their content, whatever their name.
    pub(crate) programs: bool,
    /// Whether to check the names inside ZIP archives.
    pub(crate) look_into_zip: bool,
    pub(crate) max_attachments: Option<u32>,
    /// The largest attachment, in octets.
    pub(crate) max_size: Option<u32>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            action: Action::Refuse,
            extensions: Extensions::default(),
            content_types: Vec::new(),
            programs: true,
            look_into_zip: true,
            max_attachments: None,
            max_size: None,
        }
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

/// File name extensions, in lower case and without the dot.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<String>")]
pub(crate) struct Extensions(Vec<String>);

impl Extensions {
    /// True if the list contains the extension, which is in lower case.
    pub(crate) fn contains(&self, extension: &str) -> bool {
        self.0.iter().any(|blocked| blocked == extension)
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

/// Extensions of files that run, install or mount something on common systems when they are opened.
pub(crate) const DANGEROUS: [&str; 52] = [
    "ade", "adp", "apk", "appx", "bat", "chm", "cmd", "com", "cpl", "dll", "dmg", "ex", "exe",
    "gadget", "hta", "img", "ins", "iso", "isp", "jar", "jnlp", "js", "jse", "lib", "lnk", "mde",
    "msc", "msi", "msix", "msp", "mst", "nsh", "pif", "ps1", "psm1", "reg", "scf", "scr", "sct",
    "shb", "sys", "url", "vb", "vbe", "vbs", "vhd", "vhdx", "vxd", "wsc", "wsf", "wsh", "xll",
];
