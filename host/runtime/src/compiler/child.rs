//! What the child does: it gives up what it does not need, compiles its standard input, and reports to its
//! standard output.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use wasmtime::Engine;

use super::code_config::code_config;
use super::confinement::{confine, limit_resources};
use super::report::Report;
use super::translate::translate;

/// Compiles the plugin file on standard input, and writes a report to standard output for the process that
/// has started this one. The memory in octets and the processor time are limits for this whole process.
///
/// The program that [`CompilerSettings`](super::CompilerSettings) names calls this early, before it opens
/// files or starts threads.
///
/// # Errors
///
/// Fails if the process cannot be confined, or if standard input or output fail.
pub fn compile_standard_input(memory: u64, cpu: Duration) -> io::Result<()> {
    limit_resources(memory, cpu)?;
    let engine = Engine::new(&code_config()).map_err(io::Error::other)?;
    confine()?;
    let mut wasm = Vec::new();
    io::stdin().lock().read_to_end(&mut wasm)?;
    let report = match translate(&engine, wasm) {
        Ok(compiled) => Report::Compiled(compiled),
        Err(error) => Report::Refused(error),
    };
    let mut output = io::stdout().lock();
    output.write_all(&report.head())?;
    output.write_all(report.code())?;
    output.flush()
}
