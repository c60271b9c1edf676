//! The files of a plugin, read once, so that the code that is checked is the code that runs.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, statat};
use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::file_name::check_name;
use postgate_config::ConfigError;
use postgate_config::file::{self, FileVersion, ReadError};
use postgate_config::sidecar::Sidecar;

/// The files of a plugin.
#[derive(Debug)]
pub(crate) struct Source {
    /// The `.wasm` file.
    pub(crate) file: PathBuf,
    /// The content of the `.wasm` file.
    pub(crate) wasm: Vec<u8>,
    /// The content that tells two versions apart.
    pub(crate) content: Content,
    /// The version of the `.wasm` file that was read, and that of the sidecar if there is one.
    pub(crate) versions: (FileVersion, Option<FileVersion>),
}

/// The content of the files of a plugin, reduced to what tells two versions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The SHA-256 of the `.wasm` file, in hexadecimal digits.
    pub(crate) sha256: String,
    /// The text of the sidecar, or `None` if there is none.
    pub(crate) sidecar: Option<String>,
}

impl Source {
    /// Reads the `.wasm` file and its sidecar.
    ///
    /// # Errors
    ///
    /// Fails if a file has a name that cannot be shown, cannot be read or is too large. A missing sidecar is no error.
    pub(crate) fn read(file: &Path, max_file_size: u64) -> Result<Self, LoadError> {
        let place = Place {
            directory: CWD,
            begin: Path::new(""),
        };
        Self::read_from(place, file, max_file_size)
    }

    /// Like [`Self::read`], for a `file` in a directory that is open, whatever has the name of the
    /// directory by now.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub(crate) fn read_in(
        directory: BorrowedFd<'_>,
        file: &Path,
        max_file_size: u64,
    ) -> Result<Self, LoadError> {
        let begin = file.parent().unwrap_or_else(|| Path::new(""));
        Self::read_from(Place { directory, begin }, file, max_file_size)
    }

    fn read_from(place: Place<'_>, file: &Path, max_file_size: u64) -> Result<Self, LoadError> {
        check_name(file)?;
        let (wasm, version) = place.read(file, max_file_size, "plugins.max-file-size")?;
        let beside = Sidecar::file_beside(file);
        let (sidecar, beside_version) = match place.read_sidecar(&beside)? {
            Some((octets, version)) => (Some(text(octets, &beside)?), Some(version)),
            None => (None, None),
        };
        Ok(Self {
            file: file.to_owned(),
            content: Content {
                sha256: hexadecimal(&Sha256::digest(&wasm)),
                sidecar,
            },
            versions: (version, beside_version),
            wasm,
        })
    }
}

/// Where paths lead.
#[derive(Clone, Copy)]
struct Place<'a> {
    directory: BorrowedFd<'a>,
    /// The beginning of paths that leads to the directory.
    begin: &'a Path,
}

impl Place<'_> {
    /// Returns a path as it is from the directory on.
    fn within<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(self.begin).unwrap_or(path)
    }

    fn read(
        &self,
        path: &Path,
        limit: u64,
        key: &'static str,
    ) -> Result<(Vec<u8>, FileVersion), LoadError> {
        let file = || path.to_owned();
        file::read_at(self.directory, self.within(path), limit).map_err(|error| match error {
            ReadError::Io(error) => LoadError::Io {
                file: file(),
                error,
            },
            ReadError::TooLarge(size) => LoadError::TooLarge {
                file: file(),
                size,
                limit,
                key,
            },
        })
    }

    /// Reads a sidecar. Returns `None` if there is none: a link that leads nowhere is one that cannot be
    /// read, since a plugin without its settings is another plugin.
    fn read_sidecar(&self, beside: &Path) -> Result<Option<(Vec<u8>, FileVersion)>, LoadError> {
        match self.read(beside, MAX_SIDECAR, "the most for a sidecar") {
            Ok(read) => Ok(Some(read)),
            Err(LoadError::Io { error, .. })
                if error.kind() == ErrorKind::NotFound && !self.is_link(beside) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn is_link(&self, path: &Path) -> bool {
        statat(self.directory, self.within(path), AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }
}

/// The greatest size of a sidecar in octets.
const MAX_SIDECAR: u64 = 1 << 20;

fn text(octets: Vec<u8>, path: &Path) -> Result<String, LoadError> {
    file::text_of(octets).map_err(|line| ConfigError::not_utf8(path, line).into())
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut hex, octet| {
        // Writing to a String cannot fail.
        _ = write!(hex, "{octet:02x}");
        hex
    })
}
