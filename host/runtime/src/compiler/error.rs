//! Why a plugin file cannot be compiled, and whose fault it is.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::error::is_of_host;
use crate::printable::Printable;

/// Why there is no compiled code of a file.
#[derive(Debug, thiserror::Error)]
pub enum CompilerError {
    /// The compiled code cannot be used: the program that compiled it is of another version.
    #[error("the compiled code does not fit this program: {0:#}")]
    Code(#[source] wasmtime::Error),
    /// The file contains no valid component.
    #[error("not a WebAssembly component: {0}")]
    Component(#[source] ComponentError),
    /// The compilation needs more processor time than it may have.
    #[error("compiling it takes more than plugins.load-cpu of {0:?}")]
    Cpu(Duration),
    /// The compiler ended without a report.
    #[error("the compiler could not handle it: {status}{}", remark(.said))]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// The compiler lacks something of the machine, such as a thread.
    #[error("the compiler cannot be run: {}", Printable(.0))]
    Failed(String),
    /// The compiler cannot be heard.
    #[error("the compiler cannot be run: {0}")]
    Io(#[source] io::Error),
    /// The compilation needs more memory than it may have, or than the machine has.
    #[error("compiling it takes more than plugins.load-memory of {0} octets")]
    Memory(u64),
    /// No program is named that compiles plugins.
    #[error("no program is named that compiles plugins")]
    NoProgram,
    /// The file is nested too deep.
    #[error("it is nested too deep to be compiled")]
    Nested,
    /// The report of the compiler cannot be understood.
    #[error("the compiler answered something else than a report")]
    Report,
    /// The code is larger than that of an honest file can be.
    #[error("its code is larger than {0} octets, the most for a file of its size")]
    TooLarge(u64),
    /// The program that compiles plugins cannot be started.
    #[error("the compiler {} cannot be started: {}", .0.display(), start_error(.0, .1))]
    Start(PathBuf, #[source] io::Error),
    /// The compilation takes too long.
    #[error("compiling it takes longer than plugins.load-time of {0:?}")]
    Time(Duration),
}

impl CompilerError {
    /// True if the same file may compile at another time: the machine is the cause, or may be.
    pub(crate) fn is_transient(&self) -> bool {
        let may_be_of_host = matches!(self, Self::Ended { .. } | Self::Memory(_) | Self::Time(_));
        may_be_of_host || self.host_cause().is_some()
    }

    /// The cause in logs and metrics if the host has failed, and not the file: `compiler` or `memory`.
    pub(crate) fn host_cause(&self) -> Option<&'static str> {
        match self {
            Self::Code(error) if is_of_host(error) => Some("memory"),
            Self::Failed(_) | Self::Io(_) | Self::Start(..) => Some("compiler"),
            // The compiler never ends so. The system does it, above all when memory runs out.
            Self::Ended { status, .. } if status.signal() == Some(libc::SIGKILL) => {
                Some("compiler")
            }
            _ => None,
        }
    }
}

/// Names the remedy where the reason is known.
fn start_error(program: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound if program.starts_with("/proc") => {
            format!("{error}; is /proc mounted?")
        }
        io::ErrorKind::WouldBlock => {
            format!("{error}; no more processes may run (ulimit -u, pids.max)")
        }
        _ => error.to_string(),
    }
}

fn remark(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!(", after it had said {text:?}"),
    }
}

/// Why a file is no component. Texts of the parser are part of it, in which parts of the file occur.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComponentError {
    /// The file is a core module that cannot be encoded as a component.
    #[error("a core module that cannot become a component: {}", Printable(.0))]
    CoreModule(String),
    /// The component cannot be compiled or linked.
    #[error("{}", Printable(.0))]
    Invalid(String),
    /// The file does not begin with the preamble of WebAssembly.
    #[error("it does not begin as a WebAssembly file does")]
    NotWasm,
    /// The file contains machine code.
    #[error("precompiled code is not accepted, since it cannot be checked")]
    Precompiled,
    /// The file is shorter than the preamble of WebAssembly.
    #[error("the file is shorter than the preamble of WebAssembly")]
    TooShort,
}
