//! Commands that run installed programs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Returns a command that runs an installed program.
///
/// # Panics
///
/// Panics if the program is not installed.
pub fn program(name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = places
        .map(|place| place.join(name))
        .find(|program| program.is_file());
    match found {
        Some(program) => Command::new(program),
        None => panic!("{name} is not installed; run make test, or scripts/setup first"),
    }
}

/// Runs a command to its end, and returns its output.
pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", shown(command.get_program())))
}

/// Returns the name of a program for error messages.
pub(super) fn shown(program: &OsStr) -> String {
    program.to_string_lossy().into_owned()
}
