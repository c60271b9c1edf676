//! Why a plugin cannot be tested.

use std::io;

use postgate::session::ServicesError;
use postgate_config::ConfigError;
use postgate_runtime::{EngineError, LoadError};

/// Why a plugin cannot be tested.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The built-in configuration of the harness is malformed.
    #[error("the configuration of the harness: {0}")]
    BaseConfig(#[from] toml::de::Error),
    /// A key of the table `client` in a dialog is unknown, or has an invalid value.
    #[error(
        "client.{0}: expected ip = \"192.0.2.1\", host = \"name\" or authenticated-as = \"user\""
    )]
    Client(String),
    /// The settings of a dialog are invalid. Has all errors.
    #[error("{}", lines(.0))]
    Config(Vec<ConfigError>),
    /// The WebAssembly engine cannot be created.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The settings of a dialog leave no listener.
    #[error("there is no listener")]
    NoListener,
    /// The plugin cannot be loaded. Has all errors.
    #[error("{}", lines(.0))]
    Plugin(Vec<LoadError>),
    /// The services of the session cannot be set up.
    #[error(transparent)]
    Services(#[from] ServicesError),
    /// The system does not provide a resource.
    #[error("{action}: {error}")]
    System {
        /// What has failed.
        action: &'static str,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
}

fn lines<E: ToString>(errors: &[E]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
