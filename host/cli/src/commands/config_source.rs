//! The source of the configuration: a file, and flags and variables that override it.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;
use postgate_config::{BUILT_IN_NAME, Config, ConfigError};

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
        let mut config = match &self.config {
            Some(file) => Config::load(file, &overrides).map_err(Failure::input)?,
            None => Config::built_in(&overrides).map_err(without_file)?,
        };
        config.plugins.compiler = Some(own_compiler());
        Ok(config)
    }
}

/// The mistakes that the built-in configuration has on this machine, for somebody who has not written it.
fn without_file(errors: Vec<ConfigError>) -> Failure {
    let is_built_in = |error: &ConfigError| error.file == Path::new(BUILT_IN_NAME);
    let (built_in, others): (Vec<_>, Vec<_>) = errors.into_iter().partition(is_built_in);
    let built_in = built_in
        .into_iter()
        .map(|ConfigError { key, mistake, .. }| {
            NoConfiguration(format!("{key}: {mistake}")).into()
        });
    let others = others
        .into_iter()
        .map(|error| -> Box<dyn Error> { error.into() });
    Failure::Input(built_in.chain(others).collect())
}

/// There is no configuration file, and what holds without one does not fit.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no configuration file, and without one this does not fit: {0}; name a file with --config FILE, \
     or let `postgate serve` make what it needs in this directory"
)]
struct NoConfiguration(String);
