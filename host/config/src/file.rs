//! Reading of the files that an operator names, and detection of changes.
//!
//! Whatever a path leads to, reading it ends: only regular files are read, and no more than a limit.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::retry_on_intr;

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

/// Reads a regular file of the operator of at most `limit` octets, for errors that a person reads.
///
/// # Errors
///
/// As [`read_bounded`]. The text says what is wrong and names the limit, and not the file.
pub fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_bounded(path, limit).map_err(|error| match error {
        ReadError::Io(error) => error,
        ReadError::TooLarge(_) => {
            io::Error::other(format!("it is larger than the limit of {limit} octets"))
        }
    })
}

/// The limit for configuration files, certificates and keys, in octets.
pub const MAX_TEXT: u64 = 16 << 20;

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

/// Reads a regular file of at most `limit` octets, or one that a link leads to. Never waits for anybody:
/// opening a named pipe would block until it has a writer, and reading a device may have no end.
///
/// # Errors
///
/// Fails if the file cannot be opened or read, is not a regular file, or exceeds `limit`.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    read_at(CWD, path, limit).map(|(octets, _)| octets)
}

/// Like [`read_bounded`], for a path that begins at an open directory. Returns the octets, and the version
/// of the file that they were read from. If the file is changed meanwhile, it is the version after that.
///
/// # Errors
///
/// As [`read_bounded`].
pub fn read_at(
    directory: BorrowedFd<'_>,
    path: &Path,
    limit: u64,
) -> Result<(Vec<u8>, FileVersion), ReadError> {
    // Opening has effects on some devices, and on the writer of a named pipe.
    let stat = retry_on_intr(|| statat(directory, path, AtFlags::empty()));
    let stat = stat.map_err(io::Error::from)?;
    check_regular(FileType::from_raw_mode(stat.st_mode))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = retry_on_intr(|| openat(directory, path, flags, Mode::empty()));
    let file = File::from(file.map_err(io::Error::from)?);
    // Another file may have taken its place meanwhile.
    let metadata = file.metadata()?;
    check_regular(FileType::from_raw_mode(metadata.mode()))?;
    if metadata.len() > limit {
        return Err(ReadError::TooLarge(metadata.len()));
    }
    let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // The file may grow after its size was read.
    (&file)
        .take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    let size = octets.len() as u64;
    match size > limit {
        true => Err(ReadError::TooLarge(size)),
        false => Ok((octets, FileVersion::from(&file.metadata()?))),
    }
}

fn check_regular(kind: FileType) -> io::Result<()> {
    match kind {
        FileType::RegularFile => Ok(()),
        FileType::Directory => {
            let text = "Is a directory, and no regular file";
            Err(io::Error::new(io::ErrorKind::IsADirectory, text))
        }
        _ => Err(io::Error::other("this is no regular file")),
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

impl FileVersion {
    /// Returns the version of the file at a path that begins at an open directory. Links are followed.
    ///
    /// # Errors
    ///
    /// Fails if the path leads to nothing, or where nobody may look.
    pub fn at(directory: BorrowedFd<'_>, path: &Path) -> io::Result<Self> {
        let stat = retry_on_intr(|| statat(directory, path, AtFlags::empty()))?;
        Ok(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size.cast_unsigned(),
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        })
    }
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

    /// None of these blocks, and none is read without an end.
    #[test]
    fn only_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mode = Mode::RUSR | Mode::WUSR;
        let fifo = FileType::Fifo;
        rustix::fs::mknodat(CWD, path("fifo"), fifo, mode, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::os::unix::fs::symlink("fifo", path("link to fifo")).unwrap();
        std::fs::write(path("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        let message = |path: &Path| read_limited(path, 4).unwrap_err().to_string();
        assert!(message(&path(".")).starts_with("Is a directory"));
        for name in ["fifo", "link to fifo", "socket"] {
            assert_eq!(message(&path(name)), "this is no regular file", "{name}");
        }
        for device in ["/dev/zero", "/dev/null", "/dev/tty"] {
            assert_eq!(message(Path::new(device)), "this is no regular file");
        }
        assert_eq!(read_limited(&path("link"), 4).unwrap(), b"text");
        std::fs::write(path("file"), "texts").unwrap();
        assert_eq!(
            message(&path("link")),
            "it is larger than the limit of 4 octets"
        );
    }

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
