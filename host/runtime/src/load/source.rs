//! The files of a plugin, read once, so that the code that is checked is the code that runs.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::LoadError;
use super::file_name::check_name;
use postgate_config::ConfigError;
use postgate_config::file::{self, ReadError};
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
        check_name(file)?;
        let wasm = read_bounded(file, max_file_size, "plugins.max-file-size")?;
        let beside = Sidecar::file_beside(file);
        let sidecar = match read_bounded(&beside, MAX_SIDECAR, "the most for a sidecar") {
            Ok(octets) => Some(text(octets, &beside)?),
            Err(LoadError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            file: file.to_owned(),
            content: Content {
                sha256: hexadecimal(&Sha256::digest(&wasm)),
                sidecar,
            },
            wasm,
        })
    }
}

/// The greatest size of a sidecar in octets.
const MAX_SIDECAR: u64 = 1 << 20;

fn text(octets: Vec<u8>, path: &Path) -> Result<String, LoadError> {
    file::text_of(octets).map_err(|line| ConfigError::not_utf8(path, line).into())
}

fn read_bounded(path: &Path, limit: u64, key: &'static str) -> Result<Vec<u8>, LoadError> {
    let file = || path.to_owned();
    file::read_bounded(path, limit).map_err(|error| match error {
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

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut hex, octet| {
        // Writing to a String cannot fail.
        _ = write!(hex, "{octet:02x}");
        hex
    })
}
