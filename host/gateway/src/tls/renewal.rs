//! Takes new certificates while mail flows.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tracing::{error, info};

use super::changes::Changes;
use super::store::{Reloaded, Store, TlsError};

/// Looks at the files whenever the system says that something has happened to them, and every now
/// and then. It does not end by itself where there are any.
pub(crate) async fn watch(store: Arc<Store>, rescan: Duration) {
    if store.files().next().is_none() {
        return;
    }
    let mut changes = Changes::of(store.files(), rescan);
    loop {
        let looking = Arc::clone(&store);
        let looked = spawn_blocking(move || looking.reload_changed()).await;
        if let Ok(Some(reloaded)) = looked {
            tell(&reloaded);
        }
        changes.next().await;
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
