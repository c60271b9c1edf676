//! The plugin directory and the loading of plugins.

use std::path::PathBuf;
use std::time::Duration;

use super::document::Section;
use super::value::Octets;

/// The settings for all plugins together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// The directory of `.wasm` files and their sidecars, which exists. If `None`, there are no
    /// plugins.
    pub directory: Option<PathBuf>,
    /// The cache directory for compiled code. If `None`, plugins are compiled at every start.
    pub cache: Option<PathBuf>,
    /// The largest plugin file, in octets.
    pub max_file_size: u64,
    /// True if the gateway watches the directory for changes.
    pub watch: bool,
    /// The interval of scans for changes, above 0.
    pub rescan: Duration,
    /// The most plugin instances at a time, at least 1. If `None`, as many as the machine can hold.
    pub instances: Option<u32>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            directory: None,
            cache: None,
            max_file_size: 64 << 20,
            watch: true,
            rescan: Duration::from_secs(30),
            instances: None,
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Plugins {
    let default = Plugins::default();
    let directory = section.path("directory");
    if let Some(directory) = &directory
        && !directory.is_dir()
    {
        let text = format!("there is no directory {}", directory.display());
        section.conflict("directory", text);
    }
    Plugins {
        directory,
        cache: section.path("cache"),
        max_file_size: section
            .value("max-file-size")
            .map_or(default.max_file_size, |Octets(size)| size.into()),
        watch: section.value_or("watch", default.watch),
        rescan: section.timeout("rescan", default.rescan),
        instances: section.above_zero("instances"),
    }
}
