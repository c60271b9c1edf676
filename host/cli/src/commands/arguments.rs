//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, getrlimit};

use super::config_source::ConfigSource;
use super::failure::{EX_USAGE, Failure};
use super::plugin::PluginCommand;
use super::running_gateway::RunningGateway;
use super::user::UserCommand;
use super::{certificate, check, compile, metrics, serve};
use crate::own_compiler;

/// An SMTP gateway whose decisions are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(name = "postgate", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Runs the command to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        if !matches!(self.command, Command::Compile) {
            require_open_files()?;
        }
        match self.command {
            Command::Certificate { gateway, pem } => certificate::run(&gateway, pem),
            Command::Check(source) => check::run(&source),
            Command::Compile => compile::run(),
            Command::Metrics(gateway) => metrics::run(&gateway),
            Command::Plugin(command) => command.run(),
            Command::Serve(source) => serve::run(&source),
            Command::User(command) => command.run(),
        }
    }
}

/// Checks that this process may open the files that any command needs. Without them, libraries panic.
fn require_open_files() -> Result<(), Failure> {
    match getrlimit(Resource::Nofile).maximum {
        Some(limit) if limit < MIN_OPEN_FILES => Err(Failure::runtime(format!(
            "this process may open {limit} files, and needs {MIN_OPEN_FILES} (ulimit -n, LimitNOFILE=)"
        ))),
        _ => Ok(()),
    }
}

/// The lowest limit on open files with which the program starts. A gateway needs three for each session.
const MIN_OPEN_FILES: u64 = 64;

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the certificates that clients are shown, with their fingerprints.
    ///
    /// Asks the running gateway over its control socket. If none is configured or no gateway runs, reads
    /// the files.
    Certificate {
        #[command(flatten)]
        gateway: RunningGateway,
        /// Print only the certificates themselves, in PEM.
        #[arg(long)]
        pem: bool,
    },
    /// Check the configuration and the plugins without starting the gateway.
    ///
    /// Prints all mistakes, or a summary if there are none.
    Check(ConfigSource),
    /// Compile the plugin file on standard input, for a gateway that has started this program.
    #[command(name = own_compiler::NAME, hide = true)]
    Compile,
    /// Print the metrics of a running gateway in the OpenMetrics format.
    Metrics(RunningGateway),
    /// Write, test and inspect plugins, and control those of a running gateway.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Serve until SIGTERM or SIGINT; SIGHUP reads plugins, certificates and the backend's files again.
    ///
    /// The log goes to standard error. On SIGTERM and SIGINT, the gateway accepts no more connections,
    /// ends idle sessions with 421, and waits for messages in progress for at most
    /// `limits.shutdown-grace`.
    Serve(ConfigSource),
    /// Manage a file of users who may authenticate, for the plugin `auth-file`.
    #[command(subcommand)]
    User(UserCommand),
}

/// Prints an error of the command line, or the help or version that it requests.
pub(crate) fn print_usage(answer: &clap::Error) -> ExitCode {
    // If the output is closed, the error cannot be reported either.
    let _ = answer.print();
    match answer.use_stderr() {
        true => ExitCode::from(EX_USAGE),
        false => ExitCode::SUCCESS,
    }
}

const AFTER_HELP: &str = "Exit codes: 0 all is well, 1 it failed at run time, 64 the command line or the configuration \
     is wrong.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
        // The name of the program, not that of its package.
        assert_eq!(Arguments::command().get_name(), "postgate");
    }
}
