//! Files that are there as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Writes a new file with a name of its own, and returns its path: nobody finds half a file under a name
/// that means something. A file that cannot be written whole is removed.
pub(super) fn write_whole(directory: &Path, name: &str, parts: &[&[u8]]) -> io::Result<PathBuf> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let random = u64::from_ne_bytes(random);
    let path = directory.join(format!(".{name}.{random:016x}"));
    let mut options = OpenOptions::new();
    let mut file: File = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    if written.is_err() {
        // It fails only where nothing can be changed any more.
        _ = fs::remove_file(&path);
    }
    written.map(|()| path)
}
