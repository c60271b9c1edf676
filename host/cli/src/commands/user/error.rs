//! Errors of `postgate user`.

use std::io;
use std::path::PathBuf;

use postgate_users::{EmptyPassword, EncodingError, LineError, NameError};

use crate::commands::failure::Failure;

/// An error in the arguments or in the file of users.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserError {
    #[error("{file}:{line}: {name} is there already; for another password: postgate user passwd --file {file} {name}", file = file.display())]
    Exists {
        file: PathBuf,
        line: usize,
        name: String,
    },
    #[error("{file}:{line}: {error}; correct or remove the line", file = file.display())]
    Line {
        file: PathBuf,
        line: usize,
        #[source]
        error: LineError,
    },
    #[error("{name:?}: {error}")]
    Name {
        name: String,
        #[source]
        error: NameError,
    },
    #[error("{option} {value:?}: it is empty or holds a blank")]
    Option { option: &'static str, value: String },
    #[error(transparent)]
    EmptyPassword(EmptyPassword),
    #[error("{file}: {error}", file = file.display())]
    Encoding {
        file: PathBuf,
        #[source]
        error: EncodingError,
    },
    #[error("{0}")]
    Password(&'static str),
    #[error("{file}: there is no user {name}; to add one: postgate user add --file {file} {name}", file = file.display())]
    Unknown { file: PathBuf, name: String },
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        Self::input(vec![error])
    }
}

/// The file of users or the password cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserIoError {
    #[error("cannot ask for the password: {0}; without a terminal, use --password-stdin")]
    PromptPassword(#[source] io::Error),
    #[error("{file}: {error}{}", read_remedy(error), file = file.display())]
    ReadFile {
        file: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("cannot read the password: {0}")]
    ReadPassword(#[source] io::Error),
    #[error("cannot write {file}: {error}; it is as it was", file = file.display())]
    WriteFile {
        file: PathBuf,
        #[source]
        error: io::Error,
    },
}

fn read_remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; postgate user add makes it",
        _ => "",
    }
}

impl From<UserIoError> for Failure {
    fn from(error: UserIoError) -> Self {
        Self::runtime(error)
    }
}
