//! What code depends on: the settings that the engine of the gateway and that of the compiler share.

use wasmtime::Config;

/// The settings of an engine that compiled code depends on.
pub(crate) fn code_config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config
}
