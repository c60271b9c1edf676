//! Notices that the files of certificates have changed.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, error, info};

use super::store::{Reloaded, Store, TlsError};

/// Looks at the files whenever the system says that something has happened to them, and every now
/// and then. It does not end by itself where there are any.
pub(crate) async fn watch(store: Arc<Store>, rescan: Duration) {
    // One hint is as good as many.
    let (hint, mut hints) = mpsc::channel(1);
    // It watches for as long as it lives.
    let _watcher = watcher(&store, hint.clone());
    if store.files().next().is_none() {
        return;
    }
    loop {
        something_happened(&mut hints, rescan).await;
        let store = Arc::clone(&store);
        let looked = tokio::task::spawn_blocking(move || store.reload_changed()).await;
        if let Ok(Some(reloaded)) = looked {
            tell(&reloaded);
        }
    }
}

/// Says what came of reading the certificates again.
pub(crate) fn tell(reloaded: &Result<Reloaded, Vec<TlsError>>) {
    match reloaded {
        Ok(Reloaded::Changed) => info!("certificates reloaded"),
        Ok(Reloaded::Same) => info!("certificates are the same as before"),
        Err(errors) => {
            for error in errors {
                error!(%error, "certificates not reloaded; those from before stay");
            }
        }
    }
}

/// Waits for a hint and the end of what it hints at, or until it is time to look anyway.
async fn something_happened(hints: &mut mpsc::Receiver<()>, rescan: Duration) {
    let hinted = match rescan.is_zero() {
        true => hints.recv().await.is_some(),
        false => timeout(rescan, hints.recv()).await.is_ok(),
    };
    // A certificate and its key come one after the other; but a directory may never be quiet.
    let until_quiet = async { while timeout(QUIET, hints.recv()).await.is_ok() {} };
    if hinted {
        _ = timeout(PATIENCE, until_quiet).await;
    }
}

/// Watches the directories of the files: a file that is replaced is another one than before.
fn watcher(store: &Store, hint: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        // Reading the files is no change of them, and a channel that is full holds a hint already.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            _ = hint.try_send(());
        }
    };
    let directories: BTreeSet<&Path> = store.files().filter_map(Path::parent).collect();
    let mut watcher = notify::recommended_watcher(told)
        .inspect_err(|error| debug!(%error, "files cannot be watched, only looked at"))
        .ok()?;
    for directory in directories {
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            debug!(%error, directory = %directory.display(), "cannot be watched, only looked at");
        }
    }
    Some(watcher)
}

/// How long nothing must happen before the files are read.
const QUIET: Duration = Duration::from_millis(500);
/// How long that is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
