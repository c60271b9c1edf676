//! How a gateway stops: its phases, and waiting for them.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How far the gateway is with its work, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Clients are served.
    Serving,
    /// Nobody is let in, and what waits for a command is over.
    Stopping,
    /// Everything that waits for its client is over.
    Cutting,
}

/// Waits until the gateway has come to a phase.
pub(crate) async fn reached(current: &mut watch::Receiver<Phase>, phase: Phase) {
    // An error means that the gateway itself is gone, which comes after all phases.
    _ = current.wait_for(|current| *current >= phase).await;
}

/// Waits for a time, and no longer than the gateway serves.
pub(crate) async fn pause(time: Duration, current: &mut watch::Receiver<Phase>) {
    // Which of the two it was, the caller sees by the phase.
    _ = timeout(time, reached(current, Phase::Stopping)).await;
}
