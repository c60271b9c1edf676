//! `postgate plugin`: what authors and operators do with plugins, one file a command.

mod bench;
mod bindings;
mod inspect;
mod list;
mod new;
mod reload;
mod replay;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use postgate::control::{self, Request, Response};
use postgate_config::Config;
use postgate_runtime::PluginListing;

use super::overrides::Flags;
use super::{Failure, Source};

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    Bench(bench::Arguments),
    /// Write the files that a plugin is written against: the contract, or bindings for C.
    Bindings(bindings::Bindings),
    Inspect(inspect::Arguments),
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
    New(new::Arguments),
    /// Tell a running gateway to look at its plugins now, and wait for what comes of it.
    ///
    /// The exit code is 0 where every plugin serves as its files are, and 1 where one does not.
    Reload {
        #[command(flatten)]
        gateway: RunningGateway,
    },
    Replay(replay::Arguments),
    Test(test::Arguments),
}

impl PluginCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Bench(arguments) => bench::run(&arguments),
            Self::Bindings(wanted) => bindings::run(&wanted),
            Self::Inspect(arguments) => inspect::run(&arguments),
            Self::List { gateway, json } => list::run(&gateway, json),
            Self::New(arguments) => new::run(&arguments),
            Self::Reload { gateway } => reload::run(&gateway),
            Self::Replay(arguments) => replay::run(&arguments),
            Self::Test(arguments) => test::run(&arguments),
        }
    }
}

/// Which gateway is asked.
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
        control::ask(&self.socket()?, request).map_err(Failure::run_time)
    }

    /// The gateway has said something that nobody asked.
    pub(super) fn unexpected(&self) -> Failure {
        let socket = self.socket().unwrap_or_default();
        Failure::run_time(format!(
            "{}: an unexpected answer; is the gateway another version than this program?",
            socket.display()
        ))
    }

    /// Whether the operator says where it is, so that one is meant to run.
    pub(super) const fn names_socket(&self) -> bool {
        self.socket.is_some()
    }

    /// Where it can be asked, where it can.
    pub(super) fn socket_if_any(&self) -> Result<Option<PathBuf>, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(Some(socket.clone()));
        }
        Config::control_socket_of(self.config.as_deref()).map_err(Failure::mistakes)
    }

    /// What a gateway would run with.
    pub(super) fn config(&self) -> Result<Config, Failure> {
        let flags = Flags::default();
        let config = self.config.clone();
        Source { config, flags }.load()
    }

    fn socket(&self) -> Result<PathBuf, Failure> {
        self.socket_if_any()?.ok_or_else(|| {
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
        _ => Err(gateway.unexpected()),
    }
}
