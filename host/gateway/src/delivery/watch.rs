//! Takes new certificates and passwords while mail flows.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use super::{Delivery, SetupError};
use crate::tls::Reloaded;

/// Looks at the files every now and then; zero for never. It does not end by itself.
pub(crate) async fn watch(delivery: Delivery, rescan: Duration) {
    if rescan.is_zero() {
        return;
    }
    let mut ticks = interval(rescan);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let delivery = delivery.clone();
        let looked = spawn_blocking(move || delivery.reload_changed()).await;
        if let Ok(Some(reloaded)) = looked {
            tell(&reloaded);
        }
    }
}

/// Reads the files now.
pub(crate) async fn reload(delivery: &Delivery) {
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
