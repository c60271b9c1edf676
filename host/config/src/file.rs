//! Files of the operator: read without waiting for ever, and told from what they were before.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Why a file could not be read as a whole.
#[derive(Debug)]
pub enum ReadError {
    /// What the system says, or that it is no regular file.
    Io(io::Error),
    /// It has so many octets, or at least as many.
    TooLarge(u64),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a regular file of at most so many octets. What is opened is what is looked at, and opening
/// does not wait: a pipe would have its reader wait for ever.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("this is no regular file").into());
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge(metadata.len()));
    }
    let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // It may have grown meanwhile.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    let size = octets.len() as u64;
    match size > limit {
        true => Err(ReadError::TooLarge(size)),
        false => Ok(octets),
    }
}

/// What tells a version of a file from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// The device that holds it.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// Its size in octets.
    pub size: u64,
    /// Seconds and nanoseconds.
    pub modified: (i64, i64),
    /// The same for owner, rights and name, and for a modification that was dated back.
    pub changed: (i64, i64),
}

impl From<&Metadata> for FileVersion {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The directory in which a file is, or is to be.
pub fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
