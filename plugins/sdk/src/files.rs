//! Read-only files of the operator. The operator must grant them and list their paths:
//! `grants = ["files"]` and a table `[files]` of names and paths in the sidecar file.
//!
//! Within one event, a file stays as it was when it was first asked for; a change is visible from the next
//! event on.

use std::fmt;

use crate::bindings::imports::postgate::plugin::files::FileError;
use crate::host;

/// The size of a file in octets.
///
/// # Errors
///
/// If the operator lists no such file, or it cannot be read.
pub fn size(name: &str) -> Result<u32, Error> {
    host::files::size(name).map_err(Error::from)
}

/// Octets of a file from `offset` on. Returns fewer than `length` at its end, and never more than
/// 262,144 in one call.
///
/// # Errors
///
/// As [`size`].
pub fn read(name: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
    host::files::read(name, offset, length).map_err(Error::from)
}

/// The first line that begins with this text, without its line ending. A line of more than 65,536
/// octets is not found.
///
/// # Errors
///
/// As [`size`].
pub fn find_line(name: &str, prefix: &str) -> Result<Option<Vec<u8>>, Error> {
    host::files::find_line(name, prefix.as_bytes()).map_err(Error::from)
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The sidecar lists no file with this name.
    NotListed,
    /// The file does not exist or cannot be read; the gateway's log says why.
    Unreadable,
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::NotListed => Self::NotListed,
            FileError::Unreadable => Self::Unreadable,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotListed => "the sidecar lists no file of this name below [files]",
            Self::Unreadable => "the file cannot be read, see the log of the gateway",
        })
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_test_makes_up_files() {
        testing::file("users", "alice:1\nbob:2\r\n");
        assert_eq!(size("users"), Ok(15));
        assert_eq!(read("users", 6, 3).as_deref(), Ok(&b"1\nb"[..]));
        assert_eq!(read("users", 99, 3).as_deref(), Ok(&b""[..]));
        let line = |prefix| find_line("users", prefix).unwrap();
        assert_eq!(line("bob:").as_deref(), Some(&b"bob:2"[..]));
        assert_eq!(line("ob:"), None);
        assert_eq!(size("other"), Err(Error::NotListed));
    }
}
