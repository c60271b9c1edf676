//! The files of the operator that a plugin may read: kept in memory, and read again when they change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use memchr::memmem;
use tokio::sync::Mutex;
use tracing::warn;

use postgate_config::file::{FileVersion, ReadError, read_bounded};

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
    known: Mutex<Known>,
}

/// What is known of a file.
#[derive(Debug, Default)]
struct Known {
    kept: Option<Kept>,
    /// Why it could not be read at the last look.
    failure: Option<String>,
}

impl Files {
    pub(super) fn new(plugin: &str, listed: &BTreeMap<String, PathBuf>, size_limit: u32) -> Self {
        let listed = listed.iter().map(|(name, path)| {
            let listed = Listed {
                path: path.clone(),
                known: Mutex::default(),
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
        let mut known = listed.known.lock().await;
        let before = known.kept.as_ref().map(|kept| kept.seen);
        let (path, limit) = (listed.path.clone(), self.size_limit);
        // Looking at a file can take long, for example over a network. Until that is over, what is
        // known stays: the session may give up before.
        let looked = tokio::task::spawn_blocking(move || look(&path, limit, before)).await;
        match looked.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(now) => {
                known.failure = None;
                if let Some(now) = now {
                    known.kept = Some(now);
                }
            }
            Err(error) => {
                known.kept = None;
                let failure = error.to_string();
                // One line is enough for as long as nothing changes.
                if known.failure.as_ref() != Some(&failure) {
                    let file = listed.path.display();
                    warn!(plugin = self.plugin, name, %file, %error, "a plugin cannot read a file");
                }
                known.failure = Some(failure);
            }
        }
        match &known.kept {
            Some(kept) => Ok(Arc::clone(&kept.content)),
            None => Err(FileError::Unreadable),
        }
    }
}

/// A file as it was when it was read.
#[derive(Debug)]
struct Kept {
    content: Arc<[u8]>,
    seen: Seen,
}

/// Which version of a file was read.
#[derive(Clone, Copy, Debug)]
struct Seen {
    version: FileVersion,
    /// When it was seen for the first time.
    since: Instant,
    /// Whether the file had been left alone for a while. Two changes in one tick of the clock look
    /// like one.
    is_settled: bool,
}

/// Reads a file, unless it is what was seen before.
fn look(path: &Path, limit: u32, before: Option<Seen>) -> io::Result<Option<Kept>> {
    let metadata = fs::metadata(path)?;
    let version = FileVersion::from(&metadata);
    let before = before.filter(|before| before.version == version);
    match before {
        Some(before) if before.is_settled => Ok(None),
        _ => {
            let since = before.map_or_else(Instant::now, |before| before.since);
            let age = metadata.modified().ok().and_then(|modified| {
                let now = SystemTime::now();
                now.duration_since(modified).ok()
            });
            let seen = Seen {
                version,
                since,
                // The time of a change may lie in the future.
                is_settled: age.is_some_and(|age| age > SETTLED) || since.elapsed() > SETTLED,
            };
            let content = read_bounded(path, limit.into()).map_err(|error| match error {
                ReadError::Io(error) => error,
                ReadError::TooLarge(_) => too_large(limit),
            })?;
            let content = content.into();
            Ok(Some(Kept { content, seen }))
        }
    }
}

fn too_large(limit: u32) -> io::Error {
    io::Error::other(format!(
        "it is larger than limits.file-size of {limit} octets"
    ))
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
    async fn a_change_in_the_future_settles_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, "one").unwrap();
        let later = SystemTime::now() + Duration::from_secs(1_000_000);
        let later = later.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        age(&path, later.as_secs());
        let kept = look(&path, 100, None).unwrap().unwrap();
        assert!(!kept.seen.is_settled);
        let seen = Seen {
            since: kept.seen.since - 2 * SETTLED,
            ..kept.seen
        };
        // It is read once more, and then no more.
        let again = look(&path, 100, Some(seen)).unwrap().unwrap();
        assert!(again.seen.is_settled);
        assert!(look(&path, 100, Some(again.seen)).unwrap().is_none());
    }

    #[test]
    fn a_look_that_nobody_waits_for_forgets_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, "one").unwrap();
        age(&path, 1_000);
        let files = files(&path, 100);
        runtime.block_on(async {
            let first = files.content("users").await.unwrap();
            // The only thread that could look is busy.
            let (free, busy) = std::sync::mpsc::channel::<()>();
            tokio::task::spawn_blocking(move || busy.recv());
            let given_up = tokio::time::timeout(Duration::ZERO, files.content("users")).await;
            assert!(given_up.is_err());
            drop(free);
            let known = files.listed["users"].known.lock().await;
            assert!(Arc::ptr_eq(&known.kept.as_ref().unwrap().content, &first));
        });
    }

    #[tokio::test]
    async fn a_failure_is_news_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, "four").unwrap();
        let files = files(&path, 3);
        let failure = async || {
            _ = files.content("users").await;
            files.listed["users"].known.lock().await.failure.clone()
        };
        let large = failure().await;
        assert!(large.as_ref().unwrap().contains("limits.file-size of 3"));
        assert_eq!(failure().await, large);
        fs::remove_file(&path).unwrap();
        let missing = failure().await;
        assert!(missing.is_some() && missing != large);
        fs::write(&path, "fit").unwrap();
        assert_eq!(failure().await, None);
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
