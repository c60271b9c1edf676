//! Compiled code on disk.
//!
//! Each entry is a file that is named after the SHA-256 of the plugin file and after the engine. It begins
//! with an authentication code over its name and the rest, made with a key that only this cache has, so that
//! an entry that was damaged or comes from elsewhere is made anew.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::task::spawn_blocking;
use tracing::warn;
use wasmtime::Engine;

use super::report::{Compiled, Report};

/// A directory of compiled code.
pub(super) struct CodeCache(Arc<Directory>);

struct Directory {
    path: PathBuf,
    /// The most octets of all entries together.
    limit: u64,
    /// Tells engines apart whose code differs.
    engine: u64,
    key: [u8; KEY_LENGTH],
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
    /// Opens a cache, and creates its directory and its key if necessary.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be created or read.
    pub(super) fn open(path: &Path, limit: u64, engine: &Engine) -> Result<Self, CacheError> {
        let of_directory = |error| CacheError {
            path: path.to_owned(),
            error,
        };
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(path).map_err(of_directory)?;
        let key = path.join(KEY);
        let key = key_of(&key).map_err(|error| CacheError { path: key, error })?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self(Arc::new(Directory {
            path: path.to_owned(),
            limit,
            engine: hasher.finish(),
            key,
        })))
    }

    /// Returns what was compiled from a file with this SHA-256. Returns `None` if there is no entry, or
    /// none that can be trusted.
    pub(super) async fn get(&self, sha256: &str) -> Option<Compiled> {
        let directory = Arc::clone(&self.0);
        let name = directory.name_of(sha256);
        let read = spawn_blocking(move || directory.read(&name)).await.ok()?;
        match read {
            Ok(found) => found,
            Err(error) => {
                warn!(%error, "an entry of plugins.cache cannot be read, and is made anew");
                None
            }
        }
    }

    /// Stores what was compiled from a file with this SHA-256. Without room, it is compiled again the next
    /// time.
    pub(super) async fn put(&self, sha256: &str, report: &Report) {
        let Report::Compiled(_) = report else { return };
        let directory = Arc::clone(&self.0);
        let name = directory.name_of(sha256);
        let octets = [report.head().as_slice(), report.code()].concat();
        let written = spawn_blocking(move || directory.write(&name, &octets)).await;
        if let Err(error) = written.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
            warn!(%error, "compiled code cannot be stored in plugins.cache");
        }
    }
}

impl Directory {
    fn name_of(&self, sha256: &str) -> String {
        format!("{sha256}-{:016x}", self.engine)
    }

    fn read(&self, name: &str) -> io::Result<Option<Compiled>> {
        let path = self.path.join(name);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut octets = Vec::new();
        file.read_to_end(&mut octets)?;
        let checked = octets.split_first_chunk::<CODE_LENGTH>();
        let trusted = checked.filter(|(code, rest)| {
            let mac = self.mac(name, rest);
            mac.verify_slice(code.as_slice()).is_ok()
        });
        let Some((_, report)) = trusted else {
            warn!(file = %path.display(), "an entry of plugins.cache was changed, and is made anew");
            return Ok(None);
        };
        // The oldest entries go first when there is no room. It fails where files cannot be changed.
        _ = file.set_modified(SystemTime::now());
        match Report::parse(report) {
            Some(Report::Compiled(compiled)) => Ok(Some(compiled)),
            _ => Ok(None),
        }
    }

    fn write(&self, name: &str, report: &[u8]) -> io::Result<()> {
        let size = (CODE_LENGTH + report.len()) as u64;
        if size > self.limit {
            return Ok(());
        }
        self.make_room(size)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let unfinished = format!(".{name}.{:016x}", u64::from_ne_bytes(random));
        let unfinished = self.path.join(unfinished);
        let written = self.write_to(&unfinished, name, report);
        let renamed = written.and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if renamed.is_err() {
            // It fails if the file could not be created.
            _ = fs::remove_file(&unfinished);
        }
        renamed
    }

    fn write_to(&self, path: &Path, name: &str, report: &[u8]) -> io::Result<()> {
        let code = self.mac(name, report).finalize().into_bytes();
        let mut file = new_file(path)?;
        file.write_all(&code)?;
        file.write_all(report)
    }

    /// Removes the entries that were used least recently, until there is room for so many octets.
    fn make_room(&self, size: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut total = size;
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() == KEY {
                continue;
            }
            // Another process may have removed it meanwhile.
            let Ok(facts) = entry.metadata() else {
                continue;
            };
            if facts.is_file() {
                total = total.saturating_add(facts.len());
                entries.push((facts.modified()?, facts.len(), entry.path()));
            }
        }
        entries.sort();
        for (_, length, path) in entries {
            if total <= self.limit {
                break;
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => total -= length,
            }
        }
        Ok(())
    }

    fn mac(&self, name: &str, report: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(name.as_bytes());
        mac.update(b"\0");
        mac.update(report);
        mac
    }
}

/// Reads the key, or makes one.
fn key_of(path: &Path) -> io::Result<[u8; KEY_LENGTH]> {
    let mut key = [0; KEY_LENGTH];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    // Written aside, so that no other process finds half a key.
    let mut unfinished = path.as_os_str().to_owned();
    let mut suffix = String::new();
    for octet in &key[..8] {
        // Writing to a String cannot fail.
        _ = write!(suffix, "{octet:02x}");
    }
    unfinished.push(format!(".{suffix}"));
    let unfinished = PathBuf::from(unfinished);
    if !path.try_exists()? {
        new_file(&unfinished)?.write_all(&key)?;
        let linked = fs::hard_link(&unfinished, path);
        fs::remove_file(&unfinished)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let found = fs::read(path)?;
    found.try_into().map_err(|_| {
        let text = "not a key; remove the file, and the cache is made anew";
        io::Error::new(ErrorKind::InvalidData, text)
    })
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// The file with the key.
const KEY: &str = "key";
/// The length of the key in octets.
const KEY_LENGTH: usize = 64;
/// The length of an authentication code in octets.
const CODE_LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::code_config::code_config;

    fn cache(path: &Path, limit: u64) -> Directory {
        let engine = Engine::new(&code_config()).unwrap();
        let cache = CodeCache::open(path, limit, &engine).unwrap();
        Arc::into_inner(cache.0).unwrap()
    }

    fn report(code: &[u8]) -> Vec<u8> {
        let report = Report::Compiled(Compiled {
            version: None,
            code: code.to_vec(),
        });
        [report.head().as_slice(), report.code()].concat()
    }

    #[test]
    fn an_entry_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cache");
        cache(&path, 1 << 20)
            .write("a-0", &report(b"code"))
            .unwrap();
        let cache = cache(&path, 1 << 20);
        assert_eq!(cache.read("a-0").unwrap().unwrap().code, b"code");
        assert!(cache.read("b-0").unwrap().is_none());
    }

    #[test]
    fn an_entry_that_was_changed_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let cache = cache(directory.path(), 1 << 20);
        cache.write("a-0", &report(b"code")).unwrap();
        let file = directory.path().join("a-0");
        let octets = fs::read(&file).unwrap();
        for index in 0..octets.len() {
            let mut changed = octets.clone();
            changed[index] ^= 1;
            fs::write(&file, changed).unwrap();
            assert!(cache.read("a-0").unwrap().is_none(), "octet {index}");
            fs::write(&file, &octets[..index]).unwrap();
            assert!(cache.read("a-0").unwrap().is_none(), "{index} octets");
        }
        fs::write(directory.path().join("b-0"), &octets).unwrap();
        assert!(cache.read("b-0").unwrap().is_none());
    }

    #[test]
    fn the_entries_that_were_used_least_recently_make_room() {
        let directory = tempfile::tempdir().unwrap();
        let size = (CODE_LENGTH + report(b"code").len()) as u64;
        let cache = cache(directory.path(), 2 * size);
        for (name, age) in [("a-0", 20), ("b-0", 10)] {
            cache.write(name, &report(b"code")).unwrap();
            let file = File::options()
                .append(true)
                .open(directory.path().join(name));
            let then = SystemTime::now() - std::time::Duration::from_secs(age);
            file.unwrap().set_modified(then).unwrap();
        }
        assert!(cache.read("a-0").unwrap().is_some());
        cache.write("c-0", &report(b"code")).unwrap();
        let left = ["a-0", "b-0", "c-0"].map(|name| cache.read(name).unwrap().is_some());
        assert_eq!(left, [true, false, true]);
        cache.write("d-0", &report(&[0; 1000])).unwrap();
        assert!(cache.read("d-0").unwrap().is_none());
    }
}
