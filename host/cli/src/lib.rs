//! The program `postgate`: its commands, and the tools for authors of plugins.

mod commands;
pub mod devkit;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use self::commands::Arguments;

/// Carries out the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return commands::usage(&answer),
    };
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}
