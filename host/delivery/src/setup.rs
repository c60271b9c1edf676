//! What must be right before the first connection to a backend.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use postgate_proto::client::{ClientCredentials, InvalidCredentials, InvalidName};
use tracing::warn;
use zeroize::Zeroizing;

use postgate_config::{Backend, BackendLogin};
use postgate_tls::BackendTlsError;

/// Why nothing can be delivered to a backend: mistakes of the operator.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The host name cannot be given to a backend.
    #[error("hostname: {0}")]
    Hostname(#[from] InvalidName),
    /// The password cannot be had.
    #[error("backend {backend}: password-file: {}: {fault}", file.display())]
    Password {
        /// The name of the backend.
        backend: String,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        fault: PasswordFault,
    },
    /// TLS is not possible as it is configured.
    #[error(transparent)]
    Tls(#[from] BackendTlsError),
}

/// What is wrong with the file of a password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordFault {
    /// Nothing is in it, or several lines.
    #[error("expected one line with the password and nothing else")]
    NotOneLine,
    /// It is no text.
    #[error("expected a text in UTF-8")]
    NotText,
    /// It cannot be a password.
    #[error(transparent)]
    Unfit(#[from] InvalidCredentials),
    /// The system does not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Reads the password of the gateway.
pub(crate) fn credentials(
    backend: &Backend,
    login: &BackendLogin,
) -> Result<ClientCredentials, SetupError> {
    let file = &login.password_file;
    let password = |fault| SetupError::Password {
        backend: backend.name.clone(),
        file: file.clone(),
        fault,
    };
    let text = read(file).map_err(password)?;
    let credentials = one_line(&text)
        .and_then(|line| Ok(ClientCredentials::new(&login.username, line)?))
        .map_err(password)?;
    if fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o004 != 0) {
        warn!(
            backend = backend.name,
            file = %file.display(),
            "everybody on this machine can read the password; take their right away: chmod o-r"
        );
    }
    Ok(credentials)
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, PasswordFault> {
    // Room for all that can be right: a buffer that grows would leave its old octets where they were.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_SIZE + 1));
    let file = fs::File::open(file)?;
    file.take(MAX_SIZE as u64).read_to_end(&mut text)?;
    Ok(text)
}

/// The line end of the only line is not part of the password.
fn one_line(text: &[u8]) -> Result<&str, PasswordFault> {
    let text = str::from_utf8(text).map_err(|_| PasswordFault::NotText)?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.is_empty() || line.contains(['\r', '\n']) {
        true => Err(PasswordFault::NotOneLine),
        false => Ok(line),
    }
}

/// How much of the file is read, in octets: more than a password can have.
const MAX_SIZE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        for (text, expected) in [
            (&b"secret"[..], Some("secret")),
            (b"secret\n", Some("secret")),
            (b"secret\r\n", Some("secret")),
            (b" s cret \n", Some(" s cret ")),
            (b"", None),
            (b"\n", None),
            (b"secret\n\n", None),
            (b"secret\nmore", None),
            (b"secr\xff", None),
        ] {
            assert_eq!(one_line(text).ok(), expected, "{}", text.escape_ascii());
        }
    }
}
