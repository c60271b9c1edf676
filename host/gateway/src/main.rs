//! The program `postgate`: a command line in, an exit code out.

mod cli;
mod telemetry;

use std::process::ExitCode;

use clap::Parser as _;

use self::cli::Arguments;

// Sessions allocate and free small pieces on all threads at once, which the system's allocator is
// slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return cli::usage(&answer),
    };
    match arguments.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit_code()
        }
    }
}
