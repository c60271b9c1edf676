//! The running gateway that a command asks over its control socket.

use std::path::PathBuf;

use clap::Args;
use postgate::control::{self, Request, Response};
use postgate_config::Config;
use postgate_runtime::PluginListing;

use super::config_source::ConfigSource;
use super::failure::Failure;
use super::overrides::Flags;

/// The gateway that a command asks.
#[derive(Args, Debug)]
pub(super) struct RunningGateway {
    /// The control socket of the gateway, in place of what the configuration file says.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The configuration file of the gateway, for its `control.socket`.
    ///
    /// Without both, the gateway that runs without a configuration file is asked, in run/control.sock.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl RunningGateway {
    pub(super) fn ask(&self, request: Request) -> Result<Response, Failure> {
        control::ask(&self.socket()?, request).map_err(Failure::runtime)
    }

    /// Sends a request whose response is a list of plugins.
    pub(super) fn plugins(&self, request: Request) -> Result<PluginListing, Failure> {
        match self.ask(request)? {
            Response::Plugins(listing) => Ok(listing),
            _ => Err(self.unexpected_response()),
        }
    }

    /// Returns the failure for a response that does not belong to the request.
    pub(super) fn unexpected_response(&self) -> Failure {
        let socket = self.socket().unwrap_or_default();
        Failure::runtime(format!(
            "{}: an unexpected answer; is the gateway another version than this program?",
            socket.display()
        ))
    }

    /// Returns true if the command line names the socket, so that the gateway must be running.
    pub(super) const fn names_socket(&self) -> bool {
        self.socket.is_some()
    }

    /// Returns the control socket, or `None` if the configuration has none.
    pub(super) fn socket_if_any(&self) -> Result<Option<PathBuf>, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(Some(socket.clone()));
        }
        Config::control_socket_of(self.config.as_deref()).map_err(Failure::input)
    }

    /// Loads the configuration of the gateway.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let flags = Flags::default();
        let config = self.config.clone();
        ConfigSource { config, flags }.load()
    }

    fn socket(&self) -> Result<PathBuf, Failure> {
        self.socket_if_any()?.ok_or_else(|| {
            Failure::Input(vec![
                "control.socket: missing; name a file there and start the gateway again, or say where its \
                 control socket is with --socket"
                    .into(),
            ])
        })
    }
}
