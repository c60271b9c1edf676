//! The directory for messages that are too large for memory.

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The directory for files cannot be used, so that only small messages can be stored.
#[derive(Debug, thiserror::Error)]
#[error(
    "messages that are larger than limits.spool-memory cannot be stored: {error}; create {directory}, let \
     the gateway write there, or name another directory in the environment variable TMPDIR",
    directory = .directory.display()
)]
pub struct UnusableDirectory {
    /// The directory.
    pub directory: PathBuf,
    /// The error of the system.
    #[source]
    pub error: io::Error,
}

/// Tries to make a file in the system's directory for temporary files.
///
/// # Errors
///
/// Fails if that is not possible.
pub fn check_directory() -> Result<(), UnusableDirectory> {
    new_file(None).map(drop).map_err(|error| UnusableDirectory {
        directory: env::temp_dir(),
        error,
    })
}

/// A file without a name, in this directory or that of the system for temporary files.
///
/// # Errors
///
/// Fails if it cannot be made. If that is due to the directory, the error names it.
pub(crate) fn new_file(directory: Option<&Path>) -> io::Result<File> {
    let directory = directory.map_or_else(env::temp_dir, Path::to_owned);
    tempfile::tempfile_in(&directory).map_err(|error| match error.kind() {
        ErrorKind::NotADirectory
        | ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem => {
            io::Error::new(error.kind(), format!("{}: {error}", directory.display()))
        }
        // Others are the same in any directory, and are told apart by their number.
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        assert!(new_file(Some(directory.path())).is_ok());
        let missing = directory.path().join("missing");
        let error = new_file(Some(&missing)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error
                .to_string()
                .starts_with(&missing.display().to_string())
        );
    }
}
