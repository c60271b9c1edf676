//! What the files of a plugin hold, read once, so that what is checked is what will run.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::load::LoadError;
use crate::load::version::version_of;
use postgate_config::ConfigError;
use postgate_config::file::{self, ReadError};
use postgate_config::sidecar::Sidecar;

/// A plugin as its files hold it.
#[derive(Debug)]
pub(crate) struct Source {
    /// The `.wasm` file.
    pub(crate) file: PathBuf,
    /// What is in it.
    pub(crate) wasm: Vec<u8>,
    /// What tells it from other versions.
    pub(crate) content: Content,
    /// What its author calls this version.
    pub(crate) version: Option<String>,
}

/// What the files of a plugin hold, as far as it takes to compare two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    /// The SHA-256 of the `.wasm` file, in hexadecimal digits.
    pub(crate) sha256: String,
    /// What is in the file beside it, where there is one.
    pub(crate) sidecar: Option<String>,
}

impl Source {
    pub(crate) fn read(file: &Path, max_file_size: u64) -> Result<Self, LoadError> {
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
            version: version_of(&wasm),
            wasm,
        })
    }
}

/// The most octets of a sidecar.
const MAX_SIDECAR: u64 = 1 << 20;

fn text(octets: Vec<u8>, file: &Path) -> Result<String, LoadError> {
    String::from_utf8(octets).map_err(|_| {
        let error = io::Error::new(ErrorKind::InvalidData, "this is no text in UTF-8");
        ConfigError::unreadable(file, &error).into()
    })
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
        // Writing to a String does not fail.
        _ = write!(hex, "{octet:02x}");
        hex
    })
}
