//! What the files of a plugin hold, read once, so that what is checked is what will run.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::config::ConfigError;
use crate::config::sidecar::Sidecar;
use crate::plugin::load::LoadError;
use crate::plugin::version::version_of;

/// A plugin as its files hold it.
#[derive(Debug)]
pub(super) struct Source {
    /// The `.wasm` file.
    pub(super) file: PathBuf,
    /// What is in it.
    pub(super) wasm: Vec<u8>,
    /// What tells it from other versions.
    pub(super) content: Content,
    /// What its author calls this version.
    pub(super) version: Option<String>,
}

/// What the files of a plugin hold, as far as it takes to compare two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// The SHA-256 of the `.wasm` file, in hexadecimal digits.
    pub(super) sha256: String,
    /// What is in the file beside it, where there is one.
    pub(super) sidecar: Option<String>,
}

impl Source {
    pub(super) fn read(file: &Path, max_file_size: u64) -> Result<Self, LoadError> {
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

/// Reads a regular file of at most so many octets. What is opened is what is looked at, and opening
/// does not wait: a pipe would have its reader wait for ever.
fn read_bounded(file: &Path, limit: u64, key: &'static str) -> Result<Vec<u8>, LoadError> {
    let io = |error| LoadError::Io {
        file: file.to_owned(),
        error,
    };
    let too_large = |size| LoadError::TooLarge {
        file: file.to_owned(),
        size,
        limit,
        key,
    };
    let open = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(file)
        .map_err(io)?;
    let metadata = open.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(io(io::Error::other("this is no regular file")));
    }
    if metadata.len() > limit {
        return Err(too_large(metadata.len()));
    }
    let mut octets = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    // It may have grown meanwhile.
    open.take(limit.saturating_add(1))
        .read_to_end(&mut octets)
        .map_err(io)?;
    let size = octets.len() as u64;
    match size > limit {
        true => Err(too_large(size)),
        false => Ok(octets),
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut hex, octet| {
        // Writing to a String does not fail.
        _ = write!(hex, "{octet:02x}");
        hex
    })
}
