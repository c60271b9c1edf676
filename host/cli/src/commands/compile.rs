//! The hidden command that compiles one plugin file for the gateway that has started it.

use postgate_runtime::compile_standard_input;

use super::failure::Failure;

pub(super) fn run() -> Result<(), Failure> {
    compile_standard_input().map_err(Failure::runtime)
}
