//! When to look at the plugin directory: at a hint of the system that it has changed, and now and
//! then without one.
//!
//! What the system says of changes is no more than a hint. It differs between file systems and
//! editors, can be lost, and never comes from a directory on another machine.

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

use crate::registry::table::{Care, SETTLE};
use crate::registry::{Looked, PluginRegistry};

/// When the plugin directory is looked at.
#[derive(Clone, Copy, Debug)]
pub struct WatchSettings {
    /// Whether the system is asked for hints.
    pub hints: bool,
    /// How long to wait for one before looking without.
    pub rescan: Duration,
}

/// Takes changes of the plugin directory for as long as this is awaited.
pub async fn watch(library: Arc<PluginRegistry>, settings: WatchSettings) {
    let Some(directory) = library.directory() else {
        return;
    };
    let mut watch = Watch::default();
    let hints = Arc::clone(&watch.hints);
    let mut care = Care::Settle;
    let mut retry_at = Instant::now() + settings.rescan;
    loop {
        // First the hints and then the look: a change between the two is seen twice, not never.
        if settings.hints {
            watch = watch.renewed(directory).await;
        }
        let looked = library.look(care).await;
        // Without a hint it is time to look all the same, and however many hints come, what was refused
        // has its turn.
        let next = match looked {
            Looked::Settled => retry_at,
            Looked::Troubled => Instant::now() + settings.rescan.min(TROUBLED),
            Looked::Unsettled => Instant::now() + SETTLE,
        };
        tokio::select! {
            () = sleep_until(next) => {}
            () = hints.changed.notified(), if looked != Looked::Unsettled => {}
            () = library.finished_late() => {}
        }
        care = match Instant::now() < retry_at {
            true => Care::Settle,
            false => {
                retry_at = Instant::now() + settings.rescan;
                Care::Retry
            }
        };
    }
}

/// How long a directory that cannot be looked into is left alone.
const TROUBLED: Duration = Duration::from_secs(1);

/// The hints of the system about one directory.
#[derive(Default)]
struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// The device and inode of the directory that is watched.
    watched: Option<(u64, u64)>,
    hints: Arc<Hints>,
    has_complained: bool,
}

#[derive(Default)]
struct Hints {
    changed: Notify,
    /// Whether the directory itself has changed its name or is gone.
    is_lost: AtomicBool,
}

impl Watch {
    /// As [`Self::renew`], off the threads that serve sessions: a directory on another machine may take
    /// its time.
    async fn renewed(mut self, directory: &Path) -> Self {
        let directory = directory.to_owned();
        let renewed = spawn_blocking(move || {
            self.renew(&directory);
            self
        });
        match renewed.await {
            Ok(watch) => watch,
            // Only a panic keeps it from coming back, and the hints with it.
            Err(panic) => resume_unwind(panic.into_panic()),
        }
    }

    /// Makes sure that it is the directory of this name that is watched: another one may have been
    /// put in its place.
    fn renew(&mut self, directory: &Path) {
        let is_lost = self.hints.is_lost.swap(false, Ordering::Relaxed);
        let now = fs::metadata(directory).ok();
        let now = now.map(|metadata| (metadata.dev(), metadata.ino()));
        if self.watcher.is_some() && self.watched == now && !is_lost {
            return;
        }
        self.watched = now;
        match start(directory, Arc::clone(&self.hints)) {
            Ok(watcher) => {
                self.watcher = Some(watcher);
                self.has_complained = false;
            }
            Err(error) => {
                self.watcher = None;
                if !self.has_complained {
                    warn!(
                        %error,
                        "the system gives no hints about the plugin directory, plugins.rescan alone counts"
                    );
                }
                self.has_complained = true;
            }
        }
    }
}

/// Watches a directory, and the one above it for the case that it is replaced.
fn start(directory: &Path, hints: Arc<Hints>) -> notify::Result<RecommendedWatcher> {
    let subject = directory.to_owned();
    let mut watcher =
        notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) => hints.note(&subject, &event),
            Err(_) => hints.changed.notify_one(),
        })?;
    if let Some(above) = directory.parent() {
        watcher.watch(above, RecursiveMode::NonRecursive)?;
    }
    match watcher.watch(directory, RecursiveMode::NonRecursive) {
        // The one above tells when it comes back.
        Err(error) if is_absence(&error) => Ok(watcher),
        watched => watched.map(|()| watcher),
    }
}

impl Hints {
    fn note(&self, directory: &Path, event: &Event) {
        let concerns = |path: &PathBuf| path.starts_with(directory) && may_matter(path);
        let is_about_it = event.paths.iter().any(concerns);
        if !may_change(event.kind) || !(is_about_it || event.need_rescan()) {
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

/// Whether there is something to see. Looking opens files and directories itself, which must not be
/// a reason to look again.
const fn may_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_)
        | EventKind::Modify(ModifyKind::Metadata(MetadataKind::AccessTime)) => false,
        _ => true,
    }
}

/// Whether a name may have to do with plugins. One that is hidden is a copy that is not complete, or
/// somebody else's; `..data` and the like are how some systems change a whole directory at once.
fn may_matter(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_hidden = name.starts_with(b".") && !name.starts_with(b"..");
    let ending = path.extension();
    !is_hidden && ending.is_none_or(|ending| ending == "wasm" || ending == "toml")
        || name.starts_with(b"..")
}

fn is_absence(error: &notify::Error) -> bool {
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
    fn only_what_may_change_the_directory_is_a_hint() {
        let write = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let open = EventKind::Access(AccessKind::Open(AccessMode::Any));
        let modify = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        let rights = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        let create = EventKind::Create(CreateKind::Any);
        let remove = EventKind::Remove(RemoveKind::Folder);
        // What happened to what, whether it is a hint, and whether the watch is lost.
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
            hints.note(
                Path::new("/etc/plugins"),
                &Event::new(kind).add_path(PathBuf::from(path)),
            );
            let mut hinted = std::pin::pin!(hints.changed.notified());
            assert_eq!(hinted.as_mut().enable(), is_hint, "{kind:?} {path}");
            assert_eq!(hints.is_lost.into_inner(), is_lost, "{kind:?} {path}");
        }
    }
}
