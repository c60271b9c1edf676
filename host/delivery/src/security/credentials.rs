//! The gateway's credentials, whose password comes from a file.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use postgate_config::file::read_limited;
use postgate_config::{Backend, BackendLogin};
use postgate_proto::client::ClientCredentials;
use tracing::warn;
use zeroize::Zeroizing;

use crate::error::{PasswordFault, SetupError};

/// Reads the password file of a login. Logs a warning if every user of the machine can read it.
pub(super) fn credentials(
    backend: &Backend,
    login: &BackendLogin,
) -> Result<ClientCredentials, SetupError> {
    let file = &login.password_file;
    let fault = |fault| SetupError::Password {
        backend: backend.name.clone(),
        file: file.clone(),
        fault,
    };
    let password = PasswordFile::read(file).map_err(|error| fault(error.into()))?;
    let credentials = one_line(&password.text)
        .and_then(|line| Ok(ClientCredentials::new(&login.username, line)?))
        .map_err(fault)?;
    if password.is_world_readable {
        warn!(
            backend = backend.name,
            file = %file.display(),
            "everybody on this machine can read the password; take their right away: chmod o-r"
        );
    }
    Ok(credentials)
}

struct PasswordFile {
    text: Zeroizing<Vec<u8>>,
    is_world_readable: bool,
}

impl PasswordFile {
    fn read(file: &Path) -> io::Result<Self> {
        Ok(Self {
            text: Zeroizing::new(read_limited(file, MAX_SIZE)?),
            is_world_readable: file.metadata()?.mode() & 0o004 != 0,
        })
    }
}

/// The only line of a text, without its line end and without the byte order mark of some editors, which
/// the backend would take for a part of the password.
fn one_line(text: &[u8]) -> Result<&str, PasswordFault> {
    let text = str::from_utf8(text)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.is_empty() || line.contains(['\r', '\n']) {
        true => Err(PasswordFault::NotOneLine),
        false => Ok(line),
    }
}

/// The maximum size of the file in octets, more than a password can have.
const MAX_SIZE: u64 = 4096;

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
            (b"\xef\xbb\xbfsecret\r\n", Some("secret")),
            (b"secret\xef\xbb\xbf", Some("secret\u{feff}")),
            (b"\xef\xbb\xbf\n", None),
            (b"\xff\xfes\0", None),
            (b"secret\rmore\r", None),
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
