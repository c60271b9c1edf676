//! Reloads certificates and passwords while mail flows.

use std::time::Duration;

use postgate_tls::{FileChanges, Reloaded};
use tokio::task::spawn_blocking;
use tracing::{error, info};

use crate::delivery::Delivery;
use crate::error::SetupError;

/// Reloads the files of the backend whenever they change: at a notification of the system, and once
/// per `rescan`. Returns only if the backend has no files.
pub async fn watch(delivery: Delivery, rescan: Duration) {
    if delivery.files().next().is_none() {
        return;
    }
    let mut changes = FileChanges::of(delivery.files(), rescan);
    loop {
        run(&delivery, Delivery::reload_changed).await;
        changes.next().await;
    }
}

/// Reloads the files of the backend now.
pub async fn reload(delivery: &Delivery) {
    run(delivery, Delivery::reload).await;
}

/// Reads the files on another thread: the disk may be slow, and sessions must not wait for it.
async fn run(delivery: &Delivery, reload: fn(&Delivery) -> Option<Result<Reloaded, SetupError>>) {
    let delivery = delivery.clone();
    match spawn_blocking(move || reload(&delivery)).await {
        Ok(Some(result)) => log_reload(&result),
        Ok(None) => {}
        Err(error) => log_failure(&error),
    }
}

fn log_reload(result: &Result<Reloaded, SetupError>) {
    match result {
        Ok(Reloaded::Changed) => info!("files of the backend reloaded"),
        Ok(Reloaded::Same) => info!("files of the backend are the same as before"),
        Err(error) => log_failure(error),
    }
}

fn log_failure(error: &dyn std::error::Error) {
    error!(%error, "files of the backend not reloaded; those from before stay");
}
