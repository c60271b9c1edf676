//! Reads a configuration from its file.

use std::path::{Path, PathBuf};

use super::config::Config;
use super::document::{self, Section};
use super::error::{ConfigError, read_text};
use super::overrides::Overrides;
use super::read;

/// The configuration without a file: a documented example of every key.
pub const BUILT_IN: &str = include_str!("default.toml");

impl Config {
    /// Reads and validates a file. Paths in it are relative to its directory, paths in `overrides`
    /// to the current directory.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, it or `overrides` have mistakes, or this machine cannot do what
    /// they ask for, for example because it does not have an address. Lists every mistake, in the order
    /// of lines.
    pub fn load(file: &Path, overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        let text = read_text(file).map_err(|error| vec![error])?;
        document::read(&text, file, overrides, read::config_for_this_machine)
    }

    /// Validates `text` as the content of `file`, which need not exist. Does not try what only this
    /// machine can tell.
    ///
    /// # Errors
    ///
    /// Fails if the text or `overrides` have mistakes. Lists every one, in the order of lines.
    pub fn parse(text: &str, file: &Path, overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        document::read(text, file, overrides, read::config)
    }

    /// The configuration of [`BUILT_IN`], with paths relative to the current directory.
    ///
    /// # Errors
    ///
    /// Fails if `overrides` has mistakes, or this machine lacks something, for example the plugin
    /// directory.
    pub fn built_in(overrides: &Overrides) -> Result<Self, Vec<ConfigError>> {
        let file = Path::new(BUILT_IN_NAME);
        document::read(BUILT_IN, file, overrides, read::config_for_this_machine)
    }

    /// The control socket in `file`, or in [`BUILT_IN`] if `file` is `None`. Other mistakes in the
    /// file are ignored, so that a running gateway can be reached after a failed edit.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is not TOML, or the value of this key is wrong.
    pub fn control_socket_of(file: Option<&Path>) -> Result<Option<PathBuf>, Vec<ConfigError>> {
        let (text, file) = match file {
            None => (BUILT_IN.to_owned(), Path::new(BUILT_IN_NAME)),
            Some(file) => {
                let text = read_text(file).map_err(|error| vec![error])?;
                (text, file)
            }
        };
        let control = |root: &mut Section<'_>| {
            root.ignore_unknown_keys();
            Some(read::control_socket(root))
        };
        document::read(&text, file, &Overrides::default(), control)
    }
}

/// The file name of [`BUILT_IN`] in error messages.
pub const BUILT_IN_NAME: &str = "built-in configuration";
