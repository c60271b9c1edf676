//! Why a command fails, and its exit code.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fmt, io};

use postgate_runtime::LoadError;

/// Why a command fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration, the plugins or the arguments cannot be used. Has all errors.
    Input(Vec<Box<dyn Error>>),
    /// The system, a running gateway or a plugin under test has failed.
    Runtime(Box<dyn Error>),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(EX_USAGE),
            Self::Runtime(_) => ExitCode::FAILURE,
        }
    }

    pub(super) fn input<E: Error + 'static>(errors: Vec<E>) -> Self {
        Self::Input(errors.into_iter().map(|error| error.into()).collect())
    }

    /// Plugins cannot be loaded: a mistake in their files, or the failure of the machine where it is one.
    pub(super) fn plugins(errors: Vec<LoadError>) -> Self {
        match errors.iter().find(|error| error.host_cause().is_some()) {
            Some(of_machine) => Self::runtime(of_machine.to_string()),
            None => Self::input(errors),
        }
    }

    pub(super) fn runtime(error: impl Into<Box<dyn Error>>) -> Self {
        Self::Runtime(error.into())
    }

    /// The failure to read or write a file or directory.
    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        Self::runtime(FileError { path, error })
    }
}

/// A file or directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
struct FileError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(errors) => {
                for error in errors {
                    writeln!(f, "{error}")?;
                }
                match errors.len() {
                    1 => f.write_str("1 mistake"),
                    count => write!(f, "{count} mistakes"),
                }
            }
            Self::Runtime(error) => write!(f, "{error}"),
        }
    }
}

/// The exit code for invalid input in `sysexits.h`.
pub(super) const EX_USAGE: u8 = 64;
