//! Reads the file of users, and replaces it atomically.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use postgate_config::file::read_limited;
use postgate_users::File;
use tempfile::NamedTempFile;

use super::error::{UserError, UserIoError};
use crate::commands::failure::Failure;

/// Prints a warning if other users can read the file. With the SCRAM keys in it, they could impersonate
/// the server.
pub(super) fn warn_if_readable(file: &Path) {
    // What is no file is refused when it is read.
    let metadata = file.metadata().ok().filter(Metadata::is_file);
    let mode = metadata.map_or(0, |metadata| metadata.mode());
    let (who, remedy) = match (mode & 0o040, mode & 0o004) {
        (_, 0o004) => ("everybody on this machine", "with chmod o-r"),
        (0o040, _) => ("its group", "unless the gateway needs it: chmod g-r"),
        _ => return,
    };
    let file = file.display();
    eprintln!("{file}: {who} can read the secrets; take the right away, {remedy} {file}");
}

/// Reads a file that must exist.
pub(super) fn read(file: &Path) -> Result<File, Failure> {
    let content = read_limited(file, MAX_SIZE).map_err(|error| UserIoError::ReadFile {
        file: file.to_owned(),
        error,
    })?;
    let users = File::parse(&content).map_err(|error| UserError::Encoding {
        file: file.to_owned(),
        error,
    })?;
    Ok(users)
}

/// Reads a file. A file that does not exist is empty.
pub(super) fn read_or_new(file: &Path) -> Result<File, Failure> {
    match file.try_exists() {
        Ok(false) => Ok(File::default()),
        _ => read(file),
    }
}

/// Changes the file under a lock and replaces it atomically, so that a gateway never reads a part of it
/// and no concurrent change is lost. A new file is readable for its owner only. An existing file keeps
/// its owner and mode.
pub(super) fn change(
    file: &Path,
    read: fn(&Path) -> Result<File, Failure>,
    change: impl FnOnce(&mut File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let cannot_write = |error: io::Error| UserIoError::WriteFile {
        file: file.to_owned(),
        error,
    };
    // A symbolic link is kept, and its target is replaced.
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let directory = fs::File::open(directory_of(&target)).map_err(cannot_write)?;
    // The lock is on the directory, since each change replaces the file. Closing the handle releases it.
    if let Err(error) = directory.lock()
        && !is_unsupported(&error)
    {
        return Err(cannot_write(error).into());
    }
    let mut users = read(file)?;
    change(&mut users)?;
    replace(&target, &users.to_bytes()).map_err(cannot_write)?;
    Ok(directory.sync_all().map_err(cannot_write)?)
}

/// Returns true if the file system has no locks, as some network file systems. Changes go ahead without
/// a lock there, since concurrent ones are rare.
fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || [EBADF, ENOLCK].map(Some).contains(&error.raw_os_error())
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    // `NamedTempFile` creates files with mode 0600.
    let mut new = NamedTempFile::new_in(directory_of(file))?;
    new.write_all(content)?;
    if let Ok(old) = file.metadata() {
        let created = new.as_file().metadata()?;
        if (created.uid(), created.gid()) != (old.uid(), old.gid()) {
            fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        let mode = Permissions::from_mode(old.permissions().mode() & 0o777);
        new.as_file().set_permissions(mode)?;
    }
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// The maximum size of a file in octets, as much as a gateway can let plugins read.
const MAX_SIZE: u64 = u32::MAX as u64;
/// The error of Linux for a lock on a file that is open for reading only, on NFS.
const EBADF: i32 = 9;
/// The error of Linux if no locks are available.
const ENOLCK: i32 = 37;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_support_for_locks_is_recognized() {
        for (code, expected) in [(EBADF, true), (ENOLCK, true), (95, true), (5, false)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(is_unsupported(&error), expected, "{error}");
        }
    }
}
