//! How a gateway stops: its phases, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How far the gateway has come, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Clients are served.
    Serving,
    /// New connections are not accepted, and sessions that wait for a command are ended.
    Stopping,
    /// Sessions that wait for anything from their client are ended.
    Cutting,
}

/// Moves a gateway from phase to phase. Dropping it counts as the last phase.
#[derive(Clone, Debug)]
pub struct ShutdownSwitch(Arc<watch::Sender<Phase>>);

impl ShutdownSwitch {
    /// A gateway that serves.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Serving)))
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// A view of the phases.
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.0.subscribe())
    }
}

impl Default for ShutdownSwitch {
    fn default() -> Self {
        Self::new()
    }
}

/// The phases of a gateway, as its sessions see them.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Phase>);

impl Shutdown {
    /// True if the gateway is in this phase or a later one.
    pub fn has_reached(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase
    }

    /// Waits until the gateway has reached a phase.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that the gateway itself is gone, which comes after all phases.
        _ = self.0.wait_for(|current| *current >= phase).await;
    }

    /// Waits for this long, or until the gateway stops.
    pub async fn pause(&mut self, time: Duration) {
        // The caller sees by the phase which of the two it was.
        _ = timeout(time, self.reached(Phase::Stopping)).await;
    }
}
