//! Takes new certificates and passwords while mail flows.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tracing::{error, info};

use crate::delivery::Delivery;
use crate::setup::SetupError;
use postgate_tls::{Changes, Reloaded};

/// Looks at the files whenever the system says that something has happened to them, and every now
/// and then. It does not end by itself where there are any.
pub async fn watch(delivery: Delivery, rescan: Duration) {
    if delivery.files().next().is_none() {
        return;
    }
    let mut changes = Changes::of(delivery.files(), rescan);
    loop {
        let looking = delivery.clone();
        let looked = spawn_blocking(move || looking.reload_changed()).await;
        if let Ok(Some(reloaded)) = looked {
            tell(&reloaded);
        }
        changes.next().await;
    }
}

/// Reads the files now.
pub async fn reload(delivery: &Delivery) {
    let delivery = delivery.clone();
    // Files can be slow, and it is none of a session's business.
    if let Ok(Some(reloaded)) = spawn_blocking(move || delivery.reload()).await {
        tell(&reloaded);
    }
}

fn tell(reloaded: &Result<Reloaded, SetupError>) {
    match reloaded {
        Ok(Reloaded::Changed) => info!("files of the backend reloaded"),
        Ok(Reloaded::Same) => info!("files of the backend are the same as before"),
        Err(error) => error!(%error, "files of the backend not reloaded; those from before stay"),
    }
}
