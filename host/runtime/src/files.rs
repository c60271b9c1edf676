//! The files that a sidecar lists for its plugin: cached in memory, and read again when they change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use memchr::memmem;
use tokio::sync::Mutex;
use tracing::warn;

use crate::error::is_lack;
use crate::meter::{Meter, OutOfTime, charged};
use postgate_config::file::{FileVersion, ReadError, read_bounded};

/// The listed files of one plugin, shared by all its instances.
#[derive(Debug)]
pub(super) struct Files {
    plugin: String,
    size_limit: u32,
    listed: BTreeMap<String, ListedFile>,
}

/// The reason that a plugin gets if it cannot read a file. The details are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileError {
    /// The machine lacks descriptors or memory, or its disk fails. A plugin cannot be blamed for what it
    /// makes of that.
    Host,
    /// The sidecar lists no file of this name.
    NotListed,
    /// Reading failed.
    Unreadable,
}

#[derive(Debug)]
struct ListedFile {
    path: PathBuf,
    /// Locked while the file is checked and read, so that only one session reads it at a time.
    cache: Mutex<Cache>,
}

/// The state of a file at the last check.
#[derive(Debug, Default)]
struct Cache {
    content: Option<CachedContent>,
    /// The error of the last check, if it failed.
    failure: Option<String>,
}

impl Files {
    pub(super) fn new(plugin: &str, listed: &BTreeMap<String, PathBuf>, size_limit: u32) -> Self {
        let listed = listed.iter().map(|(name, path)| {
            let listed = ListedFile {
                path: path.clone(),
                cache: Mutex::default(),
            };
            (name.clone(), listed)
        });
        Self {
            plugin: plugin.to_owned(),
            size_limit,
            listed: listed.collect(),
        }
    }

    /// The files that could not be read at the last check: path and reason, with the key in the sidecar.
    pub(super) async fn unreadable(&self) -> Vec<String> {
        let mut unreadable = Vec::new();
        for (name, listed) in &self.listed {
            if let Some(failure) = &listed.cache.lock().await.failure {
                let path = listed.path.display();
                unreadable.push(format!("files.{name}: {path}: {failure}"));
            }
        }
        unreadable
    }

    /// Returns the current content of a file. The CPU time for reading it counts as that of the current call.
    /// It is read to its end all the same: whoever comes next finds it.
    ///
    /// # Errors
    ///
    /// Fails if no file of this name is listed, or if it cannot be read.
    pub(super) async fn content(&self, name: &str) -> Result<Arc<[u8]>, FileError> {
        let listed = self.listed.get(name).ok_or(FileError::NotListed)?;
        let mut cache = listed.cache.lock().await;
        let mut is_of_host = false;
        let before = cache.content.as_ref().map(|cached| cached.state);
        let (path, limit) = (listed.path.clone(), self.size_limit);
        // Reading a file can take long, for example over a network, and the session may give up
        // meanwhile. Therefore the cache is not changed before the file is read.
        let read = charged(move || read_if_changed(&path, limit, before)).await;
        match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(changed) => {
                cache.failure = None;
                if let Some(content) = changed {
                    cache.content = Some(content);
                }
            }
            Err(error) => {
                is_of_host = is_lack(&error);
                cache.content = None;
                let failure = error.to_string();
                // The same error is logged once.
                if cache.failure.as_ref() != Some(&failure) {
                    let file = listed.path.display();
                    warn!(plugin = self.plugin, name, %file, %error, "a plugin cannot read a file");
                }
                cache.failure = Some(failure);
            }
        }
        match &cache.content {
            Some(cached) => Ok(Arc::clone(&cached.octets)),
            None if is_of_host => Err(FileError::Host),
            None => Err(FileError::Unreadable),
        }
    }
}

/// The content of a file, and the state of the file when it was read.
#[derive(Debug)]
struct CachedContent {
    octets: Arc<[u8]>,
    state: FileState,
}

/// The state of a file when it was read.
#[derive(Clone, Copy, Debug)]
struct FileState {
    version: FileVersion,
    /// The time at which this version was first seen.
    since: Instant,
    /// True if the last change was at least [`SETTLE_TIME`] before. Until then the same version does
    /// not prove the same content: two changes in one tick of the file system's clock look like one.
    is_settled: bool,
}

/// Reads a file, or returns `None` if it is unchanged.
fn read_if_changed(
    path: &Path,
    limit: u32,
    before: Option<FileState>,
) -> io::Result<Option<CachedContent>> {
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
            let state = FileState {
                version,
                since,
                // There is no age if the time of the change lies in the future.
                is_settled: age.is_some_and(|age| age > SETTLE_TIME)
                    || since.elapsed() > SETTLE_TIME,
            };
            let octets = read_bounded(path, limit.into()).map_err(|error| match error {
                ReadError::Io(error) => error,
                ReadError::TooLarge(_) => too_large(limit),
            })?;
            let octets = octets.into();
            Ok(Some(CachedContent { octets, state }))
        }
    }
}

fn too_large(limit: u32) -> io::Error {
    io::Error::other(format!(
        "it is larger than limits.file-size of {limit} octets"
    ))
}

/// Returns the first line that begins with `prefix`, without its line ending. Returns `None` if there is
/// none, or if it is longer than [`MAX_LINE`]. A byte order mark of UTF-8 is not a part of the first line.
///
/// # Errors
///
/// Fails if the call has used up its CPU time.
pub(super) async fn find_line<'a>(
    content: &'a [u8],
    prefix: &[u8],
    meter: &mut Meter,
) -> Result<Option<&'a [u8]>, OutOfTime> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let begin = match content.starts_with(prefix) {
        true => Some(0),
        false if prefix.len() > MAX_LINE => None,
        false => find_behind_line_feed(content, prefix, meter).await?,
    };
    Ok(begin.and_then(|begin| {
        let line = &content[begin..];
        let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let line = &line[..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        (line.len() <= MAX_LINE && line.starts_with(prefix)).then_some(line)
    }))
}

/// The offset of the first `prefix` behind a LF.
async fn find_behind_line_feed(
    content: &[u8],
    prefix: &[u8],
    meter: &mut Meter,
) -> Result<Option<usize>, OutOfTime> {
    let wanted = [b"\n", prefix].concat();
    let finder = memmem::Finder::new(&wanted);
    for begin in (0..content.len()).step_by(SEARCH) {
        // What begins in this piece may end in the next one.
        let end = content.len().min(begin + SEARCH + prefix.len());
        if let Some(found) = finder.find(&content[begin..end]) {
            return Ok(Some(begin + found + 1));
        }
        meter.count(SEARCH).await?;
    }
    Ok(None)
}

/// The time without a change after which a version of a file identifies its content. The coarsest clock
/// of a file system in use, that of FAT, ticks every two seconds.
const SETTLE_TIME: Duration = Duration::from_secs(2);
/// The greatest length of a line in octets.
const MAX_LINE: usize = 65_536;
/// The octets that are searched at a time.
const SEARCH: usize = 262_144;

#[cfg(test)]
mod tests {
    use super::*;

    fn files(path: &Path, limit: u32) -> Files {
        let listed = BTreeMap::from([("users".to_owned(), path.to_owned())]);
        Files::new("test", &listed, limit)
    }

    /// Sets the time of the last change to so long ago that the file counts as settled.
    fn age(path: &Path, seconds: u64) {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }

    #[tokio::test]
    async fn a_file_is_read_again_only_if_it_changed() {
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
    async fn a_file_that_has_just_changed_is_read_again() {
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
        let cached = read_if_changed(&path, 100, None).unwrap().unwrap();
        assert!(!cached.state.is_settled);
        let state = FileState {
            since: cached.state.since - 2 * SETTLE_TIME,
            ..cached.state
        };
        // It is read once more, and not again after that.
        let again = read_if_changed(&path, 100, Some(state)).unwrap().unwrap();
        assert!(again.state.is_settled);
        let unchanged = read_if_changed(&path, 100, Some(again.state)).unwrap();
        assert!(unchanged.is_none());
    }

    #[test]
    fn a_read_that_is_given_up_keeps_the_cache() {
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
            // The only thread for blocking work is busy.
            let (free, busy) = std::sync::mpsc::channel::<()>();
            tokio::task::spawn_blocking(move || busy.recv());
            let given_up = tokio::time::timeout(Duration::ZERO, files.content("users")).await;
            assert!(given_up.is_err());
            drop(free);
            let cache = files.listed["users"].cache.lock().await;
            let cached = cache.content.as_ref().unwrap();
            assert!(Arc::ptr_eq(&cached.octets, &first));
        });
    }

    #[tokio::test]
    async fn a_failure_is_logged_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users");
        fs::write(&path, "four").unwrap();
        let files = files(&path, 3);
        let failure = async || {
            _ = files.content("users").await;
            files.listed["users"].cache.lock().await.failure.clone()
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
    async fn unreadable_files() {
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

    async fn found<'a>(content: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
        let mut meter = Meter::new(Duration::MAX);
        find_line(content, prefix, &mut meter).await.unwrap()
    }

    #[tokio::test]
    async fn lines_are_found_by_their_prefix() {
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
            assert_eq!(found(content, prefix).await, expected, "{prefix:?}");
        }
        assert_eq!(found(b"", b"x").await, None);
        let long = [b"x:", &[b'y'; MAX_LINE][..]].concat();
        assert_eq!(found(&long, b"x:").await, None);
        assert_eq!(found(b"x", &long).await, None);
    }

    #[tokio::test]
    async fn a_line_may_begin_in_one_piece_and_end_in_the_next() {
        for before in SEARCH - 8..SEARCH + 2 {
            let content = [&b"x".repeat(before), b"\nbob:2\n".as_slice()].concat();
            assert_eq!(
                found(&content, b"bob:").await,
                Some(&b"bob:2"[..]),
                "{before}"
            );
        }
    }

    #[tokio::test]
    async fn a_search_ends_with_the_time_of_its_call() {
        let content = b"x\n".repeat(SEARCH);
        let mut meter = Meter::new(Duration::ZERO);
        assert_eq!(find_line(&content, b"y", &mut meter).await, Err(OutOfTime));
    }
}
