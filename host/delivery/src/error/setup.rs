//! Why a backend cannot be used as it is configured.

use std::io;
use std::path::PathBuf;
use std::str::Utf8Error;

use postgate_proto::client::{InvalidCredentials, InvalidName};
use postgate_tls::BackendTlsError;

/// A mistake in the configuration of a backend, or in a file that it names.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The host name of the gateway cannot be sent to a backend.
    #[error("hostname: {0}")]
    Hostname(#[from] InvalidName),
    /// The password cannot be read.
    #[error("backend {backend}: password-file: {}: {fault}", file.display())]
    Password {
        /// The name of the backend.
        backend: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with the file.
        #[source]
        fault: PasswordFault,
    },
    /// TLS is not possible as it is configured.
    #[error(transparent)]
    Tls(#[from] BackendTlsError),
}

/// What is wrong with a password file.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFault {
    /// The file is empty or has several lines.
    #[error("expected one line with the password and nothing else")]
    NotOneLine,
    /// The file is not UTF-8.
    #[error("expected one line in UTF-8; save the file as UTF-8")]
    NotText(#[from] Utf8Error),
    /// The text cannot be a password.
    #[error(transparent)]
    Unfit(#[from] InvalidCredentials),
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}
