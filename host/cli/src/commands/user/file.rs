//! Reads the file, and writes it as a whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::Path;

use postgate_users::File;
use tempfile::NamedTempFile;

use super::Failure;

/// Says that others can read the file, where they can: who has the keys of SCRAM can play the server.
pub(super) fn warn_of_readers(file: &Path) {
    let mode = file.metadata().map_or(0, |metadata| metadata.mode());
    let (who, remedy) = match (mode & 0o040, mode & 0o004) {
        (_, 0o004) => ("everybody on this machine", "with chmod o-r"),
        (0o040, _) => ("its group", "unless the gateway needs it: chmod g-r"),
        _ => return,
    };
    let file = file.display();
    eprintln!("{file}: {who} can read the secrets; take the right away, {remedy} {file}");
}

/// The file, which must be there.
pub(super) fn read(file: &Path) -> Result<File, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "; postgate user add makes it",
            _ => "",
        };
        Failure::run_time(format!("{}: {error}{remedy}", file.display()))
    })?;
    Ok(File::parse(&text))
}

/// The file, or an empty one where there is none.
pub(super) fn read_or_new(file: &Path) -> Result<File, Failure> {
    match file.try_exists() {
        Ok(false) => Ok(File::default()),
        _ => read(file),
    }
}

/// Reads the file, has it changed, and puts the finished one into its place, so that a gateway never
/// reads half of one, and nobody else's change in between is lost. A new file is for its owner alone; one
/// that was there keeps its owner and mode.
pub(super) fn change(
    file: &Path,
    read: fn(&Path) -> Result<File, Failure>,
    change: impl FnOnce(&mut File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let cannot_write = |error: io::Error| {
        let text = format!("cannot write {}: {error}; it is as it was", file.display());
        Failure::run_time(text)
    };
    // Where the name is a link, what it leads to is replaced.
    let place = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let directory = fs::File::open(directory_of(&place)).map_err(cannot_write)?;
    // The file itself is another one after each change. The lock is gone with its handle.
    if let Err(error) = directory.lock()
        && !is_impossible(&error)
    {
        return Err(cannot_write(error));
    }
    let mut users = read(file)?;
    change(&mut users)?;
    replace(&place, &users.to_string())
        .and_then(|()| directory.sync_all())
        .map_err(cannot_write)
}

/// Whether there are no locks here, as on some network file systems: two changes at the same moment are
/// rare there, and none at all would be worse.
fn is_impossible(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || [EBADF, ENOLCK].map(Some).contains(&error.raw_os_error())
}

fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    // Only its owner may read a temporary file.
    let mut new = NamedTempFile::new_in(directory_of(file))?;
    new.write_all(text.as_bytes())?;
    if let Ok(old) = file.metadata() {
        let made = new.as_file().metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(new.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        let mode = Permissions::from_mode(old.permissions().mode() & 0o777);
        new.as_file().set_permissions(mode)?;
    }
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// What Linux says of a file that is open for reading only, on NFS.
const EBADF: i32 = 9;
/// No locks available.
const ENOLCK: i32 = 37;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_locks_it_goes_on_without() {
        for (code, expected) in [(EBADF, true), (ENOLCK, true), (95, true), (5, false)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(is_impossible(&error), expected, "{error}");
        }
    }
}
