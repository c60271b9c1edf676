//! The program that compiles plugin files, and its limits.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use postgate_config::Plugins;

/// The program that compiles plugin files, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerSettings {
    /// The program.
    pub program: PathBuf,
    /// The arguments that make it call
    /// [`compile_standard_input`](crate::compiler::compile_standard_input).
    pub arguments: Vec<OsString>,
    /// What a compilation may take.
    pub limits: CompilerLimits,
}

/// What the compilation of one file may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompilerLimits {
    /// The most memory, in octets.
    pub memory: u64,
    /// The most processor time of all threads together, in whole seconds.
    pub cpu: Duration,
    /// The longest time from start to end.
    pub elapsed: Duration,
}

impl CompilerSettings {
    /// The settings of a configuration. Returns `None` if it names no program.
    pub fn of(plugins: &Plugins) -> Option<Self> {
        let command = plugins.compiler.clone()?;
        Some(Self {
            program: command.program,
            arguments: command.arguments,
            limits: CompilerLimits {
                memory: plugins.load_memory,
                cpu: plugins.load_cpu,
                elapsed: plugins.load_time,
            },
        })
    }
}
