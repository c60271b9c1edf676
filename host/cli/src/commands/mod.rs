//! The command line: what can be asked of the program, and how a failure is told.

mod certificate;
mod check;
mod metrics;
mod overrides;
mod plugin;
mod serve;
mod user;

use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use postgate_config::Config;

use self::overrides::Flags;
use self::plugin::{PluginCommand, RunningGateway};
use self::user::UserCommand;

/// An SMTP gateway whose decisions are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Does what is asked, to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Certificate { gateway, pem } => certificate::run(&gateway, pem),
            Command::Check(source) => check::run(&source),
            Command::Metrics(gateway) => metrics::run(&gateway),
            Command::Plugin(command) => command.run(),
            Command::Serve(source) => serve::run(&source),
            Command::User(command) => command.run(),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say which certificates clients are shown, with their fingerprints.
    ///
    /// A running gateway is asked where it has a control socket; where none runs, the files say what
    /// one would show.
    Certificate {
        #[command(flatten)]
        gateway: RunningGateway,
        /// Write the certificates themselves, in PEM, and nothing else.
        #[arg(long)]
        pem: bool,
    },
    /// Look for mistakes in the configuration and the plugins, and start nothing.
    ///
    /// All mistakes are listed, not only the first. Where there is none, a summary says what would
    /// run.
    Check(Source),
    /// Show what a running gateway counts, in the OpenMetrics format.
    Metrics(RunningGateway),
    /// Write plugins, try them out, look into them, and ask a running gateway about its own.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Serve until SIGTERM or SIGINT; SIGHUP reads plugins, certificates and the backend's files again.
    ///
    /// The log goes to standard error. Told to stop, the gateway takes no new connections, answers idle
    /// sessions with 421, and gives those in the middle of a message the time that
    /// `limits.shutdown-grace` says.
    Serve(Source),
    /// Keep a file of users who may authenticate, for the plugin `auth-file`.
    #[command(subcommand)]
    User(UserCommand),
}

/// Where the configuration comes from.
#[derive(Args, Debug)]
struct Source {
    /// The configuration file; docs/configuration.md has its keys.
    ///
    /// Without it, the gateway serves 127.0.0.1:2525, takes mail for example.org, and keeps what it
    /// needs in the directory `run`: plugins in run/plugins, mail in run/maildir.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

impl Source {
    fn load(&self) -> Result<Config, Failure> {
        let overrides = self.flags.overrides(|name| env::var_os(name));
        let config = match &self.config {
            Some(file) => Config::load(file, &overrides),
            None => Config::built_in(&overrides),
        };
        config.map_err(Failure::mistakes)
    }
}

/// Tells what is wrong with the command line, or what was asked about it.
pub(crate) fn usage(answer: &clap::Error) -> ExitCode {
    // Nothing is left to be told where the terminal is gone.
    let _ = answer.print();
    match answer.use_stderr() {
        true => ExitCode::from(EX_USAGE),
        false => ExitCode::SUCCESS,
    }
}

/// Why the program ends before its time.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What the operator wrote or put into the plugin directory cannot be used: every reason.
    Mistakes(Vec<Box<dyn Error>>),
    /// The machine does not give what is needed.
    RunTime(Box<dyn Error>),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Mistakes(_) => ExitCode::from(EX_USAGE),
            Self::RunTime(_) => ExitCode::FAILURE,
        }
    }

    fn mistakes<E: Error + 'static>(mistakes: Vec<E>) -> Self {
        Self::Mistakes(mistakes.into_iter().map(|mistake| mistake.into()).collect())
    }

    fn run_time(error: impl Into<Box<dyn Error>>) -> Self {
        Self::RunTime(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistakes(mistakes) => {
                for mistake in mistakes {
                    writeln!(f, "{mistake}")?;
                }
                match mistakes.len() {
                    1 => f.write_str("1 mistake"),
                    count => write!(f, "{count} mistakes"),
                }
            }
            Self::RunTime(error) => write!(f, "{error}"),
        }
    }
}

/// Writes an answer to standard output.
fn say(answer: impl fmt::Display) -> Result<(), Failure> {
    write!(io::stdout(), "{answer}").map_err(Failure::run_time)
}

const AFTER_HELP: &str = "Exit codes: 0 all is well, 1 it failed at run time, 64 the command line or the configuration \
     is wrong.";

/// What sysexits.h calls it.
const EX_USAGE: u8 = 64;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Arguments::command().debug_assert();
    }
}
