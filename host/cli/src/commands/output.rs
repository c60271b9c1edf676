//! The output of commands.

use std::fmt;
use std::io::{self, Write as _};

use super::failure::Failure;

/// Writes the result of a command to standard output.
pub(super) fn print(output: impl fmt::Display) -> Result<(), Failure> {
    write!(io::stdout(), "{output}").map_err(Failure::runtime)
}
