//! How long to wait for a server on a connection that was used before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long to wait for an answer on a connection that was used before. The machine at its other end,
/// or a firewall in between, may have forgotten it without a word; a new connection shows at once
/// whether that is so.
///
/// A server that takes its time gets more of it: twice as long as its slowest answer.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// The slowest answer so far, in milliseconds.
    slowest: AtomicU64,
}

impl Patience {
    /// The time to wait, from 5 to 20 seconds.
    pub(super) fn limit(&self) -> Duration {
        let slowest = Duration::from_millis(self.slowest.load(Ordering::Relaxed));
        (2 * slowest).max(LEAST)
    }

    /// Notes how long the server took to answer a command.
    pub(super) fn note(&self, taken: Duration) {
        if taken > LEAST / 2 {
            let taken = taken.min(MOST / 2);
            // Lossless: at most 10,000.
            self.slowest
                .fetch_max(taken.as_millis() as u64, Ordering::Relaxed);
        }
    }
}

const LEAST: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_server_gets_more_time() {
        let patience = Patience::default();
        for (taken, limit) in [(0, 5), (2, 5), (3, 6), (1, 6), (8, 16), (600, 20)] {
            patience.note(Duration::from_secs(taken));
            assert_eq!(patience.limit(), Duration::from_secs(limit), "{taken}");
        }
    }
}
