//! The file of which decoys are made, so that they are the same after a start and on other machines.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::NamedTempFile;
use tracing::{info, warn};
use zeroize::Zeroizing;

use postgate_config::file::directory_of;

/// The file that `auth-secret-file` names cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("auth-secret-file: {}: {fault}", file.display())]
pub struct AuthSecretError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: AuthSecretFault,
}

/// What is wrong with the file of a secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthSecretFault {
    /// It cannot be made, where there is none.
    #[error("cannot be made: {0}")]
    Make(io::Error),
    /// It can be guessed.
    #[error(
        "it has {0} octets, and needs at least 32; copy the one of the other gateways, or remove it: the \
         next start makes another"
    )]
    Short(usize),
    /// The system does not let it be read.
    #[error("cannot be read: {0}; the gateway must be allowed to, and nobody else")]
    Unreadable(io::Error),
}

/// Looks for what is wrong with the file. One that is not there is made at the next start.
///
/// # Errors
///
/// What is wrong.
pub fn check_auth_secret(file: &Path) -> Result<(), AuthSecretError> {
    read(file).map(drop)
}

/// The secret of a file, which is made where it is not there.
pub(super) fn secret(file: &Path) -> Result<[u8; 32], AuthSecretError> {
    let text = match read(file)? {
        Some(text) => text,
        None => {
            make(file).map_err(|error| failed(file, AuthSecretFault::Make(error)))?;
            // Another gateway may have been first: its secret counts.
            let text = read(file)?;
            text.ok_or_else(|| failed(file, AuthSecretFault::Make(io::ErrorKind::NotFound.into())))?
        }
    };
    if fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o004 != 0) {
        warn!(
            file = %file.display(),
            "everybody on this machine can read the secret; take their right away: chmod o-r"
        );
    }
    // HMAC takes keys of any length.
    let mut hmac = Hmac::<Sha256>::new_from_slice(&text).expect("a key of any length");
    hmac.update(b"postgate decoys");
    Ok(hmac.finalize().into_bytes().into())
}

/// What a file holds, without the blanks that editors put around it. Nothing where it is not there.
fn read(file: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, AuthSecretError> {
    let text = match fs::read(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(file, AuthSecretFault::Unreadable(error))),
    };
    match text.trim_ascii() {
        text if text.len() < LEAST => Err(failed(file, AuthSecretFault::Short(text.len()))),
        text => Ok(Some(Zeroizing::new(text.to_vec()))),
    }
}

/// Makes a file that its owner alone can read, as a whole or not at all.
fn make(file: &Path) -> io::Result<()> {
    let mut octets = Zeroizing::new([0; LEAST]);
    getrandom::fill(&mut *octets)?;
    // Only its owner may read a temporary file.
    let mut new = NamedTempFile::new_in(directory_of(file))?;
    for octet in octets.iter() {
        write!(new, "{octet:02x}")?;
    }
    writeln!(new)?;
    new.as_file().sync_all()?;
    match new.persist_noclobber(file) {
        Ok(_) => {
            info!(file = %file.display(), "auth-secret-file made");
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

/// The octets that a secret needs.
const LEAST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_made_for_its_owner_alone() {
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
    fn what_can_not_be_used_is_told_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("short"), "x".repeat(31) + "\n").unwrap();
        for (name, told) in [
            ("short", "it has 31 octets, and needs at least 32; copy"),
            (".", "cannot be read: Is a directory"),
            ("nowhere/secret", "cannot be made: No such file"),
        ] {
            let error = secret(&path(name)).unwrap_err().to_string();
            let begin = format!("auth-secret-file: {}: {told}", path(name).display());
            assert!(error.starts_with(&begin), "{error}");
        }
    }
}
