//! `postgate plugin`: what can be asked about plugins, in files and in a running gateway.

mod bindings;
mod inspect;
mod list;
mod reload;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use postgate::control::{self, Request, Response};
use postgate::plugin::PluginListing;

use super::{Failure, Source};

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Write the files that a plugin is written against: the contract, or bindings for C.
    Bindings(bindings::Bindings),
    /// Say what a plugin handles, what it wants to use, and what it may use up.
    ///
    /// The plugin is compiled, but not run. The file beside it, if there is one, is read for its
    /// grants and limits.
    Inspect {
        /// The plugin: a `.wasm` file.
        file: PathBuf,
    },
    /// List the plugins of a running gateway.
    ///
    /// For each: its version and generation, the SHA-256 of its file, whether it serves, what it is
    /// granted and which events it is asked about. Where a file cannot be used, the reason follows.
    List {
        #[command(flatten)]
        gateway: RunningGateway,
        /// Write one JSON object, with everything in full.
        #[arg(long)]
        json: bool,
    },
    /// Tell a running gateway to look at its plugins now, and wait for what comes of it.
    ///
    /// The exit code is 0 where every plugin serves as its files are, and 1 where one does not.
    Reload {
        #[command(flatten)]
        gateway: RunningGateway,
    },
}

impl PluginCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Bindings(wanted) => bindings::run(&wanted),
            Self::Inspect { file } => inspect::run(&file),
            Self::List { gateway, json } => list::run(&gateway, json),
            Self::Reload { gateway } => reload::run(&gateway),
        }
    }
}

/// Which gateway is asked.
#[derive(Args, Debug)]
pub(super) struct RunningGateway {
    /// The control socket of the gateway, in place of what the configuration file says.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    source: Source,
}

impl RunningGateway {
    pub(super) fn ask(&self, request: Request) -> Result<Response, Failure> {
        control::ask(&self.socket()?, request).map_err(Failure::run_time)
    }

    fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        self.source.load()?.control_socket.ok_or_else(|| {
            Failure::Mistakes(vec![
                "control.socket: missing; name a file there and start the gateway again, or say where its \
                 control socket is with --socket"
                    .into(),
            ])
        })
    }
}

/// What a gateway says about its plugins.
fn plugins(gateway: &RunningGateway, request: Request) -> Result<PluginListing, Failure> {
    match gateway.ask(request)? {
        Response::Plugins(listing) => Ok(listing),
        other => Err(Failure::run_time(format!(
            "the gateway says something else: {other:?}"
        ))),
    }
}
