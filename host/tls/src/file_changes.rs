//! Waiting for changes of files: by notifications of the system, and by looking at intervals.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use postgate_config::file::directory_of;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, warn};

/// Reports when some files may have changed.
pub struct FileChanges {
    hints: mpsc::Receiver<()>,
    /// Keeps the channel open if there is no watcher.
    _hint: mpsc::Sender<()>,
    /// Stops watching when dropped. `None` if the system cannot watch files.
    _watcher: Option<RecommendedWatcher>,
    rescan: Duration,
}

impl FileChanges {
    /// Watches these files from now on. [`next`](Self::next) also returns after each `rescan`,
    /// unless that is zero.
    pub fn of<'a>(files: impl Iterator<Item = &'a Path>, rescan: Duration) -> Self {
        // Further hints say nothing new as long as one is unread.
        let (hint, hints) = mpsc::channel(1);
        let directories: BTreeSet<&Path> = files.map(directory_of).collect();
        let watcher = watcher(&directories, hint.clone(), |error| {
            warn_without_hints(error, rescan)
        });
        Self {
            hints,
            _hint: hint,
            _watcher: watcher,
            rescan,
        }
    }

    /// Waits until a file may have changed and the changes have ended, or for the next rescan.
    pub async fn next(&mut self) {
        let hinted = match self.rescan.is_zero() {
            true => self.hints.recv().await.is_some(),
            false => timeout(self.rescan, self.hints.recv()).await.is_ok(),
        };
        // A certificate and its key are replaced one after the other. The wait is limited, because
        // there may always be changes in the directory.
        let until_quiet = async { while timeout(QUIET, self.hints.recv()).await.is_ok() {} };
        if hinted {
            _ = timeout(MAX_WAIT, until_quiet).await;
        }
    }
}

/// Watches directories, not files: a file that is replaced is another file for the system.
fn watcher(
    directories: &BTreeSet<&Path>,
    hint: mpsc::Sender<()>,
    warn: impl Fn(&notify::Error),
) -> Option<RecommendedWatcher> {
    let notified = move |event: notify::Result<notify::Event>| {
        match event {
            // If the channel is full, it has a hint already.
            Ok(event) if !event.kind.is_access() => _ = hint.try_send(()),
            Ok(_) => {}
            Err(error) => debug!(%error, "a notification about changed files was lost"),
        }
    };
    let mut watcher = notify::recommended_watcher(notified)
        .inspect_err(&warn)
        .ok()?;
    for directory in directories {
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            warn(&error);
        }
    }
    Some(watcher)
}

fn warn_without_hints(error: &notify::Error, rescan: Duration) {
    match rescan.is_zero() {
        true => warn!(
            %error,
            "the system gives no hints about changed files, and tls.rescan is off: only SIGHUP counts"
        ),
        false => warn!(
            %error,
            "the system gives no hints about changed files, tls.rescan alone counts"
        ),
    }
}

/// How long there must be no change before the files are read.
const QUIET: Duration = Duration::from_millis(500);
/// How long to wait for that.
const MAX_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn a_file_that_is_replaced_is_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("a"), "old").unwrap();
        let watched = path("a");
        let mut changes = FileChanges::of([watched.as_path()].into_iter(), Duration::ZERO);
        fs::write(path("b"), "new").unwrap();
        fs::rename(path("b"), path("a")).unwrap();
        timeout(Duration::from_secs(30), changes.next())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_watched_is_looked_at() {
        let nowhere = Path::new("/nowhere/at/all");
        let mut changes = FileChanges::of([nowhere].into_iter(), Duration::from_millis(1));
        timeout(Duration::from_secs(30), changes.next())
            .await
            .unwrap();
        let mut changes = FileChanges::of([nowhere].into_iter(), Duration::ZERO);
        let never = timeout(Duration::from_millis(10), changes.next());
        never.await.unwrap_err();
    }
}
