//! The key of the cache.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use hmac::{Hmac, KeyInit as _};
use rustix::process::geteuid;
use sha2::Sha256;
use tracing::warn;

use super::whole_file::write_whole;

/// A key that only this user knows.
pub(super) struct Key([u8; LENGTH]);

impl Key {
    /// Reads the key in a directory. If there is none that can be trusted, makes one.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or written.
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let path = directory.join(NAME);
        if let Some(key) = Self::read(&path)? {
            return Ok(key);
        }
        let mut key = [0; LENGTH];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let written = write_whole(directory, NAME, &[&key])?;
        // Of several processes that begin at once, the first one has made the key.
        let linked = fs::hard_link(&written, &path);
        fs::remove_file(&written)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        Self::read(&path)?.ok_or_else(|| io::Error::other("its key is changed by somebody else"))
    }

    /// Reads a key. Removes it if it is damaged, or if somebody else knows it or has made it: what was
    /// stored with it cannot be trusted.
    fn read(path: &Path) -> io::Result<Option<Self>> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        let mut octets = Vec::new();
        match options.read(true).custom_flags(flags).open(path) {
            Ok(file) => {
                let facts = file.metadata()?;
                let is_secret = facts.mode() & 0o077 == 0 && facts.uid() == geteuid().as_raw();
                if facts.is_file() && is_secret {
                    file.take(LENGTH as u64 + 1).read_to_end(&mut octets)?;
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // A symbolic link, or a file of somebody else.
            Err(error)
                if [Some(libc::ELOOP), Some(libc::EACCES)].contains(&error.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        if let Ok(key) = octets.try_into() {
            return Ok(Some(Self(key)));
        }
        warn!(file = %path.display(), "the key of plugins.cache was changed, and is made anew");
        fs::remove_file(path)?;
        Ok(None)
    }

    /// Begins an authentication code.
    pub(super) fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.0.into())
    }
}

/// The name of its file.
pub(super) const NAME: &str = "key";

/// The length of a key in octets.
const LENGTH: usize = 64;
