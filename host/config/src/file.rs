//! Bounded reading of files, and detection of changes.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// An error that prevents a file from being read as a whole.
#[derive(Debug)]
pub enum ReadError {
    /// The file cannot be opened or read, or is not a regular file.
    Io(io::Error),
    /// The file is too large. Its size in octets, or a lower bound if it is growing.
    TooLarge(u64),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads text in UTF-8, with or without a byte order mark.
///
/// # Errors
///
/// Returns the number of the line, from 1, that is not UTF-8.
pub fn text_of(octets: Vec<u8>) -> Result<String, usize> {
    let mut text = String::from_utf8(octets).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        1 + line_breaks(valid)
    })?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

fn line_breaks(octets: &[u8]) -> usize {
    octets.iter().filter(|octet| **octet == b'\n').count()
}

/// Some editors write it at the beginning of a file in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a regular file of at most `limit` octets. Opens it without blocking, since opening a named
/// pipe would block until it has a writer.
///
/// # Errors
///
/// Fails if the file cannot be opened or read, is not a regular file, or exceeds `limit`.
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
    // The file may grow after its size was read.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    let size = octets.len() as u64;
    match size > limit {
        true => Err(ReadError::TooLarge(size)),
        false => Ok(octets),
    }
}

/// The metadata that identify a version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
    /// The size in octets.
    pub size: u64,
    /// The time of the last modification, in seconds and nanoseconds.
    pub modified: (i64, i64),
    /// The time of the last status change, in seconds and nanoseconds. It also changes with the
    /// owner, the mode and the name, and if the modification time is set back.
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

/// The directory of a file, which need not exist.
pub fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_or_refused_with_the_line() {
        let table: [(&[u8], Result<&str, usize>); 6] = [
            (b"a = 1", Ok("a = 1")),
            (b"\xef\xbb\xbfa = 1\r\n", Ok("a = 1\r\n")),
            (b"a = 1\n# f\xfcr\n", Err(2)),
            (b"\xff\xfea\0", Err(1)),
            (b"", Ok("")),
            (b"a\n\xef\xbb\xbf", Ok("a\n\u{feff}")),
        ];
        for (octets, expected) in table {
            let expected = expected.map(str::to_owned);
            assert_eq!(text_of(octets.to_vec()), expected, "{octets:?}");
        }
    }
}
