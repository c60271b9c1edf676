//! The command line: what can be asked of the program, and how a failure is told.

use std::fmt;
use std::fs;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use postgate::RunError;
use postgate::config::{Config, ConfigError};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::telemetry;

/// An SMTP gateway whose decisions are WebAssembly plugins.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Does what is asked, to its end.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Check(source) => check(&source),
            Command::Serve(source) => serve(&source),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for mistakes in the configuration and the plugins, and start nothing.
    ///
    /// All mistakes are listed, not only the first. Where there is none, a summary says what would
    /// run.
    Check(Source),
    /// Serve until SIGTERM or SIGINT.
    ///
    /// The log goes to standard error. Told to stop, the gateway takes no new connections and gives
    /// open sessions the time that `limits.shutdown-grace` says.
    Serve(Source),
}

fn serve(source: &Source) -> Result<(), Failure> {
    if source.config.is_none() {
        fs::create_dir_all(BUILT_IN_PLUGINS).map_err(Failure::System)?;
    }
    let config = source.load()?;
    telemetry::start(&config.log);
    let mut builder = runtime::Builder::new_multi_thread();
    if let Some(workers) = config.runtime.workers {
        builder.worker_threads(workers);
    }
    let runtime = builder.enable_all().build().map_err(Failure::System)?;
    runtime.block_on(async {
        let shutdown = told_to_stop().map_err(Failure::System)?;
        postgate::run(config, shutdown).await.map_err(Failure::Run)
    })
}

/// Ends with the first SIGTERM or SIGINT.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn check(source: &Source) -> Result<(), Failure> {
    let config = source.load()?;
    print!("{}", Summary(&config));
    Ok(())
}

/// What would run, in a few lines.
struct Summary<'a>(&'a Config);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        writeln!(f, "hostname  {}", config.hostname)?;
        for listener in &config.listeners {
            writeln!(f, "listener  {}", listener.address)?;
        }
        for domain in &config.relay {
            writeln!(f, "relay     {domain}")?;
        }
        writeln!(f, "backend   {}", config.backend.address)
    }
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
}

impl Source {
    fn load(&self) -> Result<Config, Failure> {
        let config = match &self.config {
            Some(file) => Config::load(file),
            None => Config::built_in(),
        };
        config.map_err(Failure::Configuration)
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
    /// What the operator wrote cannot be used.
    Configuration(Vec<ConfigError>),
    /// The gateway could not start, or not go on.
    Run(RunError),
    /// The machine does not give what every program needs.
    System(io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) => ExitCode::from(EX_USAGE),
            Self::Run(_) | Self::System(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(mistakes) => {
                for mistake in mistakes {
                    writeln!(f, "{mistake}")?;
                }
                match mistakes.len() {
                    1 => f.write_str("1 mistake in the configuration"),
                    count => write!(f, "{count} mistakes in the configuration"),
                }
            }
            Self::Run(error) => write!(f, "{error}"),
            Self::System(error) => write!(f, "{error}"),
        }
    }
}

const EXIT_CODES: &str = "Exit codes: 0 all is well, 1 it failed at run time, 64 the command line or the configuration \
     is wrong.";

/// The directory of plugins that [`postgate::config::BUILT_IN`] names.
const BUILT_IN_PLUGINS: &str = "run/plugins";
/// What sysexits.h calls it.
const EX_USAGE: u8 = 64;
