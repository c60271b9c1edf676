//! The plugin directory and the loading of plugins.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::document::Section;
use super::value::{LargeOctets, Octets};

/// The settings for all plugins together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plugins {
    /// The directory of `.wasm` files and their sidecars, which exists. If `None`, there are no
    /// plugins.
    pub directory: Option<PathBuf>,
    /// The cache directory for compiled code. If `None`, plugins are compiled at every start.
    pub cache: Option<PathBuf>,
    /// The most disk space of the cache directory, in octets.
    pub cache_size: u64,
    /// The command that compiles plugin files. It is no setting of the file: the program that runs the
    /// gateway names itself, or another one. Without it, only plugins in the cache can be loaded.
    pub compiler: Option<CompilerCommand>,
    /// The most memory for the compilation of a plugin file, in octets.
    pub load_memory: u64,
    /// The most processor time for the compilation of a plugin file, at least a second.
    pub load_cpu: Duration,
    /// The longest time for the compilation of a plugin file, above 0.
    pub load_time: Duration,
    /// The largest plugin file, in octets.
    pub max_file_size: u64,
    /// True if the gateway watches the directory for changes.
    pub watch: bool,
    /// The interval of scans for changes, above 0.
    pub rescan: Duration,
    /// The most memory of all plugin instances together, in octets. If `None`, half the memory of the
    /// machine.
    pub memory: Option<u64>,
    /// The most plugin instances at a time, at least 1. If `None`, as many as the machine can hold.
    pub instances: Option<u32>,
}

/// A command that compiles plugin files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            directory: None,
            cache: None,
            cache_size: 1 << 30,
            compiler: None,
            load_memory: 1 << 30,
            load_cpu: Duration::from_mins(1),
            load_time: Duration::from_mins(2),
            max_file_size: 64 << 20,
            watch: true,
            rescan: Duration::from_secs(30),
            memory: None,
            instances: None,
        }
    }
}

pub(super) fn read(section: &mut Section<'_>) -> Plugins {
    let default = Plugins::default();
    let directory = section.path("directory");
    let load_memory = octets(section, "load-memory", default.load_memory);
    if load_memory < MIN_LOAD_MEMORY {
        let text = "less than the 64MiB that the compiler itself needs".to_owned();
        section.conflict("load-memory", text);
    }
    if let Some(directory) = &directory
        && !directory.is_dir()
    {
        let text = format!("there is no directory {}", directory.display());
        section.conflict("directory", text);
    }
    Plugins {
        directory,
        cache: section.path("cache"),
        cache_size: octets(section, "cache-size", default.cache_size),
        compiler: None,
        load_memory,
        load_cpu: section.timeout("load-cpu", default.load_cpu),
        load_time: section.timeout("load-time", default.load_time),
        max_file_size: octets(section, "max-file-size", default.max_file_size),
        watch: section.value_or("watch", default.watch),
        rescan: section.timeout("rescan", default.rescan),
        memory: section.value("memory").map(|LargeOctets(size)| size),
        instances: section.above_zero("instances"),
    }
}

/// What the compiler needs to compile anything, in octets.
const MIN_LOAD_MEMORY: u64 = 64 << 20;

fn octets(section: &mut Section<'_>, key: &'static str, default: u64) -> u64 {
    let given = section.value(key);
    given.map_or(default, |Octets(size)| size.into())
}
