//! The hidden command that compiles one plugin file for a running gateway.

use std::time::Duration;

use clap::Args;
use postgate_runtime::compile_standard_input;

use super::failure::Failure;

/// The limits of the compilation.
#[derive(Args, Debug)]
pub(super) struct CompileArguments {
    /// The most memory, in octets.
    #[arg(long)]
    memory: u64,
    /// The most processor time, in seconds.
    #[arg(long)]
    cpu: u64,
}

pub(super) fn run(arguments: &CompileArguments) -> Result<(), Failure> {
    let cpu = Duration::from_secs(arguments.cpu);
    compile_standard_input(arguments.memory, cpu).map_err(Failure::runtime)
}
