//! How tests without a gateway have plugins compiled.

use postgate_config::{CompilerCommand, Plugins};

use crate::gateway::program;

/// The command of the program under test that compiles plugins.
pub fn compiler() -> CompilerCommand {
    CompilerCommand {
        program: program().get_program().into(),
        arguments: vec!["compile-plugin".into()],
    }
}

/// Settings without a cache, with this compiler.
pub fn compiling() -> Plugins {
    Plugins {
        compiler: Some(compiler()),
        ..Plugins::default()
    }
}
