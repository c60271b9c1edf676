//! When to look at files: at a hint of the system that they have changed, and now and then without one.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::warn;

use postgate_config::file::directory_of;

/// The changes of some files.
pub struct Changes {
    hints: mpsc::Receiver<()>,
    /// Without one, a channel that nobody watches for would be at its end.
    _hint: mpsc::Sender<()>,
    /// It watches for as long as it lives.
    _watcher: Option<RecommendedWatcher>,
    rescan: Duration,
}

impl Changes {
    /// Those from now on. The files are also to be looked at this often, or only at a hint where
    /// it is zero.
    pub fn of<'a>(files: impl Iterator<Item = &'a Path>, rescan: Duration) -> Self {
        // One hint is as good as many.
        let (hint, hints) = mpsc::channel(1);
        let directories: BTreeSet<&Path> = files.map(directory_of).collect();
        let watcher = watcher(&directories, hint.clone(), |error| complain(error, rescan));
        Self {
            hints,
            _hint: hint,
            _watcher: watcher,
            rescan,
        }
    }

    /// Waits for a hint and the end of what it hints at, or until it is time to look anyway.
    pub async fn next(&mut self) {
        let hinted = match self.rescan.is_zero() {
            true => self.hints.recv().await.is_some(),
            false => timeout(self.rescan, self.hints.recv()).await.is_ok(),
        };
        // A certificate and its key come one after the other; but a directory may never be quiet.
        let until_quiet = async { while timeout(QUIET, self.hints.recv()).await.is_ok() {} };
        if hinted {
            _ = timeout(PATIENCE, until_quiet).await;
        }
    }
}

/// Watches directories: a file that is replaced is another one than before.
fn watcher(
    directories: &BTreeSet<&Path>,
    hint: mpsc::Sender<()>,
    complain: impl Fn(&notify::Error),
) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        // Reading the files is no change of them, and a channel that is full holds a hint already.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            _ = hint.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(told)
        .inspect_err(&complain)
        .ok()?;
    for directory in directories {
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            complain(&error);
        }
    }
    Some(watcher)
}

fn complain(error: &notify::Error, rescan: Duration) {
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

/// How long nothing must happen before the files are read.
const QUIET: Duration = Duration::from_millis(500);
/// How long that is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let mut changes = Changes::of([watched.as_path()].into_iter(), Duration::ZERO);
        fs::write(path("b"), "new").unwrap();
        fs::rename(path("b"), path("a")).unwrap();
        timeout(Duration::from_secs(30), changes.next())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_cannot_be_watched_is_looked_at() {
        let nowhere = Path::new("/nowhere/at/all");
        let mut changes = Changes::of([nowhere].into_iter(), Duration::from_millis(1));
        timeout(Duration::from_secs(30), changes.next())
            .await
            .unwrap();
        let mut changes = Changes::of([nowhere].into_iter(), Duration::ZERO);
        let never = timeout(Duration::from_millis(10), changes.next());
        never.await.unwrap_err();
    }
}
