//! The commands of the program `postgate`, and the tools for authors of plugins.

mod commands;
pub mod devkit;
mod log_queue;
mod own_compiler;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use self::commands::Arguments;

/// Runs the command line of this process, and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return commands::print_usage(&answer),
    };
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}
