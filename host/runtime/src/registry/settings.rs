//! The settings of a plugin registry.

use std::path::PathBuf;

use postgate_config::Config;

/// The settings of a plugin registry.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// The directory of `.wasm` files and their sidecars. If it is `None`, there are no plugins.
    pub directory: Option<PathBuf>,
    /// The greatest size of a plugin file in octets.
    pub max_file_size: u64,
    /// The listeners that sidecars may name.
    pub listeners: Vec<String>,
}

impl RegistrySettings {
    /// Takes the settings from the configuration.
    pub fn of(config: &Config) -> Self {
        let listeners = config.listener_names().into_iter();
        Self {
            directory: config.plugins.directory.clone(),
            max_file_size: config.plugins.max_file_size,
            listeners: listeners.map(str::to_owned).collect(),
        }
    }
}
