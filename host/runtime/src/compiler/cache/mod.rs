//! Compiled code on disk.
//!
//! Each entry is a file that is named after the SHA-256 of the plugin file and after the engine. It begins
//! with an authentication code over its name and the rest, made with a key that only this cache has, so that
//! an entry that was damaged or comes from elsewhere is made anew.

mod key;
mod whole_file;

use std::fs::{self, DirBuilder, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, Mac as _};
use postgate_config::Plugins;
use postgate_spool::is_full;
use sha2::Sha256;
use tracing::warn;
use wasmtime::Engine;

use self::key::Key;
use self::whole_file::write_whole;
use super::confinement::Missing;
use super::report::{Compiled, Outcome, Report};
use crate::error::is_lack;

/// A directory for compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings<'a> {
    /// The directory. It is created.
    pub directory: &'a Path,
    /// The most octets of all entries together.
    pub size: u64,
}

impl<'a> CacheSettings<'a> {
    /// The settings of a configuration. Returns `None` if it names no directory.
    pub fn of(plugins: &'a Plugins) -> Option<Self> {
        let directory = plugins.cache.as_deref()?;
        Some(Self {
            directory,
            size: plugins.cache_size,
        })
    }
}

/// A directory of compiled code.
pub(super) struct CodeCache {
    directory: PathBuf,
    /// The most octets of all entries together.
    size: u64,
    /// Tells programs apart whose code differs.
    engine: u64,
    key: Key,
}

/// The cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("plugins.cache: {path}: {error}", path = .path.display())]
pub struct CacheError {
    path: PathBuf,
    #[source]
    error: io::Error,
}

impl CodeCache {
    /// Opens a cache, and creates its directory and its key if necessary. Returns `None` if the machine has
    /// no room for them: plugins are then compiled anew.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be created or read.
    pub(super) fn open(
        settings: CacheSettings<'_>,
        engine: &Engine,
    ) -> Result<Option<Self>, CacheError> {
        let CacheSettings { directory, size } = settings;
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        let key = builder.create(directory).and_then(|()| Key::of(directory));
        let key = match key {
            Ok(key) => key,
            Err(error) if is_full(&error) || is_lack(&error) => {
                let directory = directory.display();
                warn!(%directory, %error, "plugins.cache cannot be used, and plugins are compiled anew");
                return Ok(None);
            }
            Err(error) => {
                return Err(CacheError {
                    path: directory.to_owned(),
                    error,
                });
            }
        };
        let mut hasher = DefaultHasher::new();
        env!("CARGO_PKG_VERSION").hash(&mut hasher);
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Some(Self {
            directory: directory.to_owned(),
            size,
            engine: hasher.finish(),
            key,
        }))
    }

    /// Returns what was compiled from a file with this SHA-256. Returns `None` if there is no entry, or
    /// none that can be trusted.
    pub(super) fn get(&self, sha256: &str) -> Option<Compiled> {
        let name = self.name_of(sha256);
        self.read(&name).unwrap_or_else(|error| {
            warn!(%error, name, "an entry of plugins.cache cannot be read, and is made anew");
            None
        })
    }

    /// Stores what was compiled from a file with this SHA-256. Without room, it is compiled again the next
    /// time.
    pub(super) fn put(&self, sha256: &str, compiled: Compiled) {
        let name = self.name_of(sha256);
        if let Err(error) = self.write(&name, compiled) {
            warn!(%error, name, "compiled code cannot be stored in plugins.cache");
        }
    }

    fn name_of(&self, sha256: &str) -> String {
        format!("{sha256}-{:016x}", self.engine)
    }

    fn read(&self, name: &str) -> io::Result<Option<Compiled>> {
        let path = self.directory.join(name);
        // Nobody waits for a pipe in the place of an entry.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(flags).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let facts = file.metadata()?;
        let mut octets = Vec::new();
        if facts.is_file() && facts.len() <= self.size {
            (&file).take(self.size).read_to_end(&mut octets)?;
        }
        let checked = octets.split_first_chunk::<CODE_LENGTH>();
        let is_trusted = checked.is_some_and(|(code, rest)| {
            let mac = self.mac(name, &[rest]);
            mac.verify_slice(code.as_slice()).is_ok()
        });
        if !is_trusted {
            warn!(file = %path.display(), "an entry of plugins.cache was changed, and is made anew");
            return Ok(None);
        }
        // The oldest entries go first when there is no room. It fails where files cannot be changed.
        _ = file.set_modified(SystemTime::now());
        octets.drain(..CODE_LENGTH);
        match Report::parse(octets).map(|report| report.outcome) {
            Some(Outcome::Compiled(compiled)) => Ok(Some(compiled)),
            _ => Ok(None),
        }
    }

    fn write(&self, name: &str, compiled: Compiled) -> io::Result<()> {
        let report = Report {
            missing: Missing::default(),
            outcome: Outcome::Compiled(compiled),
        };
        let head = report.head();
        let size = (CODE_LENGTH + head.len() + report.code().len()) as u64;
        if size > self.size {
            return Ok(());
        }
        self.make_room(size)?;
        let mac = self.mac(name, &[&head, report.code()]);
        let code = mac.finalize().into_bytes();
        let written = write_whole(
            &self.directory,
            name,
            &[code.as_slice(), &head, report.code()],
        )?;
        // If another process has written the same entry meanwhile, that is as good.
        fs::rename(written, self.directory.join(name))
    }

    /// Removes the entries that were used least recently, until there is room for so many octets.
    fn make_room(&self, size: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut total = size;
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // Another process may have removed it meanwhile.
            if is_entry(entry.file_name().as_encoded_bytes())
                && let Ok(facts) = entry.metadata()
                && facts.is_file()
            {
                total = total.saturating_add(facts.len());
                entries.push((facts.modified()?, facts.len(), entry.path()));
            }
        }
        entries.sort();
        for (_, length, path) in entries {
            if total <= self.size {
                break;
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => total -= length,
            }
        }
        Ok(())
    }

    fn mac(&self, name: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.key.mac();
        mac.update(name.as_bytes());
        mac.update(b"\0");
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

/// True for the names of entries, and of those that are being written or were left so.
fn is_entry(name: &[u8]) -> bool {
    let is_hex = |octets: &[u8]| octets.iter().all(u8::is_ascii_hexdigit);
    let is_name = |name: &[u8]| match name.split_at_checked(64) {
        Some((sha256, [b'-', engine @ ..])) => {
            is_hex(sha256) && is_hex(engine) && engine.len() == 16
        }
        _ => false,
    };
    match name.strip_prefix(b".") {
        None => is_name(name),
        Some(unfinished) => unfinished.get(..81).is_some_and(is_name),
    }
}

/// The length of an authentication code in octets.
const CODE_LENGTH: usize = 32;

#[cfg(test)]
mod tests;
