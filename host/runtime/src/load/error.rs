//! Why a plugin cannot be loaded.

use std::io;
use std::path::PathBuf;

use crate::error::PluginError;
use postgate_config::ConfigError;
use postgate_contract::VERSION;

/// Why a plugin cannot be loaded. The file is the operator's or the author's to mend.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file holds no component.
    #[error("{file}: not a WebAssembly component: {reason}")]
    Component {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Sessions had all instances that there may be, so that it could not be tried.
    #[error("{}: could not be tried, all of plugins.instances are in use", .0.display())]
    Full(PathBuf),
    /// The component wants to be asked about what nobody would ask it.
    #[error(
        "{file}: it exports {exports}, which this gateway never calls: the plugin is written against \
         another version of the contract than {VERSION}",
        file = .file.display(),
        exports = .exports.join(", ")
    )]
    Export {
        /// The file.
        file: PathBuf,
        /// The names of the exports.
        exports: Vec<String>,
    },
    /// The file or its directory cannot be read.
    #[error("{file}: {error}", file = file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The component imports what it may not.
    #[error("{file}: {reason}")]
    Import {
        /// The file.
        file: PathBuf,
        /// Which imports, and what would allow them.
        reason: String,
    },
    /// The instances that sessions are to share would be too many.
    #[error(
        "{sidecar}: shared-instances: there is no room for {count} more instances; see plugins.instances",
        sidecar = .sidecar.display()
    )]
    NoRoom {
        /// The file that asks for them.
        sidecar: PathBuf,
        /// How many there would be.
        count: u32,
    },
    /// No event is exported.
    #[error("{}: exports no event of postgate:plugin@0.1, nothing would ever call it", .0.display())]
    NoEvent(PathBuf),
    /// The plugin does not work under its limits.
    #[error("{file}: {error}", file = file.display())]
    Plugin {
        /// The file.
        file: PathBuf,
        /// What happened when it was tried.
        error: PluginError,
    },
    /// The sidecar has mistakes.
    #[error(transparent)]
    Sidecar(#[from] ConfigError),
    /// The file is larger than it may be.
    #[error("{file}: {size} octets are more than {key} of {limit}")]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size in octets.
        size: u64,
        /// The limit in octets.
        limit: u64,
        /// The setting or rule that says so.
        key: &'static str,
    },
}

impl LoadError {
    /// Whether the plugin may work at another time as it is: it was tried, and the machine and all that
    /// it asks had their part in that, or the machine could not even read it.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Full(_) | Self::Io { .. } | Self::NoRoom { .. } | Self::Plugin { .. }
        )
    }
}
