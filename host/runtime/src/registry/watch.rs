//! Scans the plugin directory when the system reports a change, and at regular intervals.
//!
//! A notification of the system is only a hint to scan. Notifications differ between file systems and
//! editors, can be lost, and are not sent for a directory on another machine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, MetadataKind, ModifyKind};
use notify::{ErrorKind, Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::plan::ScanMode;
use super::plugin_registry::{PluginRegistry, ScanResult};
use super::sighting::SETTLE_TIME;

/// The settings of [`watch`].
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// True if notifications of the system are used.
    pub hints: bool,
    /// The interval between scans without a notification.
    pub rescan: Duration,
}

/// Keeps the registry up to date with the plugin directory. Returns only if no directory is configured.
pub async fn watch(registry: Arc<PluginRegistry>, settings: WatchSettings) {
    let Some(directory) = registry.directory() else {
        return;
    };
    let mut watch = Watch::default();
    let hints = Arc::clone(&watch.hints);
    let mut mode = ScanMode::Changed;
    let mut retry_at = Instant::now() + settings.rescan;
    loop {
        // The watch must be in place before the scan, so that no change is missed between the two.
        if settings.hints {
            watch = watch.renewed(directory).await;
        }
        let result = registry.rescan(mode).await;
        // The interval for retries runs independently of notifications, however many there are.
        let next = match result {
            ScanResult::Settled => retry_at,
            ScanResult::Failed => Instant::now() + settings.rescan.min(RETRY_DELAY),
            ScanResult::Unsettled => Instant::now() + SETTLE_TIME,
        };
        tokio::select! {
            () = sleep_until(next) => {}
            () = hints.changed.notified(), if result != ScanResult::Unsettled => {}
        }
        mode = match Instant::now() < retry_at {
            true => ScanMode::Changed,
            false => {
                retry_at = Instant::now() + settings.rescan;
                ScanMode::RetryRefused
            }
        };
    }
}

/// The delay before the next scan of a directory that cannot be read.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The notifications of the system about one directory.
#[derive(Default)]
struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// The device and inode of the directory that is watched.
    watched: Option<(u64, u64)>,
    hints: Arc<Hints>,
    /// True if the failure to watch was logged.
    is_failure_logged: bool,
}

#[derive(Default)]
struct Hints {
    changed: Notify,
    /// True if the directory itself was renamed or removed.
    is_lost: AtomicBool,
}

impl Watch {
    /// Calls [`Self::renew`] on a thread for blocking work: a directory on another machine can be slow.
    async fn renewed(mut self, directory: &Path) -> Self {
        let directory = directory.to_owned();
        let renewed = spawn_blocking(move || {
            self.renew(&directory);
            self
        });
        match renewed.await {
            Ok(watch) => watch,
            // The task is never cancelled, so the error is a panic.
            Err(panic) => resume_unwind(panic.into_panic()),
        }
    }

    /// Watches the directory that now has this name, which may have replaced the one that is watched.
    fn renew(&mut self, directory: &Path) {
        let is_lost = self.hints.is_lost.swap(false, Ordering::Relaxed);
        let current = fs::metadata(directory).ok();
        let current = current.map(|metadata| (metadata.dev(), metadata.ino()));
        if self.watcher.is_some() && self.watched == current && !is_lost {
            return;
        }
        self.watched = current;
        match start(directory, Arc::clone(&self.hints)) {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.is_failure_logged = false;
            }
            Err(error) => {
                self.watcher = None;
                if !self.is_failure_logged {
                    warn!(
                        %error,
                        "the system gives no hints about the plugin directory, plugins.rescan alone counts"
                    );
                }
                self.is_failure_logged = true;
            }
        }
    }
}

/// Watches a directory, and its parent, which reports if the directory is replaced.
fn start(directory: &Path, hints: Arc<Hints>) -> notify::Result<RecommendedWatcher> {
    let watched = directory.to_owned();
    let mut watcher =
        notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) => hints.record(&watched, &event),
            Err(_) => hints.changed.notify_one(),
        })?;
    if let Some(parent) = directory.parent() {
        watcher.watch(parent, RecursiveMode::NonRecursive)?;
    }
    match watcher.watch(directory, RecursiveMode::NonRecursive) {
        // The watch of the parent reports when the directory is created.
        Err(error) if is_not_found(&error) => Ok(watcher),
        watched => watched.map(|()| watcher),
    }
}

impl Hints {
    /// Records a notification if it can concern a plugin.
    fn record(&self, directory: &Path, event: &Event) {
        let concerns_plugin =
            |path: &PathBuf| path.starts_with(directory) && is_relevant_name(path);
        let is_relevant = event.paths.iter().any(concerns_plugin);
        if !can_change(event.kind) || !(is_relevant || event.need_rescan()) {
            return;
        }
        let is_itself = event.paths.iter().any(|path| path == directory);
        let is_metadata = matches!(event.kind, EventKind::Modify(ModifyKind::Metadata(_)));
        if is_itself && !is_metadata {
            self.is_lost.store(true, Ordering::Relaxed);
        }
        self.changed.notify_one();
    }
}

/// True for events that can change the directory. A scan opens files and directories itself, which must
/// not cause another scan.
const fn can_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_)
        | EventKind::Modify(ModifyKind::Metadata(MetadataKind::AccessTime)) => false,
        _ => true,
    }
}

/// True for names that can concern a plugin. A hidden file is an incomplete copy or unrelated. Names that
/// begin with two dots, such as `..data`, count: Kubernetes replaces a whole directory by renaming them.
fn is_relevant_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_hidden = name.starts_with(b".") && !name.starts_with(b"..");
    let extension = path.extension();
    !is_hidden && extension.is_none_or(|extension| extension == "wasm" || extension == "toml")
        || name.starts_with(b"..")
}

fn is_not_found(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        ErrorKind::PathNotFound => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, RemoveKind, RenameMode};

    use super::*;

    #[test]
    fn only_events_that_can_change_the_directory_are_hints() {
        let write = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let modify = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        let rights = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        let create = EventKind::Create(CreateKind::Any);
        let remove = EventKind::Remove(RemoveKind::Folder);
        // The event and its path; if it is a hint; if the directory itself is lost.
        let table = [
            (create, "/etc/plugins/10-a.wasm", true, false),
            (modify, "/etc/plugins/10-a.wasm", true, false),
            (write, "/etc/plugins/10-a.wasm", true, false),
            (open, "/etc/plugins/10-a.wasm", false, false),
            (open, "/etc/plugins", false, false),
            (rename, "/etc/plugins/..data", true, false),
            (rename, "/etc/plugins", true, true),
            (remove, "/etc/plugins", true, true),
            (rights, "/etc/plugins", true, false),
            (create, "/etc/plugins.new", false, false),
            (create, "/etc/other", false, false),
            (create, "/etc/plugins/.10-a.wasm.tmp", false, false),
            (modify, "/etc/plugins/README.md", false, false),
            (modify, "/etc/plugins/10-a.toml", true, false),
            (create, "/etc/plugins/..2026_11_27_12_00_00.1", true, false),
        ];
        for (kind, path, is_hint, is_lost) in table {
            let hints = Hints::default();
            hints.record(
                Path::new("/etc/plugins"),
                &Event::new(kind).add_path(PathBuf::from(path)),
            );
            let mut hinted = std::pin::pin!(hints.changed.notified());
            assert_eq!(hinted.as_mut().enable(), is_hint, "{kind:?} {path}");
            assert_eq!(hints.is_lost.into_inner(), is_lost, "{kind:?} {path}");
        }
    }
}
