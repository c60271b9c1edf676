//! How long the plugins may keep a client waiting, all of them together.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{HostFault, PluginError};

/// The time that is left for the plugins at one event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    limit: Duration,
    end: Instant,
}

impl Patience {
    /// Patience that begins now.
    pub(super) fn of(limit: Duration) -> Self {
        let end = Instant::now() + limit;
        Self { limit, end }
    }

    /// Waits for the answer of a plugin. Its instance must not be used after an error, since it may have
    /// stopped anywhere.
    ///
    /// # Errors
    ///
    /// Fails as the call does, or if it takes too long.
    pub(super) async fn bound<T>(
        self,
        call: impl Future<Output = Result<T, PluginError>>,
    ) -> Result<T, PluginError> {
        let late = |_| Err(HostFault::Patience(self.limit).into());
        timeout_at(self.end, call).await.unwrap_or_else(late)
    }

    /// The part of a delay that is within the limit, as the time is now.
    pub(super) fn bound_delay(self, delay: Duration) -> Duration {
        delay.min(self.end.saturating_duration_since(Instant::now()))
    }
}
