//! The file `auth-secret-file`, from which the SCRAM keys of unknown users are derived. With it, they
//! are the same after a restart and on other machines.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::NamedTempFile;
use tracing::{info, warn};
use zeroize::Zeroizing;

use postgate_config::file::{directory_of, read_limited};

/// The file `auth-secret-file` cannot be used. The operator has to change the file or its permissions.
#[derive(Debug, thiserror::Error)]
#[error("auth-secret-file: {}: {fault}", file.display())]
pub struct AuthSecretError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    #[source]
    pub fault: AuthSecretFault,
}

/// What is wrong with the file `auth-secret-file`.
#[derive(Debug, thiserror::Error)]
pub enum AuthSecretFault {
    /// It does not exist and cannot be created.
    #[error("cannot be made: {0}")]
    Create(#[source] io::Error),
    /// It has this many octets, too few for a secret.
    #[error(
        "it has {0} octets, and needs at least 32; copy the one of the other gateways, or remove it: the \
         next start makes another"
    )]
    Short(usize),
    /// It cannot be read.
    #[error("cannot be read: {0}; the gateway must be allowed to, and nobody else")]
    Unreadable(#[source] io::Error),
}

/// Checks a file without creating it. A missing file is no error, since the next start creates it.
///
/// # Errors
///
/// Fails if the file cannot be read or is too short.
pub fn check_auth_secret(file: &Path) -> Result<(), AuthSecretError> {
    read(file).map(drop)
}

/// Derives the secret for decoys from a file. Creates the file if it does not exist.
///
/// # Errors
///
/// Fails if the file cannot be read or created, or is too short.
pub(super) fn secret(file: &Path) -> Result<[u8; 32], AuthSecretError> {
    let text = match read(file)? {
        Some(text) => text,
        None => {
            create(file).map_err(|error| failed(file, AuthSecretFault::Create(error)))?;
            // Another gateway may have created the file in the meantime.
            let text = read(file)?;
            let missing = || AuthSecretFault::Create(io::ErrorKind::NotFound.into());
            text.ok_or_else(|| failed(file, missing()))?
        }
    };
    if fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o004 != 0) {
        warn!(
            file = %file.display(),
            "every user of this machine can read the secret; remove the permission with chmod o-r"
        );
    }
    // HMAC accepts keys of any length (RFC 2104 section 2).
    let mut hmac = Hmac::<Sha256>::new_from_slice(&text).expect("a key of any length");
    hmac.update(b"postgate decoys");
    Ok(hmac.finalize().into_bytes().into())
}

/// Reads a file without surrounding white space, which editors add. Returns `None` if it does not
/// exist.
fn read(file: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, AuthSecretError> {
    let text = match read_limited(file, MAX_LENGTH) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(file, AuthSecretFault::Unreadable(error))),
    };
    match text.trim_ascii() {
        text if text.len() < MIN_LENGTH => Err(failed(file, AuthSecretFault::Short(text.len()))),
        text => Ok(Some(Zeroizing::new(text.to_vec()))),
    }
}

/// Creates a file with a random secret that only its owner can read. Keeps a file that exists.
fn create(file: &Path) -> io::Result<()> {
    let mut octets = Zeroizing::new([0; MIN_LENGTH]);
    getrandom::fill(&mut *octets)?;
    // `NamedTempFile` creates files with mode 0600.
    let mut new = NamedTempFile::new_in(directory_of(file))?;
    for octet in octets.iter() {
        write!(new, "{octet:02x}")?;
    }
    writeln!(new)?;
    new.as_file().sync_all()?;
    match new.persist_noclobber(file) {
        Ok(_) => {
            info!(file = %file.display(), "auth-secret-file created");
            Ok(())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

fn failed(file: &Path, fault: AuthSecretFault) -> AuthSecretError {
    AuthSecretError {
        file: file.to_owned(),
        fault,
    }
}

/// The minimum length of the file, in octets.
const MIN_LENGTH: usize = 32;
/// The maximum length of the file, in octets.
const MAX_LENGTH: u64 = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_created_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("auth.secret");
        check_auth_secret(&file).unwrap();
        assert!(!file.exists());
        let made = secret(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(secret(&file).unwrap(), made);
        let copy = directory.path().join("copy");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&copy, text.trim_end()).unwrap();
        assert_eq!(secret(&copy).unwrap(), made);
        assert_ne!(secret(&directory.path().join("other")).unwrap(), made);
    }

    #[test]
    fn an_unusable_file_is_an_error_with_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("short"), "x".repeat(31) + "\n").unwrap();
        for (name, message) in [
            ("short", "it has 31 octets, and needs at least 32; copy"),
            (".", "cannot be read: Is a directory"),
            ("nowhere/secret", "cannot be made: No such file"),
        ] {
            let error = secret(&path(name)).unwrap_err().to_string();
            let expected = format!("auth-secret-file: {}: {message}", path(name).display());
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
