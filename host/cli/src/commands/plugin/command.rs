//! The subcommands of `postgate plugin`.

use clap::Subcommand;

use super::{bench, bindings, inspect, list, new, reload, replay, test};
use crate::commands::failure::Failure;
use crate::commands::running_gateway::RunningGateway;

#[derive(Debug, Subcommand)]
pub(in crate::commands) enum PluginCommand {
    Bench(bench::Arguments),
    Bindings(bindings::Arguments),
    Inspect(inspect::Arguments),
    /// List the plugins of a running gateway.
    ///
    /// For each: its version and generation, the SHA-256 of its file, its state, its grants and its
    /// events. If a file cannot be used, the reason follows.
    List {
        #[command(flatten)]
        gateway: RunningGateway,
        /// Write one JSON object, with everything in full.
        #[arg(long)]
        json: bool,
    },
    New(new::Arguments),
    /// Make a running gateway read its plugins now, and wait for the result.
    ///
    /// The exit code is 0 if all plugins are active with their current files, and 1 otherwise.
    Reload {
        #[command(flatten)]
        gateway: RunningGateway,
    },
    Replay(replay::Arguments),
    Test(test::Arguments),
}

impl PluginCommand {
    pub(in crate::commands) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Bench(arguments) => bench::run(&arguments),
            Self::Bindings(arguments) => bindings::run(&arguments),
            Self::Inspect(arguments) => inspect::run(&arguments),
            Self::List { gateway, json } => list::run(&gateway, json),
            Self::New(arguments) => new::run(&arguments),
            Self::Reload { gateway } => reload::run(&gateway),
            Self::Replay(arguments) => replay::run(&arguments),
            Self::Test(arguments) => test::run(&arguments),
        }
    }
}
