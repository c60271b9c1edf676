//! How this program compiles plugin files: by a command of its own.

use std::ffi::OsString;
use std::path::PathBuf;

use postgate_config::CompilerCommand;

/// The command by which this program compiles plugin files.
pub(crate) fn own_compiler() -> CompilerCommand {
    CompilerCommand {
        // This very program, also after an update has replaced its file.
        program: PathBuf::from("/proc/self/exe"),
        arguments: vec![OsString::from(NAME)],
    }
}

/// The name of the command.
pub(crate) const NAME: &str = "compile-plugin";
