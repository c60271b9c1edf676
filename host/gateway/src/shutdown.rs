//! The phases in which a gateway shuts down, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A phase of the life of a gateway. The order is that in which it enters them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownPhase {
    /// The gateway accepts connections.
    Serving,
    /// The gateway accepts no connections, and ends sessions that wait for a command.
    Stopping,
    /// The gateway ends all sessions that wait for their client.
    Aborting,
}

/// Sets the phase of a gateway. Dropping the last clone has the effect of the last phase.
#[derive(Clone, Debug)]
pub struct ShutdownSwitch(Arc<watch::Sender<ShutdownPhase>>);

impl ShutdownSwitch {
    /// Starts in [`ShutdownPhase::Serving`].
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(ShutdownPhase::Serving)))
    }

    /// Enters a phase.
    pub fn enter(&self, phase: ShutdownPhase) {
        self.0.send_replace(phase);
    }

    /// Returns a receiver of the phases for a session or a listener.
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.0.subscribe())
    }
}

impl Default for ShutdownSwitch {
    fn default() -> Self {
        Self::new()
    }
}

/// Observes the phases of a gateway.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<ShutdownPhase>);

impl Shutdown {
    /// Returns true if the gateway is in this phase or a later one.
    pub fn has_reached(&self, phase: ShutdownPhase) -> bool {
        *self.0.borrow() >= phase
    }

    /// Waits until the gateway has reached a phase.
    pub async fn reached(&mut self, phase: ShutdownPhase) {
        // An error means that the switch was dropped, which counts as the last phase.
        _ = self.0.wait_for(|current| *current >= phase).await;
    }

    /// Waits for a duration, or until the gateway stops if that is sooner.
    pub async fn pause(&mut self, duration: Duration) {
        // Callers that need to know which of the two happened check the phase.
        _ = timeout(duration, self.reached(ShutdownPhase::Stopping)).await;
    }
}
