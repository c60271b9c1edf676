//! Reads the file, and writes it as a whole or not at all.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use postgate_users::File;
use tempfile::NamedTempFile;

use super::Failure;

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

/// Puts a finished file into its place, so that a gateway never reads half of one. A new file is for
/// its owner alone; one that was there keeps its owner and mode.
pub(super) fn write(file: &Path, users: &File) -> Result<(), Failure> {
    replace(file, &users.to_string()).map_err(|error| {
        let text = format!("cannot write {}: {error}; it is as it was", file.display());
        Failure::run_time(text)
    })
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    // Where the name is a link, what it leads to is replaced.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    // Only its owner may read a temporary file.
    let mut new = NamedTempFile::new_in(&directory)?;
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
    new.persist(&file).map_err(|error| error.error)?;
    fs::File::open(directory)?.sync_all()
}
