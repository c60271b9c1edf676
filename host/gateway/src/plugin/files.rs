//! The files of the operator that a plugin may read: kept in memory, and read again when they change.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use memchr::memmem;
use tokio::sync::Mutex;
use tracing::warn;

/// The files of one plugin, for all its instances.
#[derive(Debug)]
pub(super) struct Files {
    plugin: String,
    size_limit: u32,
    listed: BTreeMap<String, Listed>,
}

/// Why a file cannot be read; the log has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileError {
    NotListed,
    Unreadable,
}

#[derive(Debug)]
struct Listed {
    path: PathBuf,
    /// Locked while the file is looked at, so that many sessions do not read it at the same time.
    kept: Mutex<Option<Kept>>,
}

impl Files {
    pub(super) fn new(plugin: &str, listed: &BTreeMap<String, PathBuf>, size_limit: u32) -> Self {
        let listed = listed.iter().map(|(name, path)| {
            let listed = Listed {
                path: path.clone(),
                kept: Mutex::default(),
            };
            (name.clone(), listed)
        });
        Self {
            plugin: plugin.to_owned(),
            size_limit,
            listed: listed.collect(),
        }
    }

    /// What is in a file now.
    pub(super) async fn content(&self, name: &str) -> Result<Arc<[u8]>, FileError> {
        let listed = self.listed.get(name).ok_or(FileError::NotListed)?;
        let mut kept = listed.kept.lock().await;
        let before = kept.take();
        let (path, limit) = (listed.path.clone(), self.size_limit);
        // Looking at a file can take long, for example over a network.
        let looked = tokio::task::spawn_blocking(move || look(&path, limit, before)).await;
        let looked = looked.unwrap_or_else(|error| Err(io::Error::other(error)));
        let now = looked.map_err(|error| {
            let file = listed.path.display();
            warn!(plugin = self.plugin, name, %file, %error, "a plugin cannot read a file");
            FileError::Unreadable
        })?;
        let content = Arc::clone(&now.content);
        *kept = Some(now);
        Ok(content)
    }
}

/// A file as it was when it was read.
#[derive(Debug)]
struct Kept {
    content: Arc<[u8]>,
    version: Version,
    /// Whether the file had been left alone for a while. Two changes in one tick of the clock look
    /// like one.
    is_settled: bool,
}

/// What tells a version of a file from others.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn look(path: &Path, limit: u32, before: Option<Kept>) -> io::Result<Kept> {
    let metadata = fs::metadata(path)?;
    // Opening a pipe would wait for its other end.
    if !metadata.is_file() {
        return Err(io::Error::other("this is no regular file"));
    }
    let version = Version::of(&metadata);
    match before {
        Some(kept) if kept.is_settled && kept.version == version => Ok(kept),
        _ => read(path, limit, version, &metadata),
    }
}

fn read(path: &Path, limit: u32, version: Version, metadata: &Metadata) -> io::Result<Kept> {
    let mut content = Vec::with_capacity(metadata.len().min(limit.into()) as usize);
    let open = fs::File::open(path)?;
    open.take(u64::from(limit) + 1).read_to_end(&mut content)?;
    if content.len() > limit as usize {
        let text = format!("it is larger than limits.file-size of {limit} octets");
        return Err(io::Error::other(text));
    }
    let age = metadata.modified().ok().and_then(|modified| {
        let now = SystemTime::now();
        now.duration_since(modified).ok()
    });
    Ok(Kept {
        content: content.into(),
        version,
        is_settled: age.is_some_and(|age| age > SETTLED),
    })
}

/// The first line that begins with these octets, without its line ending.
pub(super) fn find_line<'a>(content: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let begin = match content.starts_with(prefix) {
        true => 0,
        false => {
            let wanted = [b"\n", prefix].concat();
            memmem::find(content, &wanted)? + 1
        }
    };
    let line = &content[begin..];
    let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
    let line = &line[..end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (line.len() <= MAX_LINE && line.starts_with(prefix)).then_some(line)
}

/// The coarsest clock of a file system that is still around ticks every two seconds.
const SETTLED: Duration = Duration::from_secs(2);
/// The longest line that is found, in octets.
const MAX_LINE: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn files(path: &Path, limit: u32) -> Files {
        let listed = BTreeMap::from([("users".to_owned(), path.to_owned())]);
        Files::new("test", &listed, limit)
    }

    /// Long ago enough that the file counts as settled.
    fn age(path: &Path, seconds: u64) {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_read_again_only_where_it_changed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, "one").unwrap();
        age(&path, 1_000);
        let files = files(&path, 100);
        let first = files.content("users").await.unwrap();
        let second = files.content("users").await.unwrap();
        assert_eq!(&*first, b"one");
        assert!(Arc::ptr_eq(&first, &second));

        fs::write(&path, "two").unwrap();
        age(&path, 1_001);
        assert_eq!(&*files.content("users").await.unwrap(), b"two");
        // The same size and time of change in another file.
        let other = directory.path().join("other");
        fs::write(&other, "six").unwrap();
        age(&other, 1_001);
        fs::rename(&other, &path).unwrap();
        assert_eq!(&*files.content("users").await.unwrap(), b"six");
    }

    #[tokio::test]
    async fn a_file_that_has_just_changed_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, "one").unwrap();
        let files = files(&path, 100);
        let first = files.content("users").await.unwrap();
        let second = files.content("users").await.unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn what_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        let files = files(&path, 3);
        assert_eq!(files.content("other").await, Err(FileError::NotListed));
        assert_eq!(files.content("users").await, Err(FileError::Unreadable));
        fs::write(&path, "four").unwrap();
        assert_eq!(files.content("users").await, Err(FileError::Unreadable));
        fs::write(&path, "fit").unwrap();
        assert_eq!(&*files.content("users").await.unwrap(), b"fit");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(files.content("users").await, Err(FileError::Unreadable));
    }

    #[test]
    fn lines_are_found_by_their_beginning() {
        let content = b"alice:1\r\nbob:2\nalice:3\ncarol:4";
        let table: [(&[u8], Option<&[u8]>); 8] = [
            (b"alice:", Some(b"alice:1")),
            (b"bob:", Some(b"bob:2")),
            (b"carol:", Some(b"carol:4")),
            (b"lice:", None),
            (b"dave:", None),
            (b"", Some(b"alice:1")),
            (b"alice:1\r\nbob", None),
            (b"carol:4 and more", None),
        ];
        for (prefix, expected) in table {
            assert_eq!(find_line(content, prefix), expected, "{prefix:?}");
        }
        assert_eq!(find_line(b"", b"x"), None);
        let long = [b"x:", &[b'y'; MAX_LINE][..]].concat();
        assert_eq!(find_line(&long, b"x:"), None);
    }
}
