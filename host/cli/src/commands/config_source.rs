//! The source of the configuration: a file, and flags and variables that override it.

use std::env;
use std::path::PathBuf;

use clap::Args;
use postgate_config::Config;

use super::failure::Failure;
use super::overrides::Flags;
use crate::own_compiler::own_compiler;

/// The source of the configuration.
#[derive(Args, Debug)]
pub(super) struct ConfigSource {
    /// The configuration file; docs/configuration.md has its keys.
    ///
    /// Without it, the gateway serves 127.0.0.1:2525, accepts mail for example.org, and keeps its files
    /// in the directory `run`: plugins in run/plugins, mail in run/maildir.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl ConfigSource {
    pub(super) fn load(&self) -> Result<Config, Failure> {
        let overrides = self.flags.overrides(|name| env::var_os(name));
        let config = match &self.config {
            Some(file) => Config::load(file, &overrides),
            None => Config::built_in(&overrides),
        };
        let mut config = config.map_err(Failure::input)?;
        config.plugins.compiler = Some(own_compiler());
        Ok(config)
    }
}
